// Reads columns of one Parquet data file back, by field id: for index rebuilds, unchanged TOAST values, verification.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "firn/result.h"
#include "iceberg/schema.h"
#include "storage/file_store.h"

namespace arrow {
class RecordBatch;
}

namespace firn::iceberg {

/// Single-threaded.
class DataFileReader {
 public:
  virtual ~DataFileReader() = default;

  /// `projection`: the columns to read, found in the file by field id; one that the file lacks is read as nulls.
  /// Batches have ToArrowSchema(projection)'s columns (a narrower type of the file is widened).
  static Result<std::unique_ptr<DataFileReader>> Open(storage::FileStore& store, const std::string& location,
                                                      const Schema& projection);

  /// The next rows in file order, from position 0; null at the end. Deleted rows are included: positions count them.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Next() = 0;
  /// The rows at these ascending positions, in that order. Reads only the row groups that hold them.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> ReadRows(std::span<const int64_t> positions) = 0;
};

}  // namespace firn::iceberg
