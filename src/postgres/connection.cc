#include "postgres/connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

#include "base/try.h"
#include "postgres/server_error.h"
#include "postgres/session_settings.h"

namespace firn::postgres {
namespace {

using std::chrono::steady_clock;

// SET and not the "options" startup parameter: poolers refuse that one, and what the user put there survives untouched.
// row_security: a policy that hides rows from the role is then an error (as in pg_dump). jit: queries of the catalogs
// are estimated to be so large that the server would compile them, for half a second each.
constexpr std::string_view kSessionSettings =
    "SET standard_conforming_strings = on; SET search_path = ''; SET datestyle = 'ISO, YMD'; "
    "SET intervalstyle = iso_8601; SET timezone = 'UTC'; SET extra_float_digits = 3; SET bytea_output = hex; "
    "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0; "
    "SET row_security = off; SET jit = off";
constexpr std::string_view kSessionSettingsFrom14 = "; SET idle_session_timeout = 0";

/// libpq's oldest server that firn speaks to: pg_attribute.attgenerated and the replication settings it relies on.
constexpr int kOldestServer = 120000;

constexpr char kUrlForms[] =
    "expected postgresql://user@host:port/database?parameter=value or \"host=… port=… dbname=… user=…\", with reserved "
    "characters of user and password percent-encoded (@ is %40, / is %2F, : is %3A)";

struct ConninfoCloser {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Conninfo = std::unique_ptr<PQconninfoOption, ConninfoCloser>;

/// libpq's own messages about a malformed URL quote parts of it, a piece of a password among them: they are dropped.
Conninfo Parse(const std::string& url) { return Conninfo(PQconninfoParse(url.c_str(), nullptr)); }

const char* ValueOf(const Conninfo& options, std::string_view keyword) {
  for (const PQconninfoOption* option = options.get(); option != nullptr && option->keyword != nullptr; ++option) {
    if (keyword == option->keyword) return option->val;
  }
  return nullptr;
}

bool IsUri(std::string_view url) { return url.starts_with("postgresql://") || url.starts_with("postgres://"); }

/// An unencoded '@', '/' or ':' in a password makes libpq take the password's rest for a host, port or database, which
/// would then stand in messages. True where that may have happened.
bool MayMistakePassword(std::string_view url, const Conninfo& options) {
  if (!IsUri(url)) return false;
  std::string_view rest = url.substr(url.find("://") + 3);
  const size_t host = std::min(rest.find('@'), rest.find('/'));
  rest = rest.substr(0, rest.find('?', host == std::string_view::npos ? 0 : host));
  const size_t at = rest.find('@');
  if (at != std::string_view::npos && (rest.find('@', at + 1) != std::string_view::npos || rest.find('/') < at))
    return true;
  const char* port = ValueOf(options, "port");
  return port != nullptr &&
         !std::ranges::all_of(std::string_view(port), [](unsigned char c) { return std::isdigit(c) || c == ','; });
}

std::string Describe(std::string_view host, std::string_view port, std::string_view database) {
  if (host.empty()) host = "the local socket";
  return fmt::format("{}:{}/{}", host, port.empty() ? "5432" : port, database);
}

std::string Describe(const PGconn* connection) {
  const auto text = [](const char* value) { return std::string_view(value == nullptr ? "" : value); };
  return Describe(text(PQhost(connection)), text(PQport(connection)), text(PQdb(connection)));
}

std::string Field(const PGresult* result, int field) {
  const char* text = PQresultErrorField(result, field);
  return text == nullptr ? std::string() : std::string(text);
}

Error ConnectFailure(const PGconn* connection, bool replication) {
  const ServerError failure = ParseConnectFailure(PQerrorMessage(connection));
  const std::string where = Describe(connection);
  const std::string_view user = PQuser(connection) == nullptr ? "" : PQuser(connection);
  const std::string& code = failure.sqlstate;
  const auto make = [&](ErrorKind kind, std::string remedy) {
    return Error(kind, fmt::format("cannot connect to PostgreSQL at {}: {}; {}", where, failure.message, remedy),
                 ErrorOrigin::kSource, code);
  };
  if (PQconnectionNeedsPassword(connection)) {
    return make(ErrorKind::kPermission,
                fmt::format("role \"{}\" needs a password: put it into ~/.pgpass, PGPASSWORD or source.url", user));
  }
  if (code == "28P01") {
    return make(ErrorKind::kPermission, "check the user of source.url and its password (~/.pgpass, PGPASSWORD)");
  }
  if (code.starts_with("28")) {
    return make(
        ErrorKind::kPermission,
        fmt::format("check that role \"{}\" exists and that pg_hba.conf on the server lets it in from here", user));
  }
  if (code == "3D000") return make(ErrorKind::kInvalidConfig, "check the database name in source.url");
  if (code == "42501" && replication) {
    return make(ErrorKind::kPermission,
                fmt::format("as a superuser: ALTER ROLE {} REPLICATION (on Amazon RDS: GRANT rds_replication TO {})",
                            QuoteIdentifier(user), QuoteIdentifier(user)));
  }
  if (code == "42501") {
    return make(ErrorKind::kPermission, fmt::format("GRANT CONNECT ON DATABASE {} TO {}",
                                                    QuoteIdentifier(PQdb(connection)), QuoteIdentifier(user)));
  }
  if (code == "53300") {
    return make(ErrorKind::kTransient, replication ? "close connections or raise max_wal_senders and max_connections"
                                                   : "close connections, raise max_connections or lower copy_workers");
  }
  if (!code.empty()) return make(KindOfSqlState(code), "see the server's log");
  if (failure.message.find("does not support SSL") != std::string::npos) {
    return make(ErrorKind::kInvalidConfig, "turn ssl on at the server or change sslmode in source.url");
  }
  return Error(ErrorKind::kTransient,
               fmt::format("cannot reach PostgreSQL at {}: {}; check source.url and that the server is up", where,
                           failure.message),
               ErrorOrigin::kSource);
}

/// The non-blocking form of connecting, because only there the verbosity can be set before an error is written, which
/// is what makes libpq tell the SQLSTATE. False when `deadline` passed.
bool WaitUntilConnected(PGconn* connection, steady_clock::time_point deadline) {
  auto wanted = PGRES_POLLING_WRITING;
  while (PQstatus(connection) != CONNECTION_BAD) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd socket{.fd = PQsocket(connection),
                  .events = static_cast<short>(wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT),
                  .revents = 0};
    if (poll(&socket, 1, static_cast<int>(left.count())) <= 0) continue;
    wanted = PQconnectPoll(connection);
    if (wanted == PGRES_POLLING_OK || wanted == PGRES_POLLING_FAILED) return true;
  }
  return true;
}

}  // namespace

std::string DescribeUrl(const std::string& url) {
  const Conninfo options = Parse(url);
  if (options == nullptr || MayMistakePassword(url, options)) return "a malformed PostgreSQL URL";
  // PGHOST and the like fill in what the URL leaves out.
  const Conninfo defaults(PQconndefaults());
  const auto value = [&](std::string_view keyword) -> std::string_view {
    if (const char* own = ValueOf(options, keyword)) return own;
    const char* fallback = ValueOf(defaults, keyword);
    return fallback == nullptr ? "" : fallback;
  };
  if (const std::string_view service = value("service"); !service.empty()) return fmt::format("service {}", service);
  const std::string_view host = value("host").empty() ? value("hostaddr") : value("host");
  return Describe(host, value("port"), value("dbname").empty() ? value("user") : value("dbname"));
}

std::optional<std::string> PasswordOf(const std::string& url) {
  const Conninfo options = Parse(url);
  const char* password = ValueOf(options, "password");
  if (password == nullptr) return std::nullopt;
  return password;
}

QueryResult::QueryResult(pg_result* result) : result_(result, [](pg_result* owned) { PQclear(owned); }) {}
int QueryResult::rows() const { return PQntuples(result_.get()); }
int QueryResult::columns() const { return PQnfields(result_.get()); }
bool QueryResult::IsNull(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
std::string_view QueryResult::Get(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column), static_cast<size_t>(PQgetlength(result_.get(), row, column))};
}

