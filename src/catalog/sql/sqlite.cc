#include "catalog/sql/sqlite.h"

#include <sqlite3.h>

#include <cassert>
#include <filesystem>
#include <utility>

#include "base/try.h"

namespace firn::catalog {
namespace {

/// Other programs hold the file's lock for milliseconds; one that holds it this long is stuck.
constexpr int kBusyTimeoutMs = 10'000;

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

Error SqliteError(sqlite3* db, const std::string& path) {
  return SqliteError(sqlite3_extended_errcode(db), sqlite3_errmsg(db), path);
}

}  // namespace

void SqliteStatement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

SqliteStatement& SqliteStatement::Bind(std::string_view text) {
  // Binding fails on a wrong parameter number (a bug) or without memory; Step would then see NULL.
  [[maybe_unused]] const int code = sqlite3_bind_text64(statement_.get(), ++bound_, text.empty() ? "" : text.data(),
                                                        text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  assert(code == SQLITE_OK);
  return *this;
}

Result<bool> SqliteStatement::Step() {
  switch (sqlite3_step(statement_.get())) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      return SqliteError(sqlite3_db_handle(statement_.get()), path_);
  }
}

Result<int> SqliteStatement::Run() {
  TRY(const bool row, Step());
  assert(!row);
  (void)row;
  return sqlite3_changes(sqlite3_db_handle(statement_.get()));
}

std::optional<std::string> SqliteStatement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (text == nullptr) return std::nullopt;
  return std::string(text, static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column)));
}

void Sqlite::Close::operator()(sqlite3* db) const { sqlite3_close_v2(db); }

// The journal stays SQLite's default one (not WAL): the file is shared with other programs, whose choice it is too, and
// it stays a single file that can be copied and that lies well on network disks. A commit there ends with deleting the
// journal, so only synchronous = EXTRA, which syncs the folder after that, makes it last through a power failure. It
// must: what is committed here is acknowledged to PostgreSQL.
Result<Sqlite> Sqlite::Open(const std::string& path) {
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
  Sqlite db(handle, path);
  if (code != SQLITE_OK) return SqliteError(code, handle == nullptr ? "out of memory" : sqlite3_errmsg(handle), path);
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  TRY_VOID(db.Run("PRAGMA synchronous = EXTRA"));
  return db;
}

Result<SqliteStatement> Sqlite::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db_.get(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr) != SQLITE_OK) {
    return SqliteError(db_.get(), path_);
  }
  return SqliteStatement(statement, path_);
}

Status Sqlite::Run(std::string_view sql) {
  TRY(SqliteStatement statement, Prepare(sql));
  TRY_VOID(statement.Step());
  return {};
}

Result<SqliteTransaction> SqliteTransaction::Begin(Sqlite& db) {
  TRY_VOID(db.Run("BEGIN IMMEDIATE"));
  return SqliteTransaction(db);
}

SqliteTransaction::~SqliteTransaction() {
  // Nothing to do about a failure: SQLite has rolled back by itself then.
  if (db_ != nullptr) (void)db_->Run("ROLLBACK");
}

Status SqliteTransaction::Commit() {
  const Status committed = db_->Run("COMMIT");
  if (!committed.has_value()) {
    const bool disk_failed = committed.error().native_code().starts_with("SQLITE ") &&
                             (std::stoi(committed.error().native_code().substr(7)) & 0xFF) == SQLITE_IOERR;
    if (disk_failed) return Error(committed.error()).WithKind(ErrorKind::kCommitUnknown);
    return committed;
  }
  db_ = nullptr;
  return {};
}

}  // namespace firn::catalog
