#include "pipeline/live_files.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/failpoint.h"
#include "base/try.h"
#include "iceberg/row_deletes.h"
#include "observe/parallel.h"

namespace firn::pipeline {
namespace {

int64_t NewestSequenceNumber(const std::vector<iceberg::SharedEntry>& deletes) {
  int64_t newest = 0;
  for (const auto& entry : deletes) newest = std::max(newest, entry->sequence_number);
  return newest;
}

/// A position delete file that is not small is merged once it has at most so many times the rows that are merged
/// already: sizes grow geometrically, a data file has few of them, and a row's delete is written a few times in all.
constexpr uint64_t kMergeRatio = 4;

/// Deletes of fewer data files are written one after the other: threads for them would cost more than they save.
constexpr size_t kManyFiles = 6;

/// Whether a delete file is the same one: vectors of other writers share a file, and are told apart by their offsets in
/// it.
bool IsSame(const iceberg::DataFile& a, const iceberg::DataFile& b) {
  return a.file_path == b.file_path && a.content_offset == b.content_offset;
}

}  // namespace

Status LiveFiles::Load(iceberg::TableMetadataPtr metadata, iceberg::ManifestCache& manifests) {
  LoadNothing();
  loaded_ = false;
  metadata_ = std::move(metadata);
  TRY(auto files, iceberg::PlanFiles(store_, *metadata_, metadata_->CurrentSnapshot(), manifests));
  for (iceberg::LiveDataFile& live : files) {
    const bool by_equality = !live.equality_deletes.empty();
    Entry entry{.file = by_equality ? live.entry.file : std::move(live.entry.file),
                .newest_equality_delete = NewestSequenceNumber(live.equality_deletes)};
    for (const auto& deletes : live.position_deletes) entry.delete_files.push_back({.file = deletes->file});
    if (!live.equality_deletes.empty())
      entry.by_equality = std::make_shared<const iceberg::LiveDataFile>(std::move(live));
    std::string location = entry.file.file_path;
    entries_.emplace(std::move(location), std::move(entry));
  }
  loaded_ = true;
  return {};
}

void LiveFiles::LoadNothing() {
  entries_.clear();
  touched_.clear();
  equality_deletes_.reset();
  loaded_ = true;
}

std::vector<std::string> LiveFiles::Locations() const {
  std::vector<std::string> locations;
  for (const auto& [location, entry] : entries_) {
    if (!entry.added) locations.push_back(location);
  }
  std::ranges::sort(locations);
  return locations;
}

std::vector<iceberg::DataFile> LiveFiles::AddedFiles() const {
  std::vector<iceberg::DataFile> files;
  for (const std::string& location : touched_) {
    const Entry& entry = entries_.at(location);
    if (entry.added) files.push_back(entry.file);
  }
  return files;
}

Status LiveFiles::Read(const Entry& entry, DeleteFile& deletes) {
  if (deletes.positions) return {};
  TRY(deletes.positions, iceberg::ReadPositionDeletes(store_, deletes.file, entry.file.file_path));
  return {};
}

Result<iceberg::RowPositions> LiveFiles::DeletedByPlace(Entry& entry) {
  iceberg::RowPositions deleted = entry.marked;
  for (DeleteFile& deletes : entry.delete_files) {
    TRY_VOID(Read(entry, deletes));
    deleted |= *deletes.positions;
  }
  return deleted;
}

Result<bool> LiveFiles::IsEmptied(Entry& entry) {
  const auto rows = static_cast<uint64_t>(entry.file.record_count);
  uint64_t deleted_at_most = entry.has_marks ? entry.marked.cardinality() : 0;
  for (const DeleteFile& deletes : entry.delete_files) {
    deleted_at_most += static_cast<uint64_t>(deletes.file.record_count);
  }
  if (deleted_at_most < rows) return false;
  TRY(const iceberg::RowPositions deleted, DeletedByPlace(entry));
  return deleted.cardinality() == rows;
}

Result<iceberg::RowPositions> LiveFiles::MergeDeletes(Entry& entry, int32_t format_version) {
  const bool as_vector = format_version >= 3;
  std::ranges::stable_sort(entry.delete_files, {}, [](const DeleteFile& d) { return d.file.record_count; });
  iceberg::RowPositions merged = entry.marked;
  for (DeleteFile& deletes : entry.delete_files) {
    // One that others wrote may be for other data files too, and stays; a vector has its rows as well.
    const bool is_of_this = iceberg::ReferencedDataFile(deletes.file).has_value();
    const bool is_large =
        static_cast<uint64_t>(deletes.file.record_count) > std::max(small_deletes_, kMergeRatio * merged.cardinality());
    if (!as_vector && (!is_of_this || is_large)) continue;
    TRY_VOID(Read(entry, deletes));
    merged |= *deletes.positions;
    entry.replaced.insert(deletes.file.file_path);
  }
  return merged;
}

Result<iceberg::RowPositions> LiveFiles::Deleted(const std::string& location) {
  auto position = entries_.find(location);
  if (position == entries_.end()) return MakeError(ErrorKind::kInternal, "{} is not a live data file", location);
  Entry& entry = position->second;
  if (entry.by_equality) {
    if (!equality_deletes_) equality_deletes_.emplace(store_);
    TRY(const iceberg::RowPositions deleted, equality_deletes_->Of(*metadata_, *entry.by_equality));
    return deleted | entry.marked;
  }
  return DeletedByPlace(entry);
}

void LiveFiles::Add(const std::string& location) {
  Entry entry{.added = true};
  entry.file.file_path = location;
  entries_.emplace(location, std::move(entry));
  touched_.push_back(location);
}

void LiveFiles::Close(iceberg::DataFile file) {
  Entry& entry = entries_.at(file.file_path);
  entry.file = std::move(file);
}

Status LiveFiles::MarkDeleted(const std::string& location, uint64_t row) {
  auto position = entries_.find(location);
  if (position == entries_.end()) {
    return MakeError(ErrorKind::kConflict,
                     "data file {} holds a row that changed but is no longer part of the table: another writer rewrote "
                     "it. Start firn again: it will find the rows in the new files",
                     location);
  }
  Entry& entry = position->second;
  if (!entry.has_marks && !entry.added) touched_.push_back(location);
  entry.has_marks = true;
  entry.marked.add(row);
  return {};
}

void LiveFiles::Truncate() {
  for (const auto& [location, entry] : entries_) {
    // A file that stays behind is an orphan that `firn maintain orphans` finds: no reason to fail the batch.
    if (entry.added) (void)store_.Delete(location);
  }
  entries_.clear();
  touched_.clear();
  loaded_ = true;
}

Result<iceberg::RowDelta> LiveFiles::MakeDelta(int32_t format_version,
                                               const std::function<std::string(std::string_view ending)>& name,
                                               iceberg::Compression compression) {
  std::mutex naming;
  const auto next_name = [&](std::string_view ending) {
    const std::lock_guard lock(naming);
    return name(ending);
  };
  const auto write = [&](size_t i) -> Status {
    Entry& entry = entries_.at(touched_[i]);
    TRY(entry.emptied, IsEmptied(entry));
    if (entry.emptied || !entry.has_marks) return {};
    TRY_VOID(BeforeStep(Failpoint::kDeleteFileWriteBefore));
    TRY(iceberg::RowPositions positions, MergeDeletes(entry, format_version));
    TRY(iceberg::DataFile written,
        iceberg::WriteRowDeletes(store_, format_version, next_name, entry.file, positions, compression));
    AfterStep(Failpoint::kDeleteFileWriteAfter);
    entry.next_delete = {.file = std::move(written), .positions = std::move(positions)};
    return {};
  };
  TRY_VOID(ForEachParallel(touched_.size(), touched_.size() < kManyFiles ? 1 : files_at_once_, write));

  iceberg::RowDelta delta;
  for (const std::string& location : touched_) {
    const Entry& entry = entries_.at(location);
    if (entry.emptied) {
      if (!entry.added) delta.removed_data_files.push_back(location);
      continue;
    }
    if (entry.added) delta.added_data_files.push_back(entry.file);
    if (!entry.next_delete) continue;
    for (const DeleteFile& deletes : entry.delete_files) {
      if (!entry.replaced.contains(deletes.file.file_path)) delta.kept_delete_files.push_back(deletes.file.file_path);
    }
    delta.added_delete_files.push_back(entry.next_delete->file);
  }
  return delta;
}

bool LiveFiles::HasSameDeletes(const Entry& entry, const iceberg::LiveDataFile& live) {
  // Manifests may have been merged since: the order tells nothing.
  return live.position_deletes.size() == entry.delete_files.size() &&
         NewestSequenceNumber(live.equality_deletes) == entry.newest_equality_delete &&
         std::ranges::all_of(live.position_deletes, [&](const auto& deletes) {
           return std::ranges::any_of(entry.delete_files,
                                      [&](const DeleteFile& known) { return IsSame(known.file, deletes->file); });
         });
}

Status LiveFiles::CheckStillLive(const iceberg::TableMetadata& fresh, iceberg::ManifestCache& manifests) const {
  TRY(const auto live, iceberg::PlanFiles(store_, fresh, fresh.CurrentSnapshot(), manifests));
  std::unordered_map<std::string_view, const iceberg::LiveDataFile*> by_location;
  for (const iceberg::LiveDataFile& file : live) by_location.emplace(file.entry.file.file_path, &file);
  for (const std::string& location : touched_) {
    const Entry& entry = entries_.at(location);
    if (entry.added) continue;
    const auto found = by_location.find(location);
    if (found == by_location.end() || !HasSameDeletes(entry, *found->second)) {
      return MakeError(ErrorKind::kConflict, "another writer changed data file {} at the same time", location);
    }
  }
  return {};
}

void LiveFiles::Committed() {
  equality_deletes_.reset();
  for (const std::string& location : std::exchange(touched_, {})) {
    auto position = entries_.find(location);
    Entry& entry = position->second;
    if (entry.emptied) {
      if (entry.added) (void)store_.Delete(location);  // Never part of a snapshot; at worst an orphan.
      entries_.erase(position);
      continue;
    }
    if (entry.next_delete) {
      const auto is_replaced = [&](const DeleteFile& d) { return entry.replaced.contains(d.file.file_path); };
      std::erase_if(entry.delete_files, is_replaced);
      entry.delete_files.push_back(*std::exchange(entry.next_delete, std::nullopt));
      entry.replaced.clear();
    }
    entry.marked = {};
    entry.has_marks = false;
    entry.added = false;
  }
}

}  // namespace firn::pipeline
