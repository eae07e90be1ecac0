// What is known of a row beside its source columns: how it came to be what it is. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "model/lsn.h"
#include "pipeline/table_batch.h"

namespace firn::pipeline {

enum class RowOperation : uint8_t { kCopy, kInsert, kUpdate, kDelete, kTruncate };

/// As _firn_op has it: "insert".
std::string_view ToString(RowOperation operation);

struct RowFacts {
  RowOperation operation = RowOperation::kCopy;
  bool deleted = false;                ///< Soft delete: the source has the row no more.
  Lsn lsn;                             ///< Start of the transaction's commit record; the copy's snapshot.
  int64_t committed_at_us = 0;         ///< Since 1970-01-01 00:00 UTC. A version of a row is valid from here on.
  std::optional<int64_t> valid_to_us;  ///< Nothing while the row is current.
  int32_t before_key = -1;             ///< Append: the batch's old row whose key the change took away.

  bool operator==(const RowFacts&) const = default;
};

/// Which transaction a change of the batch is of. Asked for ascending changes; the batch has its transactions.
class TransactionCursor {
 public:
  explicit TransactionCursor(const TableBatch& batch) : runs_(batch.transactions) {}
  const TransactionRun& Of(int32_t change) {
    while (run_ + 1 < runs_.size() && runs_[run_ + 1].first_change <= change) ++run_;
    return runs_[run_];
  }

 private:
  std::span<const TransactionRun> runs_;
  size_t run_ = 0;
};

/// Of a row that `operation` of this transaction made.
inline RowFacts FactsOf(RowOperation operation, const TransactionRun& transaction) {
  return {.operation = operation, .lsn = transaction.commit_lsn, .committed_at_us = transaction.committed_at_us};
}

/// For each of `rows` of the batch, which are ascending: the facts of the change that brought it.
std::vector<RowFacts> FactsOfRows(const TableBatch& batch, std::span<const int32_t> rows);

}  // namespace firn::pipeline
