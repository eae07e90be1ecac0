// Equality delete files (spec: "Equality Delete Files"): values of some columns; rows of older commits that have them
// are deleted.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "firn/result.h"
#include "iceberg/data_file_writer.h"
#include "iceberg/table_metadata.h"

namespace firn::iceberg {

/// The spec of deletes that apply to files of every partition and spec: one without fields, where the table has it.
std::optional<int32_t> FindUnpartitionedSpec(const TableMetadata& metadata);

/// Single-threaded. A file that was not closed is deleted.
class EqualityDeleteWriter {
 public:
  /// `keys`: the columns to compare, in the order of the batches.
  static Result<EqualityDeleteWriter> Open(storage::FileStore& store, std::string location, const Schema& keys,
                                           const ParquetOptions& options);

  Status Write(const arrow::RecordBatch& keys) { return file_->Write(keys); }
  int64_t estimated_bytes() const { return file_->estimated_bytes(); }
  /// The delete file, of an unpartitioned spec: it applies to the whole table.
  Result<DataFile> Close(int32_t unpartitioned_spec_id);

 private:
  EqualityDeleteWriter(std::unique_ptr<DataFileWriter> file, std::vector<int32_t> equality_ids)
      : file_(std::move(file)), equality_ids_(std::move(equality_ids)) {}

  std::unique_ptr<DataFileWriter> file_;
  std::vector<int32_t> equality_ids_;
};

}  // namespace firn::iceberg
