// A SQL catalog's database in PostgreSQL, over libpq. A lost connection is made anew; a statement that no answer came
// to in time is given up with its connection.
#pragma once

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

}  // namespace firn::catalog
