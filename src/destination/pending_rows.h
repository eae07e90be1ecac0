// Arrow rows of one table that an application has added and not committed: in order, until they become a TableBatch.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "firn/result.h"
#include "iceberg/schema.h"
#include "pipeline/table_batch.h"

namespace firn::destination {

/// Single-threaded.
class PendingRows {
 public:
  /// `kind`: kInsert or kUpdate. `rows` as FitRows gives them for all columns. kWriteFailed beyond 2^31 changes.
  Status AddRows(pipeline::ChangeKind kind, std::shared_ptr<arrow::RecordBatch> rows);
  /// `keys` as FitRows gives them for the columns that old rows are told by.
  Status AddDeletes(std::shared_ptr<arrow::RecordBatch> keys);
  /// `is_mirror`: what came before no longer matters.
  void Truncate(bool is_mirror);

  bool empty() const { return changes_.empty() && !truncate_first_; }
  size_t bytes() const { return bytes_; }

  /// All of it, as one transaction; nothing is pending afterwards. `row_fields`, `key_fields`: the columns of both
  /// kinds of rows.
  Result<pipeline::TableBatch> Take(std::span<const iceberg::Field> row_fields,
                                    std::span<const iceberg::Field> key_fields, uint64_t position,
                                    int64_t committed_at_us);

 private:
  Status Add(std::vector<std::shared_ptr<arrow::RecordBatch>>& all, std::shared_ptr<arrow::RecordBatch> added,
             int64_t& count);

  bool truncate_first_ = false;
  std::vector<std::shared_ptr<arrow::RecordBatch>> rows_;
  std::vector<std::shared_ptr<arrow::RecordBatch>> keys_;
  int64_t row_count_ = 0;
  int64_t key_count_ = 0;
  std::vector<pipeline::Change> changes_;
  size_t bytes_ = 0;
};

}  // namespace firn::destination
