#include "catalog/sql/postgres_session.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/try.h"
#include "http/percent_encoding.h"
#include "observe/log.h"

namespace firn::catalog {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kConnectTimeout{10};
/// For one statement. Catalog statements take milliseconds, and wait for another's lock no longer than kBegin says.
constexpr std::chrono::seconds kAnswerTimeout{30};

// READ COMMITTED, whatever the role's default: an UPDATE that waited for another writer's looks at the row anew, and
// finds that it lost. The commit must last: what it holds is acknowledged to the replicated PostgreSQL, so a role's or
// database's synchronous_commit = off does not count here.
constexpr char kBegin[] =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '10s'; "
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'";

constexpr std::string_view kReadOnly =
    "the server or session is read-only: connect to the primary (target_session_attrs=read-write)";

struct CloseConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
struct FreeConninfo {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using PgConnection = std::unique_ptr<PGconn, CloseConnection>;
using PgResult = std::unique_ptr<PGresult, ClearResult>;
using Conninfo = std::unique_ptr<PQconninfoOption, FreeConninfo>;

struct CodeKind {
  std::string_view prefix;  ///< A SQLSTATE, or its first characters.
  ErrorKind kind;
};

// The first row that matches decides, so exact codes stand before their class. PostgreSQL, appendix A.
constexpr std::array kKinds = {
    CodeKind{"08", ErrorKind::kTransient},         // connection exceptions
    CodeKind{"0A000", ErrorKind::kUnsupported},    // feature_not_supported
    CodeKind{"22001", ErrorKind::kUnsupported},    // a name or a location that is too long for its column
    CodeKind{"23505", ErrorKind::kAlreadyExists},  // unique_violation
    CodeKind{"25006", ErrorKind::kPermission},     // read_only_sql_transaction
    CodeKind{"25P", ErrorKind::kTransient},        // the session's own time-outs ended the transaction
    CodeKind{"28", ErrorKind::kPermission},        // invalid authorization
    CodeKind{"3D000", ErrorKind::kInvalidConfig},  // the database does not exist
    CodeKind{"3F000", ErrorKind::kPermission},     // no schema of search_path may be used
    CodeKind{"40", ErrorKind::kTransient},         // deadlock, serialization failure: rolled back
    CodeKind{"42501", ErrorKind::kPermission},     // insufficient_privilege
    CodeKind{"42P01", ErrorKind::kNotFound},       // the catalog's tables were dropped
    CodeKind{"42P07", ErrorKind::kAlreadyExists},  // duplicate_table
    CodeKind{"53", ErrorKind::kTransient},         // insufficient resources
    CodeKind{"55P03", ErrorKind::kTransient},      // lock_not_available
    CodeKind{"57", ErrorKind::kTransient},         // shutdown, starting up, cancelled
    CodeKind{"58", ErrorKind::kTransient},         // system errors outside PostgreSQL
    CodeKind{"XX001", ErrorKind::kCorrupt},        // data_corrupted
    CodeKind{"XX002", ErrorKind::kCorrupt},        // index_corrupted
    CodeKind{"XX", ErrorKind::kTransient},
};

ErrorKind KindOfSqlState(std::string_view sqlstate) {
  const auto* found =
      std::ranges::find_if(kKinds, [&](const CodeKind& entry) { return sqlstate.starts_with(entry.prefix); });
  return found == kKinds.end() ? ErrorKind::kInternal : found->kind;
}

const char* ValueOf(const Conninfo& options, std::string_view keyword) {
  for (const PQconninfoOption* option = options.get(); option != nullptr && option->keyword != nullptr; ++option) {
    if (keyword == option->keyword) return option->val;
  }
  return nullptr;
}

/// With an unencoded '@', '/' or '?' in the password, libpq takes the password's rest for a host, port or database,
/// which would then stand in messages. True where that may have happened.
bool MayMistakePassword(std::string_view uri, const Conninfo& options) {
  std::string_view authority = uri.substr(uri.find("://") + 3);
  const size_t at = authority.find('@');
  const size_t slash = authority.find('/');
  if (at != std::string_view::npos && slash < at && authority.find('?') > at) return true;
  authority = authority.substr(0, std::min(authority.find('?'), authority.find('/', at == authority.npos ? 0 : at)));
  if (std::ranges::count(authority, '@') > 1) return true;
  const char* port = ValueOf(options, "port");
  return port != nullptr &&
         !std::ranges::all_of(std::string_view(port), [](unsigned char c) { return std::isdigit(c) || c == ','; });
}

/// Line breaks and runs of blanks become one space.
std::string OneLine(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const bool blank = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (!blank) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

std::string Field(const PGresult* result, int field) {
  const char* text = PQresultErrorField(result, field);
  return text == nullptr ? std::string() : OneLine(text);
}

struct ConnectFailureText {
  std::string sqlstate;  ///< Empty where the server said nothing.
  std::string message;
};

/// libpq keeps no SQLSTATE of a failed attempt to connect, but prints it at verbosity "verbose":
///   … failed: FATAL:  28P01: password authentication failed for user "firn"
///   LOCATION:  auth_failed, auth.c:335
ConnectFailureText ParseConnectFailure(std::string_view text) {
  ConnectFailureText failure{.message = OneLine(text.substr(0, text.find("\nLOCATION:")))};
  for (size_t colon = text.find(":  "); colon != std::string_view::npos; colon = text.find(":  ", colon + 1)) {
    const std::string_view code = text.substr(colon + 3, 5);
    const bool is_code =
        code.size() == 5 &&
        std::ranges::all_of(code, [](unsigned char c) { return std::isdigit(c) || std::isupper(c); }) &&
        text.substr(colon + 8, 2) == ": ";
    if (!is_code) continue;
    failure.sqlstate = code;
    const std::string_view rest = text.substr(colon + 10);
    failure.message = OneLine(rest.substr(0, rest.find("\nLOCATION:")));
  }
  return failure;
}

/// Waits until the socket can be read (or written); false when `deadline` passed.
bool WaitForSocket(PGconn* connection, bool to_write, steady_clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd socket{.fd = PQsocket(connection), .events = static_cast<short>(to_write ? POLLOUT : POLLIN), .revents = 0};
    if (poll(&socket, 1, static_cast<int>(left.count())) > 0) return true;
  }
}

class PostgresSession : public SqlSession {
 public:
  explicit PostgresSession(std::string uri) : uri_(std::move(uri)) {}

