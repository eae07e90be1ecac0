#include "iceberg/table_files.h"

#include <algorithm>
#include <list>
#include <unordered_map>

#include "base/try.h"
#include "iceberg/manifest_avro.h"
#include "iceberg/manifest_list_avro.h"

namespace firn::iceberg {
namespace {

constexpr size_t kMetricsPerEntry = 16;  // So many column metrics take about the memory of an entry without any.

size_t Weight(const std::vector<ManifestEntry>& entries) {
  size_t weight = 1;
  for (const ManifestEntry& entry : entries) {
    const DataFile& file = entry.file;
    const size_t metrics = file.column_sizes.size() + file.value_counts.size() + file.null_value_counts.size() +
                           file.nan_value_counts.size() + file.lower_bounds.size() + file.upper_bounds.size();
    weight += 1 + metrics / kMetricsPerEntry;
  }
  return weight;
}

std::shared_ptr<const ManifestIndex> MakeIndex(const std::vector<ManifestEntry>& entries) {
  auto index = std::make_shared<ManifestIndex>();
  index->by_path.reserve(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].status == EntryStatus::kDeleted) continue;
    index->by_path.emplace(entries[i].file.file_path, i);
    if (auto data_file = ReferencedDataFile(entries[i].file)) index->deletes_by_data_file.emplace(*data_file, i);
  }
  return index;
}

bool HasLiveFiles(const ManifestFile& manifest) {
  return manifest.added_files_count > 0 || manifest.existing_files_count > 0;
}

/// A snapshot's live delete files, found by what they may apply to.
class DeleteFiles {
 public:
  void Add(const TableMetadata& metadata, const SharedEntry& entry) {
    const DataFile& file = entry->file;
    if (file.content == FileContent::kEqualityDeletes) {
      // One of an unpartitioned spec applies to every file, whatever that file's spec.
      const PartitionSpec* spec = metadata.FindSpec(file.partition_spec_id);
      const bool global = spec == nullptr || IsUnpartitioned(*spec);
      (global ? global_equality_ : equality_[PartitionKey(file.partition_spec_id, file.partition)]).push_back(entry);
    } else if (auto data_file = ReferencedDataFile(file)) {
      by_data_file_[std::string(*data_file)].push_back(entry);
    } else {
      by_partition_[PartitionKey(file.partition_spec_id, file.partition)].push_back(entry);
    }
  }

  /// Spec, "Scan Planning": position deletes apply to data up to their own sequence number, equality deletes to older
  /// data only; where there is a deletion vector, no position delete file applies.
  void AssignTo(LiveDataFile& data) const {
    const int64_t sequence_number = data.entry.sequence_number;
    const std::string key = PartitionKey(data.entry.file.partition_spec_id, data.entry.file.partition);
    const auto take = [](const Entries& from, int64_t least, Entries& to) {
      std::ranges::copy_if(from, std::back_inserter(to),
                           [least](const SharedEntry& entry) { return entry->sequence_number >= least; });
    };
    if (auto found = by_data_file_.find(data.entry.file.file_path); found != by_data_file_.end()) {
      take(found->second, sequence_number, data.position_deletes);
    }
    auto vector = std::ranges::find_if(data.position_deletes,
                                       [](const SharedEntry& entry) { return IsDeletionVector(entry->file); });
    if (vector != data.position_deletes.end()) {
      data.position_deletes = {*vector};
    } else if (auto found = by_partition_.find(key); found != by_partition_.end()) {
      take(found->second, sequence_number, data.position_deletes);
    }
    take(global_equality_, sequence_number + 1, data.equality_deletes);
    if (auto found = equality_.find(key); found != equality_.end()) {
      take(found->second, sequence_number + 1, data.equality_deletes);
    }
  }

 private:
  using Entries = std::vector<SharedEntry>;
  std::unordered_map<std::string, Entries> by_data_file_;
  std::unordered_map<std::string, Entries> by_partition_;
  std::unordered_map<std::string, Entries> equality_;
  Entries global_equality_;
};

/// A manifest of a table that became v3 later gets its row ids from a later manifest list: then it is read again.
bool HasRowIds(const std::vector<ManifestEntry>& entries) {
  return std::ranges::all_of(entries, [](const ManifestEntry& entry) {
    return entry.status == EntryStatus::kDeleted || entry.file.first_row_id.has_value();
  });
}

}  // namespace

struct ManifestCache::State {
  struct Item {
    std::string path;
    size_t weight = 0;
    bool has_row_ids = false;
    Entries entries;                             // Of a manifest,
    std::shared_ptr<const ManifestIndex> index;  // once it was asked for;
    Manifests manifests;                         // or a list.
  };

  size_t weight_max;
  size_t weight = 0;
  std::list<Item> items;  // The last used first.
  std::unordered_map<std::string_view, std::list<Item>::iterator> by_path;

