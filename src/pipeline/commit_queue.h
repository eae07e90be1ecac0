// Where the replicator hands over its flush jobs, and takes back what has become of them. The Committer does them on a
// thread of its own; a simulation has them done when its seed says so.
#pragma once

#include <optional>

#include "pipeline/batch_committer.h"

namespace firn::pipeline {

/// Thread-safety: for one thread, the replicator's.
class CommitQueue {
 public:
  virtual ~CommitQueue() = default;
  /// False when the queue is full: try again after TakeOutcome.
  virtual bool TrySubmit(FlushJob& job) = 0;
  /// A finished job, if there is one. After an error no further job is done.
  virtual Result<std::optional<FlushOutcome>> TakeOutcome() = 0;
  /// After an error: the table that it came up with; null where it was none alone.
  virtual const TableWriter* failed_writer() const { return nullptr; }
  /// Jobs submitted whose outcome has not been taken.
  virtual int jobs_in_flight() const = 0;
};

}  // namespace firn::pipeline
