// A connection to the database that holds a SQL catalog: what SqlCatalog asks of SQLite (sqlite_session) and PostgreSQL
// (postgres_session). Statements are in the SQL that both share, with parameters $1, $2, … that are text.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/try.h"
#include "firn/result.h"

namespace firn::catalog {

using SqlParameters = std::vector<std::string>;
/// Text by column; nothing for NULL.
using SqlRow = std::vector<std::optional<std::string>>;

/// Single-threaded. Errors: kTransient (the connection, a lock that another program holds, a deadlock: nothing was
/// changed), kPermission and kInvalidConfig (with what to do), kAlreadyExists (a key or a table that is there),
/// kUnsupported (a text too long for its column), kWriteFailed (a full disk), kCorrupt; origin kCatalog.
class SqlSession {
 public:
  virtual ~SqlSession() = default;

  /// Reads, in a transaction or out of one. Out of one, a lost connection is made anew first.
  virtual Result<std::vector<SqlRow>> Query(std::string_view sql, const SqlParameters& parameters) = 0;
  /// Changes, in a transaction: the number of rows that were.
  virtual Result<int64_t> Execute(std::string_view sql, const SqlParameters& parameters) = 0;
  /// The table's columns; none where there is no such table.
  virtual Result<std::vector<std::string>> ColumnsOf(const std::string& table) = 0;

  virtual Status Begin() = 0;
  /// kCommitUnknown when the connection or the disk failed in the middle of it; any other error: rolled back.
  virtual Status Commit() = 0;
  virtual void Rollback() = 0;

  /// What and where the database is, for messages.
  virtual const std::string& name() const = 0;
};

/// Begin … Commit; rolled back by the destructor where Commit was not called or failed.
class SqlTransaction {
 public:
  static Result<SqlTransaction> Begin(SqlSession& session) {
    TRY_VOID(session.Begin());
    return SqlTransaction(session);
  }
  SqlTransaction(SqlTransaction&& other) noexcept : session_(std::exchange(other.session_, nullptr)) {}
  ~SqlTransaction() {
    if (session_ != nullptr) session_->Rollback();
  }
  Status Commit() {
    TRY_VOID(session_->Commit());
    session_ = nullptr;
    return {};
  }

 private:
  explicit SqlTransaction(SqlSession& session) : session_(&session) {}
  SqlSession* session_;
};

}  // namespace firn::catalog
