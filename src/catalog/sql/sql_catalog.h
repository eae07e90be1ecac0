// Iceberg's JDBC catalog, version 1, in SQLite or PostgreSQL: the same two tables as Java's JdbcCatalog and PyIceberg's
// SqlCatalog, which may use them at the same time.
//
//   iceberg_tables                  one row a table: the location of its current metadata file
//   iceberg_namespace_properties    one row "exists" = "true" for a namespace
//
// A commit writes a new metadata file, then moves the pointers of all its tables in one SQL transaction, each only
// where it still is what the commit was built on.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "catalog/catalog.h"
#include "catalog/sql/sql_session.h"
#include "firn/result.h"
#include "storage/file_store.h"

namespace firn::catalog {

struct SqlCatalogOptions {
  /// "sqlite:///var/lib/firn/catalog.db" or a path (SqlitePath has every form), or "postgresql://…" with libpq's
  /// parameters.
  std::string uri;
  /// One database may hold several catalogs.
  std::string name = "firn";
  /// Where tables lie that name no location: <warehouse>/<namespace>/…/<table>.
  std::string warehouse;
};

/// The SQL tables are made where missing, and so is a SQLite file. `store` holds the tables' metadata files and must
/// outlive the catalog.
Result<std::unique_ptr<Catalog>> OpenSqlCatalog(const SqlCatalogOptions& options, storage::FileStore& store);

/// Whether the catalog is there already: a SQLite file, or tables in PostgreSQL. Makes nothing.
Result<bool> SqlCatalogExists(const std::string& uri);
/// Whether OpenSqlCatalog would go well. Makes nothing.
Status CheckSqlCatalog(const std::string& uri);

/// How Java's JdbcCatalog reaches the same database, as its properties: "uri", "jdbc.user", …. They may hold secrets.
/// PostgreSQL is connected to; kUnsupported where Java can't reach it.
Result<std::map<std::string, std::string>> JavaJdbcProperties(const std::string& uri);

/// OpenSqlCatalog over a session of one's own, for tests.
Result<std::unique_ptr<Catalog>> OpenSqlCatalog(std::unique_ptr<SqlSession> session, const SqlCatalogOptions& options,
                                                storage::FileStore& store);

}  // namespace firn::catalog
