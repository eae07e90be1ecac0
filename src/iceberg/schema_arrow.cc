#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>

#include <string>
#include <utility>

#include "base/try.h"
#include "iceberg/schema.h"

namespace firn::iceberg {
namespace {

Result<std::shared_ptr<arrow::Field>> ToArrowField(const Field& field) {
  TRY(auto type, ToArrowType(field.type).Context("column {}", field.name));
  return arrow::field(field.name, std::move(type), !field.required,
                      arrow::key_value_metadata({"PARQUET:field_id"}, {std::to_string(field.id)}));
}

}  // namespace

Result<std::shared_ptr<arrow::DataType>> ToArrowType(const Type& type) {
  switch (type.id) {
    case TypeId::kBoolean:
      return arrow::boolean();
    case TypeId::kInt:
      return arrow::int32();
    case TypeId::kLong:
      return arrow::int64();
    case TypeId::kFloat:
      return arrow::float32();
    case TypeId::kDouble:
      return arrow::float64();
    case TypeId::kDecimal:
      if (type.precision < 1 || type.precision > 38) break;
      return arrow::decimal128(type.precision, type.scale);
    case TypeId::kDate:
      return arrow::date32();
    case TypeId::kTime:
      return arrow::time64(arrow::TimeUnit::MICRO);
    case TypeId::kTimestamp:
      return arrow::timestamp(arrow::TimeUnit::MICRO);
    case TypeId::kTimestampTz:
      return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
    case TypeId::kTimestampNs:
      return arrow::timestamp(arrow::TimeUnit::NANO);
    case TypeId::kTimestampTzNs:
      return arrow::timestamp(arrow::TimeUnit::NANO, "UTC");
    case TypeId::kString:
      return arrow::utf8();
    case TypeId::kUuid:
      return arrow::fixed_size_binary(16);
    case TypeId::kFixed:
      if (type.length < 1) break;
      return arrow::fixed_size_binary(type.length);
    case TypeId::kBinary:
    case TypeId::kGeometry:
    case TypeId::kGeography:
      return arrow::binary();
    case TypeId::kVariant:
      return arrow::struct_({arrow::field("metadata", arrow::binary(), /*nullable=*/false),
                             arrow::field("value", arrow::binary(), /*nullable=*/false)});
    case TypeId::kUnknown:
      return arrow::null();
    case TypeId::kStruct: {
      arrow::FieldVector fields;
      for (const Field& field : type.fields) {
        TRY(fields.emplace_back(), ToArrowField(field));
      }
      return arrow::struct_(std::move(fields));
    }
    case TypeId::kList: {
      TRY(auto element, ToArrowField(type.fields.at(0)));
      return arrow::list(element->WithName("element"));
    }
    case TypeId::kMap: {
      TRY(auto key, ToArrowField(type.fields.at(0)));
      TRY(auto value, ToArrowField(type.fields.at(1)));
      return std::make_shared<arrow::MapType>(key->WithName("key")->WithNullable(false), value->WithName("value"));
    }
  }
  return MakeError(ErrorKind::kUnsupported, "Arrow has no type for {}", ToString(type));
}

Result<std::shared_ptr<arrow::Schema>> ToArrowSchema(const Schema& schema) {
  arrow::FieldVector fields;
  for (const Field& field : schema.fields) {
    TRY(fields.emplace_back(), ToArrowField(field));
  }
  return arrow::schema(std::move(fields));
}

}  // namespace firn::iceberg
