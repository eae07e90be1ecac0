#include "verify/row_digests.h"

#include <arrow/record_batch.h>

#include <functional>

#include "base/try.h"
#include "index/key_codec.h"

namespace firn::verify {

uint64_t DigestOf(std::string_view bytes) { return std::hash<std::string_view>()(bytes); }

uint64_t DigestOf(std::span<const uint64_t> columns) {
  return DigestOf(std::string_view(reinterpret_cast<const char*>(columns.data()), columns.size_bytes()));
}

Result<RowDigests> RowDigests::Make(const arrow::RecordBatch& batch, size_t columns) {
  RowDigests digests;
  digests.columns_ = columns;
  const auto rows = static_cast<size_t>(batch.num_rows());
  digests.values_.resize(rows * columns);
  for (size_t column = 0; column < columns; ++column) {
    TRY(const auto values, index::EncodeKeys(batch, {static_cast<int>(column)}));
    for (size_t row = 0; row < rows; ++row) digests.values_[row * columns + column] = DigestOf(values[row]);
  }
  return digests;
}

}  // namespace firn::verify