  Item* Find(std::string_view path) {
    auto found = by_path.find(path);
    if (found == by_path.end()) return nullptr;
    items.splice(items.begin(), items, found->second);
    return &items.front();
  }

  void Put(Item item) {
    if (auto found = by_path.find(item.path); found != by_path.end()) Remove(found->second);
    weight += item.weight;
    items.push_front(std::move(item));
    by_path.emplace(items.front().path, items.begin());
    // The newest stays even if it alone is over the bound: its user is about to ask for it again.
    while (weight > weight_max && items.size() > 1) Remove(std::prev(items.end()));
  }

  void Remove(std::list<Item>::iterator item) {
    weight -= item->weight;
    by_path.erase(item->path);
    items.erase(item);
  }
};

ManifestCache::ManifestCache(size_t entries_max) : state_(std::make_unique<State>()) {
  state_->weight_max = entries_max;
}
ManifestCache::~ManifestCache() = default;
ManifestCache::ManifestCache(ManifestCache&&) noexcept = default;
ManifestCache& ManifestCache::operator=(ManifestCache&&) noexcept = default;

Result<ManifestCache::Entries> ManifestCache::Read(storage::FileStore& store, const TableMetadata& metadata,
                                                   const ManifestFile& manifest) {
  if (const State::Item* item = state_->Find(manifest.manifest_path); item != nullptr && item->entries) {
    if (manifest.holds_deletes || !manifest.first_row_id || item->has_row_ids) return item->entries;
  }
  const PartitionSpec* spec = metadata.FindSpec(manifest.partition_spec_id);
  if (spec == nullptr) {
    return MakeError(ErrorKind::kCorrupt, "manifest {}: the table has no partition spec {}", manifest.manifest_path,
                     manifest.partition_spec_id);
  }
  TRY(const std::string content, store.Read(manifest.manifest_path, manifest.manifest_length));
  TRY(auto entries,
      ReadManifest(content, manifest, PartitionType(metadata, *spec)).Context("manifest {}", manifest.manifest_path));
  auto shared = std::make_shared<const std::vector<ManifestEntry>>(std::move(entries));
  Put(manifest.manifest_path, shared);
  return shared;
}

void ManifestCache::Put(const std::string& manifest_path, Entries entries) {
  const size_t weight = Weight(*entries);
  const bool has_row_ids = HasRowIds(*entries);
  state_->Put({.path = manifest_path, .weight = weight, .has_row_ids = has_row_ids, .entries = std::move(entries)});
}

Result<ManifestCache::Indexed> ManifestCache::ReadIndexed(storage::FileStore& store, const TableMetadata& metadata,
                                                          const ManifestFile& manifest) {
  TRY(Entries entries, Read(store, metadata, manifest));
  State::Item* item = state_->Find(manifest.manifest_path);
  if (item == nullptr) return Indexed{entries, MakeIndex(*entries)};
  if (!item->index) item->index = MakeIndex(*entries);
  return Indexed{entries, item->index};
}

Result<ManifestCache::Manifests> ManifestCache::ReadList(storage::FileStore& store, const Snapshot& snapshot) {
  if (const State::Item* item = state_->Find(snapshot.manifest_list); item != nullptr && item->manifests) {
    return item->manifests;
  }
  TRY(auto manifests, ReadManifestList(store, snapshot));
  auto shared = std::make_shared<const std::vector<ManifestFile>>(std::move(manifests));
  PutList(snapshot.manifest_list, shared);
  return shared;
}

void ManifestCache::PutList(const std::string& manifest_list, Manifests manifests) {
  const size_t weight = 1 + manifests->size();
  state_->Put({.path = manifest_list, .weight = weight, .manifests = std::move(manifests)});
}

Result<std::vector<ManifestFile>> ReadManifestList(storage::FileStore& store, const Snapshot& snapshot) {
  TRY(const std::string content, store.Read(snapshot.manifest_list));
  return ReadManifestListFile(content).Context("manifest list {}", snapshot.manifest_list);
}

Result<std::vector<LiveDataFile>> PlanFiles(storage::FileStore& store, const TableMetadata& metadata,
                                            const Snapshot* snapshot, ManifestCache& cache) {
  std::vector<LiveDataFile> files;
  if (snapshot == nullptr) return files;
  TRY(auto manifests, cache.ReadList(store, *snapshot));
  DeleteFiles deletes;
  for (const ManifestFile& manifest : *manifests) {
    if (!HasLiveFiles(manifest)) continue;
    TRY(auto entries, cache.Read(store, metadata, manifest));
    for (const ManifestEntry& entry : *entries) {
      if (entry.status == EntryStatus::kDeleted) continue;
      if (manifest.holds_deletes) {
        deletes.Add(metadata, SharedEntry(entries, &entry));
      } else {
        files.push_back({.entry = entry});
      }
    }
  }
  for (LiveDataFile& file : files) deletes.AssignTo(file);
  return files;
}

}  // namespace firn::iceberg
