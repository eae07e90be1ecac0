// A SQLite connection and its statements, with SQLite's errors as firn's: the one place that calls sqlite3.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "firn/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace firn::catalog {

/// A prepared statement: bind, step, read. It must not outlive its connection.
class SqliteStatement {
 public:
  SqliteStatement(sqlite3_stmt* statement, std::string path) : statement_(statement), path_(std::move(path)) {}

  /// Binds text to the next parameter, counted from the first.
  SqliteStatement& Bind(std::string_view text);
  /// True: there is a row to read. False: done.
  Result<bool> Step();
  /// For a statement that gives no rows: the number of rows that it changed.
  Result<int> Run();
  /// A column of the row, from 0; nothing for NULL.
  std::optional<std::string> Text(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  std::string path_;
  int bound_ = 0;
};

/// Single-threaded. Errors: kTransient (locked for longer than the timeout, I/O), kPermission (with the path),
/// kWriteFailed (disk full), kAlreadyExists (a key that is there), kCorrupt; origin kCatalog.
class Sqlite {
 public:
  /// Opens the database file, made where missing with its folder.
  static Result<Sqlite> Open(const std::string& path);

  Result<SqliteStatement> Prepare(std::string_view sql);
  Status Run(std::string_view sql);
  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };
  Sqlite(sqlite3* db, std::string path) : db_(db), path_(std::move(path)) {}

  std::unique_ptr<sqlite3, Close> db_;
  std::string path_;
};

/// BEGIN IMMEDIATE … COMMIT; rolled back by the destructor where Commit was not called or failed.
class SqliteTransaction {
 public:
  static Result<SqliteTransaction> Begin(Sqlite& db);
  SqliteTransaction(SqliteTransaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
  ~SqliteTransaction();

  /// kCommitUnknown when the disk failed in the middle of it; any other error: rolled back.
  Status Commit();

 private:
  explicit SqliteTransaction(Sqlite& db) : db_(&db) {}
  Sqlite* db_;
};

}  // namespace firn::catalog
