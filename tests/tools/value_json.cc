#include "value_json.h"

#include <arrow/type.h>
#include <arrow/util/decimal.h>

#include <chrono>
#include <cstring>
#include <string>
#include <string_view>

#include "base/try.h"
#include "iceberg/variant_value.h"

namespace firn::iceberg {
namespace {

using std::chrono::days;

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<uint8_t>(byte));
  return text;
}

std::string UuidText(std::string_view bytes) {
  const std::string hex = Hex(bytes);
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4),
                     hex.substr(20));
}

/// Of any year: chrono's end at 32767, and the calendar repeats every 400 years.
std::string DateText(int64_t days_since_epoch) {
  constexpr int64_t kEraDays = 146'097;
  const int64_t eras = days_since_epoch / kEraDays - (days_since_epoch % kEraDays < 0 ? 1 : 0);
  const std::chrono::year_month_day date{std::chrono::sys_days{days{days_since_epoch - eras * kEraDays}}};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()) + eras * 400,
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

/// `units`: since midnight, of which a second has `per_second`.
std::string TimeText(int64_t units, int64_t per_second) {
  const int64_t seconds = units / per_second;
  std::string text = fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (const int64_t fraction = units % per_second; fraction != 0) {
    text += fmt::format(".{:0{}}", fraction, per_second == 1'000'000 ? 6 : 9);
  }
  return text;
}

std::string TimestampText(int64_t units, int64_t per_second) {
  const int64_t per_day = per_second * 86'400;
  int64_t day = units / per_day, rest = units % per_day;
  if (rest < 0) {
    rest += per_day;
    --day;
  }
  return DateText(day) + "T" + TimeText(rest, per_second);
}

