// Rows as numbers, so that the rows of two sides can be compared without holding them: a digest for each value, and one
// for the row. Equal values have equal digests; that others have them too has a chance of one in 2^64. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "firn/result.h"

namespace arrow {
class RecordBatch;
}

namespace firn::verify {

uint64_t DigestOf(std::string_view bytes);
/// Of a whole row, from the digests of its columns: values that changed places give another one.
uint64_t DigestOf(std::span<const uint64_t> columns);

/// The digests of a batch's values, by row. Values count as equal as in index/key_codec.h: -0 is 0, every NaN is one.
class RowDigests {
 public:
  /// Of the first `columns` columns.
  static Result<RowDigests> Make(const arrow::RecordBatch& batch, size_t columns);

  std::span<const uint64_t> operator[](size_t row) const {
    return std::span(values_).subspan(row * columns_, columns_);
  }

 private:
  size_t columns_ = 0;
  std::vector<uint64_t> values_;
};

}  // namespace firn::verify
