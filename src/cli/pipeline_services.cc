#include "cli/pipeline_services.h"

#include <fmt/format.h>

#include "base/try.h"
#include "cli/table_settings.h"
#include "config/shard.h"
#include "iceberg/data_file_writer.h"

namespace firn::cli {
namespace {

RetryPolicy RetryPolicyOf(const config::Config& config) {
  return {.max_retries = config.retry.max_retries,
          .base_delay = std::chrono::milliseconds(config.retry.base_delay_ms),
          .max_delay = std::chrono::milliseconds(config.retry.max_delay_ms)};
}

}  // namespace

std::string StateDirOf(const config::Config& config) { return config.state_dir + "/" + config.source.slot; }

pipeline::SourceOptions SourceOptionsOf(const config::Config& config) {
  const config::Shard shard = config::ParseShard(config.source.shard).value_or(config::Shard());
  return {.connection = {.url = config.source.url},
          .slot = config.source.slot,
          .publication = config.source.publication,
          .tables = config.source.tables,
          .shard = {.number = shard.number, .count = shard.count},
          .partitioned_tables = config.source.partitioned_tables == "leaves" ? postgres::PartitionedTables::kLeaves
                                                                             : postgres::PartitionedTables::kRoot,
          .failover_slot = config.source.failover_slot,
          .copies_after_loss = config.source.on_lost_slot == "copy"};
}

pipeline::TargetNaming TargetNamingOf(const config::Config& config) {
  return {.name_space = config.destination.name_space, .table_prefix = config.destination.table_prefix};
}

Result<pipeline::PipelineOptions> PipelineOptionsOf(const config::Config& config) {
  pipeline::PipelineOptions options{.source = SourceOptionsOf(config),
                                    .naming = TargetNamingOf(config),
                                    .copy_workers = config.source.copy_workers,
                                    .copy_range_bytes = config.source.copy_range_bytes,
                                    .copy_wal_limit_bytes = config.source.copy_wal_limit_bytes,
                                    .batch_rows = config.writer.batch_size,
                                    .state_dir = StateDirOf(config)};
  options.settings_of = [&config](const TableName& table) { return TableSettingsOf(config, table); };
  // Half of the memory is for rows that wait to be written, half for rows that files hold until they are row groups.
  const int64_t memory_bytes = config.writer.memory_limit_bytes / 2;
  options.writer.files = {.target_file_size_bytes = config.writer.target_file_size_bytes,
                          .max_open_files = config.writer.max_open_files,
                          .spill_folder = options.state_dir + "/tmp",
                          .memory = std::make_shared<pipeline::RowMemory>(memory_bytes)};
  TRY(options.writer.files.parquet.compression, iceberg::ParseCompression(config.writer.compression));
  options.flush = {.commit_interval = std::chrono::milliseconds(config.writer.commit_interval_ms),
                   .memory_bytes = static_cast<size_t>(memory_bytes)};
  options.retry = RetryPolicyOf(config);
  return options;
}

Result<std::unique_ptr<PipelineServices>> OpenServices(const config::Config& config, std::stop_token stop) {
  auto services = std::make_unique<PipelineServices>();
  const auto retrier = std::make_shared<Retrier>(RetryPolicyOf(config), services->metrics, std::move(stop));
  TRY(services->lake, lake::OpenLake(config, lake::LakeUse::kWrite, retrier));
  TRY(services->index, index::Database::Open(StateDirOf(config) + "/index").Context("state_dir"));
  return services;
}

}  // namespace firn::cli
