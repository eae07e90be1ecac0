#include "iceberg/row_keys.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/try.h"
#include "storage/arrow_error.h"

namespace firn::iceberg {
namespace {

template <typename T>
void AppendRaw(const T& value, std::string& key) {
  key.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

template <typename T>
void AppendFloating(T value, std::string& key) {
  AppendRaw(std::isnan(value) ? std::numeric_limits<T>::quiet_NaN() : value, key);
}

void AppendValue(const arrow::Array& column, int64_t row, std::string& key) {
  using arrow::Type;
  switch (column.type_id()) {
    case Type::BOOL:
      key.push_back(static_cast<const arrow::BooleanArray&>(column).Value(row) ? '\1' : '\0');
      return;
    case Type::FLOAT:
      return AppendFloating(static_cast<const arrow::FloatArray&>(column).Value(row), key);
    case Type::DOUBLE:
      return AppendFloating(static_cast<const arrow::DoubleArray&>(column).Value(row), key);
    case Type::STRING:
    case Type::BINARY: {
      const std::string_view bytes = static_cast<const arrow::BinaryArray&>(column).GetView(row);
      AppendRaw(static_cast<uint32_t>(bytes.size()), key);
      key.append(bytes);
      return;
    }
    default: {
      const int32_t width = static_cast<const arrow::FixedWidthType&>(*column.type()).bit_width() / 8;
      const uint8_t* values = column.data()->GetValues<uint8_t>(1, 0);
      key.append(reinterpret_cast<const char*>(values) + (column.offset() + row) * width, static_cast<size_t>(width));
    }
  }
}

}  // namespace

Result<RowKeys> RowKeys::Make(const arrow::RecordBatch& rows) {
  RowKeys keys;
  for (const auto& column : rows.columns()) TRY_VOID(keys.Add(column));
  return keys;
}

Status RowKeys::Add(const std::shared_ptr<arrow::Array>& column) {
  if (column->type_id() == arrow::Type::STRUCT) {
    const auto& fields = static_cast<const arrow::StructArray&>(*column);
    for (int i = 0; i < fields.num_fields(); ++i) {
      // With the struct's nulls: a field of a struct that is null is null.
      TRY(const auto field, storage::FromArrow(fields.GetFlattenedField(i), "making row keys"));
      TRY_VOID(Add(field));
    }
    return {};
  }
  const bool plain = column->type_id() == arrow::Type::NA || arrow::is_fixed_width(column->type_id()) ||
                     arrow::is_base_binary_like(column->type_id());
  if (!plain) return MakeError(ErrorKind::kUnsupported, "equal rows by a column of {}", column->type()->ToString());
  columns_.push_back(column);
  return {};
}

void RowKeys::KeyOf(int64_t row, std::string& key) const {
  key.clear();
  for (const auto& column : columns_) {
    const bool null = column->type_id() == arrow::Type::NA || column->IsNull(row);
    key.push_back(null ? '\0' : '\1');
    if (!null) AppendValue(*column, row, key);
  }
}

}  // namespace firn::iceberg
