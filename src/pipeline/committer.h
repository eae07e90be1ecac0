// Writes and commits, on a thread of its own, what the replicator hands over; so the stream goes on (and keepalives are
// answered) while files are uploaded and the catalog is slow.
//
//   replicator ──FlushJob──► [queue of 1] ──► committer thread: write each batch ──► commit all tables together
//        ▲                                                                                     │
//        └───────────────────────── FlushOutcome (a CommitReceipt, or the error) ◄─────────────┘
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"
#include "base/retry_policy.h"
#include "catalog/catalog.h"
#include "catalog/commit_loop.h"
#include "observe/metrics.h"
#include "pipeline/table_batch.h"
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
};

struct FlushOutcome {
  size_t bytes = 0;                               ///< Of the job.
  std::optional<catalog::CommitReceipt> receipt;  ///< Where the job was a commit.
};

/// Thread-safety: Submit and TakeOutcome are for one thread, the replicator's.
class Committer {
 public:
  Committer(catalog::Catalog& catalog, RetryPolicy retry, Metrics& metrics);
  /// Waits for the job at work, drops a queued one.
  ~Committer();

  /// False when the queue is full: try again after TakeOutcome.
  bool TrySubmit(FlushJob& job);
  /// A finished job, if there is one. After an error every further job is refused with the same error.
  Result<std::optional<FlushOutcome>> TakeOutcome();
  /// The next finished job, waiting up to `wait`.
  Result<std::optional<FlushOutcome>> WaitForOutcome(std::chrono::milliseconds wait);
  /// Jobs submitted whose outcome has not been taken.
  int jobs_in_flight() const { return jobs_in_flight_; }

 private:
  void Run(std::stop_token stop);
  Result<FlushOutcome> Do(FlushJob& job, std::stop_token stop);
  Result<catalog::CommitReceipt> Commit(Lsn lsn, std::stop_token stop);

  catalog::Catalog& catalog_;
  RetryPolicy retry_;
  Metrics& metrics_;
  BoundedQueue<FlushJob> jobs_{1};
  BoundedQueue<Result<FlushOutcome>> outcomes_{8};
  int jobs_in_flight_ = 0;
  // Of the committer thread:
  std::string commit_id_;               ///< Of the commit in the making; empty between commits.
  std::vector<TableWriter*> writers_;   ///< With something pending, in the order they came.
  std::jthread thread_;
};

}  // namespace firn::pipeline
