#include "iceberg/row_delta.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/failpoint.h"
#include "base/system_random.h"
#include "base/try.h"
#include "base/uuid.h"
#include "iceberg/manifest_avro.h"
#include "iceberg/manifest_groups.h"
#include "iceberg/manifest_list_avro.h"
#include "iceberg/number_property.h"
#include "iceberg/snapshot_summary.h"
#include "observe/log.h"

namespace firn::iceberg {
namespace {

constexpr int64_t kManifestBytesDefault = 8 << 20;
constexpr int64_t kMinCountToMergeDefault = 8;

SnapshotId NewSnapshotId(const TableMetadata& base) {
  while (true) {
    const auto id = static_cast<SnapshotId>(SystemRandom()() >> 1);
    if (id > 0 && base.FindSnapshot(id) == nullptr) return id;
  }
}

std::string Below(const TableMetadata& metadata, const std::string& path_property, std::string_view folder,
                  std::string_view name) {
  auto found = metadata.properties.find(path_property);
  if (found == metadata.properties.end()) return fmt::format("{}/{}/{}", metadata.location, folder, name);
  std::string_view path = found->second;
  while (path.ends_with('/')) path.remove_suffix(1);
  return fmt::format("{}/{}", path, name);
}

int64_t LiveCount(const ManifestFile& manifest) {
  return int64_t{manifest.added_files_count} + manifest.existing_files_count;
}

/// One attempt at a snapshot.
//
//   base's manifests ──┬─ no live file, or hit by the delta ──► their live entries (existing) and the hit ones
//   (deleted)
//                      │                                          │  with the new files (added), by their group
//                      └─ the rest, kept as they are              ▼
//                                     └──────────────────► new manifests first, then the kept ones: the manifest list
class Builder {
 public:
  Builder(storage::FileStore& store, const TableMetadata& base, const RowDelta& delta, ManifestCache& cache)
      : store_(store),
        base_(base),
        delta_(delta),
        cache_(cache),
        groups_(base),
        manifest_bytes_(NumberProperty(base, "commit.manifest.target-size-bytes", kManifestBytesDefault)),
        min_count_to_merge_(NumberProperty(base, "commit.manifest.min-count-to-merge", kMinCountToMergeDefault)) {
    snapshot_.snapshot_id = NewSnapshotId(base);
    snapshot_.parent_snapshot_id = base.current_snapshot_id;
    snapshot_.sequence_number = base.last_sequence_number + 1;
    snapshot_.schema_id = base.current_schema_id;
  }

  Result<Snapshot> Build(int64_t now_ms) {
    // Java refuses snapshots that are older than the table's last change.
    snapshot_.timestamp_ms = std::max(now_ms, base_.last_updated_ms);
    auto built = BuildFiles();
    if (!built.has_value()) {
      for (const std::string& location : written_) (void)store_.Delete(location);
      return std::unexpected(std::move(built).error());
    }
    return std::move(snapshot_);
  }

 private:
  /// Manifests of data, or of deletes.
  struct Side {
    bool holds_deletes = false;
    std::vector<ManifestFile> kept;
    std::map<ManifestGroup, std::vector<ManifestEntry>> entries;  ///< To write.
  };

