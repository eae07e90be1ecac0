#include "cli/upkeep_options.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "config/duration.h"

namespace firn::cli {
namespace {

/// Of writer.memory_limit_bytes, beside it.
constexpr int64_t kMemoryShare = 8;
constexpr int kOpenFilesMax = 4;

}  // namespace

int64_t DurationMillis(const std::string& duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             config::ParseDuration(duration).value_or(std::chrono::seconds(0)))
      .count();
}

maintenance::Retention RetentionOf(const config::Config& config) {
  return {.max_age_ms = DurationMillis(config.maintenance.snapshot_retention),
          .max_snapshots = config.maintenance.max_snapshots};
}

maintenance::UpkeepOptions UpkeepOptionsOf(const config::Config& config, const pipeline::DataFileOptions& files) {
  maintenance::UpkeepOptions options{.compacts = config.maintenance.compact == "auto",
                                     .expires = config.maintenance.expire == "auto",
                                     .interval = std::chrono::milliseconds(DurationMillis(config.maintenance.interval)),
                                     .bytes_per_second = config.maintenance.max_bytes_per_second,
                                     .limits = maintenance::ContinuousLimits(files.target_file_size_bytes),
                                     .files = files,
                                     .retention = RetentionOf(config)};
  options.files.max_open_files = std::min(files.max_open_files, kOpenFilesMax);
  options.files.memory = std::make_shared<pipeline::RowMemory>(config.writer.memory_limit_bytes / kMemoryShare);
  return options;
}

}  // namespace firn::cli
