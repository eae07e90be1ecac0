// A copy of tables, the initial one or a later one: the tables as one snapshot of PostgreSQL saw them, read in parallel
// and committed one by one.
//
//   tables ──► tasks (ranges of heap blocks) ──► worker 1: RowBatchReader → data file ──┐
//                                            ├─► worker 2: …                           ├─► table's last task done:
//                                            └─► worker n: …                           ┘   one commit, LSN =
//                                                                                          snapshot's
//
// What fails one table leaves the others to be copied. A table, or what is left of it, may be left to a later copy
// (LeftToLater), as of a later snapshot: then this one's need not be kept for it.
//
// A crash before a table's commit leaves files that no snapshot names. Of a large table with a key, the ranges that are
// done are remembered with their files (copy_checkpoints), and the next copy reads what is left; that of any other
// table starts again. Finished tables keep their LSN and only take the changes after it.
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
#include "pipeline/changed_keys.h"
#include "pipeline/copy_checkpoints.h"
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
  bool split_tables = true;         ///< Whether the server reads block ranges well (postgres::HasTidRangeScan).
  int64_t range_bytes = 256 << 20;  ///< Of heap that one COPY reads.
  int64_t batch_rows = 1000;
  size_t memory_bytes = 512 << 20;  ///< Over all workers' batches.
  size_t key_bytes_max = 32 << 20;  ///< Over all keys of changed rows that are looked at together.
  TableWriterOptions writer;
  RetryPolicy retry;
};

/// What of a table a copy leaves to a later one, once each worker has read a range.
enum class LeftToLater : uint8_t {
  kNothing,
  kIfUnbegun,  ///< All of it, where no copy has begun it.
  kRest,       ///< The ranges that no worker has begun, where the others are remembered.
};

/// What the copy of one table has done; read by whoever shows progress. Thread-safe but for `error`.
struct CopyProgress {
  std::atomic<int64_t> rows = 0;
  std::atomic<bool> started = false;
  std::atomic<bool> done = false;
  std::atomic<int64_t> ranges = 0;  ///< For this copy to read.
  std::atomic<int64_t> ranges_read = 0;
  std::atomic<bool> is_remembered = false;                ///< Ranges that are read, so that the copy can break off.
  std::atomic<LeftToLater> left = LeftToLater::kNothing;  ///< Set by who would have the copy end sooner.
  std::optional<Error> error;                             ///< The table's own failure; set once CopyTables has ended.
};

/// What earlier copies of a table have left, and where this one leaves what it has done.
struct CopyResumption {
  const CopyCheckpoints* checkpoints = nullptr;  ///< Null: nothing is remembered of the table.
  nlohmann::json plan;                           ///< CopyPlan
  std::optional<CopiedRanges> copied;            ///< What is not to be read again.
  KeptKeys keys;                                 ///< From copied->since to the snapshot.
};

/// Whether ranges of the table can be put together that were read at different moments.
bool CanBeResumed(const TargetTable& target);

/// Copies `targets`, defined as the snapshot sees them, and commits each; on return `targets[i].table` and `.progress`
/// are what was committed. `*progress[i]` and `resumptions[i]` belong to targets[i]. Stops at the first error that is
/// not of one table, and with kCancelled on request: tables that were finished stay. A table's error is kConflict when
/// it was altered or truncated before all of it was read: COPY then may have seen other columns than the snapshot's, or
/// no rows. A table that is neither done nor has an error was left to a later copy.
Status CopyTables(const CopyOptions& options, catalog::Catalog& catalog, WriterContext context,
                  std::span<TargetTable> targets, std::span<CopyProgress* const> progress,
                  std::span<CopyResumption> resumptions, std::stop_token stop);

/// The value's text as its type's output function prints it, which is how the stream sends it: a cast to text is
/// another thing for some types (inet, char(n)).
std::string TextExpression(const encode::ColumnMapping& column);

/// Of the ranges that a table is read by.
struct RangeSizes {
  int64_t blocks_max = INT64_MAX;
  /// Ranges of more than kRangeBlocksMin are at most this part of what is left, so that several readers end together.
  int64_t parts_of_rest = 1;
};
constexpr int64_t kRangeBlocksMin = 2'048;

/// The COPY requests that a table is read by; the last one is open-ended, so that blocks which the estimate missed are
/// read too. Blocks that were `read` are left out; one request at least.
std::vector<postgres::CopyRequest> PlanCopy(const TargetTable& target, RangeSizes sizes,
                                            const std::vector<postgres::BlockRange>& read = {});

}  // namespace firn::pipeline
