#include "iceberg/table_update.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/try.h"
#include "base/uuid.h"
#include "iceberg/statistics_files.h"

namespace firn::iceberg {
namespace {

constexpr int32_t kLastAdded = -1;
constexpr int32_t kFirstPartitionFieldId = 1000;
constexpr int32_t kFormatVersionMax = 3;
constexpr int64_t kPreviousVersionsMaxDefault = 100;

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

// --- Requirements ---

/// A requirement on a table that must exist, checked against it.
Status Check(const TableMetadata* base, const Requirement& requirement) {
  if (std::holds_alternative<AssertCreate>(requirement)) {
    if (base == nullptr) return {};
    return MakeError(ErrorKind::kConflict, "the table exists already");
  }
  if (base == nullptr) return MakeError(ErrorKind::kConflict, "the table does not exist");
  const auto must_equal = [](std::string_view what, const auto& expected, const auto& found) -> Status {
    if (expected == found) return {};
    return MakeError(ErrorKind::kConflict, "{} is {} where {} was expected: another writer changed the table", what,
                     found, expected);
  };
  return std::visit(
      Overloaded{
          [](const AssertCreate&) -> Status { return {}; },
          [&](const AssertTableUuid& wanted) { return must_equal("the table's uuid", wanted.uuid, base->table_uuid); },
          [&](const AssertRefSnapshotId& wanted) -> Status {
            auto ref = base->refs.find(wanted.ref);
            const auto text = [](std::optional<SnapshotId> id) {
              return id ? fmt::format("snapshot {}", *id) : std::string("no snapshot");
            };
            const auto found = ref == base->refs.end() ? std::nullopt : std::optional(ref->second.snapshot_id);
            return must_equal(fmt::format("the ref \"{}\"", wanted.ref), text(wanted.snapshot_id), text(found));
          },
          [&](const AssertLastAssignedFieldId& wanted) {
            return must_equal("the last assigned field id", wanted.last_assigned_field_id, base->last_column_id);
          },
          [&](const AssertCurrentSchemaId& wanted) {
            return must_equal("the current schema id", wanted.current_schema_id, base->current_schema_id);
          },
          [&](const AssertLastAssignedPartitionId& wanted) {
            return must_equal("the last assigned partition field id", wanted.last_assigned_partition_id,
                              base->last_partition_id);
          },
          [&](const AssertDefaultSpecId& wanted) {
            return must_equal("the default partition spec id", wanted.default_spec_id, base->default_spec_id);
          },
      },
      requirement);
}

// --- Updates ---

template <typename T>
int32_t NextId(const std::vector<T>& values, int32_t T::* id) {
  int32_t next = 0;
  for (const T& value : values) next = std::max(next, value.*id + 1);
  return next;
}

/// The metadata while its updates are applied, in order.
class Updater {
 public:
  Updater(const TableMetadata& base, int64_t now_ms) : metadata_(base) {
    // Time never runs backwards in a table, whatever the clock does: Java refuses logs that do.
    metadata_.last_updated_ms = std::max(base.last_updated_ms, now_ms);
  }

  TableMetadata Take() && { return std::move(metadata_); }

  Status operator()(const AssignUuid& update) {
    metadata_.table_uuid = update.uuid;
    return {};
  }

  Status operator()(const UpgradeFormatVersion& update) {
    if (update.format_version < metadata_.format_version || update.format_version > kFormatVersionMax) {
      return MakeError(ErrorKind::kUnsupported, "format version {} can't become {}", metadata_.format_version,
                       update.format_version);
    }
    metadata_.format_version = update.format_version;
    if (metadata_.format_version >= 3 && !metadata_.next_row_id) metadata_.next_row_id = 0;
    return {};
  }

  Status operator()(const AddSchema& update) {
    Schema schema = update.schema;
    auto same = std::ranges::find_if(metadata_.schemas, [&](const Schema& known) {
      return known.fields == schema.fields && known.identifier_field_ids == schema.identifier_field_ids;
    });
    if (same != metadata_.schemas.end()) {
      added_schema_id_ = same->schema_id;
      return {};
    }
    schema.schema_id = NextId(metadata_.schemas, &Schema::schema_id);
    added_schema_id_ = schema.schema_id;
    metadata_.last_column_id = std::max(metadata_.last_column_id, schema.HighestFieldId());
    metadata_.schemas.push_back(std::move(schema));
    return {};
  }