  Result<std::vector<SqlRow>> Query(std::string_view sql, const SqlParameters& parameters) override {
    TRY(const PgResult result, in_transaction_ ? Send(sql, parameters) : SendAgainIfLost(sql, parameters));
    std::vector<SqlRow> rows(static_cast<size_t>(PQntuples(result.get())));
    for (size_t i = 0; i < rows.size(); ++i) {
      const int row = static_cast<int>(i);
      for (int column = 0; column < PQnfields(result.get()); ++column) {
        const bool is_null = PQgetisnull(result.get(), row, column) != 0;
        rows[i].push_back(is_null ? std::nullopt : std::optional<std::string>(PQgetvalue(result.get(), row, column)));
      }
    }
    return rows;
  }

  Result<int64_t> Execute(std::string_view sql, const SqlParameters& parameters) override {
    TRY(const PgResult result, Send(sql, parameters));
    const std::string_view count = PQcmdTuples(result.get());
    int64_t rows = 0;
    std::from_chars(count.data(), count.data() + count.size(), rows);
    return rows;
  }

  Result<std::vector<std::string>> ColumnsOf(const std::string& table) override {
    TRY(const auto rows, Query("SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = to_regclass($1)"
                               " AND attnum > 0 AND NOT attisdropped",
                               {table}));
    std::vector<std::string> columns;
    for (const SqlRow& row : rows) columns.push_back(row[0].value_or(""));
    return columns;
  }

