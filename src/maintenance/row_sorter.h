// Rows in a table's order, in bounded memory.
//
//   batches ──sorted each──► held in memory ──when those are too much: merged──► a run in a temporary file
//                                  │                                                  │
//                                  └─► merged ──► sink    where there is no run       └─► merged ──► sink
//                                                         (several rounds where the runs' batches
//                                                          take too much memory at once)
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "firn/result.h"
#include "iceberg/row_bytes.h"
#include "iceberg/row_order.h"
#include "pipeline/row_memory.h"

namespace arrow {
class RecordBatch;
class Schema;
}  // namespace arrow

namespace firn::maintenance {

class SpilledRuns;

struct RowSorterOptions {
  std::string folder;  ///< Of temporary files (TemporaryFile).
  int64_t memory_bytes = 32 << 20;
  int64_t batch_bytes = iceberg::kBatchBytes;   ///< Of what the sink is given at a time, about.
  std::shared_ptr<pipeline::RowMemory> memory;  ///< Which this is a part of; null: of none.
};

/// Sorts the rows that it is given, each with its origin. Equal rows keep their order. Single-threaded.
class RowSorter {
 public:
  RowSorter(iceberg::RowOrder order, RowSorterOptions options);
  ~RowSorter();

  Status Add(const arrow::RecordBatch& rows, std::span<const int64_t> origins);

  /// Takes rows, in order, with their origins.
  using Sink = std::function<Status(const std::shared_ptr<arrow::RecordBatch>& rows, std::span<const int64_t> origins)>;
  /// Gives all rows to the sink, once. An error of the sink ends it; kCancelled on request.
  Status Finish(const Sink& sink, const std::stop_token& stop);

  /// How many sorted runs were written to temporary files, those of later rounds included.
  int runs_written() const { return runs_written_; }

 private:
  int64_t BatchBytes() const;
  Status SpillHeld(const std::stop_token& stop);
  Status MergeRuns(const std::stop_token& stop);
  void Hold(int64_t bytes);

  const iceberg::RowOrder order_;
  const RowSorterOptions options_;
  std::shared_ptr<arrow::Schema> schema_;                  ///< Of held batches: the rows' and their origins'.
  std::vector<std::shared_ptr<arrow::RecordBatch>> held_;  ///< Each sorted.
  int64_t held_bytes_ = 0;
  pipeline::HeldRows counted_;
  std::unique_ptr<SpilledRuns> runs_;
  int runs_written_ = 0;
};

}  // namespace firn::maintenance
