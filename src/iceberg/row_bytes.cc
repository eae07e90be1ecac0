#include "iceberg/row_bytes.h"

#include <arrow/array/data.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

namespace firn::iceberg {
namespace {

/// The values that `begin` to `end` (offsets into a list's or map's values) are.
int64_t RangeBytes(const arrow::ArrayData& values, int64_t begin, int64_t end) {
  if (const int bits = values.type->bit_width(); bits > 0) return (end - begin) * ((bits + 7) / 8);
  int64_t bytes = 0;
  for (int64_t i = begin; i < end; ++i) bytes += ValueBytes(values, i);
  return bytes;
}

/// `Offset`: that of the type, which says where each value begins in its bytes or its child.
template <typename Offset>
int64_t VariableBytes(const arrow::ArrayData& column, int64_t row) {
  const auto* offsets = column.GetValues<Offset>(1);
  const int64_t begin = offsets[row];
  const int64_t end = offsets[row + 1];
  const auto own = static_cast<int64_t>(sizeof(Offset));
  return own + (column.child_data.empty() ? end - begin : RangeBytes(*column.child_data[0], begin, end));
}

}  // namespace

int64_t ValueBytes(const arrow::ArrayData& column, int64_t row) {
  switch (column.type->id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
    case arrow::Type::LIST:
    case arrow::Type::MAP:
      return VariableBytes<int32_t>(column, row);
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::LARGE_LIST:
      return VariableBytes<int64_t>(column, row);
    case arrow::Type::STRUCT: {
      int64_t bytes = 0;
      for (const auto& child : column.child_data) bytes += ValueBytes(*child, column.offset + row);
      return bytes;
    }
    default: {
      const int bits = column.type->bit_width();
      return bits > 0 ? (bits + 7) / 8 : 0;
    }
  }
}

int64_t RowBytes(const arrow::RecordBatch& batch, int64_t row) {
  int64_t bytes = 0;
  for (const auto& column : batch.column_data()) bytes += ValueBytes(*column, row);
  return bytes;
}

}  // namespace firn::iceberg