  Status operator()(const SetCurrentSchema& update) {
    TRY(metadata_.current_schema_id, Resolve("schema", update.schema_id, added_schema_id_));
    if (metadata_.FindSchema(metadata_.current_schema_id) != nullptr) return {};
    return Missing("schema", metadata_.current_schema_id);
  }

  Status operator()(const AddPartitionSpec& update) {
    PartitionSpec spec = update.spec;
    auto same = std::ranges::find(metadata_.partition_specs, spec.fields, &PartitionSpec::fields);
    if (same != metadata_.partition_specs.end()) {
      added_spec_id_ = same->spec_id;
      return {};
    }
    spec.spec_id = NextId(metadata_.partition_specs, &PartitionSpec::spec_id);
    added_spec_id_ = spec.spec_id;
    for (const PartitionField& field : spec.fields) {
      metadata_.last_partition_id = std::max(metadata_.last_partition_id, field.field_id);
    }
    metadata_.partition_specs.push_back(std::move(spec));
    return {};
  }

  Status operator()(const SetDefaultSpec& update) {
    TRY(metadata_.default_spec_id, Resolve("partition spec", update.spec_id, added_spec_id_));
    if (metadata_.FindSpec(metadata_.default_spec_id) != nullptr) return {};
    return Missing("partition spec", metadata_.default_spec_id);
  }

  Status operator()(const AddSortOrder& update) {
    SortOrder order = update.order;
    auto same = std::ranges::find(metadata_.sort_orders, order.fields, &SortOrder::fields);
    if (same != metadata_.sort_orders.end()) {
      added_order_id_ = same->order_id;
      return {};
    }
    // Order 0 is "unsorted" and nothing else.
    order.order_id = order.fields.empty() ? 0 : std::max(1, NextId(metadata_.sort_orders, &SortOrder::order_id));
    added_order_id_ = order.order_id;
    metadata_.sort_orders.push_back(std::move(order));
    return {};
  }

  Status operator()(const SetDefaultSortOrder& update) {
    TRY(metadata_.default_sort_order_id, Resolve("sort order", update.order_id, added_order_id_));
    if (metadata_.FindSortOrder(metadata_.default_sort_order_id) != nullptr) return {};
    return Missing("sort order", metadata_.default_sort_order_id);
  }

  Status operator()(const AddSnapshot& update) {
    const Snapshot& snapshot = update.snapshot;
    if (metadata_.FindSnapshot(snapshot.snapshot_id) != nullptr) {
      return MakeError(ErrorKind::kCorrupt, "snapshot {} is there already", snapshot.snapshot_id);
    }
    if (snapshot.sequence_number <= metadata_.last_sequence_number) {
      return MakeError(ErrorKind::kCorrupt, "snapshot {} has sequence number {}, but the table is at {}",
                       snapshot.snapshot_id, snapshot.sequence_number, metadata_.last_sequence_number);
    }
    if (metadata_.format_version >= 3) {
      const int64_t next_row_id = metadata_.next_row_id.value_or(0);
      if (!snapshot.first_row_id || *snapshot.first_row_id < next_row_id || snapshot.added_rows.value_or(-1) < 0) {
        return MakeError(ErrorKind::kCorrupt, "snapshot {} has no row ids from {} on", snapshot.snapshot_id,
                         next_row_id);
      }
      metadata_.next_row_id = *snapshot.first_row_id + *snapshot.added_rows;
    }
    metadata_.last_sequence_number = snapshot.sequence_number;
    metadata_.last_updated_ms = std::max(metadata_.last_updated_ms, snapshot.timestamp_ms);
    metadata_.snapshots.push_back(snapshot);
    added_snapshots_.insert(snapshot.snapshot_id);
    return {};
  }

