#include "catalog/sql/sql_catalog.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <numeric>
#include <set>
#include <utility>

#include "base/failpoint.h"
#include "base/try.h"
#include "base/unix_time.h"
#include "catalog/metadata_files.h"
#include "catalog/sql/postgres_session.h"
#include "catalog/sql/sqlite_session.h"
#include "catalog/unknown_outcome.h"
#include "observe/parallel.h"

namespace firn::catalog {
namespace {

using iceberg::CommitRequest;
using iceberg::TableIdent;

// The statements of Java's JdbcUtil for version 1; PyIceberg makes the same columns.
constexpr std::string_view kCreateTables =
    "CREATE TABLE IF NOT EXISTS iceberg_tables("
    "catalog_name VARCHAR(255) NOT NULL,"
    "table_namespace VARCHAR(255) NOT NULL,"
    "table_name VARCHAR(255) NOT NULL,"
    "metadata_location VARCHAR(1000),"
    "previous_metadata_location VARCHAR(1000),"
    "iceberg_type VARCHAR(5),"
    "PRIMARY KEY (catalog_name, table_namespace, table_name))";
constexpr std::string_view kCreateNamespaces =
    "CREATE TABLE IF NOT EXISTS iceberg_namespace_properties("
    "catalog_name VARCHAR(255) NOT NULL,"
    "namespace VARCHAR(255) NOT NULL,"
    "property_key VARCHAR(255),"
    "property_value VARCHAR(1000),"
    "PRIMARY KEY (catalog_name, namespace, property_key))";

/// Levels joined by dots, as the JDBC catalog writes a namespace. A level with a dot in it looks like two to others.
std::string NamespaceText(const std::vector<std::string>& levels) { return fmt::format("{}", fmt::join(levels, ".")); }

class SqlCatalog : public Catalog {
 public:
  SqlCatalog(std::unique_ptr<SqlSession> session, SqlCatalogOptions options, storage::FileStore& store)
      : store_(store), options_(std::move(options)), session_(std::move(session)), cache_(store) {}

  Status Open() {
    TRY(const std::vector<std::string> columns, MakeTable("iceberg_tables", kCreateTables));
    TRY_VOID(MakeTable("iceberg_namespace_properties", kCreateNamespaces));
    // Tables of JDBC catalog version 0 have no views and no column for them; they stay as they are.
    has_types_ = std::ranges::find(columns, "iceberg_type") != columns.end();
    return {};
  }

  Status EnsureNamespace(const std::vector<std::string>& levels) override {
    if (levels.empty()) return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kCatalog, "an empty namespace");
    std::lock_guard lock(mutex_);
    std::vector<std::string> missing;
    for (size_t depth = 1; depth <= levels.size(); ++depth) {
      const std::string name = NamespaceText({levels.begin(), levels.begin() + static_cast<std::ptrdiff_t>(depth)});
      TRY(const bool exists, NamespaceExists(name));
      if (!exists) missing.push_back(name);
    }
    if (missing.empty()) return {};
    TRY(SqlTransaction transaction, SqlTransaction::Begin(*session_));
    for (const std::string& name : missing) {
      TRY_VOID(
          session_->Execute("INSERT INTO iceberg_namespace_properties"
                            "(catalog_name, namespace, property_key, property_value)"
                            " VALUES ($1, $2, 'exists', 'true') ON CONFLICT DO NOTHING",
                            {options_.name, name}));
    }
    return AsRepeatable(transaction.Commit());
  }

  Result<std::vector<std::vector<std::string>>> ListNamespaces() override {
    std::lock_guard lock(mutex_);
    TRY(const auto rows, session_->Query("SELECT namespace FROM iceberg_namespace_properties WHERE catalog_name = $1"
                                         " UNION SELECT table_namespace FROM iceberg_tables WHERE catalog_name = $1",
                                         {options_.name}));
    std::set<std::vector<std::string>> namespaces;  // Those above one that is there are there, too.
    for (const SqlRow& row : rows) {
      std::vector<std::string> levels;
      std::string rest = row[0].value_or("");
      for (size_t dot = rest.find('.'); dot != std::string::npos; dot = rest.find('.')) {
        levels.push_back(rest.substr(0, dot));
        namespaces.insert(levels);
        rest.erase(0, dot + 1);
      }
      levels.push_back(rest);
      namespaces.insert(std::move(levels));
    }
    return std::vector<std::vector<std::string>>(namespaces.begin(), namespaces.end());
  }

