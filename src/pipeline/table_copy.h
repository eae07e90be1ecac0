// A copy of tables, the initial one or a later one: the tables as one snapshot of PostgreSQL saw them, read in parallel
// and committed one by one.
//
//   tables ──► tasks (ranges of heap blocks) ──► worker 1: COPY → RowEncoder → data file ──┐
//                                            ├─► worker 2: …                               ├─► table's last task done:
//                                            └─► worker n: …                               ┘   one commit, LSN =
//                                            snapshot's
//
// What fails one table leaves the others to be copied.
//
// A crash before a table's commit leaves an empty table and files that no snapshot names: the copy of that table starts
// again. Finished tables keep their LSN and only take the changes after it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/retry_policy.h"
#include "catalog/catalog.h"
#include "pipeline/table_writer.h"
#include "pipeline/target_table.h"
#include "postgres/connection.h"
#include "postgres/table_copy_reader.h"

namespace firn::pipeline {

struct CopyOptions {
  postgres::ConnectionOptions connection;
  std::string snapshot_name;
  Lsn lsn;                  ///< The snapshot's consistent point.
  int64_t taken_at_us = 0;  ///< When the snapshot was asked for, since 1970-01-01 00:00 UTC by PostgreSQL's clock.
  int workers = 4;
  bool split_tables = true;  ///< Whether the server reads block ranges well (postgres::HasTidRangeScan).
  int64_t batch_rows = 1000;
  size_t memory_bytes = 512 << 20;  ///< Over all workers' batches.
  TableWriterOptions writer;
  RetryPolicy retry;
};

/// What the copy of one table has done; read by whoever shows progress. Thread-safe but for `error`.
struct CopyProgress {
  std::atomic<int64_t> rows = 0;
  std::atomic<bool> started = false;
  std::atomic<bool> done = false;
  std::optional<Error> error;  ///< The table's own failure; set once CopyTables has ended.
};

/// Copies `targets`, defined as the snapshot sees them, and commits each; on return `targets[i].table` and `.progress`
/// are what was committed. `*progress[i]` belongs to targets[i]. Stops at the first error that is not of one
/// table, and with kCancelled on request: tables that were finished stay. A table's error is kConflict when it was
/// altered or truncated before all of it was read: COPY then may have seen other columns than the snapshot's, or no
/// rows.
Status CopyTables(const CopyOptions& options, catalog::Catalog& catalog, WriterContext context,
                  std::span<TargetTable> targets, std::span<CopyProgress* const> progress, std::stop_token stop);

/// The COPY requests that a table is read by, each about `blocks_per_task` heap blocks; the last one is open-ended, so
/// that blocks which the estimate missed are read too.
std::vector<postgres::CopyRequest> PlanCopy(const TargetTable& target, int64_t blocks_per_task);

}  // namespace firn::pipeline
