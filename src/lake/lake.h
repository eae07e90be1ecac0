// From a configuration to the catalog and the store of a lake: the one place that chooses which ones.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "catalog/catalog.h"
#include "config/config.h"
#include "firn/result.h"
#include "observe/retrier.h"
#include "storage/file_store.h"
#include "storage/vended_settings.h"

namespace firn::lake {

/// The store of the warehouse and of every other location. Makes nothing. `retrier` tries requests of open streams
/// again; `vend` gives what the catalog vends, where it does.
Result<std::unique_ptr<storage::FileStore>> OpenStore(const config::Config& config,
                                                      std::shared_ptr<Retrier> retrier = nullptr,
                                                      storage::VendSettings vend = {});
/// Writes and removes a probe file in `folder`, which errors call `name`: what can't be written is said before anything
/// else is made.
Status CheckWritable(storage::FileStore& store, const std::string& folder, std::string_view name);
/// The same for the warehouse, which is a location.
Status CheckWarehouseWritable(const config::Config& config, storage::FileStore& store);
/// Whether the catalog is there already (one in a database is made by the first run).
Result<bool> CatalogExists(const config::Config& config);

/// The catalog, and the store of its tables' files.
struct Lake {
  std::unique_ptr<storage::FileStore> bare_store;
  std::unique_ptr<storage::FileStore> retrying_store;  ///< Null: nothing is tried again.
  std::unique_ptr<catalog::Catalog> bare_catalog;
  std::unique_ptr<catalog::Catalog> retrying_catalog;

  storage::FileStore& store() { return retrying_store ? *retrying_store : *bare_store; }
  catalog::Catalog& catalog() { return retrying_catalog ? *retrying_catalog : *bare_catalog; }
};
enum class LakeUse {
  kRead,
  kWrite,  ///< The warehouse is checked for it first, unless a REST catalog has it.
};
/// Makes the catalog where it is in a database and missing. With a `retrier` both try again what may pass.
Result<Lake> OpenLake(const config::Config& config, LakeUse use, const std::shared_ptr<Retrier>& retrier = nullptr);

}  // namespace firn::lake