void Connection::Closer::operator()(pg_conn* connection) const { PQfinish(connection); }
Connection::Connection(pg_conn* connection) : connection_(connection) {}
int Connection::server_version() const { return PQserverVersion(raw()); }
std::string Connection::user() const { return PQuser(raw()); }
std::string Connection::database() const { return PQdb(raw()); }

Result<Connection> Connection::Open(const ConnectionOptions& options) {
  const Conninfo given = Parse(options.url);
  if (given == nullptr || MayMistakePassword(options.url, given)) {
    return MakeError(ErrorKind::kInvalidConfig, "source.url is malformed: {}", kUrlForms);
  }

  std::vector<const char*> keywords, values;
  const auto add = [&](const char* keyword, const char* value) {
    keywords.push_back(keyword);
    values.push_back(value);
  };
  const auto add_default = [&](const char* keyword, const char* value) {
    if (ValueOf(given, keyword) == nullptr) add(keyword, value);
  };
  for (const PQconninfoOption* option = given.get(); option->keyword != nullptr; ++option) {
    const std::string_view keyword = option->keyword;
    if (option->val != nullptr && keyword != "replication" && keyword != "client_encoding")
      add(option->keyword, option->val);
  }
  add("client_encoding", "UTF8");
  add("replication", options.replication ? "database" : "false");
  add_default("fallback_application_name", options.application_name.c_str());
  // A dead network is noticed within a minute, whatever call waits for it.
  add_default("keepalives_idle", "30");
  add_default("keepalives_interval", "10");
  add_default("keepalives_count", "3");
  add(nullptr, nullptr);

  std::chrono::seconds timeout = options.connect_timeout;
  if (const char* text = ValueOf(given, "connect_timeout")) {
    int64_t seconds = 0;
    std::from_chars(text, text + std::string_view(text).size(), seconds);
    // libpq's rule: zero and less wait without end; firn waits a day then.
    timeout = std::chrono::seconds(seconds > 0 ? seconds : 86'400);
  }

  Connection connection(PQconnectStartParams(keywords.data(), values.data(), 0));
  if (connection.raw() == nullptr) return MakeError(ErrorKind::kTransient, "out of memory in libpq");
  PQsetErrorVerbosity(connection.raw(), PQERRORS_VERBOSE);
  PQsetNoticeProcessor(connection.raw(), [](void*, const char*) {}, nullptr);  // else libpq prints to stderr
  if (!WaitUntilConnected(connection.raw(), steady_clock::now() + timeout)) {
    return MakeError(ErrorKind::kTransient, ErrorOrigin::kSource,
                     "cannot reach PostgreSQL at {}: no answer within {} s; check source.url, firewalls and that the "
                     "server is up",
                     Describe(connection.raw()), timeout.count());
  }
  if (PQstatus(connection.raw()) != CONNECTION_OK) return ConnectFailure(connection.raw(), options.replication);
  PQsetErrorVerbosity(connection.raw(), PQERRORS_DEFAULT);

  if (connection.server_version() < kOldestServer) {
    return MakeError(ErrorKind::kUnsupported, ErrorOrigin::kSource,
                     "PostgreSQL at {} is version {}; firn needs 12 or newer", Describe(connection.raw()),
                     connection.server_version() / 10000);
  }
  const std::string settings = SessionSettings(connection.server_version());
  TRY_VOID(connection.Query(settings).Context("preparing the session at {}", Describe(connection.raw())));
  return connection;
}

Result<QueryResult> Connection::Query(const std::string& sql) { return Checked(PQexec(raw(), sql.c_str())); }

Result<QueryResult> Connection::Query(const std::string& sql, const std::vector<std::string>& parameters) {
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  return Checked(
      PQexecParams(raw(), sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr, nullptr, 0));
}

Result<QueryResult> Connection::Checked(pg_result* result) {
  QueryResult checked(result);
  switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
      return checked;
    default:
      return ErrorOf(result);
  }
}

