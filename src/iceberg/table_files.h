// Which files make up a table at a snapshot: manifest list → manifests → live entries.
#pragma once

#include <memory>
#include <optional>
#include <string>
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

/// Parsed manifests by path; manifests never change once written. Bounded by entries held. Single-threaded.
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

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Result<std::vector<ManifestFile>> ReadManifestList(storage::FileStore& store, const Snapshot& snapshot);

/// A live data file with the delete files that apply to it.
struct LiveDataFile {
  ManifestEntry entry;
  std::vector<ManifestEntry> position_deletes;  ///< By sequence number and scope; at most one where firn wrote them.
  std::vector<ManifestEntry> equality_deletes;
};

/// The table's live data files at `snapshot`, in manifest order. Empty for a null snapshot.
Result<std::vector<LiveDataFile>> PlanFiles(storage::FileStore& store, const TableMetadata& metadata,
                                            const Snapshot* snapshot, ManifestCache& cache);

}  // namespace firn::iceberg