  Status Begin() override {
    const auto begun = SendAgainIfLost(kBegin, {});
    in_transaction_ = begun.has_value();
    if (in_transaction_) return {};
    Rollback();  // BEGIN itself may have gone well.
    return begun.error();
  }

  Status Commit() override {
    const auto result = Send("COMMIT", {});
    in_transaction_ = false;
    if (result.has_value()) {
      if (std::strcmp(PQcmdStatus(result->get()), "COMMIT") == 0) return {};
      return MakeError(ErrorKind::kInternal, ErrorOrigin::kCatalog,
                       "{}: COMMIT of a transaction in which a statement had failed", name_);
    }
    // What the server refused is rolled back. When it, or the network, went away meanwhile, either may be.
    const std::string& code = result.error().native_code();
    const bool refused = connection_ != nullptr && !code.empty() && code != "40003" && !code.starts_with("08") &&
                         !code.starts_with("57");
    return refused ? result.error() : Error(result.error()).WithKind(ErrorKind::kCommitUnknown);
  }

  void Rollback() override {
    in_transaction_ = false;
    // A connection whose transaction can't be ended is of no use; the server rolls back when it is closed.
    if (connection_ != nullptr && !Send("ROLLBACK", {}).has_value()) connection_.reset();
  }

  const std::string& name() const override { return name_; }