  Result<std::vector<TableIdent>> ListTables(const std::vector<std::string>& levels) override {
    std::lock_guard lock(mutex_);
    const std::string name = NamespaceText(levels);
    TRY(const bool exists, NamespaceExists(name));
    if (!exists) return NoNamespace(name);
    TRY(const auto rows,
        session_->Query("SELECT table_name FROM iceberg_tables WHERE catalog_name = $1 AND table_namespace = $2" +
                            TypeFilter() + " ORDER BY table_name",
                        {options_.name, name}));
    std::vector<TableIdent> idents;
    for (const SqlRow& row : rows) idents.push_back({.namespace_levels = levels, .name = row[0].value_or("")});
    return idents;
  }

  Result<LoadedTable> LoadTable(const TableIdent& ident) override {
    return LoadByPointer(cache_, ident, [&] { return ReadPointer(ident); });
  }

  Result<LoadedTable> CreateTable(const TableIdent& ident, const iceberg::NewTable& table) override {
    const std::string name = NamespaceText(ident.namespace_levels);
    {
      std::lock_guard lock(mutex_);
      TRY(const bool exists, NamespaceExists(name));
      if (!exists) return NoNamespace(name);
      // By a table or by a view.
      TRY(const auto taken, session_->Query("SELECT 1 FROM iceberg_tables WHERE catalog_name = $1"
                                            " AND table_namespace = $2 AND table_name = $3",
                                            {options_.name, name, ident.name}));
      if (!taken.empty()) return AlreadyExists(ident);
    }
    iceberg::NewTable placed = table;
    if (placed.location.empty()) {
      TRY(placed.location, DefaultLocation(ident));
    }
    WrittenFiles files(store_);
    TRY(LoadedTable created, BuildTable(ident, placed, UnixMillisNow(), files));
    TRY_VOID(store_.MakeDurable());
    Status committed;
    {
      std::lock_guard lock(mutex_);
      TRY(SqlTransaction transaction, SqlTransaction::Begin(*session_));
      const auto inserted = session_->Execute(
          has_types_ ? "INSERT INTO iceberg_tables(catalog_name, table_namespace, table_name, metadata_location,"
                       " iceberg_type) VALUES ($1, $2, $3, $4, 'TABLE')"
                     : "INSERT INTO iceberg_tables(catalog_name, table_namespace, table_name, metadata_location)"
                       " VALUES ($1, $2, $3, $4)",
          {options_.name, name, ident.name, created.metadata_location});
      if (!inserted.has_value()) {
        if (inserted.error().kind() == ErrorKind::kAlreadyExists) return AlreadyExists(ident);
        return inserted.error();
      }
      committed = transaction.Commit();
    }
    if (committed.has_value() || committed.error().kind() == ErrorKind::kCommitUnknown) files.Keep();
    TRY_VOID(Settled(committed, [&] { return ReadPointer(ident).value_or("") == created.metadata_location; }));
    cache_.Remember(created);
    return created;
  }

  Status RenameTable(const TableIdent& from, const TableIdent& to) override {
    cache_.Forget(from);
    return Settled(Rename(from, to), [&] { return IsMissing(from) && ReadPointer(to).has_value(); });
  }

  Status DropTable(const TableIdent& ident) override {
    cache_.Forget(ident);
    return Settled(Drop(ident), [&] { return IsMissing(ident); });
  }

  bool CommitsTablesTogether() const override { return true; }

