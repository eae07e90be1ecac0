#include "iceberg/variant_shredding.h"

#include <arrow/array.h>
#include <arrow/array/builder_binary.h>
#include <arrow/buffer_builder.h>
#include <arrow/type.h>
#include <arrow/util/decimal.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/try.h"
#include "iceberg/variant_value.h"
#include "storage/arrow_error.h"

namespace firn::iceberg {
namespace {

static_assert(std::endian::native == std::endian::little, "variants are little-endian");

Error NoVariant(const arrow::DataType& type) {
  return MakeError(ErrorKind::kCorrupt, "a variant whose columns are {}", type.ToString());
}

/// Binary columns of a variant, or null where the file lacks them.
std::shared_ptr<arrow::BinaryArray> BinaryChild(const arrow::StructArray& group, const std::string& name) {
  auto child = group.GetFieldByName(name);
  if (!child || child->type_id() != arrow::Type::BINARY) return nullptr;
  return std::static_pointer_cast<arrow::BinaryArray>(child);
}

template <typename Array, typename Value = typename Array::value_type>
std::string BytesOf(const arrow::Array& array, int64_t row) {
  const Value value = static_cast<const Array&>(array).Value(row);
  std::string bytes(sizeof(Value), '\0');
  std::memcpy(bytes.data(), &value, sizeof(Value));
  return bytes;
}

void AppendDecimal(const arrow::Decimal128Array& array, int64_t row, std::string& out) {
  const auto& type = static_cast<const arrow::DecimalType&>(*array.type());
  const bool narrow = type.precision() <= 9, middle = type.precision() <= 18;
  // Decimal128 values are little-endian two's complement: a narrower one is its first bytes.
  const char* bytes = reinterpret_cast<const char*>(array.GetValue(row));
  std::string content(1, static_cast<char>(type.scale()));
  content.append(bytes, narrow ? 4 : middle ? 8 : 16);
  const auto kind =
      narrow ? VariantPrimitive::kDecimal4 : (middle ? VariantPrimitive::kDecimal8 : VariantPrimitive::kDecimal16);
  AppendVariantPrimitive(kind, content, out);
}

void AppendTimestamp(const arrow::TimestampArray& array, int64_t row, std::string& out) {
  const auto& type = static_cast<const arrow::TimestampType&>(*array.type());
  const bool nanos = type.unit() == arrow::TimeUnit::NANO;
  const auto kind = type.timezone().empty()
                        ? (nanos ? VariantPrimitive::kTimestampNs : VariantPrimitive::kTimestamp)
                        : (nanos ? VariantPrimitive::kTimestampTzNs : VariantPrimitive::kTimestampTz);
  AppendVariantPrimitive(kind, BytesOf<arrow::TimestampArray>(array, row), out);
}

/// A value of a shredded primitive column.
Status AppendPrimitive(const arrow::Array& array, int64_t row, std::string& out) {
  using arrow::Type;
  using enum VariantPrimitive;
  switch (array.type_id()) {
    case Type::BOOL:
      AppendVariantPrimitive(static_cast<const arrow::BooleanArray&>(array).Value(row) ? kTrue : kFalse, "", out);
      return {};
    case Type::INT8:
      AppendVariantPrimitive(kInt8, BytesOf<arrow::Int8Array>(array, row), out);
      return {};
    case Type::INT16:
      AppendVariantPrimitive(kInt16, BytesOf<arrow::Int16Array>(array, row), out);
      return {};
    case Type::INT32:
      AppendVariantPrimitive(kInt32, BytesOf<arrow::Int32Array>(array, row), out);
      return {};
    case Type::INT64:
      AppendVariantPrimitive(kInt64, BytesOf<arrow::Int64Array>(array, row), out);
      return {};
    case Type::FLOAT:
      AppendVariantPrimitive(kFloat, BytesOf<arrow::FloatArray>(array, row), out);
      return {};
    case Type::DOUBLE:
      AppendVariantPrimitive(kDouble, BytesOf<arrow::DoubleArray>(array, row), out);
      return {};
    case Type::DECIMAL128:
      AppendDecimal(static_cast<const arrow::Decimal128Array&>(array), row, out);
      return {};
    case Type::DATE32:
      AppendVariantPrimitive(kDate, BytesOf<arrow::Date32Array>(array, row), out);
      return {};
    case Type::TIME64:
      AppendVariantPrimitive(kTime, BytesOf<arrow::Time64Array>(array, row), out);
      return {};
    case Type::TIMESTAMP:
      AppendTimestamp(static_cast<const arrow::TimestampArray&>(array), row, out);
      return {};
    case Type::STRING:
      AppendVariantPrimitive(kString, static_cast<const arrow::StringArray&>(array).GetView(row), out);
      return {};
    case Type::BINARY:
      AppendVariantPrimitive(kBinary, static_cast<const arrow::BinaryArray&>(array).GetView(row), out);
      return {};
    case Type::FIXED_SIZE_BINARY:
      if (static_cast<const arrow::FixedSizeBinaryArray&>(array).byte_width() != 16) break;
      AppendVariantPrimitive(kUuid, static_cast<const arrow::FixedSizeBinaryArray&>(array).GetView(row), out);
      return {};
    default:
      break;
  }
  return MakeError(ErrorKind::kUnsupported, "a variant shredded into {}", array.type()->ToString());
}

/// A pair of columns {value, typed_value}, at any depth.
class ShreddedValue {
 public:
  static Result<ShreddedValue> Make(const std::shared_ptr<arrow::Array>& column) {
    if (column->type_id() != arrow::Type::STRUCT) return NoVariant(*column->type());
    ShreddedValue made;
    made.group_ = std::static_pointer_cast<arrow::StructArray>(column);
    made.value_ = BinaryChild(*made.group_, "value");
    made.typed_ = made.group_->GetFieldByName("typed_value");
    if (!made.value_ && !made.typed_) return NoVariant(*column->type());
    if (!made.typed_) return made;
    if (made.typed_->type_id() == arrow::Type::LIST) {
      TRY(made.children_.emplace_back(), Make(static_cast<const arrow::ListArray&>(*made.typed_).values()));
    } else if (made.typed_->type_id() == arrow::Type::STRUCT) {
      const auto& fields = static_cast<const arrow::StructArray&>(*made.typed_);
      for (int i = 0; i < fields.num_fields(); ++i) {
        TRY(made.children_.emplace_back(), Make(fields.field(i)));
        made.child_names_.push_back(fields.type()->field(i)->name());
      }
    }
    return made;
  }

