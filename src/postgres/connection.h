// A libpq connection, RAII. SQLSTATE and the server's hint come through in errors; passwords never do.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firn/result.h"
#include "model/lsn.h"

struct pg_conn;
struct pg_result;

namespace firn::postgres {

struct ConnectionOptions {
  std::string url;                           ///< A libpq URI or keyword string.
  std::string application_name = "firn";     ///< Unless the URL or PGAPPNAME names one.
  bool replication = false;                  ///< replication=database: the walsender protocol.
  std::chrono::seconds connect_timeout{10};  ///< For all addresses of a host together; connect_timeout in the URL wins.
};

/// The host, port and database of a libpq URL, for messages: never its password.
std::string DescribeUrl(const std::string& url);
/// The password inside a libpq URL or keyword string, if any: for redaction and tests.
std::optional<std::string> PasswordOf(const std::string& url);

/// Rows of text values.
class QueryResult {
 public:
  int rows() const;
  int columns() const;
  std::string_view Get(int row, int column) const;
  bool IsNull(int row, int column) const;

 private:
  friend class Connection;
  explicit QueryResult(pg_result* result);
  std::shared_ptr<pg_result> result_;
};

/// Every connection, also for replication, has the same session settings, so that COPY's ::text and pgoutput's text of
/// one value are equal: ISO dates, ISO 8601 intervals, UTC, hex bytea, shortest exact floats, an empty search_path.
/// Time-outs that a role or database sets are off, and row_security is off, so that a policy is an error and never
/// silently missing rows.
///
/// Single-threaded. Errors carry the SQLSTATE as native code, origin kSource; kTransient for connection failures,
/// kPermission for class 28 and 42501, kInvalidConfig for an unparsable URL or an unknown database.
class Connection {
 public:
  static Result<Connection> Open(const ConnectionOptions& options);

  Result<QueryResult> Query(const std::string& sql);
  Result<QueryResult> Query(const std::string& sql, const std::vector<std::string>& parameters);  ///< $1, …
  int server_version() const;                                                                     ///< 150004
  std::string user() const;
  std::string database() const;
  pg_conn* raw() const { return connection_.get(); }
  /// The connection's last error as an Error.
  Error LastError(std::string_view doing) const;
  /// The error that a libpq result holds, for callers of raw().
  Error ErrorOf(const pg_result* result) const;

 private:
  explicit Connection(pg_conn* connection);
  Result<QueryResult> Checked(pg_result* result);
  struct Closer {
    void operator()(pg_conn* connection) const;
  };
  std::unique_ptr<pg_conn, Closer> connection_;
};

/// "a""b" and 'it''s'. Literals are right with standard_conforming_strings, which every connection has on.
std::string QuoteIdentifier(std::string_view name);
std::string QuoteLiteral(std::string_view text);

}  // namespace firn::postgres
