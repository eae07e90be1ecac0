#include "pipeline/take_rows.h"

#include <arrow/api.h>
#include <arrow/compute/api.h>

#include "base/try.h"
#include "storage/arrow_error.h"

namespace firn::pipeline {

Result<std::shared_ptr<arrow::RecordBatch>> TakeRows(const std::shared_ptr<arrow::RecordBatch>& batch,
                                                     std::span<const int32_t> rows) {
  const auto count = static_cast<int64_t>(rows.size());
  if (count == batch->num_rows()) return batch;
  const arrow::Int32Array indices(count, arrow::Buffer::Wrap(rows.data(), rows.size()));
  TRY(const arrow::Datum taken,
      storage::FromArrow(arrow::compute::Take(batch, indices, arrow::compute::TakeOptions::NoBoundsCheck()),
                         "taking {} rows", count));
  return taken.record_batch();
}

}  // namespace firn::pipeline
