// Iceberg's JDBC catalog, version 1, in a SQLite file: the same two tables as Java's JdbcCatalog and PyIceberg's
// SqlCatalog, which may use the file at the same time.
//
//   iceberg_tables                  one row a table: the location of its current metadata file
//   iceberg_namespace_properties    one row "exists" = "true" for a namespace
//
// A commit writes a new metadata file, then moves the pointers of all its tables in one SQL transaction, each only
// where it still is what the commit was built on.
#pragma once

#include <memory>
#include <string>

#include "catalog/catalog.h"
#include "firn/result.h"
#include "storage/file_store.h"

namespace firn::catalog {

struct SqlCatalogOptions {
  /// "sqlite:///var/lib/firn/catalog.db", SQLAlchemy's "sqlite:////var/lib/…", or a path. After "sqlite://" the path is
  /// always absolute.
  std::string uri;
  /// One file may hold several catalogs.
  std::string name = "firn";
  /// Where tables lie that name no location: <warehouse>/<namespace>/…/<table>.
  std::string warehouse;
};

/// The file is made where missing. `store` holds the tables' metadata files and must outlive the catalog.
Result<std::unique_ptr<Catalog>> OpenSqlCatalog(const SqlCatalogOptions& options, storage::FileStore& store);

/// The path in a SQLite URI; kUnsupported for another database's, kInvalidConfig for one that names no file.
Result<std::string> SqlitePath(const std::string& uri);

}  // namespace firn::catalog
