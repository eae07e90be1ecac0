// Writes and commits, on a thread of its own, what the replicator hands over; so the stream goes on (and keepalives are
// answered) while files are uploaded and the catalog is slow.
//
//   replicator ──FlushJob──► [queue of 1] ──► committer thread: write each batch ──► commit all tables together
//        ▲                                                                                     │
//        └───────────────────────── FlushOutcome (a CommitReceipt, or the error) ◄─────────────┘
#pragma once

#include <chrono>
#include <optional>
#include <thread>

#include "base/bounded_queue.h"
#include "pipeline/batch_committer.h"

namespace firn::pipeline {

/// Thread-safety: Submit and TakeOutcome are for one thread, the replicator's.
class Committer {
 public:
  Committer(catalog::Catalog& catalog, RetryPolicy retry, Metrics& metrics);
  /// Waits for the job at work, drops a queued one.
  ~Committer();

  /// False when the queue is full: try again after TakeOutcome.
  bool TrySubmit(FlushJob& job);
  /// A finished job, if there is one. After an error no further job is done.
  Result<std::optional<FlushOutcome>> TakeOutcome();
  /// Jobs submitted whose outcome has not been taken.
  int jobs_in_flight() const { return jobs_in_flight_; }

 private:
  void Run(std::stop_token stop);

  Metrics& metrics_;
  BoundedQueue<FlushJob> jobs_{1};
  BoundedQueue<Result<FlushOutcome>> outcomes_{8};
  int jobs_in_flight_ = 0;
  BatchCommitter batches_;  ///< The committer thread's.
  std::jthread thread_;
};

}  // namespace firn::pipeline