  Result<std::vector<LoadedTable>> CommitTables(std::span<const CommitRequest> requests) override {
    if (requests.empty()) return std::vector<LoadedTable>();
    const int64_t now_ms = UnixMillisNow();
    WrittenFiles files(store_);
    std::vector<LoadedTable> bases(requests.size());
    std::vector<LoadedTable> committed(requests.size());
    const auto build = [&](size_t i) -> Status {
      TRY(bases[i], LoadTable(requests[i].table));
      TRY(committed[i], BuildCommit(bases[i], requests[i], now_ms, files));
      return {};
    };
    TRY_VOID(ForEachParallel(requests.size(), kTablesAtOnce, build));
    TRY_VOID(store_.MakeDurable());

    const Status moved = MovePointers(bases, committed);
    if (moved.has_value() || moved.error().kind() == ErrorKind::kCommitUnknown) files.Keep();
    TRY_VOID(moved);
    for (size_t i = 0; i < committed.size(); ++i) {
      cache_.Remember(committed[i]);
      DeleteForgottenMetadata(store_, *bases[i].metadata, *committed[i].metadata);
    }
    return committed;
  }

 private:
  static Error NoNamespace(const std::string& name) {
    return MakeError(ErrorKind::kNotFound, ErrorOrigin::kCatalog, "there is no namespace {}", name);
  }
  static Error NoTable(const TableIdent& ident) {
    return MakeError(ErrorKind::kTableNotFound, ErrorOrigin::kCatalog, "there is no table {}", ToString(ident));
  }
  static Error AlreadyExists(const TableIdent& ident) {
    return MakeError(ErrorKind::kAlreadyExists, ErrorOrigin::kCatalog, "table {} is there already", ToString(ident));
  }
  /// For changes that may not be made twice: where the outcome is unknown, `is_done` looks for it. Called without the
  /// lock.
  template <typename Look>
  static Status Settled(Status status, Look is_done) {
    if (status.has_value() || status.error().kind() != ErrorKind::kCommitUnknown) return status;
    if (is_done()) return {};
    return AsRepeatable(std::move(status));
  }
  bool IsMissing(const TableIdent& ident) {
    const auto pointer = ReadPointer(ident);
    return !pointer.has_value() && pointer.error().kind() == ErrorKind::kTableNotFound;
  }

  Status Rename(const TableIdent& from, const TableIdent& to) {
    const std::string name = NamespaceText(to.namespace_levels);
    std::lock_guard lock(mutex_);
    TRY(const bool exists, NamespaceExists(name));
    if (!exists) return NoNamespace(name);
    TRY(SqlTransaction transaction, SqlTransaction::Begin(*session_));
    const auto renamed = session_->Execute(
        "UPDATE iceberg_tables SET table_namespace = $1, table_name = $2 WHERE catalog_name = $3"
        " AND table_namespace = $4 AND table_name = $5" +
            TypeFilter(),
        {name, to.name, options_.name, NamespaceText(from.namespace_levels), from.name});
    if (!renamed.has_value()) {
      if (renamed.error().kind() == ErrorKind::kAlreadyExists) return AlreadyExists(to);
      return renamed.error();
    }
    if (*renamed == 0) return NoTable(from);
    return transaction.Commit();
  }

  Status Drop(const TableIdent& ident) {
    std::lock_guard lock(mutex_);
    TRY(SqlTransaction transaction, SqlTransaction::Begin(*session_));
    TRY(const int64_t rows,
        session_->Execute("DELETE FROM iceberg_tables WHERE catalog_name = $1 AND table_namespace = $2"
                          " AND table_name = $3" +
                              TypeFilter(),
                          {options_.name, NamespaceText(ident.namespace_levels), ident.name}));
    if (rows == 0) return NoTable(ident);
    return transaction.Commit();
  }

