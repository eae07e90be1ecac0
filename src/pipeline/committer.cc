#include "pipeline/committer.h"

#include <utility>

#include "observe/log_pipeline.h"

namespace firn::pipeline {

Committer::Committer(catalog::Catalog& catalog, RetryPolicy retry, Metrics& metrics)
    : metrics_(metrics),
      batches_(catalog, retry, metrics),
      thread_(InLogPipeline([this](std::stop_token stop) { Run(stop); })) {}

Committer::~Committer() {
  thread_.request_stop();
  jobs_.Close();
  outcomes_.Close();
}

bool Committer::TrySubmit(FlushJob& job) {
  if (!jobs_.TryPush(job)) return false;
  ++jobs_in_flight_;
  metrics_.SetPendingCommits(jobs_in_flight_);
  return true;
}

Result<std::optional<FlushOutcome>> Committer::TakeOutcome() {
  auto outcome = outcomes_.TryPop();
  if (!outcome) return std::optional<FlushOutcome>();
  --jobs_in_flight_;
  metrics_.SetPendingCommits(jobs_in_flight_);
  if (!*outcome) return std::move(*outcome).error();
  return std::optional<FlushOutcome>(std::move(**outcome));
}

void Committer::Run(std::stop_token stop) {
  while (auto job = jobs_.Pop(stop)) {
    auto outcome = batches_.Do(*job, stop);
    const bool failed = !outcome.has_value();
    if (!outcomes_.Push(std::move(outcome), stop) || failed) return;
  }
}

}  // namespace firn::pipeline