  Status BuildFiles() {
    TRY_VOID(CheckDelta());
    ManifestCache::Manifests manifests = std::make_shared<const std::vector<ManifestFile>>();
    if (const Snapshot* current = base_.CurrentSnapshot()) {
      TRY(manifests, cache_.ReadList(store_, *current));
    }
    for (const DataFile& file : delta_.added_data_files) Add(data_, file);
    for (const DataFile& file : delta_.added_delete_files) Add(deletes_, file);
    for (const ManifestFile& manifest : *manifests) {
      // What was left in it is gone since an older snapshot.
      if (LiveCount(manifest) == 0) continue;
      if (manifest.holds_deletes) {
        TRY_VOID(FilterDeletes(manifest));
      } else {
        TRY_VOID(FilterData(manifest));
      }
    }
    TRY_VOID(CheckAllFound());
    TRY_VOID(MergeData());
    TRY_VOID(MergeDeletes());
    std::vector<ManifestFile> list;
    TRY_VOID(WriteSide(data_, list));
    TRY_VOID(WriteSide(deletes_, list));
    AssignRowIds(list);
    CacheWritten(list);
    snapshot_.summary = Summary();
    snapshot_.manifest_list = MetadataLocation(base_, fmt::format("snap-{}-1-{}.avro", snapshot_.snapshot_id, uuid_));
    TRY(const std::string content, WriteManifestList(base_.format_version, snapshot_, list));
    written_.push_back(snapshot_.manifest_list);
    TRY_VOID(BeforeStep(Failpoint::kManifestListWriteBefore));
    TRY_VOID(store_.Write(snapshot_.manifest_list, content).Context("writing the manifest list"));
    AfterStep(Failpoint::kManifestListWriteAfter);
    if (IsLogged(LogLevel::kDebug)) {
      LogDebug("wrote the manifests of a snapshot", {{"table_location", base_.location},
                                                     {"snapshot_id", snapshot_.snapshot_id},
                                                     {"manifest_count", list.size()},
                                                     {"manifests_replaced", manifests_replaced_}});
    }
    cache_.PutList(snapshot_.manifest_list, std::make_shared<const std::vector<ManifestFile>>(std::move(list)));
    return {};
  }

  /// Gathers what must go and what must be there: removed_, referenced_, replaced_ and kept_deletes_.
  Status CheckDelta() {
    std::unordered_set<std::string_view> added;
    for (const DataFile& file : delta_.added_data_files) {
      if (file.content != FileContent::kData) return Misuse(file, "is no data file");
      if (!added.insert(file.file_path).second) return Misuse(file, "is added twice");
    }
    removed_.insert(delta_.removed_data_files.begin(), delta_.removed_data_files.end());
    replaced_ = removed_;
    kept_deletes_.insert(delta_.kept_delete_files.begin(), delta_.kept_delete_files.end());
    for (const DataFile& file : delta_.added_delete_files) {
      if (file.content == FileContent::kData) return Misuse(file, "is no delete file");
      if (file.content == FileContent::kEqualityDeletes) continue;
      // Spec, "Delete Formats": v3 adds deletion vectors only, v2 knows none.
      if (IsDeletionVector(file) != (base_.format_version >= 3)) {
        return MakeError(ErrorKind::kUnsupported,
                         "{}: tables of format version {} take {} (set destination.deletes accordingly)",
                         file.file_path, base_.format_version,
                         base_.format_version >= 3 ? "deletion vectors" : "position delete files");
      }
      const auto data_file = ReferencedDataFile(file);
      if (!data_file) return Misuse(file, "does not say which data file it deletes from");
      if (removed_.contains(*data_file)) return Misuse(file, "deletes from a file that is removed");
      if (!replaced_.insert(*data_file).second) return Misuse(file, "is the second one for its data file");
      if (!added.contains(*data_file)) referenced_.insert(*data_file);
    }
    return {};
  }

  static Error Misuse(const DataFile& file, std::string_view what) {
    return MakeError(ErrorKind::kInternal, "{} {}", file.file_path, what);
  }

  Status CheckAllFound() const {
    if (!delta_.truncate && !removed_.empty()) return NotLive(*removed_.begin());
    if (!referenced_.empty()) return NotLive(*referenced_.begin());
    return {};
  }

  static Error NotLive(std::string_view path) {
    return MakeError(ErrorKind::kConflict, "{} is not in the table any more: another writer rewrote it", path);
  }

  void Add(Side& side, const DataFile& file) {
    summary_.Add(file);
    side.entries[groups_.Of(file)].push_back({.status = EntryStatus::kAdded,
                                              .snapshot_id = snapshot_.snapshot_id,
                                              .sequence_number = snapshot_.sequence_number,
                                              .file_sequence_number = snapshot_.sequence_number,
                                              .file = file});
  }