  /// Of the connection that is there.
  Result<std::map<std::string, std::string>> DriverProperties() const {
    const Conninfo used(PQconninfo(connection_.get()));
    const auto value = [&](std::string_view keyword) {
      const char* text = ValueOf(used, keyword);
      return std::string(text == nullptr ? "" : text);
    };
    // "a,b" and "5432,5433", or one port for all.
    std::string hosts = value("host").empty() ? value("hostaddr") : value("host");
    std::string ports = value("port");
    if (hosts.empty() || hosts.find('/') != std::string::npos) {
      return MakeError(
          ErrorKind::kUnsupported, ErrorOrigin::kCatalog,
          "{} is reached through a Unix socket, which Java's driver does not know: write the server's host "
          "into catalog.uri, as in postgresql://firn@127.0.0.1:5432/lake",
          name_);
    }
    const auto next = [](std::string& list) {
      const size_t comma = list.find(',');
      std::string first = list.substr(0, comma);
      if (comma != std::string::npos) list.erase(0, comma + 1);
      return first;
    };
    std::string url = "jdbc:postgresql://";
    for (bool is_last = false; !is_last;) {
      is_last = hosts.find(',') == std::string::npos;
      const std::string host = next(hosts);
      const std::string port = next(ports);
      url += host.find(':') == std::string::npos ? host : fmt::format("[{}]", host);
      url += fmt::format(":{}{}", port.empty() ? "5432" : port, is_last ? "/" : ",");
    }
    std::map<std::string, std::string> properties = {{"uri", url + http::PercentEncode(value("dbname"))},
                                                     {"user", value("user")}};
    const char* password = PQpass(connection_.get());
    if (password != nullptr && *password != '\0') properties["password"] = password;
    for (const char* name : {"sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "options"}) {
      if (!value(name).empty()) properties[name] = value(name);
    }
    const std::string target = value("target_session_attrs");
    if (target == "read-write" || target == "primary") properties["targetServerType"] = "primary";
    return properties;
  }

  Status CheckRights() {
    const auto denied = [&](const std::string& what, const std::string& remedy) {
      return MakeError(ErrorKind::kPermission, ErrorOrigin::kCatalog, "{}: {}; {}", name_, what, remedy);
    };
    TRY(const auto read_only, Query("SELECT current_setting('transaction_read_only')", {}));
    if (read_only[0][0] != "off") return denied("it can't be written", std::string(kReadOnly));
    bool to_make = false;
    for (const std::string table : {"iceberg_tables", "iceberg_namespace_properties"}) {
      TRY(const auto columns, ColumnsOf(table));
      to_make = to_make || columns.empty();
      if (columns.empty()) continue;
      TRY(const auto rights, Query("SELECT bool_and(has_table_privilege($1, right_)) FROM"
                                   " unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) right_",
                                   {table}));
      if (rights[0][0] != "t") return denied("rights on table " + table + " are missing", GrantToUseTables());
    }
    if (!to_make) return {};
    TRY(const auto rights, Query("SELECT has_schema_privilege(current_schema(), 'CREATE')", {}));
    if (rights[0][0] == "t") return {};
    return denied("the right to make the catalog's tables is missing", GrantToMakeTables());
  }

  Status Connect() {
    const Conninfo given(PQconninfoParse(uri_.c_str(), nullptr));
    if (given == nullptr || MayMistakePassword(uri_, given)) {
      return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kCatalog,
                       "catalog.uri is malformed: expected postgresql://user@host:port/database?parameter=value, with "
                       "reserved characters of user and password percent-encoded (@ is %40, / is %2F, : is %3A)");
    }
    // The first four yield to the URI, which takes the place of dbname; the last does not.
    const std::array<const char*, 7> keywords = {"fallback_application_name",
                                                 "keepalives_idle",
                                                 "keepalives_interval",
                                                 "keepalives_count",
                                                 "dbname",
                                                 "client_encoding",
                                                 nullptr};
    const std::array<const char*, 7> values = {"firn catalog", "30", "10", "3", uri_.c_str(), "UTF8", nullptr};
    PgConnection connection(PQconnectStartParams(keywords.data(), values.data(), /*expand_dbname=*/1));
    if (connection == nullptr) {
      return MakeError(ErrorKind::kTransient, ErrorOrigin::kCatalog, "out of memory in libpq");
    }
    PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);
    PQsetNoticeProcessor(connection.get(), [](void*, const char*) {}, nullptr);  // else libpq prints to stderr
    const bool in_time = FinishConnecting(connection.get(), steady_clock::now() + ConnectTimeout(given));
    const auto text = [](const char* value) { return value == nullptr ? "" : value; };
    name_ = fmt::format("PostgreSQL catalog at {}:{}/{}", text(PQhost(connection.get())),
                        text(PQport(connection.get())), text(PQdb(connection.get())));
    user_ = text(PQuser(connection.get()));
    if (!in_time) {
      return MakeError(
          ErrorKind::kTransient, ErrorOrigin::kCatalog,
          "{} can't be reached: no answer within {} s; check catalog.uri, firewalls and that the server is "
          "up",
          name_, ConnectTimeout(given).count());
    }
    if (PQstatus(connection.get()) != CONNECTION_OK) return ConnectFailure(connection.get());
    PQsetErrorVerbosity(connection.get(), PQERRORS_DEFAULT);
    if (PQsetnonblocking(connection.get(), 1) != 0) {
      return MakeError(ErrorKind::kTransient, ErrorOrigin::kCatalog, "{}: {}", name_,
                       OneLine(PQerrorMessage(connection.get())));
    }
    connection_ = std::move(connection);
    return {};
  }

 private:
  static std::chrono::seconds ConnectTimeout(const Conninfo& given) {
    const char* text = ValueOf(given, "connect_timeout");
    int64_t seconds = 0;
    if (text != nullptr) std::from_chars(text, text + std::strlen(text), seconds);
    return seconds > 0 ? std::chrono::seconds(seconds) : kConnectTimeout;
  }

  static bool FinishConnecting(PGconn* connection, steady_clock::time_point deadline) {
    auto wanted = PGRES_POLLING_WRITING;
    while (PQstatus(connection) != CONNECTION_BAD) {
      if (!WaitForSocket(connection, wanted != PGRES_POLLING_READING, deadline)) return false;
      wanted = PQconnectPoll(connection);
      if (wanted == PGRES_POLLING_OK || wanted == PGRES_POLLING_FAILED) return true;
    }
    return true;
  }

