// A SQL catalog's database in a SQLite file, with SQLite's errors as firn's: the one place that calls sqlite3.
#pragma once

#include <memory>
#include <string>

#include "catalog/sql/sql_session.h"
#include "firn/result.h"

namespace firn::catalog {

/// The path in a SQLite URI; kUnsupported for another database's, kInvalidConfig for one that names no file.
Result<std::string> SqlitePath(const std::string& uri);

/// Opens the database file, made where missing with its folder. Another program's lock is waited for, `busy_timeout_ms`
/// at most. kPermission names the path.
Result<std::unique_ptr<SqlSession>> OpenSqlite(const std::string& path, int busy_timeout_ms = 10'000);

}  // namespace firn::catalog
