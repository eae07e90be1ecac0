// The changes of one table between two flushes, as values: rows, the keys that changes name, and the order of it all.
//
//   rows      new row images, every source column     changes   kInsert row 0
//   old_keys  key columns of old rows that an                    kUpdate row 1, old 0     (key changed)
//             UPDATE or DELETE named; for an append             kUpdate row 2            (same key)
//             table every column, null where the                kDelete        old 1
//             source didn't say it
#pragma once

#include <cstdint>
#include <vector>

#include "encode/row_encoder.h"
#include "model/lsn.h"
#include "pipeline/table_layout.h"

namespace firn::pipeline {

enum class ChangeKind : uint8_t {
  kInsert,
  kUpdate,
  kDelete,
  kTruncate,  ///< Only in modes that keep the rows which the source had until then; else see truncate_first.
};

struct Change {
  ChangeKind kind = ChangeKind::kInsert;
  int32_t row = -1;  ///< In `rows`; -1 for a delete and a truncate.
  int32_t old = -1;  ///< In `old_keys`; -1 for an insert, a truncate, and for an update that keeps its key.
};

/// Some changes of a batch: [first, end).
struct ChangeRange {
  int32_t first = 0;
  int32_t end = 0;
};

/// The changes from `first_change` on, up to the next run, are of one transaction.
struct TransactionRun {
  int32_t first_change = 0;
  Lsn commit_lsn;               ///< Start of the commit record.
  int64_t committed_at_us = 0;  ///< Since 1970-01-01 00:00 UTC.
};

struct TableBatch {
  /// A TRUNCATE came before the first of these changes: nothing that the table held before is left.
  bool truncate_first = false;
  encode::EncodedRows rows;
  encode::EncodedRows old_keys;
  std::vector<Change> changes;
  /// Ascending; the first run starts with the first change. Empty where nobody needs it.
  std::vector<TransactionRun> transactions;
  size_t bytes = 0;  ///< Memory that rows and old_keys held when the batch was sealed.
};

}  // namespace firn::pipeline