  Status operator()(const SetSnapshotRef& update) {
    const Snapshot* snapshot = metadata_.FindSnapshot(update.target.snapshot_id);
    if (snapshot == nullptr) return Missing("snapshot", update.target.snapshot_id);
    metadata_.refs[update.ref] = update.target;
    if (update.ref != kMainRef || metadata_.current_snapshot_id == snapshot->snapshot_id) return {};
    // A snapshot that the same commit adds and passes over never was the table's state for a reader.
    if (metadata_.current_snapshot_id && added_snapshots_.contains(*metadata_.current_snapshot_id)) {
      std::erase_if(metadata_.snapshot_log,
                    [&](const SnapshotLogEntry& entry) { return entry.snapshot_id == metadata_.current_snapshot_id; });
    }
    metadata_.current_snapshot_id = snapshot->snapshot_id;
    const bool added = added_snapshots_.contains(snapshot->snapshot_id);
    metadata_.snapshot_log.push_back(
        {added ? snapshot->timestamp_ms : metadata_.last_updated_ms, snapshot->snapshot_id});
    return {};
  }

  Status operator()(const RemoveSnapshots& update) {
    const std::set<SnapshotId> removed(update.snapshot_ids.begin(), update.snapshot_ids.end());
    if (metadata_.current_snapshot_id && removed.contains(*metadata_.current_snapshot_id)) {
      return MakeError(ErrorKind::kCorrupt, "snapshot {} is the current one and can't be removed",
                       *metadata_.current_snapshot_id);
    }
    metadata_.snapshots.EraseIf([&](const Snapshot& snapshot) { return removed.contains(snapshot.snapshot_id); });
    std::erase_if(metadata_.refs, [&](const auto& ref) { return removed.contains(ref.second.snapshot_id); });
    RemoveStatistics(metadata_, removed);
    // History before a gap says nothing true about any time: the log starts behind the last removed snapshot.
    auto last_removed =
        std::find_if(metadata_.snapshot_log.rbegin(), metadata_.snapshot_log.rend(),
                     [&](const SnapshotLogEntry& entry) { return removed.contains(entry.snapshot_id); });
    metadata_.snapshot_log.erase(metadata_.snapshot_log.begin(), last_removed.base());
    return {};
  }

  Status operator()(const RemoveSnapshotRef& update) {
    metadata_.refs.erase(update.ref);
    if (update.ref == kMainRef) {
      metadata_.current_snapshot_id.reset();
      metadata_.snapshot_log.clear();
    }
    return {};
  }

  Status operator()(const SetLocation& update) {
    metadata_.location = update.location;
    while (metadata_.location.ends_with('/')) metadata_.location.pop_back();
    return {};
  }

  Status operator()(const SetProperties& update) {
    for (const auto& [key, value] : update.properties) metadata_.properties[key] = value;
    return {};
  }

  Status operator()(const RemoveProperties& update) {
    for (const std::string& key : update.keys) metadata_.properties.erase(key);
    return {};
  }

 private:
  static Error Missing(std::string_view what, int64_t id) {
    return MakeError(ErrorKind::kCorrupt, "there is no {} {}", what, id);
  }

  static Result<int32_t> Resolve(std::string_view what, int32_t id, std::optional<int32_t> added) {
    if (id != kLastAdded) return id;
    if (added) return *added;
    return MakeError(ErrorKind::kCorrupt, "the last added {} is asked for, but none was added", what);
  }

