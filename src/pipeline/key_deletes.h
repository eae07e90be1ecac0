// Rows of earlier commits that the commit in the making deletes by key: equality delete files instead of positions that
// an index would know.
//
//   removed key ──► written by this commit? ── yes ──► its place (an equality delete does not reach its own commit)
//                              └── no ──► KeyDeletes ──► equality delete file of the whole table
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firn/result.h"
#include "iceberg/equality_deletes.h"
#include "index/key_codec.h"
#include "pipeline/table_batch.h"
#include "pipeline/table_layout.h"

namespace firn::pipeline {

/// The key columns of a table with kKey, in the key's order.
iceberg::Schema KeySchema(const TableLayout& layout);

/// The values of these keys of a batch, in order, as KeySchema's columns. `keys` look into `row_keys` or `old_keys`,
/// which are those of batch.rows and batch.old_keys.
Result<std::shared_ptr<arrow::RecordBatch>> TakeKeys(const TableLayout& layout, const TableBatch& batch,
                                                     const index::EncodedKeys& row_keys,
                                                     const index::EncodedKeys& old_keys,
                                                     std::span<const std::string_view> keys);

/// Single-threaded. What is not closed when it goes is deleted.
class KeyDeletes {
 public:
  /// `name` gives the location of the next file.
  KeyDeletes(storage::FileStore& store, iceberg::Schema key_schema, iceberg::ParquetOptions options,
             int64_t target_file_size_bytes, std::function<std::string()> name);

  Status Add(const arrow::RecordBatch& keys);
  Result<std::vector<iceberg::DataFile>> Close(int32_t unpartitioned_spec_id);

 private:
  storage::FileStore& store_;
  const iceberg::Schema key_schema_;
  const iceberg::ParquetOptions options_;
  const int64_t target_file_size_bytes_;
  const std::function<std::string()> name_;
  std::vector<iceberg::EqualityDeleteWriter> files_;  ///< The last is written to; the others are full.
};

}  // namespace firn::pipeline
