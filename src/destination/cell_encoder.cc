#include "destination/cell_encoder.h"

#include <arrow/api.h>
#include <arrow/util/decimal.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/try.h"
#include "destination/utf8.h"
#include "storage/arrow_error.h"

namespace firn::destination {
namespace {

using iceberg::TypeId;

Result<std::array<uint8_t, 16>> ParseUuid(std::string_view text) {
  std::array<uint8_t, 16> bytes{};
  size_t digits = 0;
  for (const char c : text) {
    if (c == '-') continue;
    const char lower = static_cast<char>(c | 0x20);
    const bool is_digit = c >= '0' && c <= '9';
    if ((!is_digit && (lower < 'a' || lower > 'f')) || digits == 32) {
      return MakeError(ErrorKind::kSchemaMismatch, "'{}' is not a uuid", text);
    }
    const int value = is_digit ? c - '0' : lower - 'a' + 10;
    bytes[digits / 2] = static_cast<uint8_t>(bytes[digits / 2] << 4 | value);
    ++digits;
  }
  if (digits != 32) return MakeError(ErrorKind::kSchemaMismatch, "'{}' is not a uuid", text);
  return bytes;
}

Result<arrow::Decimal128> ParseDecimal(const std::string& text, const iceberg::Type& type) {
  arrow::Decimal128 value;
  int32_t precision = 0, scale = 0;
  if (!arrow::Decimal128::FromString(text, &value, &precision, &scale).ok()) {
    return MakeError(ErrorKind::kSchemaMismatch, "'{}' is not a decimal", text);
  }
  auto rescaled = value.Rescale(scale, type.scale);
  if (!rescaled.ok() || !rescaled->FitsInPrecision(type.precision)) {
    return MakeError(ErrorKind::kSchemaMismatch, "'{}' does not fit {}", text, ToString(type));
  }
  return *rescaled;
}

/// The alternative that the column's type asks for.
template <typename T>
Result<const T*> Expect(const Value& value, const iceberg::Type& type) {
  if (const T* held = std::get_if<T>(&value)) return held;
  return MakeError(ErrorKind::kSchemaMismatch, "a value of another kind than {}", ToString(type));
}

template <typename Builder, typename Integer>
Status AppendInteger(arrow::ArrayBuilder& builder, int64_t value) {
  if (value < std::numeric_limits<Integer>::min() || value > std::numeric_limits<Integer>::max()) {
    return MakeError(ErrorKind::kSchemaMismatch, "{} is out of range", value);
  }
  return storage::FromArrow(static_cast<Builder&>(builder).Append(static_cast<Integer>(value)), "appending {}", value);
}

Status AppendText(arrow::ArrayBuilder& builder, const std::string& text, const iceberg::Type& type) {
  switch (type.id) {
    case TypeId::kUuid: {
      TRY(const auto bytes, ParseUuid(text));
      return storage::FromArrow(static_cast<arrow::FixedSizeBinaryBuilder&>(builder).Append(bytes.data()),
                                "appending a uuid{}", "");
    }
    case TypeId::kDecimal: {
      TRY(const arrow::Decimal128 value, ParseDecimal(text, type));
      return storage::FromArrow(static_cast<arrow::Decimal128Builder&>(builder).Append(value), "appending {}", text);
    }
    case TypeId::kBinary:
      return storage::FromArrow(static_cast<arrow::BinaryBuilder&>(builder).Append(text), "appending a binary{}", "");
    default:
      if (!IsUtf8(text)) return MakeError(ErrorKind::kSchemaMismatch, "a string that is not UTF-8");
      return storage::FromArrow(static_cast<arrow::StringBuilder&>(builder).Append(text), "appending a string{}", "");
  }
}

Status AppendValue(arrow::ArrayBuilder& builder, const Value& value, const iceberg::Type& type) {
  if (std::holds_alternative<std::monostate>(value)) {
    return storage::FromArrow(builder.AppendNull(), "appending {}", "NULL");
  }
  switch (type.id) {
    case TypeId::kBoolean: {
      TRY(const bool* flag, Expect<bool>(value, type));
      return storage::FromArrow(static_cast<arrow::BooleanBuilder&>(builder).Append(*flag), "appending {}", *flag);
    }
    case TypeId::kFloat: {
      TRY(const double* number, Expect<double>(value, type));
      return storage::FromArrow(static_cast<arrow::FloatBuilder&>(builder).Append(static_cast<float>(*number)),
                                "appending {}", *number);
    }
    case TypeId::kDouble: {
      TRY(const double* number, Expect<double>(value, type));
      return storage::FromArrow(static_cast<arrow::DoubleBuilder&>(builder).Append(*number), "appending {}", *number);
    }
    case TypeId::kString:
    case TypeId::kBinary:
    case TypeId::kUuid:
    case TypeId::kDecimal: {
      TRY(const std::string* text, Expect<std::string>(value, type));
      return AppendText(builder, *text, type);
    }
    default:
      break;
  }
  TRY(const int64_t* number, Expect<int64_t>(value, type));
  switch (type.id) {
    case TypeId::kInt:
      return AppendInteger<arrow::Int32Builder, int32_t>(builder, *number);
    case TypeId::kLong:
      return AppendInteger<arrow::Int64Builder, int64_t>(builder, *number);
    case TypeId::kDate:
      return AppendInteger<arrow::Date32Builder, int32_t>(builder, *number);
    case TypeId::kTime:
      return AppendInteger<arrow::Time64Builder, int64_t>(builder, *number);
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      return AppendInteger<arrow::TimestampBuilder, int64_t>(builder, *number);
    default:
      return MakeError(ErrorKind::kInternal, "no encoder for {}", ToString(type));
  }
}

}  // namespace

Result<encode::EncodedRows> EncodeCells(std::span<const iceberg::Field> fields, std::span<const Row* const> rows,
                                        std::span<const std::string> never_null) {
  iceberg::Schema projection;
  for (const iceberg::Field& field : fields) {
    projection.fields.push_back(field);
    projection.fields.back().required = false;  // As the stream's batches: nullable throughout.
  }
  TRY(const auto arrow_schema, iceberg::ToArrowSchema(projection));
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (size_t column = 0; column < fields.size(); ++column) {
    TRY(const auto builder,
        storage::FromArrow(arrow::MakeBuilder(arrow_schema->field(static_cast<int>(column))->type()), "column {}",
                           fields[column].name));
    for (size_t row = 0; row < rows.size(); ++row) {
      if (rows[row]->size() != fields.size()) {
        return MakeError(ErrorKind::kSchemaMismatch, "row {} has {} values, not {}", row, rows[row]->size(),
                         fields.size());
      }
      TRY_VOID(AppendValue(*builder, (*rows[row])[column], fields[column].type)
                   .Context("row {}, column '{}'", row, fields[column].name));
    }
    TRY(auto array, storage::FromArrow(builder->Finish(), "column {}", fields[column].name));
    if (array->null_count() > 0 && std::ranges::find(never_null, fields[column].name) != never_null.end()) {
      return MakeError(ErrorKind::kSchemaMismatch, "key column '{}' is NULL in a row", fields[column].name);
    }
    columns.push_back(std::move(array));
  }
  return encode::EncodedRows{
      .batch = arrow::RecordBatch::Make(arrow_schema, static_cast<int64_t>(rows.size()), std::move(columns))};
}

}  // namespace firn::destination
