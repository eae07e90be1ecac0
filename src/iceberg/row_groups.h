// What the readers of the file formats have in common: a file is a sequence of row groups (ORC's stripes; an Avro file
// is one), each of them batches.
#pragma once

#include <arrow/type_fwd.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>

#include "firn/result.h"
#include "iceberg/column_projection.h"
#include "iceberg/data_file_reader.h"
#include "iceberg/row_bytes.h"
#include "storage/file_store.h"

namespace firn::iceberg {

/// One file of some format. Single-threaded.
class RowGroups {
 public:
  static constexpr int64_t kBatchRows = 64 << 10;
  static constexpr int64_t kUnknownRows = std::numeric_limits<int64_t>::max();

  /// Gives a group's batches in turn, null at its end.
  using Batches = std::function<Result<std::shared_ptr<arrow::RecordBatch>>()>;

  /// How many rows of a group, which has so many and takes so many bytes in memory, are to be a batch.
  static int64_t BatchRows(int64_t rows, int64_t bytes) {
    if (bytes <= kBatchBytes) return kBatchRows;
    const double rows_in_batch = static_cast<double>(rows) / static_cast<double>(bytes) * kBatchBytes;
    return std::clamp<int64_t>(static_cast<int64_t>(rows_in_batch), 1, kBatchRows);
  }

  virtual ~RowGroups() = default;
  virtual int count() const = 0;
  virtual int64_t rows(int group) const = 0;  ///< kUnknownRows where only reading them tells.
  /// The batches of a group, as the file has them; of one group at a time. Each has about kBatchBytes at most, or one
  /// row, as far as the file tells how large its rows are.
  virtual Result<Batches> Open(int group) = 0;
  /// The projection's columns of such a batch.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Project(const std::shared_ptr<arrow::RecordBatch>& batch) = 0;
};

/// By format. Errors name no file.
Result<std::unique_ptr<RowGroups>> OpenParquetRowGroups(storage::FileStore& store, const DataFile& file,
                                                        const Schema& projection, const ColumnContext& context);
Result<std::unique_ptr<RowGroups>> OpenAvroRowGroups(storage::FileStore& store, const DataFile& file,
                                                     const Schema& projection, const ColumnContext& context);
Result<std::unique_ptr<RowGroups>> OpenOrcRowGroups(storage::FileStore& store, const DataFile& file,
                                                    const Schema& projection, const ColumnContext& context);

}  // namespace firn::iceberg
