// Writes batches of several tables and commits them together: the synchronous core that the committer thread and the
// public Destination share.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/retry_policy.h"
#include "catalog/catalog.h"
#include "catalog/commit_loop.h"
#include "observe/metrics.h"
#include "observe/pipeline_status.h"
#include "pipeline/table_batch.h"
#include "pipeline/table_rewrite.h"
#include "pipeline/table_writer.h"

namespace firn::pipeline {

struct FlushJob {
  struct Part {
    TableWriter* writer = nullptr;
    TableBatch batch;
  };
  std::vector<Part> parts;
  size_t bytes = 0;
  /// Set: commit everything written so far, which is all transactions whose commit record starts before this LSN.
  /// Nothing: only write (the middle of a transaction that is larger than memory allows).
  std::optional<Lsn> commit_lsn;
  /// A job of its own, for which nothing may be written that is not committed.
  struct Rewrite {
    TableWriter* writer = nullptr;
    std::unique_ptr<TableRewrite> files;
  };
  std::optional<Rewrite> rewrite;
};

/// What a commit did to one table.
struct TableCommit {
  const TableWriter* writer = nullptr;
  iceberg::SnapshotId snapshot_id = 0;
  int64_t rows = 0;  ///< Written.
  std::optional<TableContents> contents;
};

struct FlushOutcome {
  size_t bytes = 0;                               ///< Of the job.
  std::optional<catalog::CommitReceipt> receipt;  ///< Where the job was a commit.
  std::vector<TableCommit> tables;                ///< Those that the commit or the rewrite changed.
};

/// For one thread, which it lets others help: `tables_at_once` are written at the same time. After an error it is
/// unusable, and so are the writers that had something pending.
class BatchCommitter {
 public:
  BatchCommitter(catalog::Catalog& catalog, RetryPolicy retry, Metrics& metrics,
                 int tables_at_once = catalog::kTablesAtOnce)
      : catalog_(catalog), retry_(retry), metrics_(metrics), tables_at_once_(tables_at_once) {}

  Result<FlushOutcome> Do(FlushJob& job, std::stop_token stop);

  /// After an error: the table that it came up with; null where it was none alone.
  const TableWriter* failed_writer() const { return failed_writer_; }

 private:
  /// Calls `work(i)` for each of `writers`, several at once, and remembers whose failure it is.
  template <typename Work>
  Status ForEachWriter(const std::vector<TableWriter*>& writers, Work work);
  /// A kConflict for a file that is gone with the snapshot that named it: the table is to be looked at again, and is
  /// not damaged. Else `error`.
  Error OfStaleTable(Error error, const TableWriter& writer);
  Status Commit(Lsn lsn, std::stop_token stop, FlushOutcome& outcome);
  /// A rewrite that can't be committed leaves all as it was, which is no error.
  Status Rewrite(const FlushJob::Rewrite& rewrite, std::stop_token stop, FlushOutcome& outcome);

  catalog::Catalog& catalog_;
  RetryPolicy retry_;
  Metrics& metrics_;
  const int tables_at_once_;
  std::string commit_id_;              ///< Of the commit in the making; empty between commits.
  std::vector<TableWriter*> writers_;  ///< With something pending, in the order they came.
  const TableWriter* failed_writer_ = nullptr;
};

}  // namespace firn::pipeline
