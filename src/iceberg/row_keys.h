// Values of some columns of a row as bytes, to find equal rows by: two keys are the same bytes exactly when each value
// is equal, where null equals null and NaN equals NaN (spec: "Equality Delete Files").
//
//   for each column: 0 for null, or 1 and the value: as Arrow has it where its width is fixed, else its size and bytes
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "firn/result.h"

namespace firn::iceberg {

/// Of one batch. Single-threaded.
class RowKeys {
 public:
  /// Every column of `rows`; a struct stands for its fields, at any depth. kUnsupported for lists, maps and variants.
  static Result<RowKeys> Make(const arrow::RecordBatch& rows);

  /// Replaces `key` by the row's.
  void KeyOf(int64_t row, std::string& key) const;

 private:
  Status Add(const std::shared_ptr<arrow::Array>& column);

  std::vector<std::shared_ptr<arrow::Array>> columns_;
};

}  // namespace firn::iceberg
