#include "pipeline/row_batch_reader.h"

#include <span>
#include <utility>

#include "base/try.h"
#include "observe/log_pipeline.h"

namespace firn::pipeline {

RowBatchReader::RowBatchReader(postgres::TableCopyReader& reader, std::unique_ptr<encode::RowEncoder> encoder,
                               RowBatchLimits limits)
    : reader_(reader),
      encoder_(std::move(encoder)),
      limits_(limits),
      thread_(InLogPipeline([this](std::stop_token stop) { Run(std::move(stop)); })) {}

RowBatchReader::~RowBatchReader() {
  thread_.request_stop();
  thread_.join();
}

Result<std::optional<encode::EncodedRows>> RowBatchReader::Next() {
  std::unique_lock lock(mutex_);
  bytes_ -= std::exchange(given_bytes_, 0);
  changed_.notify_all();
  changed_.wait(lock, [&] { return !batches_.empty() || ended_; });
  if (batches_.empty()) {
    if (!*ended_) return ended_->error();
    return std::nullopt;
  }
  Batch batch = std::move(batches_.front());
  batches_.pop_front();
  given_bytes_ = batch.bytes;
  return std::move(batch.rows);
}

void RowBatchReader::Run(std::stop_token stop) {
  Status status = ReadAll(std::move(stop));
  std::lock_guard lock(mutex_);
  ended_ = std::move(status);
  changed_.notify_all();
}

Status RowBatchReader::ReadAll(std::stop_token stop) {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [&] { return bytes_ < limits_.ahead_bytes; })) return {};
    }
    TRY(Batch batch, ReadBatch());
    if (!batch.rows.batch) return {};
    std::lock_guard lock(mutex_);
    bytes_ += batch.bytes;
    batches_.push_back(std::move(batch));
    changed_.notify_all();
  }
}

Result<RowBatchReader::Batch> RowBatchReader::ReadBatch() {
  while (encoder_->rows() < limits_.batch_rows && static_cast<int64_t>(encoder_->bytes()) < limits_.batch_bytes) {
    TRY(const std::span<const WireValue> row, reader_.Next());
    if (row.empty()) break;
    TRY_VOID(encoder_->AppendRow(row));
  }
  Batch batch{.bytes = static_cast<int64_t>(encoder_->bytes())};
  if (encoder_->rows() > 0) {
    TRY(batch.rows, encoder_->Finish());
  }
  return batch;
}

}  // namespace firn::pipeline
