#include "lake/lake.h"

#include <fmt/format.h>

#include "base/try.h"
#include "base/uuid.h"
#include "catalog/retrying_catalog.h"
#include "catalog/sql/sql_catalog.h"
#include "lake/glue_catalog_options.h"
#include "lake/rest_catalog_options.h"
#include "storage/location_store.h"
#include "storage/retrying_file_store.h"

namespace firn::lake {
namespace {

bool IsRest(const config::Config& config) { return config.catalog.type == "rest"; }

/// Not so where the warehouse is a REST catalog's name for it.
bool IsLocation(std::string_view warehouse) {
  return warehouse.starts_with('/') || warehouse.find("://") != warehouse.npos;
}

}  // namespace

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

}  // namespace firn::lake