  Error ConnectFailure(PGconn* connection) const {
    const ConnectFailureText failure = ParseConnectFailure(PQerrorMessage(connection));
    const std::string& code = failure.sqlstate;
    const auto make = [&](ErrorKind kind, std::string_view remedy) {
      return Error(kind, fmt::format("{}: {}; {}", name_, failure.message, remedy), ErrorOrigin::kCatalog, code);
    };
    if (PQconnectionNeedsPassword(connection)) {
      return make(ErrorKind::kPermission,
                  fmt::format("role \"{}\" needs a password: put it into ~/.pgpass or catalog.uri", user_));
    }
    if (code.starts_with("28")) {
      return make(
          ErrorKind::kPermission,
          fmt::format("check role \"{}\" and its password (~/.pgpass, catalog.uri), and that pg_hba.conf lets it "
                      "in from here",
                      user_));
    }
    if (code == "3D000") return make(ErrorKind::kInvalidConfig, "check the database name in catalog.uri, or create it");
    if (!code.empty()) return make(KindOfSqlState(code), "see the server's log");
    for (const std::string_view sign : {"does not support SSL", "certificate", "sslmode"}) {
      if (failure.message.find(sign) != std::string::npos) {
        return make(ErrorKind::kInvalidConfig, "check sslmode and sslrootcert in catalog.uri");
      }
    }
    return make(ErrorKind::kTransient, "check catalog.uri and that the server is up");
  }

  /// For what begins a transaction or needs none: connects where there is no connection, and once more where it turns
  /// out to be dead (a server that restarted, a pooler that closes idle ones).
  Result<PgResult> SendAgainIfLost(std::string_view sql, const SqlParameters& parameters) {
    const bool was_connected = connection_ != nullptr;
    if (!was_connected) TRY_VOID(Connect());
    auto result = Send(sql, parameters);
    if (result.has_value() || connection_ != nullptr || !was_connected) return result;
    LogInfo("the connection to the catalog was lost and is made anew", {{"reason", result.error().message()}});
    TRY_VOID(Connect());
    return Send(sql, parameters);
  }

  /// One statement (several without parameters: the last one's result). An error that left the connection dead drops
  /// it.
  Result<PgResult> Send(std::string_view sql, const SqlParameters& parameters) {
    if (connection_ == nullptr) {
      return MakeError(ErrorKind::kTransient, ErrorOrigin::kCatalog,
                       "{}: the connection was lost in the middle of a transaction", name_);
    }
    PGconn* connection = connection_.get();
    constexpr Oid kTextOid = 25;
    const std::vector<Oid> types(parameters.size(), kTextOid);
    std::vector<const char*> values;
    for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
    const std::string text(sql);
    const int sent = parameters.empty() ? PQsendQuery(connection, text.c_str())
                                        : PQsendQueryParams(connection, text.c_str(), static_cast<int>(values.size()),
                                                            types.data(), values.data(), nullptr, nullptr, 0);
    if (sent == 0) return Lost();
    const auto deadline = steady_clock::now() + kAnswerTimeout;
    PgResult last;
    PgResult failed;
    while (true) {
      const int unsent = PQflush(connection);
      if (unsent < 0) return Lost();
      if (unsent == 0 && PQisBusy(connection) == 0) {
        PgResult result(PQgetResult(connection));
        if (result == nullptr) break;
        const bool is_error =
            PQresultStatus(result.get()) != PGRES_TUPLES_OK && PQresultStatus(result.get()) != PGRES_COMMAND_OK;
        (is_error && failed == nullptr ? failed : last) = std::move(result);
        continue;
      }
      if (!WaitForSocket(connection, unsent != 0, deadline)) {
        connection_.reset();
        return MakeError(ErrorKind::kTransient, ErrorOrigin::kCatalog, "{}: no answer within {} s", name_,
                         kAnswerTimeout.count());
      }
      if (PQconsumeInput(connection) == 0) return Lost();
    }
    if (failed == nullptr) return last;
    Error error = ErrorOf(failed.get(), sql);
    if (PQstatus(connection) == CONNECTION_BAD) connection_.reset();
    return error;
  }

