// Several pipelines in one process:
//
//   folder of files ──► a thread a pipeline: Run ──► failed? a pause, and again ──► ended
//                              ▲                                                       │
//                        stop for all                                           what failed, at the end
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/interruptible_sleep.h"
#include "cli/commands.h"
#include "observe/log.h"
#include "observe/log_pipeline.h"

namespace firn::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPauseMin{1'000};
constexpr std::chrono::milliseconds kPauseMax{60'000};

/// One pipeline to its end, and again where it fails.
Status KeepRunning(const config::Config& config, const RunCommand& command, const std::stop_token& stop) {
  std::chrono::milliseconds pause = kPauseMin;
  while (true) {
    const Clock::time_point start = Clock::now();
    Status done = Run(config, command, stop);
    if (done || stop.stop_requested() || command.until_caught_up) return done;
    // One that was well for a time fails for a new reason.
    if (Clock::now() - start > kPauseMax) pause = kPauseMin;
    LogError("the pipeline failed and starts again", {{"reason", done.error().message()}, {"pause_ms", pause.count()}});
    if (!SleepFor(pause, stop)) return done;
    pause = std::min(2 * pause, kPauseMax);
  }
}

}  // namespace

Status RunFolder(const std::vector<config::PipelineConfig>& pipelines, const RunCommand& command,
                 std::stop_token stop) {
  // Bars of several pipelines would be drawn over each other.
  RunCommand each = command;
  each.shows_progress = false;
  std::vector<Status> ends(pipelines.size());
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < pipelines.size(); ++i) {
      threads.emplace_back([&, i] {
        pthread_setname_np(pthread_self(), "firn-pipeline");
        const config::Config& config = pipelines[i].config;
        const LogPipeline log(config.source.slot);
        LogInfo("starting a pipeline", {{"file", pipelines[i].file}});
        ends[i] = KeepRunning(config, each, stop);
      });
    }
  }
  std::string failed;
  size_t count = 0;
  for (size_t i = 0; i < pipelines.size(); ++i) {
    if (ends[i]) continue;
    ++count;
    failed += fmt::format("\n{}: {}", pipelines[i].file, ends[i].error().message());
  }
  if (count == 0) return {};
  return MakeError(ErrorKind::kWriteFailed, "{} of {} pipelines failed:{}", count, pipelines.size(), failed);
}

}  // namespace firn::cli
