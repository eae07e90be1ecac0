#include "cli/pipeline_services.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/try.h"
#include "base/uuid.h"
#include "catalog/sql/sql_catalog.h"
#include "cli/rest_catalog_options.h"
#include "cli/table_settings.h"
#include "iceberg/data_file_writer.h"

namespace firn::cli {
namespace {

/// Each pipeline has its own.
std::string StateDirOf(const config::Config& config) { return config.state_dir + "/" + config.source.slot; }

std::string_view StorageSection(std::string_view warehouse) {
  if (warehouse.starts_with("s3://")) return "s3";
  if (warehouse.starts_with("gs://")) return "gcs";
  if (warehouse.starts_with("abfs")) return "azure";
  return "";
}

bool IsRest(const config::Config& config) { return config.catalog.type == "rest"; }

/// Not so where the warehouse is a REST catalog's name for it.
bool IsLocation(std::string_view warehouse) {
  return warehouse.starts_with('/') || warehouse.find("://") != warehouse.npos;
}

}  // namespace

pipeline::SourceOptions SourceOptionsOf(const config::Config& config) {
  return {.connection = {.url = config.source.url},
          .slot = config.source.slot,
          .publication = config.source.publication,
          .tables = config.source.tables,
          .partitioned_tables = config.source.partitioned_tables == "leaves" ? postgres::PartitionedTables::kLeaves
                                                                             : postgres::PartitionedTables::kRoot};
}

pipeline::TargetNaming TargetNamingOf(const config::Config& config) {
  return {.name_space = config.destination.name_space, .table_prefix = config.destination.table_prefix};
}

Result<pipeline::PipelineOptions> PipelineOptionsOf(const config::Config& config) {
  pipeline::PipelineOptions options{.source = SourceOptionsOf(config),
                                    .naming = TargetNamingOf(config),
                                    .copy_workers = config.source.copy_workers,
                                    .batch_rows = config.writer.batch_size,
                                    .state_dir = StateDirOf(config)};
  options.settings_of = [&config](const TableName& table) { return TableSettingsOf(config, table); };
  // Half of the memory is for rows that wait to be written, half for rows that files hold until they are row groups.
  const int64_t memory_bytes = config.writer.memory_limit_bytes / 2;
  options.writer.files = {.target_file_size_bytes = config.writer.target_file_size_bytes,
                          .max_open_files = config.writer.max_open_files,
                          .memory = std::make_shared<pipeline::RowMemory>(memory_bytes)};
  TRY(options.writer.files.parquet.compression, iceberg::ParseCompression(config.writer.compression));
  options.flush = {.commit_interval = std::chrono::milliseconds(config.writer.commit_interval_ms),
                   .memory_bytes = static_cast<size_t>(memory_bytes)};
  options.retry = {.max_retries = config.retry.max_retries,
                   .base_delay = std::chrono::milliseconds(config.retry.base_delay_ms),
                   .max_delay = std::chrono::milliseconds(config.retry.max_delay_ms)};
  return options;
}

Result<std::unique_ptr<storage::FileStore>> OpenStore(const config::Config& config) {
  if (IsRest(config) && !IsLocation(config.catalog.warehouse)) return storage::OpenFileStore("file:///", {});
  storage::StoreOptions options;
  const auto section = config.storage.find(std::string(StorageSection(config.catalog.warehouse)));
  if (section != config.storage.end()) options = section->second;
  return storage::OpenFileStore(config.catalog.warehouse, options).Context("catalog.warehouse");
}

Status CheckWritable(const config::Config& config, storage::FileStore& store) {
  TRY(const std::string root, storage::NormalizeLocation(config.catalog.warehouse));
  const std::string probe = fmt::format("{}/.firn-write-check-{}", root, NewUuid());
  TRY_VOID(store.Write(probe, "").Context("catalog.warehouse can't be written"));
  return store.Delete(probe).Context("catalog.warehouse: files can't be deleted");
}

bool CatalogExists(const config::Config& config) {
  if (IsRest(config)) return true;
  const auto path = catalog::SqlitePath(config.catalog.uri);
  std::error_code error;
  return path && std::filesystem::exists(*path, error);
}

Result<Lake> OpenLake(const config::Config& config) {
  Lake lake;
  if (IsRest(config)) {
    TRY(lake.catalog, catalog::RestCatalog::Open(RestCatalogOptionsOf(config)));
    TRY(lake.store, OpenStore(config));
    return lake;
  }
  TRY(lake.store, OpenStore(config));
  TRY(const std::string warehouse, storage::NormalizeLocation(config.catalog.warehouse));
  TRY(lake.catalog, catalog::OpenSqlCatalog(
                        {.uri = config.catalog.uri, .name = config.catalog.name, .warehouse = warehouse}, *lake.store));
  return lake;
}

Result<std::unique_ptr<PipelineServices>> OpenServices(const config::Config& config) {
  auto services = std::make_unique<PipelineServices>();
  if (!IsRest(config)) {
    // Before the catalog is made, where it is embedded.
    TRY(const auto store, OpenStore(config));
    TRY_VOID(CheckWritable(config, *store));
  }
  TRY(services->lake, OpenLake(config));
  TRY(services->index, index::Database::Open(StateDirOf(config) + "/index").Context("state_dir"));
  return services;
}

}  // namespace firn::cli