  /// Makes the SQL table where it is missing, and gives its columns. The right to make tables is needed only then.
  Result<std::vector<std::string>> MakeTable(const std::string& table, std::string_view create) {
    TRY(std::vector<std::string> columns, session_->ColumnsOf(table));
    if (!columns.empty()) return columns;
    const Status made = [&]() -> Status {
      TRY(SqlTransaction transaction, SqlTransaction::Begin(*session_));
      TRY_VOID(session_->Execute(create, {}));
      return AsRepeatable(transaction.Commit());
    }();
    // Another program may make it at the same moment, which PostgreSQL tells as an error.
    if (!made.has_value() && made.error().kind() != ErrorKind::kAlreadyExists) return made.error();
    TRY(columns, session_->ColumnsOf(table));
    if (!columns.empty()) return columns;
    return MakeError(ErrorKind::kTransient, ErrorOrigin::kCatalog, "{}: table {} was made, and is not there",
                     session_->name(), table);
  }

  /// Java leaves out the type in rows that it made as version 0.
  std::string TypeFilter() const { return has_types_ ? " AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)" : ""; }

  /// As in Java, a namespace also exists when something lies in it. Needs the lock.
  Result<bool> NamespaceExists(const std::string& name) {
    TRY(const auto rows,
        session_->Query("SELECT 1 FROM iceberg_namespace_properties"
                        " WHERE catalog_name = $1 AND (namespace = $2 OR substr(namespace, 1, length($3)) = $3)"
                        " UNION ALL SELECT 1 FROM iceberg_tables WHERE catalog_name = $1"
                        " AND (table_namespace = $2 OR substr(table_namespace, 1, length($3)) = $3) LIMIT 1",
                        {options_.name, name, name + "."}));
    return !rows.empty();
  }

  Result<std::string> ReadPointer(const TableIdent& ident) {
    std::lock_guard lock(mutex_);
    TRY(const auto rows, session_->Query("SELECT metadata_location FROM iceberg_tables WHERE catalog_name = $1"
                                         " AND table_namespace = $2 AND table_name = $3" +
                                             TypeFilter(),
                                         {options_.name, NamespaceText(ident.namespace_levels), ident.name}));
    if (rows.empty()) return NoTable(ident);
    if (!rows[0][0].has_value()) {
      return MakeError(ErrorKind::kCorrupt, ErrorOrigin::kCatalog, "table {} has no metadata location in {}",
                       ToString(ident), session_->name());
    }
    return *rows[0][0];
  }

  /// <warehouse>/<namespace levels>/<table>, as Java's JdbcCatalog.defaultWarehouseLocation. Names that don't do as
  /// folders are altered, and the folder made unique; so is one in which a table lies that was renamed since.
  Result<std::string> DefaultLocation(const TableIdent& ident) {
    bool altered = false;
    TRY(std::string location, PlaceTable(options_.warehouse, ident.namespace_levels, ident, altered));
    TRY(const bool taken, HoldsMetadata(location));
    return altered || taken ? MakeUnique(std::move(location)) : location;
  }

  /// Whether a table's metadata lies below the folder.
  Result<bool> HoldsMetadata(const std::string& location) {
    std::lock_guard lock(mutex_);
    TRY(const auto rows,
        session_->Query("SELECT 1 FROM iceberg_tables WHERE substr(metadata_location, 1, length($1)) = $1 LIMIT 1",
                        {location + "/"}));
    return !rows.empty();
  }

