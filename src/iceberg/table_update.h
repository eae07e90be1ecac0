// A commit as a value: what must hold and what changes (REST spec: TableRequirement, TableUpdate). The SQL and Glue
// catalogs apply it themselves; the REST catalog sends it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "firn/result.h"
#include "iceberg/table_metadata.h"

namespace firn::iceberg {

struct TableIdent {
  std::vector<std::string> namespace_levels;
  std::string name;
  auto operator<=>(const TableIdent&) const = default;
};
std::string ToString(const TableIdent& ident);  ///< "shop.public.orders"

// --- Requirements ---
struct AssertCreate {};
struct AssertTableUuid {
  std::string uuid;
};
/// The ref "main" (or another) points at this snapshot; nothing: the ref does not exist.
struct AssertRefSnapshotId {
  std::string ref;
  std::optional<SnapshotId> snapshot_id;
};
struct AssertLastAssignedFieldId {
  FieldId last_assigned_field_id;
};
struct AssertCurrentSchemaId {
  int32_t current_schema_id;
};
struct AssertLastAssignedPartitionId {
  int32_t last_assigned_partition_id;
};
struct AssertDefaultSpecId {
  int32_t default_spec_id;
};
using Requirement = std::variant<AssertCreate, AssertTableUuid, AssertRefSnapshotId, AssertLastAssignedFieldId,
                                 AssertCurrentSchemaId, AssertLastAssignedPartitionId, AssertDefaultSpecId>;

// --- Updates ---
struct AssignUuid {
  std::string uuid;
};
struct UpgradeFormatVersion {
  int32_t format_version;
};
struct AddSchema {
  Schema schema;
};
struct SetCurrentSchema {
  int32_t schema_id;
};  ///< -1: the one just added.
struct AddPartitionSpec {
  PartitionSpec spec;
};
struct SetDefaultSpec {
  int32_t spec_id;
};  ///< -1: the one just added.
struct AddSortOrder {
  SortOrder order;
};
struct SetDefaultSortOrder {
  int32_t order_id;
};  ///< -1: the one just added.
struct AddSnapshot {
  Snapshot snapshot;
};
struct SetSnapshotRef {
  std::string ref;
  SnapshotRef target;
};
struct RemoveSnapshots {
  std::vector<SnapshotId> snapshot_ids;
};
struct RemoveSnapshotRef {
  std::string ref;
};
struct SetLocation {
  std::string location;
};
struct SetProperties {
  Properties properties;
};
struct RemoveProperties {
  std::vector<std::string> keys;
};
using Update = std::variant<AssignUuid, UpgradeFormatVersion, AddSchema, SetCurrentSchema, AddPartitionSpec,
                            SetDefaultSpec, AddSortOrder, SetDefaultSortOrder, AddSnapshot, SetSnapshotRef,
                            RemoveSnapshots, RemoveSnapshotRef, SetLocation, SetProperties, RemoveProperties>;

struct CommitRequest {
  TableIdent table;
  std::vector<Requirement> requirements;
  std::vector<Update> updates;
};

/// kConflict when one does not hold. `base` is null for a table that does not exist yet.
Status CheckRequirements(const TableMetadata* base, const std::vector<Requirement>& requirements);

/// The metadata after the updates, with last_updated_ms = now_ms, snapshot log and (from `base_location`, bounded by
/// the table property write.metadata.previous-versions-max, 100 by default) metadata log kept. kCorrupt when an update
/// refers to what isn't there.
Result<TableMetadata> ApplyUpdates(const TableMetadata& base, const std::string& base_location,
                                   const std::vector<Update>& updates, int64_t now_ms);

struct NewTable {
  Schema schema;  ///< With field ids already assigned from 1.
  PartitionSpec spec;
  SortOrder sort_order;
  Properties properties;
  std::string location;  ///< Empty: the catalog chooses.
  int32_t format_version = 2;
};
/// The first metadata of a new table, with a fresh UUID.
Result<TableMetadata> MakeTableMetadata(const NewTable& table, int64_t now_ms);

}  // namespace firn::iceberg
