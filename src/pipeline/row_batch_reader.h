// Reads the rows of a COPY ahead, so that PostgreSQL goes on sending while a row group is encoded and written.
//
//   thread of its own: TableCopyReader ──► RowEncoder ──► batches, bounded by bytes ──► Next(): whoever writes files
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "encode/row_encoder.h"
#include "firn/result.h"
#include "postgres/table_copy_reader.h"

namespace firn::pipeline {

struct RowBatchLimits {
  int64_t batch_rows = 0;
  int64_t batch_bytes = 0;  ///< Of one batch; a batch has one row at least.
  /// With this many bytes of batches that were read and not given back, no other is begun.
  int64_t ahead_bytes = 0;
};

/// Used by one thread.
class RowBatchReader {
 public:
  /// `reader` was started and outlives this.
  RowBatchReader(postgres::TableCopyReader& reader, std::unique_ptr<encode::RowEncoder> encoder, RowBatchLimits limits);
  /// Waits for the row that is being read.
  ~RowBatchReader();
  RowBatchReader(const RowBatchReader&) = delete;
  RowBatchReader& operator=(const RowBatchReader&) = delete;

  /// Waits for the next batch, in the order of the rows; nothing after the last one. The batch before counts as given
  /// back. Errors are the reader's and the encoder's, after the batches that were whole before.
  Result<std::optional<encode::EncodedRows>> Next();

 private:
  struct Batch {
    encode::EncodedRows rows;
    int64_t bytes = 0;
  };

  void Run(std::stop_token stop);
  Status ReadAll(std::stop_token stop);
  /// Empty after the last row.
  Result<Batch> ReadBatch();

  postgres::TableCopyReader& reader_;
  const std::unique_ptr<encode::RowEncoder> encoder_;
  const RowBatchLimits limits_;
  int64_t given_bytes_ = 0;  ///< Of the batch that Next() returned last.

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Batch> batches_;    ///< Under mutex_, as all below.
  int64_t bytes_ = 0;            ///< Of the batches, and of the one that is given.
  std::optional<Status> ended_;  ///< All was read, or an error ended it.
  std::jthread thread_;          ///< Last: it uses the others.
};

}  // namespace firn::pipeline
