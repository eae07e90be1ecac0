// Writes one Parquet data file of a table and describes it as its manifest entry will.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "firn/result.h"
#include "iceberg/data_file.h"
#include "iceberg/schema.h"
#include "storage/file_store.h"

namespace arrow {
class RecordBatch;
}

namespace firn::iceberg {

enum class Compression : uint8_t { kNone, kSnappy, kZstd, kGzip, kLz4 };
Result<Compression> ParseCompression(std::string_view name);

struct ParquetOptions {
  Compression compression = Compression::kZstd;
  int64_t row_group_rows = 1 << 18;
};

/// Single-threaded. Rows are held in memory until they are a row group; the file is there from the first one on. A file
/// that was not closed is deleted by the destructor, as far as the store can.
class DataFileWriter {
 public:
  virtual ~DataFileWriter() = default;

  /// `schema` gives columns, field ids and which are required; batches have ToArrowSchema(schema)'s columns.
  static Result<std::unique_ptr<DataFileWriter>> Open(storage::FileStore& store, std::string location,
                                                      const Schema& schema, const ParquetOptions& options);

  /// Appends rows: the first row of the file has position 0. The batch's columns are shared, not copied, until their
  /// row group is written: their buffers must own their memory.
  virtual Status Write(const arrow::RecordBatch& batch) = 0;
  virtual int64_t rows() const = 0;
  /// Bytes in the file so far plus an estimate of those still buffered: for rolling files by size.
  virtual int64_t estimated_bytes() const = 0;
  /// Memory that the held rows take.
  virtual int64_t held_bytes() const = 0;
  /// Whether the file has been opened in the store.
  virtual bool is_open() const = 0;
  /// Whether the open file is made for values as large as the batch's are; else writing them to it takes much more
  /// memory than writing them to a new one.
  virtual bool Suits(const arrow::RecordBatch& batch) const = 0;
  /// Makes a row group of the held rows now.
  virtual Status Flush() = 0;
  /// Finishes the file. Metrics and bounds are those that Java writes by default: counts for every column, bounds of
  /// primitive columns, strings and binaries cut to 16 characters or bytes (upper bounds rounded up). A column with
  /// values of a megabyte has neither bounds nor a count of nulls.
  virtual Result<DataFile> Close() = 0;
};

}  // namespace firn::iceberg