template <typename T>
T LittleEndian(std::string_view bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

std::string DecimalText(std::string_view content) {
  std::string unscaled(content.substr(1));
  unscaled.resize(16, unscaled.back() < 0 ? '\xFF' : '\0');
  return arrow::Decimal128(reinterpret_cast<const uint8_t*>(unscaled.data())).ToString(content[0]);
}

/// A variant as the JSON text that it stands for, as Spark's to_json has it.
Result<std::string> VariantText(std::string_view value, const VariantNames& names, int depth);

Result<std::string> PrimitiveText(std::string_view value) {
  TRY(const std::string_view content, PrimitiveBytes(value));
  if (KindOfVariant(value) == VariantKind::kShortString) return DumpJson(Json(content));
  TRY(const VariantPrimitive type, PrimitiveOfVariant(value));
  using enum VariantPrimitive;
  switch (type) {
    case kNull:
      return "null";
    case kTrue:
      return "true";
    case kFalse:
      return "false";
    case kInt8:
      return fmt::format("{}", LittleEndian<int8_t>(content));
    case kInt16:
      return fmt::format("{}", LittleEndian<int16_t>(content));
    case kInt32:
      return fmt::format("{}", LittleEndian<int32_t>(content));
    case kInt64:
      return fmt::format("{}", LittleEndian<int64_t>(content));
    case kFloat:
      return DumpJson(Json(LittleEndian<float>(content)));
    case kDouble:
      return DumpJson(Json(LittleEndian<double>(content)));
    case kDecimal4:
    case kDecimal8:
    case kDecimal16:
      return DecimalText(content);
    case kString:
      return DumpJson(Json(content));
    case kBinary:
      return DumpJson(Json(Hex(content)));
    case kUuid:
      return DumpJson(Json(UuidText(content)));
    case kDate:
      return DumpJson(Json(DateText(LittleEndian<int32_t>(content))));
    case kTime:
      return DumpJson(Json(TimeText(LittleEndian<int64_t>(content), 1'000'000)));
    case kTimestamp:
    case kTimestampTz:
      return DumpJson(Json(TimestampText(LittleEndian<int64_t>(content), 1'000'000)));
    case kTimestampNs:
    case kTimestampTzNs:
      return DumpJson(Json(TimestampText(LittleEndian<int64_t>(content), 1'000'000'000)));
  }
  return "null";
}

Result<std::string> VariantText(std::string_view value, const VariantNames& names, int depth) {
  if (value.empty() || depth > 200) return MakeError(ErrorKind::kCorrupt, "a variant without end");
  std::string text;
  switch (KindOfVariant(value)) {
    case VariantKind::kObject: {
      TRY(const auto fields, ObjectFields(value));
      for (const auto& [id, field] : fields) {
        if (id >= names.size()) return MakeError(ErrorKind::kCorrupt, "a variant whose metadata lacks a name");
        TRY(const std::string field_text, VariantText(field, names, depth + 1));
        text += fmt::format("{}{}:{}", text.empty() ? "" : ",", DumpJson(Json(names[id])), field_text);
      }
      return "{" + text + "}";
    }
    case VariantKind::kArray: {
      TRY(const auto items, ArrayItems(value));
      for (const std::string_view item : items) {
        TRY(const std::string item_text, VariantText(item, names, depth + 1));
        text += fmt::format("{}{}", text.empty() ? "" : ",", item_text);
      }
      return "[" + text + "]";
    }
    default:
      return PrimitiveText(value);
  }
}

Json Typed(std::string_view type, Json value) { return Json::object({{std::string(type), std::move(value)}}); }

Result<Json> VariantToJson(const arrow::StructArray& column, int64_t row) {
  const auto metadata = column.field(0), value = column.field(1);
  TRY(const VariantNames names, VariantNames::Parse(static_cast<const arrow::BinaryArray&>(*metadata).GetView(row)));
  TRY(const std::string text, VariantText(static_cast<const arrow::BinaryArray&>(*value).GetView(row), names, 0));
  return Typed("variant", text);
}

Result<Json> StructToJson(const Type& type, const arrow::StructArray& column, int64_t row) {
  Json fields = Json::object();
  for (size_t i = 0; i < type.fields.size(); ++i) {
    TRY(fields[type.fields[i].name], ValueToJson(type.fields[i].type, *column.field(static_cast<int>(i)), row));
  }
  return Typed("struct", std::move(fields));
}

Result<Json> ListToJson(const Type& type, const arrow::ListArray& column, int64_t row) {
  Json items = Json::array();
  for (int64_t i = column.value_offset(row); i < column.value_offset(row + 1); ++i) {
    TRY(Json item, ValueToJson(type.fields.at(0).type, *column.values(), i));
    items.push_back(std::move(item));
  }
  return items;
}

Result<Json> MapToJson(const Type& type, const arrow::MapArray& column, int64_t row) {
  Json entries = Json::array();
  for (int64_t i = column.value_offset(row); i < column.value_offset(row + 1); ++i) {
    TRY(Json key, ValueToJson(type.fields.at(0).type, *column.keys(), i));
    TRY(Json value, ValueToJson(type.fields.at(1).type, *column.items(), i));
    entries.push_back(Json::array({std::move(key), std::move(value)}));
  }
  return Typed("map", std::move(entries));
}

}  // namespace

Result<Json> ValueToJson(const Type& type, const arrow::Array& column, int64_t row) {
  if (column.type_id() == arrow::Type::NA || column.IsNull(row)) return Json(nullptr);
  const auto bytes = [&]() -> std::string_view {
    if (column.type_id() != arrow::Type::FIXED_SIZE_BINARY) {
      return static_cast<const arrow::BinaryArray&>(column).GetView(row);
    }
    return static_cast<const arrow::FixedSizeBinaryArray&>(column).GetView(row);
  };
  switch (type.id) {
    case TypeId::kBoolean:
      return Json(static_cast<const arrow::BooleanArray&>(column).Value(row));
    case TypeId::kInt:
      return Json(static_cast<const arrow::Int32Array&>(column).Value(row));
    case TypeId::kLong:
      return Json(static_cast<const arrow::Int64Array&>(column).Value(row));
    case TypeId::kFloat:
      return Typed("float", fmt::format("{}", static_cast<const arrow::FloatArray&>(column).Value(row)));
    case TypeId::kDouble:
      return Typed("float", fmt::format("{}", static_cast<const arrow::DoubleArray&>(column).Value(row)));
    case TypeId::kDecimal:
      return Typed("decimal", static_cast<const arrow::Decimal128Array&>(column).FormatValue(row));
    case TypeId::kDate:
      return Typed("date", DateText(static_cast<const arrow::Date32Array&>(column).Value(row)));
    case TypeId::kTime:
      return Typed("time", TimeText(static_cast<const arrow::Time64Array&>(column).Value(row), 1'000'000));
    case TypeId::kTimestamp:
    case TypeId::kTimestampNs:
    case TypeId::kTimestampTz:
    case TypeId::kTimestampTzNs: {
      const bool nanos = type.id == TypeId::kTimestampNs || type.id == TypeId::kTimestampTzNs;
      const bool instant = type.id == TypeId::kTimestampTz || type.id == TypeId::kTimestampTzNs;
      const std::string text = TimestampText(static_cast<const arrow::TimestampArray&>(column).Value(row),
                                             nanos ? 1'000'000'000 : 1'000'000);
      return Typed(instant ? "timestamptz" : "timestamp", instant ? text + "Z" : text);
    }
    case TypeId::kString:
      return Json(std::string(bytes()));
    case TypeId::kUuid:
      return Typed("uuid", UuidText(bytes()));
    case TypeId::kFixed:
    case TypeId::kBinary:
    case TypeId::kGeometry:
    case TypeId::kGeography:
      return Typed("hex", Hex(bytes()));
    case TypeId::kVariant:
      return VariantToJson(static_cast<const arrow::StructArray&>(column), row);
    case TypeId::kStruct:
      return StructToJson(type, static_cast<const arrow::StructArray&>(column), row);
    case TypeId::kList:
      return ListToJson(type, static_cast<const arrow::ListArray&>(column), row);
    case TypeId::kMap:
      return MapToJson(type, static_cast<const arrow::MapArray&>(column), row);
    case TypeId::kUnknown:
      return Json(nullptr);
  }
  return Json(nullptr);
}

}  // namespace firn::iceberg
