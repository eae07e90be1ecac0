// Reads columns of one data or delete file back, by field id: for scans, index rebuilds, unchanged TOAST values,
// verification. Parquet, Avro and ORC, whoever wrote them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "firn/result.h"
#include "iceberg/column_projection.h"
#include "iceberg/data_file.h"
#include "iceberg/schema.h"
#include "storage/file_store.h"

namespace arrow {
class RecordBatch;
}

namespace firn::iceberg {

/// Single-threaded. A file that is none of its format gives kCorrupt.
class DataFileReader {
 public:
  virtual ~DataFileReader() = default;

  /// `file`: its path and format. `projection`: the columns to read, found in the file by field id; one that the file
  /// lacks has its partition value, its initial default or nulls. Batches have ToArrowSchema(projection)'s columns (a
  /// narrower type of the file is widened).
  static Result<std::unique_ptr<DataFileReader>> Open(storage::FileStore& store, const DataFile& file,
                                                      const Schema& projection, const ColumnContext& context = {});
  /// A file of which no more than its location is known: its format is what its name ends in, as writers have it.
  static Result<std::unique_ptr<DataFileReader>> Open(storage::FileStore& store, const std::string& location,
                                                      const Schema& projection);

  /// The next rows in file order, from position 0; null at the end. Deleted rows are included: positions count them.
  /// About kBatchBytes at a time, or a row (row_bytes.h).
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Next() = 0;

  /// Takes some of the rows that were asked for: row i of `rows` is the one at positions[first + i].
  using RowsSink = std::function<Status(const std::shared_ptr<arrow::RecordBatch>& rows, size_t first)>;
  /// Gives the rows at these ascending positions, in that order, in parts that are as large as Next's; a position may
  /// stand more than once. Of Parquet and ORC, reads only the row groups that hold them, each once. An error of the
  /// sink ends it.
  virtual Status ReadRows(std::span<const int64_t> positions, const RowsSink& sink) = 0;
};

/// The reader of a table's file: with the table's name mapping and the file's partition values.
Result<std::unique_ptr<DataFileReader>> OpenDataFile(storage::FileStore& store, const TableMetadata& metadata,
                                                     const DataFile& file, const Schema& projection);

}  // namespace firn::iceberg
