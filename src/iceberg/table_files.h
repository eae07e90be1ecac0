// Which files make up a table at a snapshot: manifest list → manifests → live entries.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "firn/result.h"
#include "iceberg/data_file.h"
#include "iceberg/table_metadata.h"
#include "storage/file_store.h"

namespace firn::iceberg {

/// A manifest as its manifest list describes it (spec: "Manifest Lists").
struct ManifestFile {
  std::string manifest_path;
  int64_t manifest_length = 0;
  int32_t partition_spec_id = 0;
  bool holds_deletes = false;  ///< content: 0 data, 1 deletes
  int64_t sequence_number = 0;
  int64_t min_sequence_number = 0;
  SnapshotId added_snapshot_id = 0;
  int32_t added_files_count = 0;
  int32_t existing_files_count = 0;
  int32_t deleted_files_count = 0;
  int64_t added_rows_count = 0;
  int64_t existing_rows_count = 0;
  int64_t deleted_rows_count = 0;
  struct FieldSummary {
    bool contains_null = false;
    std::optional<bool> contains_nan;
    std::optional<std::string> lower_bound;
    std::optional<std::string> upper_bound;
    bool operator==(const FieldSummary&) const = default;
  };
  std::vector<FieldSummary> partitions;
  std::optional<int64_t> first_row_id;  ///< v3
  bool operator==(const ManifestFile&) const = default;
};

/// Where the live entries of a manifest are, by location. Views and indexes into the entries that it was made of.
struct ManifestIndex {
  std::unordered_map<std::string_view, size_t> by_path;                    ///< Live files of any content.
  std::unordered_multimap<std::string_view, size_t> deletes_by_data_file;  ///< Live deletes of one data file, by it.
};

/// Parsed manifests and manifest lists by path; they never change once written. Holds the ones used last, within a
/// bound on entries (of about 1 kB each: one with metrics of many columns counts as several). Single-threaded.
class ManifestCache {
 public:
  explicit ManifestCache(size_t entries_max = 100'000);
  ~ManifestCache();
  ManifestCache(ManifestCache&&) noexcept;
  ManifestCache& operator=(ManifestCache&&) noexcept;

  using Entries = std::shared_ptr<const std::vector<ManifestEntry>>;
  /// The manifest's entries, deleted ones included, inherited values filled in.
  Result<Entries> Read(storage::FileStore& store, const TableMetadata& metadata, const ManifestFile& manifest);
  void Put(const std::string& manifest_path, Entries entries);

  struct Indexed {
    Entries entries;
    std::shared_ptr<const ManifestIndex> index;
  };
  /// The same with its index, which is built once and kept as long as the entries.
  Result<Indexed> ReadIndexed(storage::FileStore& store, const TableMetadata& metadata, const ManifestFile& manifest);

  using Manifests = std::shared_ptr<const std::vector<ManifestFile>>;
  Result<Manifests> ReadList(storage::FileStore& store, const Snapshot& snapshot);
  void PutList(const std::string& manifest_list, Manifests manifests);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Result<std::vector<ManifestFile>> ReadManifestList(storage::FileStore& store, const Snapshot& snapshot);

/// An entry of a parsed manifest, shared with it: a delete file may apply to every data file of a table.
using SharedEntry = std::shared_ptr<const ManifestEntry>;

/// A live data file with the delete files that apply to it (spec: "Scan Planning").
struct LiveDataFile {
  ManifestEntry entry;
  std::vector<SharedEntry> position_deletes;  ///< By sequence number and scope; at most one where firn wrote them.
  std::vector<SharedEntry> equality_deletes;
};

/// The table's live data files at `snapshot`, in manifest order. Empty for a null snapshot.
Result<std::vector<LiveDataFile>> PlanFiles(storage::FileStore& store, const TableMetadata& metadata,
                                            const Snapshot* snapshot, ManifestCache& cache);

}  // namespace firn::iceberg
