// What the page may ask of a pipeline that this process runs.
#pragma once

#include "config/config.h"
#include "maintenance/upkeep.h"
#include "observe/pipeline_status.h"
#include "pipeline/pause_switch.h"
#include "serve/actions.h"

namespace firn::cli {

/// Everything given outlives the actions.
serve::Actions PageActionsOf(const config::Config& config, const StatusBoard& status, pipeline::PauseSwitch& pause,
                             maintenance::Upkeep& upkeep);

}  // namespace firn::cli
