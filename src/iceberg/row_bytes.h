// What rows of a batch take in memory, one by one: for batches and slices that are bounded in bytes. Pure.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>

namespace firn::iceberg {

/// What is read, taken or written at a time is about this large, or one row.
inline constexpr int64_t kBatchBytes = 8 << 20;

/// Bytes of one value of a column, with those that it takes of offsets.
int64_t ValueBytes(const arrow::ArrayData& column, int64_t row);
/// Bytes of a row: of all its values.
int64_t RowBytes(const arrow::RecordBatch& batch, int64_t row);

}  // namespace firn::iceberg