  /// Appends a row's value; gives false where there is none.
  Result<bool> Append(int64_t row, const VariantNames& names, std::string& out) const {
    if (group_->IsNull(row)) return false;
    const bool has_value = value_ && value_->IsValid(row);
    if (!typed_ || typed_->IsNull(row)) {
      if (!has_value) return false;
      if (value_->GetView(row).empty()) return MakeError(ErrorKind::kCorrupt, "a variant without a byte");
      out.append(value_->GetView(row));
      return true;
    }
    if (typed_->type_id() == arrow::Type::STRUCT) {
      TRY_VOID(AppendObject(row, has_value ? value_->GetView(row) : std::string_view(), names, out));
      return true;
    }
    if (has_value) return MakeError(ErrorKind::kCorrupt, "a variant with two values");
    if (typed_->type_id() == arrow::Type::LIST) {
      TRY_VOID(AppendList(row, names, out));
    } else {
      TRY_VOID(AppendPrimitive(*typed_, row, out));
    }
    return true;
  }

 private:
  /// `rest`: the object with the fields that have no columns; empty for none.
  Status AppendObject(int64_t row, std::string_view rest, const VariantNames& names, std::string& out) const {
    std::vector<std::pair<uint32_t, std::string>> fields;
    for (size_t i = 0; i < children_.size(); ++i) {
      std::string bytes;
      TRY(const bool present, children_[i].Append(row, names, bytes));
      if (!present) continue;
      TRY(const uint32_t id, names.Find(child_names_[i]));
      fields.emplace_back(id, std::move(bytes));
    }
    if (!rest.empty()) {
      TRY(const auto more, ObjectFields(rest));
      for (const auto& [id, value] : more) {
        if (id >= names.size()) return MakeError(ErrorKind::kCorrupt, "a variant whose metadata lacks a name");
        // A shredded field wins (VariantShredding.md: it must not be in both).
        if (std::ranges::find(child_names_, names[id]) == child_names_.end()) fields.emplace_back(id, value);
      }
    }
    std::ranges::sort(fields, {}, [&names](const auto& field) { return names[field.first]; });
    AppendVariantObject(fields, out);
    return {};
  }

