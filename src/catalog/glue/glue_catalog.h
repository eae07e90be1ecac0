// The AWS Glue Data Catalog: databases are namespaces, and a table's parameter metadata_location names its current
// metadata file, as in Java's GlueCatalog and PyIceberg's, which may use the tables at the same time.
//
// A commit writes a new metadata file, then updates the table's entry where its VersionId still is the one that was
// read (optimistic locking). Glue has no transactions: several tables commit one by one, in order.
#pragma once

#include <memory>
#include <string>

#include "catalog/catalog.h"
#include "catalog/glue/glue_client.h"
#include "firn/result.h"
#include "storage/file_store.h"

namespace firn::catalog {

struct GlueCatalogOptions {
  GlueClientOptions client;
  /// Where tables lie that name no location, in a database that has none: <warehouse>/<database>.db/<table>.
  std::string warehouse;
};

/// Asks nothing of Glue yet. `store` holds the tables' metadata files and must outlive the catalog.
Result<std::unique_ptr<Catalog>> OpenGlueCatalog(GlueCatalogOptions options, storage::FileStore& store);

/// Glue's rules: one level, and 1 to 252 (a table: 255) lower-case letters, digits and '_'. kUnsupported where a name
/// does not fit.
Status CheckGlueNamespace(const std::vector<std::string>& levels);
Status CheckGlueTableName(const std::string& name);

}  // namespace firn::catalog
