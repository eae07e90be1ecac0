// The order of rows by a table's sort order (spec: "Sorting"), as bytes that compare as the rows do.
//
//   key    value of the first field │ of the second │ …
//   value  00 or 02: null, first or last │ 01, then
//            boolean             a byte
//            numbers, dates, …   big-endian, the sign bit flipped; decimals 16 bytes
//            floats              their bits, all flipped where negative: -NaN < -∞ < … < -0 < 0 < … < ∞ < NaN
//            uuid, fixed         the bytes
//            strings, binaries   the bytes, 00 as 00 FF, then 00 00: by UTF-8's bytes, which is by code points
//          with all bytes flipped where the field is descending
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "firn/result.h"
#include "iceberg/schema.h"

namespace arrow {
class RecordBatch;
}

namespace firn::iceberg {

/// Keys of a batch's rows, laid out in one buffer.
class SortKeys {
 public:
  size_t size() const { return offsets_.empty() ? 0 : offsets_.size() - 1; }
  std::string_view operator[](size_t row) const {
    return std::string_view(bytes_).substr(offsets_[row], offsets_[row + 1] - offsets_[row]);
  }
  /// Memory that they take.
  int64_t bytes() const { return static_cast<int64_t>(bytes_.capacity() + offsets_.capacity() * sizeof(size_t)); }

 private:
  friend class RowOrder;
  std::string bytes_;
  std::vector<size_t> offsets_;
};

/// Whether rows of the schema can be sorted by it: its fields are made of top-level columns, by transforms that are
/// legal for their types.
bool CanSort(const Schema& schema, const SortOrder& order);

/// Partition by partition, and by the sort order in each. Immutable: may be used by several threads.
class RowOrder {
 public:
  /// `schema`: that of the batches, which have ToArrowSchema(schema)'s columns; more of them don't matter. kUnsupported
  /// for a field that rows can't be sorted by.
  static Result<RowOrder> Make(const Schema& schema, const PartitionSpec& spec, const SortOrder& order);

  /// kUnsupported for a value that a transform can't be made of.
  Result<SortKeys> KeysOf(const arrow::RecordBatch& batch) const;

 private:
  struct FieldPlan {
    int column = 0;
    Transform transform;
    Type source;
    Type result;
    bool descending = false;
    bool nulls_first = true;
  };
  std::vector<FieldPlan> fields_;
};

}  // namespace firn::iceberg
