// The metrics that are a pipeline's status, read when they are asked for: /metrics and /status can't disagree.
#pragma once

#include <string>

#include "observe/pipeline_status.h"

namespace firn {

/// The text exposition format. What is not known yet has no series.
std::string ExposeStatus(const PipelineStatus& status);

}  // namespace firn