  /// Moves a manifest's live entries to those to be written, `gone(i)` of them as deleted ones.
  template <typename Gone>
  void Rewrite(Side& side, const std::vector<ManifestEntry>& entries, Gone gone) {
    ++manifests_replaced_;
    for (size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].status == EntryStatus::kDeleted) continue;
      ManifestEntry entry = entries[i];
      entry.status = EntryStatus::kExisting;
      if (gone(i)) {
        entry.status = EntryStatus::kDeleted;
        entry.snapshot_id = snapshot_.snapshot_id;
        summary_.Remove(entry.file);
      }
      side.entries[groups_.Of(entry.file)].push_back(std::move(entry));
    }
  }

  Status FilterData(const ManifestFile& manifest) {
    if (delta_.truncate) {
      TRY(auto entries, cache_.Read(store_, base_, manifest));
      Rewrite(data_, *entries, [](size_t) { return true; });
      return {};
    }
    if (removed_.empty() && referenced_.empty()) {
      data_.kept.push_back(manifest);
      return {};
    }
    TRY(auto indexed, cache_.ReadIndexed(store_, base_, manifest));
    const auto& by_path = indexed.index->by_path;
    std::erase_if(referenced_, [&](std::string_view path) { return by_path.contains(path); });
    std::unordered_set<size_t> gone;
    std::erase_if(removed_, [&](std::string_view path) {
      auto found = by_path.find(path);
      return found != by_path.end() && gone.insert(found->second).second;
    });
    if (gone.empty()) {
      data_.kept.push_back(manifest);
    } else {
      Rewrite(data_, *indexed.entries, [&](size_t i) { return gone.contains(i); });
    }
    return {};
  }

  Status FilterDeletes(const ManifestFile& manifest) {
    if (delta_.truncate) {
      TRY(auto entries, cache_.Read(store_, base_, manifest));
      Rewrite(deletes_, *entries, [](size_t) { return true; });
      return {};
    }
    if (replaced_.empty()) {
      deletes_.kept.push_back(manifest);
      return {};
    }
    TRY(auto indexed, cache_.ReadIndexed(store_, base_, manifest));
    std::unordered_set<size_t> gone;
    for (std::string_view data_file : replaced_) {
      auto [first, last] = indexed.index->deletes_by_data_file.equal_range(data_file);
      for (auto found = first; found != last; ++found) {
        const ManifestEntry& deletes = (*indexed.entries)[found->second];
        if (!kept_deletes_.contains(deletes.file.file_path)) gone.insert(found->second);
      }
    }
    if (gone.empty()) {
      deletes_.kept.push_back(manifest);
    } else {
      Rewrite(deletes_, *indexed.entries, [&](size_t i) { return gone.contains(i); });
    }
    return {};
  }

  /// Takes the manifests that `merge` chooses from those kept, to be written again with the new ones. Those that mix
  /// groups are parted so, one a commit.
  template <typename Merge>
  Status MergeKept(Side& side, Merge merge) {
    std::vector<ManifestFile> kept;
    for (ManifestFile& manifest : side.kept) {
      if (merge(manifest)) {
        TRY(auto entries, cache_.Read(store_, base_, manifest));
        Rewrite(side, *entries, [](size_t) { return false; });
      } else {
        kept.push_back(std::move(manifest));
      }
    }
    side.kept = std::move(kept);
    return {};
  }

  bool IsSmall(const ManifestFile& manifest) const { return manifest.manifest_length < manifest_bytes_ / 2; }

