#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "base/interruptible_sleep.h"
#include "base/try.h"
#include "cli/commands.h"
#include "cli/page_actions.h"
#include "cli/pipeline_services.h"
#include "cli/progress_display.h"
#include "cli/spark_settings.h"
#include "cli/surroundings_watch.h"
#include "cli/table_settings.h"
#include "cli/upkeep_options.h"
#include "config/expand.h"
#include "maintenance/spark_copy.h"
#include "observe/log.h"
#include "observe/log_pipeline.h"
#include "pipeline/slot_watch.h"
#include "pipeline/start_over.h"
#include "serve/http_server.h"

namespace firn::cli {
namespace {

constexpr std::chrono::milliseconds kProgressInterval{100};

}  // namespace

Status Run(const config::Config& config, const RunCommand& command, std::stop_token stop) {
  TRY(pipeline::PipelineOptions options, PipelineOptionsOf(config));
  options.until_caught_up = command.until_caught_up;

  // The source first: as long as it has a problem, nothing is made on either side.
  TRY(pipeline::SourceState source, pipeline::InspectSource(options.source));
  std::erase_if(source.problems, [&](const Error& problem) { return pipeline::StartsOver(options.source, problem); });
  for (size_t i = 1; i < source.problems.size(); ++i) LogError(source.problems[i].message());
  if (!source.problems.empty()) return source.problems.front();
  for (const std::string& warning : UnusedTableSettings(config, options.source.shard, source.tables)) LogWarn(warning);

  std::optional<maintenance::SparkCopier> spark;
  if ((command.copy_engine.empty() ? config.source.copy_engine : command.copy_engine) == "spark") {
    TRY(auto copy, SparkCopyOptionsOf(config, command.spark_submit, config::ProcessEnvironment()));
    spark.emplace(std::move(copy));
    options.outside = &*spark;
  }
  TRY(auto services, OpenServices(config, stop));
  pipeline::PauseSwitch pause;
  options.pause = &pause;
  // Without either of its duties it does what the page asks for.
  maintenance::Upkeep upkeep({.catalog = services->lake.catalog(),
                              .store = services->lake.store(),
                              .metrics = services->metrics,
                              .retry = options.retry},
                             UpkeepOptionsOf(config, options.writer.files));
  options.rewriter = &upkeep;
  std::unique_ptr<serve::HttpServer> http;
  std::optional<SurroundingsWatch> surroundings;
  if (!config.http.listen.empty()) {
    TRY(http, serve::HttpServer::Start(config.http.listen, services->metrics, services->status,
                                       PageActionsOf(config, services->status, pause, upkeep)));
    surroundings.emplace(options.source, options.state_dir, services->status);
  }
  const std::jthread slot_watch(InLogPipeline([&](std::stop_token end) {
    pipeline::WatchSlot({.connection = options.source.connection,
                         .slot = options.source.slot,
                         .heartbeat_interval = std::chrono::milliseconds(config.source.heartbeat_interval_ms)},
                        services->metrics, services->status, end);
  }));
  std::jthread progress;
  if (command.shows_progress) {
    progress = std::jthread([&status = services->status](std::stop_token end) {
      ProgressDisplay display;
      do {
        display.Update(status.Get());
      } while (SleepFor(kProgressInterval, end));
      display.Update(status.Get());
    });
  }
  return pipeline::RunPipeline(options, services->ForPipeline(), stop);
}

}  // namespace firn::cli
