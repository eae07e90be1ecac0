// A SQL catalog's database in PostgreSQL, over libpq. A lost connection is made anew; a statement that no answer came
// to in time is given up with its connection.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "catalog/sql/sql_session.h"
#include "firn/result.h"

namespace firn::catalog {

/// Whether a catalog URI is one of libpq's: postgresql:// or postgres://.
bool IsPostgresUri(std::string_view uri);

/// Connects once, so that what is wrong with the URI, the password or the server is told at once. All of libpq's
/// parameters, PGPASSFILE, PG… variables and service files work; the password is in no message. The catalog's tables
/// are looked for and made in the connection's search_path. Works through a pooler that pools transactions.
Result<std::unique_ptr<SqlSession>> OpenPostgres(const std::string& uri);

/// Whether a catalog can be kept there: the connection, and the rights that its tables need, or that making them needs.
/// Makes nothing.
Status CheckPostgres(const std::string& uri);

/// How PostgreSQL's JDBC driver reaches the database of a libpq URI: "uri", and the driver's own properties ("user",
/// "password", …), with whatever libpq takes from variables, service files and PGPASSFILE. They may hold secrets.
/// Connects once. kUnsupported for a Unix socket, which the driver doesn't know.
Result<std::map<std::string, std::string>> PostgresDriverProperties(const std::string& uri);

}  // namespace firn::catalog
