#include "cli/pipeline_services.h"

#include <fmt/format.h>

#include "base/try.h"
#include "base/uuid.h"
#include "catalog/retrying_catalog.h"
#include "catalog/sql/sql_catalog.h"
#include "cli/glue_catalog_options.h"
#include "cli/rest_catalog_options.h"
#include "cli/table_settings.h"
#include "config/shard.h"
#include "iceberg/data_file_writer.h"
#include "storage/location_store.h"
#include "storage/retrying_file_store.h"

namespace firn::cli {
namespace {

RetryPolicy RetryPolicyOf(const config::Config& config) {
  return {.max_retries = config.retry.max_retries,
          .base_delay = std::chrono::milliseconds(config.retry.base_delay_ms),
          .max_delay = std::chrono::milliseconds(config.retry.max_delay_ms)};
}

bool IsRest(const config::Config& config) { return config.catalog.type == "rest"; }

/// Not so where the warehouse is a REST catalog's name for it.
bool IsLocation(std::string_view warehouse) {
  return warehouse.starts_with('/') || warehouse.find("://") != warehouse.npos;
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

Result<std::unique_ptr<storage::FileStore>> OpenStore(const config::Config& config, std::shared_ptr<Retrier> retrier,
                                                      storage::VendSettings vend) {
  std::string root;  // Where the warehouse is only a REST catalog's name, its tables' locations say all.
  if (!IsRest(config) || IsLocation(config.catalog.warehouse)) {
    TRY(root, storage::NormalizeLocation(config.catalog.warehouse).Context("catalog.warehouse"));
  }
  return storage::OpenLocationStore(
             root, {.sections = config.storage, .vend = std::move(vend), .retrier = std::move(retrier)})
      .Context("catalog.warehouse");
}

Status CheckWritable(storage::FileStore& store, const std::string& folder, std::string_view name) {
  const std::string probe = fmt::format("{}/.firn-write-check-{}", folder, NewUuid());
  TRY_VOID(store.Write(probe, "").Context("{} can't be written", name));
  return store.Delete(probe).Context("{}: files can't be deleted", name);
}

Status CheckWarehouseWritable(const config::Config& config, storage::FileStore& store) {
  TRY(const std::string root, storage::NormalizeLocation(config.catalog.warehouse));
  return CheckWritable(store, root, "catalog.warehouse");
}

Result<bool> CatalogExists(const config::Config& config) {
  if (config.catalog.type != "sql") return true;
  return catalog::SqlCatalogExists(config.catalog.uri);
}

Result<Lake> OpenLake(const config::Config& config, LakeUse use, const std::shared_ptr<Retrier>& retrier) {
  Lake lake;
  if (IsRest(config)) {
    TRY(auto rest, catalog::RestCatalog::Open(RestCatalogOptionsOf(config)));
    TRY(lake.bare_store,
        OpenStore(config, retrier, [&vending = *rest](std::string_view location) { return vending.Vend(location); }));
    rest->SetStore(*lake.bare_store);
    lake.bare_catalog = std::move(rest);
  } else {
    TRY(lake.bare_store, OpenStore(config, retrier));
    // Before the catalog is made, where it is embedded, and without retries: what fails here is for the operator, at
    // once.
    if (use == LakeUse::kWrite) TRY_VOID(CheckWarehouseWritable(config, *lake.bare_store));
  }
  if (retrier) lake.retrying_store = storage::MakeRetryingFileStore(*lake.bare_store, retrier);
  if (config.catalog.type == "glue") {
    TRY(lake.bare_catalog, catalog::OpenGlueCatalog(GlueCatalogOptionsOf(config), lake.store()));
  } else if (!lake.bare_catalog) {
    TRY(const std::string warehouse, storage::NormalizeLocation(config.catalog.warehouse));
    TRY(lake.bare_catalog,
        catalog::OpenSqlCatalog({.uri = config.catalog.uri, .name = config.catalog.name, .warehouse = warehouse},
                                lake.store()));
  }
  if (retrier) lake.retrying_catalog = catalog::MakeRetryingCatalog(*lake.bare_catalog, retrier);
  return lake;
}

Result<std::unique_ptr<PipelineServices>> OpenServices(const config::Config& config, std::stop_token stop) {
  auto services = std::make_unique<PipelineServices>();
  const auto retrier = std::make_shared<Retrier>(RetryPolicyOf(config), services->metrics, std::move(stop));
  TRY(services->lake, OpenLake(config, LakeUse::kWrite, retrier));
  TRY(services->index, index::Database::Open(StateDirOf(config) + "/index").Context("state_dir"));
  return services;
}

}  // namespace firn::cli
