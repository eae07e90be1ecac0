#include "pipeline/live_files.h"

#include <algorithm>
#include <utility>

#include "base/try.h"

namespace firn::pipeline {

Status LiveFiles::Load(const iceberg::TableMetadata& metadata, iceberg::ManifestCache& manifests) {
  entries_.clear();
  touched_.clear();
  TRY(auto files, iceberg::PlanFiles(store_, metadata, metadata.CurrentSnapshot(), manifests));
  for (iceberg::LiveDataFile& live : files) {
    if (!live.equality_deletes.empty() || live.position_deletes.size() > 1) {
      return MakeError(
          ErrorKind::kUnsupported,
          "data file {} has {} position delete files and {} equality delete files of another writer; compact "
          "the table with its engine (Spark: rewrite_data_files) and start firn again",
          live.entry.file.file_path, live.position_deletes.size(), live.equality_deletes.size());
    }
    Entry entry{.file = std::move(live.entry.file)};
    if (live.position_deletes.empty()) {
      entry.deleted.emplace();
    } else {
      entry.delete_file = live.position_deletes.front()->file;
    }
    std::string location = entry.file.file_path;
    entries_.emplace(std::move(location), std::move(entry));
  }
  loaded_ = true;
  return {};
}

std::vector<std::string> LiveFiles::Locations() const {
  std::vector<std::string> locations;
  for (const auto& [location, entry] : entries_) {
    if (!entry.added) locations.push_back(location);
  }
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

Status LiveFiles::ReadDeleted(Entry& entry) {
  if (entry.deleted) return {};
  TRY(entry.deleted, iceberg::ReadPositionDeletes(store_, *entry.delete_file, entry.file.file_path));
  return {};
}

Result<iceberg::RowPositions> LiveFiles::Deleted(const std::string& location) {
  auto position = entries_.find(location);
  if (position == entries_.end()) return MakeError(ErrorKind::kInternal, "{} is not a live data file", location);
  TRY_VOID(ReadDeleted(position->second));
  return *position->second.deleted | position->second.marked;
}

void LiveFiles::Add(const std::string& location) {
  Entry entry{.added = true};
  entry.file.file_path = location;
  entry.deleted.emplace();
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

Result<iceberg::RowDelta> LiveFiles::MakeDelta(const std::function<std::string()>& name,
                                               iceberg::Compression compression) {
  iceberg::RowDelta delta;
  for (const std::string& location : touched_) {
    Entry& entry = entries_.at(location);
    TRY_VOID(ReadDeleted(entry));
    const iceberg::RowPositions deleted = *entry.deleted | entry.marked;
    if (deleted.cardinality() == static_cast<uint64_t>(entry.file.record_count)) {
      entry.emptied = true;
      if (!entry.added) delta.removed_data_files.push_back(location);
      continue;
    }
    if (entry.added) delta.added_data_files.push_back(entry.file);
    if (!entry.has_marks) continue;
    TRY(entry.next_delete_file, iceberg::WritePositionDeletes(store_, name(), entry.file, deleted, compression));
    delta.added_delete_files.push_back(*entry.next_delete_file);
  }
  return delta;
}

Status LiveFiles::CheckStillLive(const iceberg::TableMetadata& fresh, iceberg::ManifestCache& manifests) const {
  TRY(const auto live, iceberg::PlanFiles(store_, fresh, fresh.CurrentSnapshot(), manifests));
  std::unordered_map<std::string_view, const iceberg::LiveDataFile*> by_location;
  for (const iceberg::LiveDataFile& file : live) by_location.emplace(file.entry.file.file_path, &file);
  for (const std::string& location : touched_) {
    const Entry& entry = entries_.at(location);
    if (entry.added) continue;
    const auto found = by_location.find(location);
    const bool same_deletes =
        found != by_location.end() && found->second->equality_deletes.empty() &&
        found->second->position_deletes.size() == (entry.delete_file ? 1 : 0) &&
        (!entry.delete_file || found->second->position_deletes.front()->file.file_path == entry.delete_file->file_path);
    if (!same_deletes) {
      return MakeError(ErrorKind::kConflict, "another writer changed data file {} at the same time", location);
    }
  }
  return {};
}

void LiveFiles::Committed() {
  for (const std::string& location : std::exchange(touched_, {})) {
    auto position = entries_.find(location);
    Entry& entry = position->second;
    if (entry.emptied) {
      if (entry.added) (void)store_.Delete(location);  // Never part of a snapshot; at worst an orphan.
      entries_.erase(position);
      continue;
    }
    if (entry.next_delete_file) entry.delete_file = std::exchange(entry.next_delete_file, std::nullopt);
    *entry.deleted |= std::exchange(entry.marked, {});
    entry.has_marks = false;
    entry.added = false;
  }
}

}  // namespace firn::pipeline