  Status MovePointers(std::span<const LoadedTable> from, std::span<const LoadedTable> to) {
    // In one order for all writers, so that two of them never wait for each other's rows.
    std::vector<size_t> order(from.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::sort(order, {}, [&](size_t i) -> const TableIdent& { return from[i].ident; });

    std::lock_guard lock(mutex_);
    TRY(SqlTransaction transaction, SqlTransaction::Begin(*session_));
    for (const size_t i : order) {
      TRY(const int64_t rows,
          session_->Execute(
              "UPDATE iceberg_tables SET metadata_location = $1, previous_metadata_location = $2"
              " WHERE catalog_name = $3 AND table_namespace = $4 AND table_name = $5 AND metadata_location = $2" +
                  TypeFilter(),
              {to[i].metadata_location, from[i].metadata_location, options_.name,
               NamespaceText(from[i].ident.namespace_levels), from[i].ident.name}));
      if (rows != 1) {
        return MakeError(ErrorKind::kConflict, ErrorOrigin::kCatalog, "table {}: another writer committed first",
                         ToString(from[i].ident));
      }
    }
    TRY_VOID(BeforeStep(Failpoint::kPointersMoveBefore));
    TRY_VOID(transaction.Commit());
    AfterStep(Failpoint::kPointersMoveAfter);
    return {};
  }

  storage::FileStore& store_;
  const SqlCatalogOptions options_;
  /// For session_: a transaction has it alone. Each of its statements ends by a deadline, and none of the warehouse's
  /// files is read or written meanwhile.
  std::mutex mutex_;
  const std::unique_ptr<SqlSession> session_;
  bool has_types_ = true;  ///< Set by Open, then constant.
  MetadataCache cache_;
};

}  // namespace

Result<std::unique_ptr<Catalog>> OpenSqlCatalog(std::unique_ptr<SqlSession> session, const SqlCatalogOptions& options,
                                                storage::FileStore& store) {
  SqlCatalogOptions normalized = options;
  if (!options.warehouse.empty()) {
    TRY(normalized.warehouse, storage::NormalizeLocation(options.warehouse));
  }
  auto catalog = std::make_unique<SqlCatalog>(std::move(session), std::move(normalized), store);
  TRY_VOID(catalog->Open());
  return catalog;
}

Result<std::unique_ptr<Catalog>> OpenSqlCatalog(const SqlCatalogOptions& options, storage::FileStore& store) {
  if (IsPostgresUri(options.uri)) {
    TRY(auto session, OpenPostgres(options.uri));
    return OpenSqlCatalog(std::move(session), options, store);
  }
  TRY(const std::string path, SqlitePath(options.uri));
  TRY(auto session, OpenSqlite(path));
  return OpenSqlCatalog(std::move(session), options, store);
}

Result<bool> SqlCatalogExists(const std::string& uri) {
  if (IsPostgresUri(uri)) {
    TRY(const auto session, OpenPostgres(uri));
    TRY(const auto columns, session->ColumnsOf("iceberg_tables"));
    return !columns.empty();
  }
  TRY(const std::string path, SqlitePath(uri));
  std::error_code error;
  return std::filesystem::exists(path, error);
}

Result<std::map<std::string, std::string>> JavaJdbcProperties(const std::string& uri) {
  if (IsPostgresUri(uri)) {
    TRY(const auto of_driver, PostgresDriverProperties(uri));
    std::map<std::string, std::string> properties;
    for (const auto& [name, value] : of_driver) properties.emplace(name == "uri" ? name : "jdbc." + name, value);
    return properties;
  }
  TRY(const std::string path, SqlitePath(uri));
  // As long as firn waits for another's lock.
  return std::map<std::string, std::string>{{"uri", fmt::format("jdbc:sqlite:{}?busy_timeout=10000", path)}};
}

Status CheckSqlCatalog(const std::string& uri) {
  if (IsPostgresUri(uri)) return CheckPostgres(uri);
  TRY(const std::string path, SqlitePath(uri));
  std::error_code error;
  std::filesystem::path nearest = path;
  while (!std::filesystem::exists(nearest, error) && nearest.has_relative_path()) nearest = nearest.parent_path();
  const bool is_file = nearest == path;
  if (access(nearest.c_str(), W_OK) != 0 || (!is_file && !std::filesystem::is_directory(nearest, error))) {
    return MakeError(ErrorKind::kPermission, ErrorOrigin::kCatalog,
                     "SQLite catalog {}: {} can't be written; firn must be allowed to write to this file and to its "
                     "folder",
                     path, nearest.string());
  }
  if (!is_file) return {};
  TRY(const auto session, OpenSqlite(path));
  TRY_VOID(session->ColumnsOf("iceberg_tables"));
  return {};
}

}  // namespace firn::catalog