  /// Small manifests of a group, once there are several of about the same size: planning opens few, and an entry is
  /// rewritten a few times in its life.
  Status MergeData() {
    auto enabled = base_.properties.find("commit.manifest-merge.enabled");
    if (enabled != base_.properties.end() && enabled->second == "false") return {};
    std::ranges::stable_sort(data_.kept, {}, LiveCount);
    struct Alike {
      int64_t manifests = 0;
      int64_t entries = 0;
    };
    std::map<ManifestGroup, Alike> by_group;
    for (const auto& [group, entries] : data_.entries) by_group[group] = {1, static_cast<int64_t>(entries.size())};
    std::set<std::string> alike;
    for (const ManifestFile& manifest : data_.kept) {
      const auto group = groups_.Of(manifest);
      if (!group || !IsSmall(manifest)) continue;
      Alike& like = by_group[*group];
      if (LiveCount(manifest) > std::max<int64_t>(1, 2 * like.entries)) continue;
      ++like.manifests;
      like.entries += LiveCount(manifest);
      alike.insert(manifest.manifest_path);
    }
    bool parts_one = true;
    return MergeKept(data_, [&](const ManifestFile& manifest) {
      const auto group = groups_.Of(manifest);
      if (!group) return std::exchange(parts_one, false);
      return by_group[*group].manifests >= min_count_to_merge_ && alike.contains(manifest.manifest_path);
    });
  }

  /// Readers open every delete manifest, so there should be few; yet a commit that adds a few deletes should not
  /// rewrite them all. A manifest joins those to write when it has at most twice their entries: sizes grow
  /// geometrically.
  Status MergeDeletes() {
    std::ranges::stable_sort(deletes_.kept, {}, LiveCount);
    bool parts_one = true;
    return MergeKept(deletes_, [&](const ManifestFile& manifest) {
      const auto group = groups_.Of(manifest);
      if (!group) return std::exchange(parts_one, false);
      const auto to_write = deletes_.entries.find(*group);
      return to_write != deletes_.entries.end() && IsSmall(manifest) &&
             LiveCount(manifest) <= 2 * static_cast<int64_t>(to_write->second.size());
    });
  }

  /// New manifests of the target size, then the kept ones.
  Status WriteSide(Side& side, std::vector<ManifestFile>& list) {
    for (auto& [group, entries] : side.entries) {
      const PartitionSpec* spec = base_.FindSpec(group.spec_id);
      if (spec == nullptr) {
        return MakeError(ErrorKind::kInternal, "{}: the table has no partition spec {}", entries.front().file.file_path,
                         group.spec_id);
      }
      for (size_t next = 0; next < entries.size();) {
        ManifestWriter writer(base_, *spec, side.holds_deletes, snapshot_.snapshot_id, snapshot_.sequence_number);
        const size_t first = next;
        while (next < entries.size() && (next == first || writer.estimated_bytes() < manifest_bytes_)) {
          TRY_VOID(writer.Add(entries[next++]));
        }
        TRY(WrittenManifest written, std::move(writer).Finish());
        written.manifest.manifest_path =
            MetadataLocation(base_, fmt::format("{}-m{}.avro", uuid_, manifests_created_++));
        written_.push_back(written.manifest.manifest_path);
        TRY_VOID(BeforeStep(Failpoint::kManifestWriteBefore));
        TRY_VOID(store_.Write(written.manifest.manifest_path, written.content).Context("writing a manifest"));
        AfterStep(Failpoint::kManifestWriteAfter);
        const auto begin = std::make_move_iterator(entries.begin());
        written_entries_[written.manifest.manifest_path].assign(begin + static_cast<ptrdiff_t>(first),
                                                                begin + static_cast<ptrdiff_t>(next));
        list.push_back(std::move(written.manifest));
      }
    }
    manifests_kept_ += side.kept.size();
    std::ranges::move(side.kept, std::back_inserter(list));
    return {};
  }

  /// v3: a data manifest without a first row id gets the next ones, for all of its rows (spec: "Row Lineage").
  void AssignRowIds(std::vector<ManifestFile>& list) {
    if (base_.format_version < 3) return;
    const int64_t first = base_.next_row_id.value_or(0);
    int64_t next = first;
    for (ManifestFile& manifest : list) {
      if (manifest.holds_deletes || manifest.first_row_id) continue;
      manifest.first_row_id = next;
      next += manifest.added_rows_count + manifest.existing_rows_count;
    }
    snapshot_.first_row_id = first;
    snapshot_.added_rows = next - first;
  }

