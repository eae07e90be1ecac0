// A table's metadata (spec: "Table Metadata"), versions 2 and 3. Plain values; table_metadata_json holds the JSON form,
// table_update what changes it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "iceberg/schema.h"
#include "iceberg/snapshot_list.h"

namespace firn::iceberg {

/// The branch that tables are read at.
inline constexpr char kMainRef[] = "main";

struct SnapshotRef {
  SnapshotId snapshot_id = 0;
  bool is_branch = true;
  std::optional<int32_t> min_snapshots_to_keep;
  std::optional<int64_t> max_snapshot_age_ms;
  std::optional<int64_t> max_ref_age_ms;
  bool operator==(const SnapshotRef&) const = default;
};

struct SnapshotLogEntry {
  int64_t timestamp_ms = 0;
  SnapshotId snapshot_id = 0;
  bool operator==(const SnapshotLogEntry&) const = default;
};

struct MetadataLogEntry {
  int64_t timestamp_ms = 0;
  std::string metadata_file;
  bool operator==(const MetadataLogEntry&) const = default;
};

struct TableMetadata {
  int32_t format_version = 2;
  std::string table_uuid;
  std::string location;  ///< A full URI without a trailing slash.
  int64_t last_sequence_number = 0;
  int64_t last_updated_ms = 0;
  FieldId last_column_id = 0;
  std::vector<Schema> schemas;
  int32_t current_schema_id = 0;
  std::vector<PartitionSpec> partition_specs;
  int32_t default_spec_id = 0;
  int32_t last_partition_id = 999;
  std::vector<SortOrder> sort_orders;
  int32_t default_sort_order_id = 0;
  Properties properties;
  SnapshotList snapshots;
  std::optional<SnapshotId> current_snapshot_id;
  std::map<std::string, SnapshotRef> refs;
  std::vector<SnapshotLogEntry> snapshot_log;
  std::vector<MetadataLogEntry> metadata_log;
  std::optional<int64_t> next_row_id;  ///< v3
  /// Top-level members that firn doesn't interpret (statistics, …), kept; see statistics_files.
  std::map<std::string, std::string> unread_json;

  bool operator==(const TableMetadata&) const = default;

  /// Each asserts that the ids which the metadata itself holds resolve (checked when it is read).
  const Schema& CurrentSchema() const;
  const PartitionSpec& DefaultSpec() const;
  const Snapshot* CurrentSnapshot() const;  ///< Null for a table with no snapshot.
  const Snapshot* FindSnapshot(SnapshotId id) const;
  const Schema* FindSchema(int32_t schema_id) const;
  const PartitionSpec* FindSpec(int32_t spec_id) const;
  const SortOrder* FindSortOrder(int32_t order_id) const;
};

/// The struct type of a spec's partition tuples: one optional field each, with the partition field's id and name.
Type PartitionType(const TableMetadata& metadata, const PartitionSpec& spec);

/// Metadata is immutable once read or written, and shared by all who look at that version of the table.
using TableMetadataPtr = std::shared_ptr<const TableMetadata>;

}  // namespace firn::iceberg
