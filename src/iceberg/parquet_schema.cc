#include "iceberg/parquet_schema.h"

#include <arrow/type.h>
#include <parquet/schema.h>
#include <parquet/types.h>

#include "base/try.h"
#include "iceberg/arrow_decoding.h"

namespace firn::iceberg {
namespace {

using parquet::LogicalType;
using parquet::Repetition;
using parquet::schema::GroupNode;
using parquet::schema::NodePtr;
using parquet::schema::NodeVector;
using parquet::schema::PrimitiveNode;

Result<NodePtr> ToNode(const Field& field, const std::string& name);

struct Primitive {
  parquet::Type::type physical;
  std::shared_ptr<const LogicalType> logical;
  int length = -1;
};

Primitive DecimalColumn(int32_t precision, int32_t scale) {
  auto logical = LogicalType::Decimal(precision, scale);
  if (precision <= 9) return {parquet::Type::INT32, logical};
  if (precision <= 18) return {parquet::Type::INT64, logical};
  return {parquet::Type::FIXED_LEN_BYTE_ARRAY, logical, arrow::DecimalType::DecimalSize(precision)};
}

Result<Primitive> ToPrimitive(const Type& type) {
  constexpr auto kMicros = LogicalType::TimeUnit::MICROS;
  constexpr auto kNanos = LogicalType::TimeUnit::NANOS;
  switch (type.id) {
    case TypeId::kBoolean:
      return Primitive{parquet::Type::BOOLEAN, LogicalType::None()};
    case TypeId::kInt:
      return Primitive{parquet::Type::INT32, LogicalType::None()};
    case TypeId::kLong:
      return Primitive{parquet::Type::INT64, LogicalType::None()};
    case TypeId::kFloat:
      return Primitive{parquet::Type::FLOAT, LogicalType::None()};
    case TypeId::kDouble:
      return Primitive{parquet::Type::DOUBLE, LogicalType::None()};
    case TypeId::kDecimal:
      return DecimalColumn(type.precision, type.scale);
    case TypeId::kDate:
      return Primitive{parquet::Type::INT32, LogicalType::Date()};
    case TypeId::kTime:
      return Primitive{parquet::Type::INT64, LogicalType::Time(false, kMicros)};
    case TypeId::kTimestamp:
      return Primitive{parquet::Type::INT64, LogicalType::Timestamp(false, kMicros)};
    case TypeId::kTimestampTz:
      return Primitive{parquet::Type::INT64, LogicalType::Timestamp(true, kMicros)};
    case TypeId::kTimestampNs:
      return Primitive{parquet::Type::INT64, LogicalType::Timestamp(false, kNanos)};
    case TypeId::kTimestampTzNs:
      return Primitive{parquet::Type::INT64, LogicalType::Timestamp(true, kNanos)};
    case TypeId::kString:
      return Primitive{parquet::Type::BYTE_ARRAY, LogicalType::String()};
    case TypeId::kUuid:
      return Primitive{parquet::Type::FIXED_LEN_BYTE_ARRAY, LogicalType::UUID(), 16};
    case TypeId::kFixed:
      return Primitive{parquet::Type::FIXED_LEN_BYTE_ARRAY, LogicalType::None(), type.length};
    case TypeId::kBinary:
      return Primitive{parquet::Type::BYTE_ARRAY, LogicalType::None()};
    default:
      return MakeError(ErrorKind::kUnsupported,
                       "firn can't write the type {} to Parquet; leave the column out of the publication",
                       ToString(type));
  }
}

Result<NodeVector> ToNodes(const std::vector<Field>& fields) {
  NodeVector nodes;
  for (const Field& field : fields) {
    TRY(nodes.emplace_back(), ToNode(field, field.name));
  }
  return nodes;
}

Result<NodePtr> ToNode(const Field& field, const std::string& name) {
  const Repetition::type repetition = field.required ? Repetition::REQUIRED : Repetition::OPTIONAL;
  switch (field.type.id) {
    case TypeId::kStruct: {
      TRY(NodeVector children, ToNodes(field.type.fields));
      return GroupNode::Make(name, repetition, children, parquet::ConvertedType::NONE, field.id);
    }
    case TypeId::kList: {
      TRY(NodePtr element, ToNode(field.type.fields.at(0), "element"));
      return GroupNode::Make(name, repetition, {GroupNode::Make("list", Repetition::REPEATED, {element})},
                             LogicalType::List(), field.id);
    }
    case TypeId::kVariant: {  // spec: Appendix A; its parts have no field ids
      const NodePtr metadata = PrimitiveNode::Make("metadata", Repetition::REQUIRED, parquet::Type::BYTE_ARRAY);
      const NodePtr value = PrimitiveNode::Make("value", Repetition::REQUIRED, parquet::Type::BYTE_ARRAY);
      return GroupNode::Make(name, repetition, {metadata, value}, LogicalType::Variant(), field.id);
    }
    case TypeId::kMap: {
      Field key_field = field.type.fields.at(0);
      key_field.required = true;
      TRY(NodePtr key, ToNode(key_field, "key"));
      TRY(NodePtr value, ToNode(field.type.fields.at(1), "value"));
      return GroupNode::Make(name, repetition, {GroupNode::Make("key_value", Repetition::REPEATED, {key, value})},
                             LogicalType::Map(), field.id);
    }
    default: {
      TRY(Primitive primitive, ToPrimitive(field.type).Context("column {}", field.name));
      return PrimitiveNode::Make(name, repetition, primitive.logical, primitive.physical, primitive.length, field.id);
    }
  }
}

}  // namespace

Result<std::shared_ptr<GroupNode>> ToParquetSchema(const Schema& schema) {
  Result<NodeVector> nodes;
  NodePtr root;
  const arrow::Status made = CatchThrown([&] {
    nodes = ToNodes(schema.fields);
    if (nodes) root = GroupNode::Make("table", Repetition::REQUIRED, *nodes);
    return arrow::Status::OK();
  });
  if (!made.ok()) return storage::ToError(made, "making a Parquet schema");
  if (!nodes) return std::move(nodes).error();
  return std::static_pointer_cast<GroupNode>(root);
}

}  // namespace firn::iceberg
