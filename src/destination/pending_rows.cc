#include "destination/pending_rows.h"

#include <arrow/api.h>
#include <arrow/util/byte_size.h>

#include <limits>
#include <utility>

#include "base/try.h"
#include "storage/arrow_error.h"

namespace firn::destination {
namespace {

using pipeline::ChangeKind;

Result<encode::EncodedRows> Join(const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches,
                                 std::span<const iceberg::Field> fields) {
  if (batches.size() == 1) return encode::EncodedRows{.batch = batches.front()};
  if (!batches.empty()) {
    TRY(auto joined,
        storage::FromArrow(arrow::ConcatenateRecordBatches(batches), "joining {} batches of rows", batches.size()));
    return encode::EncodedRows{.batch = std::move(joined)};
  }
  iceberg::Schema projection;
  for (const iceberg::Field& field : fields) {
    projection.fields.push_back(field);
    projection.fields.back().required = false;
  }
  TRY(const auto schema, iceberg::ToArrowSchema(projection));
  TRY(auto empty, storage::FromArrow(arrow::RecordBatch::MakeEmpty(schema), "{}", "an empty batch"));
  return encode::EncodedRows{.batch = std::move(empty)};
}

}  // namespace

Status PendingRows::Add(std::vector<std::shared_ptr<arrow::RecordBatch>>& all,
                        std::shared_ptr<arrow::RecordBatch> added, int64_t& count) {
  if (static_cast<int64_t>(changes_.size()) + added->num_rows() > std::numeric_limits<int32_t>::max()) {
    return MakeError(ErrorKind::kWriteFailed, "{} changes wait for their commit already: commit more often",
                     changes_.size());
  }
  bytes_ += static_cast<size_t>(arrow::util::TotalBufferSize(*added));
  count += added->num_rows();
  all.push_back(std::move(added));
  return {};
}

Status PendingRows::AddRows(ChangeKind kind, std::shared_ptr<arrow::RecordBatch> rows) {
  const auto first = static_cast<int32_t>(row_count_);
  TRY_VOID(Add(rows_, std::move(rows), row_count_));
  for (int32_t row = first; row < row_count_; ++row) changes_.push_back({.kind = kind, .row = row});
  return {};
}

Status PendingRows::AddDeletes(std::shared_ptr<arrow::RecordBatch> keys) {
  const auto first = static_cast<int32_t>(key_count_);
  TRY_VOID(Add(keys_, std::move(keys), key_count_));
  for (int32_t key = first; key < key_count_; ++key) changes_.push_back({.kind = ChangeKind::kDelete, .old = key});
  return {};
}

void PendingRows::Truncate(bool is_mirror) {
  if (!is_mirror) {
    changes_.push_back({.kind = ChangeKind::kTruncate});
    return;
  }
  *this = {};
  truncate_first_ = true;
}

Result<pipeline::TableBatch> PendingRows::Take(std::span<const iceberg::Field> row_fields,
                                               std::span<const iceberg::Field> key_fields, uint64_t position,
                                               int64_t committed_at_us) {
  const PendingRows taken = std::exchange(*this, {});
  pipeline::TableBatch batch{.truncate_first = taken.truncate_first_, .changes = taken.changes_, .bytes = taken.bytes_};
  TRY(batch.rows, Join(taken.rows_, row_fields));
  TRY(batch.old_keys, Join(taken.keys_, key_fields));
  if (!batch.changes.empty()) {
    batch.transactions.push_back({.commit_lsn = Lsn{position}, .committed_at_us = committed_at_us});
  }
  return batch;
}

}  // namespace firn::destination
