// Some rows of a batch as a batch of their own.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "firn/result.h"

namespace arrow {
class RecordBatch;
}

namespace firn::pipeline {

/// `rows`: ascending; the batch itself where they are all of it. Values are copied: nothing else of `batch` is kept.
Result<std::shared_ptr<arrow::RecordBatch>> TakeRows(const std::shared_ptr<arrow::RecordBatch>& batch,
                                                     std::span<const int32_t> rows);

}  // namespace firn::pipeline
