#include "iceberg/table_metadata.h"

#include <algorithm>
#include <cassert>

namespace firn::iceberg {

const Schema& TableMetadata::CurrentSchema() const {
  const Schema* schema = FindSchema(current_schema_id);
  assert(schema != nullptr);
  return *schema;
}

const PartitionSpec& TableMetadata::DefaultSpec() const {
  const PartitionSpec* spec = FindSpec(default_spec_id);
  assert(spec != nullptr);
  return *spec;
}

const Snapshot* TableMetadata::CurrentSnapshot() const {
  return current_snapshot_id ? FindSnapshot(*current_snapshot_id) : nullptr;
}

const Snapshot* TableMetadata::FindSnapshot(SnapshotId id) const {
  // The newest are last, and asked for most.
  auto found = std::find_if(snapshots.rbegin(), snapshots.rend(),
                            [id](const Snapshot& snapshot) { return snapshot.snapshot_id == id; });
  return found == snapshots.rend() ? nullptr : &*found;
}

const Schema* TableMetadata::FindSchema(int32_t schema_id) const {
  auto found = std::ranges::find(schemas, schema_id, &Schema::schema_id);
  return found == schemas.end() ? nullptr : &*found;
}

const PartitionSpec* TableMetadata::FindSpec(int32_t spec_id) const {
  auto found = std::ranges::find(partition_specs, spec_id, &PartitionSpec::spec_id);
  return found == partition_specs.end() ? nullptr : &*found;
}

const SortOrder* TableMetadata::FindSortOrder(int32_t order_id) const {
  auto found = std::ranges::find(sort_orders, order_id, &SortOrder::order_id);
  return found == sort_orders.end() ? nullptr : &*found;
}

Type PartitionType(const TableMetadata& metadata, const PartitionSpec& spec) {
  std::vector<Field> fields;
  for (const PartitionField& field : spec.fields) {
    const Field* source = metadata.CurrentSchema().FindNestedField(field.source_id);
    for (auto schema = metadata.schemas.rbegin(); source == nullptr && schema != metadata.schemas.rend(); ++schema) {
      source = schema->FindNestedField(field.source_id);
    }
    // A column that no schema knows any more: its values can only be null.
    const Type source_type = source != nullptr ? source->type : Type::Primitive(TypeId::kUnknown);
    fields.push_back(Field{.id = field.field_id, .name = field.name, .type = ResultType(field.transform, source_type)});
  }
  return Type::Struct(std::move(fields));
}

}  // namespace firn::iceberg
