// Writes and commits, on a thread of its own, what the replicator hands over; so the stream goes on (and keepalives are
// answered) while files are uploaded and the catalog is slow.
//
//   replicator ──FlushJob──► [queue of 1] ──► committer thread: write each batch ──► commit all tables together
//        ▲                                                                                     │
//        └───────────────────────── FlushOutcome (a CommitReceipt, or the error) ◄─────────────┘
#pragma once

#include <thread>

#include "base/bounded_queue.h"
#include "pipeline/commit_queue.h"

namespace firn::pipeline {

class Committer : public CommitQueue {
 public:
  Committer(catalog::Catalog& catalog, RetryPolicy retry, Metrics& metrics);
  /// Waits for the job at work, drops a queued one.
  ~Committer() override;

  bool TrySubmit(FlushJob& job) override;
  Result<std::optional<FlushOutcome>> TakeOutcome() override;
  int jobs_in_flight() const override { return jobs_in_flight_; }
  const TableWriter* failed_writer() const override { return batches_.failed_writer(); }

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
