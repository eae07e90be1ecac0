#include "catalog/sql/sqlite_session.h"

#include <sqlite3.h>

#include <cassert>
#include <filesystem>
#include <utility>

#include "base/try.h"

namespace firn::catalog {
namespace {

Error SqliteError(int code, std::string_view message, const std::string& path) {
  const auto make = [&](ErrorKind kind, std::string_view remedy) {
    return Error(kind, fmt::format("SQLite catalog {}: {}{}", path, message, remedy), ErrorOrigin::kCatalog,
                 fmt::format("SQLITE {}", code));
  };
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return make(ErrorKind::kTransient, " (another program holds the catalog's lock)");
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
      return make(ErrorKind::kTransient, "");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
      return make(ErrorKind::kPermission, "; firn must be allowed to write to this file and to its folder");
    case SQLITE_FULL:
      return make(ErrorKind::kWriteFailed, "; free some space on its disk");
    case SQLITE_CONSTRAINT:
      return make(ErrorKind::kAlreadyExists, "");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return make(ErrorKind::kCorrupt, "; restore the file, or name another one as the catalog's uri");
    default:
      return make(ErrorKind::kInternal, "");
  }
}

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

class SqliteSession : public SqlSession {
 public:
  SqliteSession(sqlite3* db, std::string path) : db_(db), path_(std::move(path)) {}

  Result<std::vector<SqlRow>> Query(std::string_view sql, const SqlParameters& parameters) override {
    TRY(const Statement statement, Prepare(sql, parameters));
    std::vector<SqlRow> rows;
    while (true) {
      TRY(const bool has_row, Step(statement));
      if (!has_row) return rows;
      SqlRow& row = rows.emplace_back();
      for (int column = 0; column < sqlite3_column_count(statement.get()); ++column) {
        const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement.get(), column));
        const auto length = static_cast<size_t>(sqlite3_column_bytes(statement.get(), column));
        row.push_back(text == nullptr ? std::nullopt : std::optional(std::string(text, length)));
      }
    }
  }

  Result<int64_t> Execute(std::string_view sql, const SqlParameters& parameters) override {
    TRY(const Statement statement, Prepare(sql, parameters));
    TRY_VOID(Step(statement));
    return sqlite3_changes(db_.get());
  }

  Result<std::vector<std::string>> ColumnsOf(const std::string& table) override {
    TRY(const auto rows, Query("SELECT name FROM pragma_table_info($1)", {table}));
    std::vector<std::string> columns;
    for (const SqlRow& row : rows) columns.push_back(row[0].value_or(""));
    return columns;
  }

  Status Begin() override { return Run("BEGIN IMMEDIATE"); }

  Status Commit() override {
    const Status committed = Run("COMMIT");
    if (committed.has_value() || (sqlite3_errcode(db_.get()) & 0xFF) != SQLITE_IOERR) return committed;
    return Error(committed.error()).WithKind(ErrorKind::kCommitUnknown);
  }

  void Rollback() override {
    // Nothing to do about a failure: SQLite has rolled back by itself then.
    (void)Run("ROLLBACK");
  }

  const std::string& name() const override { return path_; }

  Status Run(std::string_view sql) {
    TRY(const Statement statement, Prepare(sql, {}));
    TRY_VOID(Step(statement));
    return {};
  }

 private:
  Result<Statement> Prepare(std::string_view sql, const SqlParameters& parameters) {
    sqlite3_stmt* prepared = nullptr;
    const int code = sqlite3_prepare_v2(db_.get(), sql.data(), static_cast<int>(sql.size()), &prepared, nullptr);
    if (code != SQLITE_OK) return LastError();
    Statement statement(prepared);
    for (size_t i = 0; i < parameters.size(); ++i) {
      // SQLite takes $1 for a name, and numbers names as they come.
      const int index = sqlite3_bind_parameter_index(prepared, fmt::format("${}", i + 1).c_str());
      const std::string& text = parameters[i];
      if (sqlite3_bind_text64(prepared, index, text.c_str(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8) != SQLITE_OK) {
        return LastError();
      }
    }
    return statement;
  }

  /// True: there is a row to read. False: done.
  Result<bool> Step(const Statement& statement) {
    switch (sqlite3_step(statement.get())) {
      case SQLITE_ROW:
        return true;
      case SQLITE_DONE:
        return false;
      default:
        return LastError();
    }
  }

  Error LastError() const { return SqliteError(sqlite3_extended_errcode(db_.get()), sqlite3_errmsg(db_.get()), path_); }

  std::unique_ptr<sqlite3, CloseDatabase> db_;
  std::string path_;
};

}  // namespace

// The journal stays SQLite's default one (not WAL): the file is shared with other programs, whose choice it is too, and
// it stays a single file that can be copied and that lies well on network disks. A commit there ends with deleting the
// journal, so only synchronous = EXTRA, which syncs the folder after that, makes it last through a power failure. It
// must: what is committed here is acknowledged to PostgreSQL.
Result<std::unique_ptr<SqlSession>> OpenSqlite(const std::string& path, int busy_timeout_ms) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::filesystem::create_directories(folder, error);
  if (error) {
    return MakeError(ErrorKind::kPermission, ErrorOrigin::kCatalog, "making the folder {} of the SQLite catalog: {}",
                     folder.string(), error.message());
  }
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  auto session = std::make_unique<SqliteSession>(handle, path);
  if (code != SQLITE_OK) return SqliteError(code, handle == nullptr ? "out of memory" : sqlite3_errmsg(handle), path);
  sqlite3_busy_timeout(handle, busy_timeout_ms);
  TRY_VOID(session->Run("PRAGMA synchronous = EXTRA"));
  return session;
}

Result<std::string> SqlitePath(const std::string& uri) {
  constexpr std::string_view kScheme = "sqlite://";
  const auto names_no_file = [&] {
    return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kCatalog,
                     "catalog uri \"{}\" names no file; use sqlite:///path/to/catalog.db", uri);
  };
  if (uri.starts_with(kScheme)) {
    const std::string path = uri.substr(kScheme.size());
    const size_t first = path.find_first_not_of('/');
    if (!path.starts_with('/') || first == path.npos || path.substr(first).starts_with(":memory:")) {
      return names_no_file();
    }
    return "/" + path.substr(first);
  }
  if (const size_t scheme = uri.find("://"); scheme != uri.npos) {
    // What follows the scheme may hold a password.
    return MakeError(
        ErrorKind::kUnsupported, ErrorOrigin::kCatalog,
        "catalog uri {}://…: a SQL catalog is in SQLite or PostgreSQL; use sqlite:///path/to/catalog.db or "
        "postgresql://user@host/database",
        uri.substr(0, scheme));
  }
  if (uri.empty() || uri.starts_with(':') || uri.starts_with("sqlite:")) return names_no_file();
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(uri, error);
  if (error) return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kCatalog, "{}: {}", uri, error.message());
  return path.lexically_normal().string();
}

}  // namespace firn::catalog