  Error Lost() {
    const std::string reason = OneLine(PQerrorMessage(connection_.get()));
    connection_.reset();
    return MakeError(ErrorKind::kTransient, ErrorOrigin::kCatalog, "{}: the connection was lost: {}", name_, reason);
  }

  Error ErrorOf(const PGresult* result, std::string_view sql) const {
    const std::string code = Field(result, PG_DIAG_SQLSTATE);
    if (code.empty()) {  // libpq's own: the connection broke.
      return MakeError(ErrorKind::kTransient, ErrorOrigin::kCatalog, "{}: the connection was lost: {}", name_,
                       OneLine(PQresultErrorMessage(result)));
    }
    std::string message = Field(result, PG_DIAG_MESSAGE_PRIMARY);
    if (const std::string detail = Field(result, PG_DIAG_MESSAGE_DETAIL); !detail.empty()) message += ": " + detail;
    if (const std::string remedy = Remedy(code, sql); !remedy.empty()) message += "; " + remedy;
    return Error(KindOfSqlState(code), fmt::format("{}: {}", name_, message), ErrorOrigin::kCatalog, code);
  }

  std::string QuotedRole() const {
    std::string role = "\"";
    for (const char c : user_) role.append(c == '"' ? 2 : 1, c);
    return role += '"';
  }
  std::string GrantToMakeTables() const {
    return fmt::format(
        "the catalog's tables are made in the first schema of search_path: as its owner, GRANT USAGE, CREATE ON SCHEMA "
        "public TO {} (or that schema's name in place of public), or choose another one with "
        "?options=-csearch_path%3Dname in catalog.uri",
        QuotedRole());
  }
  std::string GrantToUseTables() const {
    return fmt::format(
        "as the tables' owner: GRANT SELECT, INSERT, UPDATE, DELETE ON iceberg_tables, iceberg_namespace_properties TO "
        "{}",
        QuotedRole());
  }

  std::string Remedy(std::string_view code, std::string_view sql) const {
    if (code == "3F000" || (code == "42501" && sql.starts_with("CREATE TABLE"))) return GrantToMakeTables();
    if (code == "42501") return GrantToUseTables();
    if (code == "25006") return std::string(kReadOnly);
    if (code == "22001") return "the catalog holds names of 255 and locations of 1000 characters: shorten it";
    if (code == "42P01") return "the catalog's tables are gone: restore them, or start firn again to have empty ones";
    if (code == "55P03") return "another session holds a lock on the catalog's tables";
    return "";
  }

  const std::string uri_;
  std::string name_ = "PostgreSQL catalog";
  std::string user_;
  PgConnection connection_;  ///< Null: lost, or not made yet.
  bool in_transaction_ = false;
};

}  // namespace

bool IsPostgresUri(std::string_view uri) { return uri.starts_with("postgresql://") || uri.starts_with("postgres://"); }

Status CheckPostgres(const std::string& uri) {
  PostgresSession session(uri);
  TRY_VOID(session.Connect());
  return session.CheckRights();
}

Result<std::map<std::string, std::string>> PostgresDriverProperties(const std::string& uri) {
  PostgresSession session(uri);
  TRY_VOID(session.Connect());
  return session.DriverProperties();
}

Result<std::unique_ptr<SqlSession>> OpenPostgres(const std::string& uri) {
  auto session = std::make_unique<PostgresSession>(uri);
  TRY_VOID(session->Connect());
  return session;
}

}  // namespace firn::catalog
