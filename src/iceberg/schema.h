// A table schema and its partition spec and sort order (spec: "Schemas", "Partitioning", "Sorting"). Plain values.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "iceberg/type.h"

namespace arrow {
class DataType;
class Schema;
}  // namespace arrow

namespace firn::iceberg {

struct Schema {
  int32_t schema_id = 0;
  std::vector<Field> fields;
  std::set<FieldId> identifier_field_ids;

  bool operator==(const Schema&) const = default;

  /// A top-level field, or null.
  const Field* FindField(FieldId id) const;
  const Field* FindField(std::string_view name) const;
  /// A field at any depth, or null.
  const Field* FindNestedField(FieldId id) const;
  /// The highest id in use, nested fields included; 0 for an empty schema.
  FieldId HighestFieldId() const;
};

/// The Arrow schema whose batches DataFileWriter takes: one field each, in order, with its id in the metadata key
/// "PARQUET:field_id", so that Parquet columns carry Iceberg field ids. Types: boolean, int32, int64, float, double,
/// decimal128, date32, time64[us], timestamp[us], timestamp[us, UTC], string, fixed_size_binary(16) for uuid (with
/// Arrow's arrow.uuid extension's storage, not the extension itself), fixed_size_binary, binary (geometry and geography
/// too), list, map, struct; struct<metadata: binary, value: binary> for variant; null for unknown.
Result<std::shared_ptr<arrow::Schema>> ToArrowSchema(const Schema& schema);
/// The type of such a column.
Result<std::shared_ptr<arrow::DataType>> ToArrowType(const Type& type);

enum class TransformKind : uint8_t { kIdentity, kBucket, kTruncate, kYear, kMonth, kDay, kHour, kVoid };

struct Transform {
  TransformKind kind = TransformKind::kIdentity;
  int32_t parameter = 0;  ///< buckets, or width
  bool operator==(const Transform&) const = default;
};

/// The spec's text of a transform ("bucket[16]", "truncate[4]", "identity", "void"): in metadata, REST and messages.
std::string ToString(const Transform& transform);
/// kUnsupported for a transform that firn doesn't know, kCorrupt for a bad parameter.
Result<Transform> ParseTransform(std::string_view text);
/// The type of the values that a transform gives (spec: "Partition Transforms").
Type ResultType(const Transform& transform, const Type& source);

struct PartitionField {
  FieldId source_id = 0;
  int32_t field_id = 0;  ///< from 1000
  std::string name;
  Transform transform;
  bool operator==(const PartitionField&) const = default;
};

struct PartitionSpec {
  int32_t spec_id = 0;
  std::vector<PartitionField> fields;
  bool operator==(const PartitionSpec&) const = default;
};

/// Every row is in the same partition: a spec without fields, or whose fields were all removed by a v1 writer.
bool IsUnpartitioned(const PartitionSpec& spec);

struct SortField {
  FieldId source_id = 0;
  Transform transform;
  bool descending = false;
  bool nulls_first = true;
  bool operator==(const SortField&) const = default;
};

/// Order 0 is "unsorted".
struct SortOrder {
  int32_t order_id = 0;
  std::vector<SortField> fields;
  bool operator==(const SortOrder&) const = default;
};

}  // namespace firn::iceberg