  TableMetadata metadata_;
  std::optional<int32_t> added_schema_id_;
  std::optional<int32_t> added_spec_id_;
  std::optional<int32_t> added_order_id_;
  std::set<SnapshotId> added_snapshots_;
};

size_t PreviousVersionsMax(const Properties& properties) {
  int64_t max = kPreviousVersionsMaxDefault;
  if (auto found = properties.find("write.metadata.previous-versions-max"); found != properties.end()) {
    const std::string& text = found->second;
    std::from_chars(text.data(), text.data() + text.size(), max);
  }
  return static_cast<size_t>(std::max<int64_t>(1, max));
}

/// Names must be unique, and identifiers what the spec allows ("Identifier Field IDs").
Status CheckNewSchema(const Schema& schema) {
  std::set<std::string_view> names;
  for (const Field& field : schema.fields) {
    if (!names.insert(field.name).second) {
      return MakeError(ErrorKind::kSchemaMismatch, "two columns have the name \"{}\"", field.name);
    }
  }
  for (FieldId id : schema.identifier_field_ids) {
    const Field* field = schema.FindNestedField(id);
    if (field == nullptr) return MakeError(ErrorKind::kInternal, "identifier field {} is not in the schema", id);
    const bool floating = field->type.id == TypeId::kFloat || field->type.id == TypeId::kDouble;
    if (!field->required || floating || !field->type.is_primitive()) {
      return MakeError(
          ErrorKind::kSchemaMismatch,
          "column \"{}\" ({}) can't be an identifier: it must be required, primitive and no float or double",
          field->name, ToString(field->type));
    }
  }
  return {};
}

Status CheckSourceIds(const NewTable& table) {
  for (const PartitionField& field : table.spec.fields) {
    if (table.schema.FindNestedField(field.source_id) == nullptr) {
      return MakeError(ErrorKind::kInternal, "partition field \"{}\" is made of field {}, which is not in the schema",
                       field.name, field.source_id);
    }
    if (field.field_id < kFirstPartitionFieldId) {
      return MakeError(ErrorKind::kInternal, "partition field \"{}\" has id {}; they count from {}", field.name,
                       field.field_id, kFirstPartitionFieldId);
    }
  }
  for (const SortField& field : table.sort_order.fields) {
    if (table.schema.FindNestedField(field.source_id) == nullptr) {
      return MakeError(ErrorKind::kInternal, "the sort order names field {}, which is not in the schema",
                       field.source_id);
    }
  }
  return {};
}

}  // namespace

std::string ToString(const TableIdent& ident) {
  std::string text;
  for (const std::string& level : ident.namespace_levels) text += level + ".";
  return text + ident.name;
}

Status CheckRequirements(const TableMetadata* base, const std::vector<Requirement>& requirements) {
  for (const Requirement& requirement : requirements) TRY_VOID(Check(base, requirement));
  return {};
}

Result<TableMetadata> ApplyUpdates(const TableMetadata& base, const std::string& base_location,
                                   const std::vector<Update>& updates, int64_t now_ms) {
  Updater updater(base, now_ms);
  for (const Update& update : updates) TRY_VOID(std::visit(updater, update));
  TableMetadata metadata = std::move(updater).Take();
  if (!base_location.empty()) {
    metadata.metadata_log.push_back({base.last_updated_ms, base_location});
  }
  const size_t keep = PreviousVersionsMax(metadata.properties);
  if (metadata.metadata_log.size() > keep) {
    metadata.metadata_log.erase(metadata.metadata_log.begin(),
                                metadata.metadata_log.end() - static_cast<int64_t>(keep));
  }
  return metadata;
}

Result<TableMetadata> MakeTableMetadata(const NewTable& table, int64_t now_ms) {
  if (table.format_version < 2 || table.format_version > kFormatVersionMax) {
    return MakeError(ErrorKind::kInvalidConfig, "format_version {}: firn makes tables of version 2 and 3",
                     table.format_version);
  }
  TRY_VOID(CheckNewSchema(table.schema));
  TRY_VOID(CheckSourceIds(table));

  TableMetadata metadata;
  metadata.format_version = table.format_version;
  metadata.table_uuid = NewUuid();
  metadata.location = table.location;
  while (metadata.location.ends_with('/')) metadata.location.pop_back();
  metadata.last_updated_ms = now_ms;
  metadata.last_column_id = table.schema.HighestFieldId();
  metadata.schemas.push_back(table.schema);
  metadata.schemas.back().schema_id = 0;
  metadata.partition_specs.push_back(table.spec);
  metadata.partition_specs.back().spec_id = 0;
  for (const PartitionField& field : table.spec.fields) {
    metadata.last_partition_id = std::max(metadata.last_partition_id, field.field_id);
  }
  metadata.sort_orders.push_back(table.sort_order);
  metadata.sort_orders.back().order_id = table.sort_order.fields.empty() ? 0 : std::max(1, table.sort_order.order_id);
  metadata.default_sort_order_id = metadata.sort_orders.back().order_id;
  metadata.properties = table.properties;
  metadata.properties.erase("format-version");  // A way to ask for one, never a property that is kept.
  if (metadata.format_version >= 3) metadata.next_row_id = 0;
  return metadata;
}

}  // namespace firn::iceberg