  Status AppendList(int64_t row, const VariantNames& names, std::string& out) const {
    const auto& list = static_cast<const arrow::ListArray&>(*typed_);
    std::vector<std::string> items;
    for (int64_t i = list.value_offset(row); i < list.value_offset(row + 1); ++i) {
      std::string& item = items.emplace_back();
      TRY(const bool present, children_[0].Append(i, names, item));
      if (!present) AppendVariantPrimitive(VariantPrimitive::kNull, "", item);
    }
    AppendVariantArray(items, out);
    return {};
  }

  std::shared_ptr<arrow::StructArray> group_;
  std::shared_ptr<arrow::BinaryArray> value_;
  std::shared_ptr<arrow::Array> typed_;
  std::vector<ShreddedValue> children_;   ///< A list's element, or an object's fields
  std::vector<std::string> child_names_;  ///< by name.
};

Result<std::shared_ptr<arrow::Array>> AssembleValues(const std::shared_ptr<arrow::StructArray>& column,
                                                     const arrow::BinaryArray& metadata) {
  TRY(const ShreddedValue shredded, ShreddedValue::Make(column));
  arrow::BinaryBuilder values;
  std::optional<VariantNames> names;
  std::string_view names_bytes;
  for (int64_t row = 0; row < column->length(); ++row) {
    std::string value;
    if (column->IsValid(row)) {
      if (metadata.IsNull(row)) return MakeError(ErrorKind::kCorrupt, "a variant without metadata");
      if (!names || metadata.GetView(row) != names_bytes) {
        names_bytes = metadata.GetView(row);
        TRY(names, VariantNames::Parse(names_bytes));
      }
      TRY(const bool present, shredded.Append(row, *names, value));
      if (!present) AppendVariantPrimitive(VariantPrimitive::kNull, "", value);
    }
    TRY_VOID(storage::FromArrow(values.Append(value), "putting a variant together"));
  }
  return storage::FromArrow(values.Finish(), "putting a variant together");
}

}  // namespace

Result<std::shared_ptr<arrow::ArrayData>> AssembleVariants(const std::shared_ptr<arrow::ArrayData>& data,
                                                           const std::shared_ptr<arrow::DataType>& type) {
  if (data->type->id() != arrow::Type::STRUCT) return NoVariant(*data->type);
  const auto column = std::static_pointer_cast<arrow::StructArray>(arrow::MakeArray(data));
  std::shared_ptr<arrow::Array> metadata = BinaryChild(*column, "metadata");
  if (!metadata) return NoVariant(*data->type);
  std::shared_ptr<arrow::Array> values = BinaryChild(*column, "value");
  if (column->GetFieldByName("typed_value")) {
    TRY(values, AssembleValues(column, static_cast<const arrow::BinaryArray&>(*metadata)));
  }
  if (!values) return NoVariant(*data->type);
  // StructArray::field() gives slices: the new column begins at its own first row.
  auto made = arrow::ArrayData::Make(type, column->length(), {nullptr}, {metadata->data(), values->data()});
  if (column->null_count() > 0) {
    arrow::TypedBufferBuilder<bool> valid;
    for (int64_t row = 0; row < column->length(); ++row) {
      TRY_VOID(storage::FromArrow(valid.Append(column->IsValid(row)), "putting a variant together"));
    }
    TRY(made->buffers[0], storage::FromArrow(valid.Finish(), "putting a variant together"));
    made->null_count = column->null_count();
  }
  return made;
}

}  // namespace firn::iceberg
