// Wires a configuration to concrete things: the one place that chooses implementations.
#pragma once

#include <memory>

#include "catalog/catalog.h"
#include "config/config.h"
#include "index/table_index.h"
#include "observe/metrics.h"
#include "observe/pipeline_status.h"
#include "pipeline/pipeline.h"
#include "storage/file_store.h"

namespace firn::cli {

pipeline::SourceOptions SourceOptionsOf(const config::Config& config);
pipeline::TargetNaming TargetNamingOf(const config::Config& config);
/// The options look into `config`, which outlives them.
Result<pipeline::PipelineOptions> PipelineOptionsOf(const config::Config& config);

/// The store of the warehouse. Makes nothing.
Result<std::unique_ptr<storage::FileStore>> OpenStore(const config::Config& config);
/// Writes and removes a probe file: a warehouse that can't be written is an error before anything else is made.
Status CheckWritable(const config::Config& config, storage::FileStore& store);
/// Whether the catalog is there already (an embedded one is made by the first run).
bool CatalogExists(const config::Config& config);

/// The catalog, and the store of its tables' files.
struct Lake {
  std::unique_ptr<storage::FileStore> store;
  std::unique_ptr<catalog::Catalog> catalog;
};
/// Makes the catalog where it is embedded and missing.
Result<Lake> OpenLake(const config::Config& config);

/// What a running pipeline works with.
struct PipelineServices {
  Lake lake;
  std::unique_ptr<index::Database> index;
  Metrics metrics;
  StatusBoard status;

  pipeline::ReplicatorServices ForPipeline() {
    return {.catalog = *lake.catalog,
            .writer = {.store = *lake.store, .index = *index, .metrics = metrics},
            .status = status};
  }
};
Result<std::unique_ptr<PipelineServices>> OpenServices(const config::Config& config);

}  // namespace firn::cli
