#include "pipeline/pipeline.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "base/interruptible_sleep.h"
#include "base/system_random.h"
#include "base/try.h"
#include "base/unix_time.h"
#include "observe/log.h"
#include "pipeline/pipeline_run.h"
#include "pipeline/start_over.h"
#include "postgres/table_version.h"

namespace firn::pipeline {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// A run that streamed this long was healthy: the next failure starts with the first delay again.
constexpr std::chrono::seconds kHealthyRun{60};

constexpr int kQuietRetries = 2;

/// Where the WAL ends now (on a standby: where what is replayed ends), in a form that the stream reaches when nothing
/// more is written: an insert position just behind a page header stands for the end of the page before.
Result<Lsn> ReadTargetLsn(const SourceOptions& source) {
  constexpr uint64_t kWalPage = 8192, kLongestPageHeader = 40;
  TRY(postgres::Connection connection, postgres::Connection::Open(source.connection));
  TRY(Lsn lsn, postgres::ReadDefinitionLsn(connection));
  if (lsn.value % kWalPage <= kLongestPageHeader) lsn.value -= lsn.value % kWalPage;
  return lsn;
}

/// Also what a table's renaming, dropping or altering brings about between two looks at it, on either side, and a slot
/// that the next run makes anew.
bool MayPass(const Error& error, const SourceOptions& source) {
  return RetryPolicy::IsRetryable(error) || error.kind() == ErrorKind::kTableNotFound || StartsOver(source, error) ||
         (error.origin() == ErrorOrigin::kSource && error.kind() == ErrorKind::kSchemaMismatch);
}

/// What `until_caught_up` leaves behind.
Status ReportParked(const std::vector<std::string>& parked) {
  if (parked.empty()) return {};
  return MakeError(ErrorKind::kWriteFailed, "{} of the tables can't go on, the others are caught up: {}", parked.size(),
                   fmt::join(parked, "; "));
}

}  // namespace

Status RunPipeline(const PipelineOptions& options, ReplicatorServices services, std::stop_token stop) {
  std::optional<Lsn> until;
  if (options.until_caught_up) {
    TRY(until, ReadTargetLsn(options.source));
  }
  SystemRandom random;
  Carried carried(options.retry, services.writer.metrics);
  int retry = 0;
  while (true) {
    const auto start = Clock::now();
    PipelineRun run(options, services, until, carried);
    auto ended = run.Run(stop);
    if (stop.stop_requested()) {
      if (ended) return {};
      // Before it streamed nothing was buffered: what would have passed by the next try is no failure of the stop.
      if (run.has_streamed() || !MayPass(ended.error(), options.source)) return std::move(ended).error();
      LogWarn("stopped after an error", {{"error", ended.error().message()}});
      return {};
    }
    if (Clock::now() - start > kHealthyRun) retry = 0;
    if (ended) {
      if (*ended == RunEnd::kDone) return ReportParked(carried.parked);
      if (*ended == RunEnd::kSourceChanged) {
        LogInfo("a table was altered in PostgreSQL: looking at the source again", {{"pipeline", options.source.slot}});
      }
      continue;
    }
    Error error = std::move(ended).error();
    // What is wrong before anything ran is for the operator; later, a failure may pass.
    if (!carried.has_run || !MayPass(error, options.source)) return error;
    if (retry >= options.retry.max_retries) {
      return std::move(error)
          .WithKind(ErrorKind::kWriteFailed)
          .WithContext(fmt::format("given up after {} retries", retry));
    }
    services.status.SetFailure(error.message(), UnixMillisNow());
    const milliseconds delay = options.retry.Delay(retry++, random);
    // What the stream is ahead of is visible a moment later; so is a table that was renamed just now.
    const bool passes_soon =
        error.kind() == ErrorKind::kConflict && error.origin() == ErrorOrigin::kSource && retry <= kQuietRetries;
    Log(passes_soon ? LogLevel::kInfo : LogLevel::kWarn, "starting again after an error",
        {{"error", error.message()}, {"attempt", retry}, {"delay_ms", delay.count()}});
    if (!SleepFor(delay, stop)) return {};
  }
}

}  // namespace firn::pipeline
