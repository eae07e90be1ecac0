#include "encode/default_value.h"

#include <arrow/array.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "encode/column_decoder.h"

namespace firn::encode {
namespace {

using iceberg::TypeId;

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (const unsigned char byte : bytes) hex += fmt::format("{:02x}", byte);
  return hex;
}

std::string Quoted(std::string_view text) { return nlohmann::json(text).dump(); }

template <typename Number>
std::optional<std::string> Finite(Number number) {
  if (!std::isfinite(number)) return std::nullopt;
  return fmt::format("{}", number);
}

/// Of years 1 to 9999, which every reader's date text has four digits for.
constexpr int64_t kFirstDay = -719'162, kLastDay = 2'932'896;
constexpr int64_t kDayMicros = 86'400'000'000;

std::optional<std::string> ToJson(const arrow::Scalar& value, TypeId type) {
  const auto bytes = [&] { return std::string_view(*static_cast<const arrow::BaseBinaryScalar&>(value).value); };
  switch (type) {
    case TypeId::kBoolean:
    case TypeId::kInt:
    case TypeId::kLong:
      return value.ToString();
    case TypeId::kFloat:
      return Finite(static_cast<const arrow::FloatScalar&>(value).value);
    case TypeId::kDouble:
      return Finite(static_cast<const arrow::DoubleScalar&>(value).value);
    case TypeId::kDecimal:
    case TypeId::kTime:
      return Quoted(value.ToString());
    case TypeId::kDate: {
      const int32_t day = static_cast<const arrow::Date32Scalar&>(value).value;
      if (day < kFirstDay || day > kLastDay) return std::nullopt;
      return Quoted(value.ToString());
    }
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz: {
      const int64_t micros = static_cast<const arrow::TimestampScalar&>(value).value;
      if (micros < kFirstDay * kDayMicros || micros >= (kLastDay + 1) * kDayMicros) return std::nullopt;
      std::string text = value.ToString();  // "2024-02-29 12:34:56.789000", with a Z behind it where there is a zone
      if (const size_t blank = text.find(' '); blank != std::string::npos) text[blank] = 'T';
      if (text.ends_with('Z')) text.pop_back();
      return Quoted(type == TypeId::kTimestampTz ? text + "+00:00" : text);
    }
    case TypeId::kString:
      return Quoted(bytes());
    case TypeId::kBinary:
      return Quoted(Hex(bytes()));
    case TypeId::kUuid: {
      std::string hex = Hex(bytes());
      for (const size_t dash : {20, 16, 12, 8}) hex.insert(dash, "-");
      return Quoted(hex);
    }
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<std::string> DefaultValueJson(const TableName& table, const ColumnMapping& column,
                                            std::string_view text) {
  const auto schema = iceberg::ToArrowSchema({.fields = {column.field}});
  if (!schema) return std::nullopt;
  const auto decoder = ColumnDecoder::Make(table, column, (*schema)->field(0)->type());
  if (!decoder) return std::nullopt;
  const WireValue value{.data = text.data(), .size = static_cast<int32_t>(text.size()), .format = WireFormat::kText};
  if (!(*decoder)->Decode(std::span(&value, 1))) return std::nullopt;
  const auto array = (*decoder)->Finish();
  if (!array) return std::nullopt;
  const auto scalar = (*array)->GetScalar(0);
  if (!scalar.ok() || !(*scalar)->is_valid) return std::nullopt;
  return ToJson(**scalar, column.field.type.id);
}

}  // namespace firn::encode
