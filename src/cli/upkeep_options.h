// From the configuration to what keeps tables small: beside the stream, and by `firn maintain`.
#pragma once

#include <cstdint>
#include <string>

#include "config/config.h"
#include "maintenance/upkeep.h"
#include "pipeline/partitioned_writer.h"

namespace firn::cli {

/// A configured duration, which has been checked.
int64_t DurationMillis(const std::string& duration);

maintenance::Retention RetentionOf(const config::Config& config);
/// `files`: as the stream writes them; the upkeep has a budget of memory of its own.
maintenance::UpkeepOptions UpkeepOptionsOf(const config::Config& config, const pipeline::DataFileOptions& files);

}  // namespace firn::cli
