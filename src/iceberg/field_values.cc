#include "iceberg/field_values.h"

#include <arrow/array.h>
#include <arrow/array/builder_base.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <arrow/util/decimal.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/try.h"
#include "storage/arrow_error.h"

namespace firn::iceberg {
namespace {

using ScalarPtr = std::shared_ptr<arrow::Scalar>;

Error NoValue(const Type& type, std::string_view text) {
  return MakeError(ErrorKind::kCorrupt, "{} is no value of the type {}", text, ToString(type));
}

std::shared_ptr<arrow::Buffer> BufferOf(std::string bytes) { return arrow::Buffer::FromString(std::move(bytes)); }

/// The bytes that hexadecimal digits stand for; nothing where they are none.
std::optional<std::string> FromHex(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (size_t i = 0; i < digits.size(); i += 2) {
    uint8_t byte = 0;
    const char* end = digits.data() + i + 2;
    if (std::from_chars(digits.data() + i, end, byte, 16).ptr != end) return std::nullopt;
    bytes.push_back(static_cast<char>(byte));
  }
  return bytes;
}

Result<ScalarPtr> FixedFromBytes(const Type& type, const std::shared_ptr<arrow::DataType>& arrow_type,
                                 std::string bytes) {
  const auto width = static_cast<size_t>(static_cast<const arrow::FixedSizeBinaryType&>(*arrow_type).byte_width());
  if (bytes.size() != width) return NoValue(type, fmt::format("a value of {} bytes", bytes.size()));
  return std::make_shared<arrow::FixedSizeBinaryScalar>(BufferOf(std::move(bytes)), arrow_type);
}

Result<ScalarPtr> DecimalFromText(const Type& type, const std::string& text) {
  arrow::Decimal128 number;
  int32_t precision = 0, scale = 0;
  if (!arrow::Decimal128::FromString(text, &number, &precision, &scale).ok()) return NoValue(type, text);
  const auto rescaled = number.Rescale(scale, type.scale);
  if (!rescaled.ok() || !rescaled->FitsInPrecision(type.precision)) return NoValue(type, text);
  return std::make_shared<arrow::Decimal128Scalar>(*rescaled, arrow::decimal128(type.precision, type.scale));
}

/// A date, time or timestamp in ISO 8601. Instants stand in UTC.
Result<ScalarPtr> TemporalFromText(const Type& type, const std::shared_ptr<arrow::DataType>& arrow_type,
                                   const std::string& text) {
  std::shared_ptr<arrow::DataType> plain = arrow_type;
  std::string_view local = text;
  if (type.id == TypeId::kTimestampTz || type.id == TypeId::kTimestampTzNs) {
    plain = arrow::timestamp(static_cast<const arrow::TimestampType&>(*arrow_type).unit());
    for (const std::string_view zone : {"Z", "+00:00", "-00:00"}) {
      if (text.ends_with(zone)) local = std::string_view(text).substr(0, text.size() - zone.size());
    }
    if (local.size() == text.size()) return NoValue(type, text);
  }
  const auto parsed = arrow::Scalar::Parse(plain, local);
  if (!parsed.ok()) return NoValue(type, text);
  if (plain == arrow_type) return *parsed;
  return std::make_shared<arrow::TimestampScalar>(static_cast<const arrow::TimestampScalar&>(**parsed).value,
                                                  arrow_type);
}

/// The items of a JSON array as an Arrow array.
Result<std::shared_ptr<arrow::Array>> ItemsFromJson(const Field& field, const std::shared_ptr<arrow::DataType>& type,
                                                    const Json& items) {
  std::unique_ptr<arrow::ArrayBuilder> builder;
  TRY_VOID(storage::FromArrow(arrow::MakeBuilder(arrow::default_memory_pool(), type, &builder), "making a default"));
  for (const Json& item : items) {
    TRY(const ScalarPtr scalar, ScalarFromJson(field.type, item));
    TRY_VOID(storage::FromArrow(builder->AppendScalar(*scalar), "making a default"));
  }
  return storage::FromArrow(builder->Finish(), "making a default");
}

Result<ScalarPtr> MapFromJson(const Type& type, const std::shared_ptr<arrow::DataType>& arrow_type, const Json& value) {
  const Json* keys = FindMember(value, "keys");
  const Json* values = FindMember(value, "values");
  if (keys == nullptr || values == nullptr || !keys->is_array() || !values->is_array() ||
      keys->size() != values->size()) {
    return NoValue(type, DumpJson(value));
  }
  const auto& map_type = static_cast<const arrow::MapType&>(*arrow_type);
  TRY(auto key_array, ItemsFromJson(type.fields.at(0), map_type.key_type(), *keys));
  TRY(auto value_array, ItemsFromJson(type.fields.at(1), map_type.item_type(), *values));
  TRY(auto entries, storage::FromArrow(arrow::StructArray::Make({std::move(key_array), std::move(value_array)},
                                                                map_type.value_type()->fields()),
                                       "making a default"));
  return std::make_shared<arrow::MapScalar>(std::move(entries), arrow_type);
}

/// A struct's members stand by field id; one that is missing has its own default.
Result<ScalarPtr> StructFromJson(const Type& type, const std::shared_ptr<arrow::DataType>& arrow_type,
                                 const Json& value) {
  if (!value.is_object()) return NoValue(type, DumpJson(value));
  arrow::StructScalar::ValueType members;
  for (const Field& field : type.fields) {
    const auto member = value.find(std::to_string(field.id));
    if (member != value.end()) {
      TRY(members.emplace_back(), ScalarFromJson(field.type, *member).Context("field {}", field.name));
    } else {
      TRY(members.emplace_back(), InitialValue(field));
    }
  }
  return std::make_shared<arrow::StructScalar>(std::move(members), arrow_type);
}

/// A partition value that is stored as one of the narrower types that its column had before.
template <typename Wide, typename... Stored>
std::optional<Wide> Widened(const Literal& value) {
  std::optional<Wide> wide;
  ((std::holds_alternative<Stored>(value) ? void(wide = static_cast<Wide>(std::get<Stored>(value))) : void()), ...);
  return wide;
}

}  // namespace

Result<ScalarPtr> ScalarFromJson(const Type& type, const Json& value) {
  TRY(const auto arrow_type, ToArrowType(type));
  if (value.is_null()) return arrow::MakeNullScalar(arrow_type);
  const std::string text = value.is_string() ? value.get<std::string>() : DumpJson(value);
  switch (type.id) {
    case TypeId::kBoolean:
      if (value.is_boolean()) return std::make_shared<arrow::BooleanScalar>(value.get<bool>());
      break;
    case TypeId::kInt: {
      TRY(const auto number, JsonValue<int32_t>(value));
      return std::make_shared<arrow::Int32Scalar>(number);
    }
    case TypeId::kLong: {
      TRY(const auto number, JsonValue<int64_t>(value));
      return std::make_shared<arrow::Int64Scalar>(number);
    }
    case TypeId::kFloat:
      if (value.is_number()) return std::make_shared<arrow::FloatScalar>(value.get<float>());
      break;
    case TypeId::kDouble:
      if (value.is_number()) return std::make_shared<arrow::DoubleScalar>(value.get<double>());
      break;
    case TypeId::kString:
      if (value.is_string()) return std::make_shared<arrow::StringScalar>(text);
      break;
    case TypeId::kDecimal:
      if (value.is_string()) return DecimalFromText(type, text);
      break;
    case TypeId::kDate:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
    case TypeId::kTimestampNs:
    case TypeId::kTimestampTzNs:
      if (value.is_string()) return TemporalFromText(type, arrow_type, text);
      break;
    case TypeId::kUuid: {
      std::string digits = text;
      std::erase(digits, '-');
      auto bytes = value.is_string() ? FromHex(digits) : std::nullopt;
      if (bytes) return FixedFromBytes(type, arrow_type, *std::move(bytes));
      break;
    }
    case TypeId::kFixed:
    case TypeId::kBinary: {
      auto bytes = value.is_string() ? FromHex(text) : std::nullopt;
      if (bytes && type.id == TypeId::kFixed) return FixedFromBytes(type, arrow_type, *std::move(bytes));
      if (bytes) return std::make_shared<arrow::BinaryScalar>(BufferOf(*std::move(bytes)));
      break;
    }
    case TypeId::kStruct:
      return StructFromJson(type, arrow_type, value);
    case TypeId::kMap:
      return MapFromJson(type, arrow_type, value);
    case TypeId::kList: {
      if (!value.is_array()) break;
      TRY(auto items, ItemsFromJson(type.fields.at(0), arrow_type->field(0)->type(), value));
      return std::make_shared<arrow::ListScalar>(std::move(items), arrow_type);
    }
    case TypeId::kVariant:
    case TypeId::kUnknown:
    case TypeId::kGeometry:
    case TypeId::kGeography:
      break;  // Spec: their defaults are null.
  }
  return NoValue(type, DumpJson(value));
}

Result<ScalarPtr> ScalarFromLiteral(const Type& type, const Literal& value) {
  TRY(const auto arrow_type, ToArrowType(type));
  if (std::holds_alternative<std::monostate>(value)) return arrow::MakeNullScalar(arrow_type);
  const auto scalar = [&](const auto& number) -> Result<ScalarPtr> {
    if (!number) return NoValue(type, "a partition value of another type");
    return storage::FromArrow(arrow::MakeScalar(arrow_type, *number), "making a value of {}", ToString(type));
  };
  switch (type.id) {
    case TypeId::kBoolean:
      return scalar(Widened<bool, bool>(value));
    case TypeId::kInt:
    case TypeId::kDate:
      return scalar(Widened<int32_t, int32_t>(value));
    case TypeId::kLong:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
    case TypeId::kTimestampNs:
    case TypeId::kTimestampTzNs:
      return scalar(Widened<int64_t, int32_t, int64_t>(value));
    case TypeId::kFloat:
      return scalar(Widened<float, float>(value));
    case TypeId::kDouble:
      return scalar(Widened<double, float, double>(value));
    default:
      break;
  }
  const auto* bytes = std::get_if<std::string>(&value);
  if (bytes == nullptr) return NoValue(type, "a partition value of another type");
  switch (type.id) {
    case TypeId::kString:
      return std::make_shared<arrow::StringScalar>(*bytes);
    case TypeId::kBinary:
      return std::make_shared<arrow::BinaryScalar>(BufferOf(*bytes));
    case TypeId::kUuid:
    case TypeId::kFixed:
      return FixedFromBytes(type, arrow_type, *bytes);
    case TypeId::kDecimal: {
      const auto number = arrow::Decimal128::FromBigEndian(reinterpret_cast<const uint8_t*>(bytes->data()),
                                                           static_cast<int32_t>(bytes->size()));
      if (!number.ok()) return NoValue(type, "a partition value of another type");
      return std::make_shared<arrow::Decimal128Scalar>(*number, arrow_type);
    }
    default:
      return NoValue(type, "a partition value");
  }
}

Result<ScalarPtr> InitialValue(const Field& field) {
  const auto value = [&field]() -> Result<ScalarPtr> {
    if (field.initial_default) {
      TRY(const Json json, ParseJson(*field.initial_default));
      return ScalarFromJson(field.type, json);
    }
    TRY(const auto type, ToArrowType(field.type));
    return arrow::MakeNullScalar(type);
  };
  return value().Context("initial default of {}", field.name);
}

}  // namespace firn::iceberg