Error Connection::ErrorOf(const pg_result* result) const {
  ServerError error{.sqlstate = Field(result, PG_DIAG_SQLSTATE),
                    .message = Field(result, PG_DIAG_MESSAGE_PRIMARY),
                    .detail = Field(result, PG_DIAG_MESSAGE_DETAIL),
                    .hint = Field(result, PG_DIAG_MESSAGE_HINT)};
  if (error.message.empty()) error.message = result == nullptr ? PQerrorMessage(raw()) : PQresultErrorMessage(result);
  if (!error.sqlstate.empty()) return ToError(error);
  if (PQstatus(raw()) != CONNECTION_BAD) return ToError(error).WithKind(ErrorKind::kInternal);
  return ToError(error).WithContext(fmt::format("the connection to PostgreSQL at {} broke", Describe(raw())));
}

Error Connection::LastError(std::string_view doing) const { return ErrorOf(nullptr).WithContext(doing); }

std::string SessionSettings(int server_version) {
  std::string settings(kSessionSettings);
  if (server_version >= 140000) settings += kSessionSettingsFrom14;
  return settings;
}

std::string QuoteIdentifier(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) quoted.append(c == '"' ? 2 : 1, c);
  return quoted += '"';
}

std::string QuoteLiteral(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted.append(c == '\'' ? 2 : 1, c);
  return quoted += '\'';
}

}  // namespace firn::postgres