  /// The next commit finds what this one wrote in memory.
  void CacheWritten(const std::vector<ManifestFile>& list) {
    for (const ManifestFile& manifest : list) {
      auto written = written_entries_.find(manifest.manifest_path);
      if (written == written_entries_.end()) continue;
      InheritRowIds(manifest, written->second);
      cache_.Put(manifest.manifest_path,
                 std::make_shared<const std::vector<ManifestEntry>>(std::move(written->second)));
    }
  }

  Properties Summary() const {
    const Snapshot* current = base_.CurrentSnapshot();
    Properties summary = summary_.Build(current != nullptr ? &current->summary : nullptr);
    summary["operation"] = delta_.replace ? "replace" : summary_.Operation();
    summary["manifests-created"] = fmt::format("{}", manifests_created_);
    summary["manifests-kept"] = fmt::format("{}", manifests_kept_);
    summary["manifests-replaced"] = fmt::format("{}", manifests_replaced_);
    summary.insert(delta_.summary.begin(), delta_.summary.end());
    return summary;
  }

  storage::FileStore& store_;
  const TableMetadata& base_;
  const RowDelta& delta_;
  ManifestCache& cache_;
  const ManifestGroups groups_;
  const int64_t manifest_bytes_;
  const int64_t min_count_to_merge_;
  const std::string uuid_ = NewUuid();

  Snapshot snapshot_;
  SnapshotSummary summary_;
  Side data_{.holds_deletes = false};
  Side deletes_{.holds_deletes = true};
  std::set<std::string_view> removed_;     ///< Data files to remove; those not found yet.
  std::set<std::string_view> referenced_;  ///< Data files of base that new delete files are for; those not found yet.
  std::set<std::string_view> replaced_;    ///< Data files whose delete files go: removed, or with a new one.
  std::set<std::string_view> kept_deletes_;
  std::vector<std::string> written_;  ///< Locations, to be deleted when the attempt fails.
  std::unordered_map<std::string, std::vector<ManifestEntry>> written_entries_;  ///< By manifest.
  size_t manifests_created_ = 0;
  size_t manifests_kept_ = 0;
  size_t manifests_replaced_ = 0;
};

}  // namespace

Result<CommitRequest> BuildRowDelta(storage::FileStore& store, const TableIdent& ident, const TableMetadata& base,
                                    const RowDelta& delta, ManifestCache& cache, int64_t now_ms) {
  Builder builder(store, base, delta, cache);
  TRY(Snapshot snapshot, builder.Build(now_ms).Context("a snapshot of {}", ToString(ident)));
  SnapshotRef main;
  if (auto found = base.refs.find(kMainRef); found != base.refs.end()) main = found->second;  // Keeps its retention.
  main.snapshot_id = snapshot.snapshot_id;
  return CommitRequest{
      .table = ident,
      .requirements = {AssertTableUuid{base.table_uuid}, AssertRefSnapshotId{kMainRef, base.current_snapshot_id}},
      .updates = {AddSnapshot{std::move(snapshot)}, SetSnapshotRef{kMainRef, main}}};
}

void RemoveBuilt(storage::FileStore& store, const TableMetadata& base, const CommitRequest& request) {
  for (const Update& update : request.updates) {
    const auto* added = std::get_if<AddSnapshot>(&update);
    if (added == nullptr || base.FindSnapshot(added->snapshot.snapshot_id) != nullptr) continue;
    if (auto manifests = ReadManifestList(store, added->snapshot)) {
      for (const ManifestFile& manifest : *manifests) {
        if (manifest.added_snapshot_id != added->snapshot.snapshot_id) continue;
        (void)store.Delete(manifest.manifest_path);  // What stays is an orphan for maintenance to find.
      }
    }
    (void)store.Delete(added->snapshot.manifest_list);
  }
}

std::string DataLocation(const TableMetadata& metadata, std::string_view name) {
  return Below(metadata, "write.data.path", "data", name);
}

std::string MetadataLocation(const TableMetadata& metadata, std::string_view name) {
  return Below(metadata, "write.metadata.path", "metadata", name);
}

}  // namespace firn::iceberg
