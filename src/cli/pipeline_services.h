// Wires a configuration to the parts of a pipeline.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "config/config.h"
#include "index/table_index.h"
#include "lake/lake.h"
#include "observe/metrics.h"
#include "observe/pipeline_status.h"
#include "pipeline/pipeline.h"

namespace firn::cli {

/// Each pipeline has its own folder in state_dir.
std::string StateDirOf(const config::Config& config);
pipeline::SourceOptions SourceOptionsOf(const config::Config& config);
pipeline::TargetNaming TargetNamingOf(const config::Config& config);
/// The options look into `config`, which outlives them.
Result<pipeline::PipelineOptions> PipelineOptionsOf(const config::Config& config);

/// What a running pipeline works with.
struct PipelineServices {
  Metrics metrics;
  StatusBoard status;
  lake::Lake lake;
  std::unique_ptr<index::Database> index;

  pipeline::ReplicatorServices ForPipeline() {
    return {.catalog = lake.catalog(),
            .writer = {.store = lake.store(), .index = *index, .metrics = metrics},
            .status = status};
  }
};
/// `stop` ends the pauses between retries.
Result<std::unique_ptr<PipelineServices>> OpenServices(const config::Config& config, std::stop_token stop);

}  // namespace firn::cli
