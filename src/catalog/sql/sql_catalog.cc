#include "catalog/sql/sql_catalog.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "base/try.h"
#include "base/unix_time.h"
#include "base/uuid.h"
#include "catalog/sql/sqlite.h"
#include "iceberg/row_delta.h"
#include "iceberg/table_metadata_json.h"
#include "observe/log.h"

namespace firn::catalog {
namespace {

using iceberg::CommitRequest;
using iceberg::TableIdent;
using iceberg::TableMetadata;
using iceberg::TableMetadataPtr;

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

/// Cached metadata of more tables than this is dropped; it is only a cache.
constexpr size_t kCachedTablesMax = 4'096;
/// How often a pointer may move between reading it and reading its file.
constexpr int kLoadAttemptsMax = 5;

/// Levels joined by dots, as the JDBC catalog writes a namespace. A level with a dot in it looks like two to others.
std::string NamespaceText(const std::vector<std::string>& levels) { return fmt::format("{}", fmt::join(levels, ".")); }

/// A name as a folder: what URIs and engines read alike stays, anything else becomes '_' and `altered` is set.
std::string FolderName(std::string_view name, bool& altered) {
  std::string folder(name);
  for (char& c : folder) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    if (plain) continue;
    c = '_';
    altered = true;
  }
  if (folder.empty() || folder == "." || folder == "..") {
    folder = "_";
    altered = true;
  }
  return folder;
}

/// "00007-<uuid>.metadata.json" → 7; -1 where the name has no version, as in the first file of a table.
int64_t VersionOf(std::string_view metadata_location) {
  const std::string_view name = metadata_location.substr(metadata_location.find_last_of('/') + 1);
  int64_t version = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), version);
  if (error != std::errc() || end == name.data() + name.size() || *end != '-') return -1;
  return version;
}

std::string NewMetadataLocation(const TableMetadata& metadata, int64_t version) {
  return iceberg::MetadataLocation(metadata, fmt::format("{:05}-{}.metadata.json", version, NewUuid()));
}

/// Files written for something that may yet fail: deleted unless kept.
class WrittenFiles {
 public:
  explicit WrittenFiles(storage::FileStore& store) : store_(store) {}
  WrittenFiles(const WrittenFiles&) = delete;
  ~WrittenFiles() {
    for (const std::string& location : locations_) {
      if (const Status deleted = store_.Delete(location); !deleted.has_value()) {
        LogWarn("a metadata file that was not committed is left",
                {{"file", location}, {"reason", deleted.error().message()}});
      }
    }
  }
  Status Write(std::string location, std::string_view content) {
    locations_.push_back(std::move(location));
    return store_.Write(locations_.back(), content).Context("writing {}", locations_.back());
  }
  void Keep() { locations_.clear(); }

 private:
  storage::FileStore& store_;
  std::vector<std::string> locations_;
};

class SqlCatalog : public Catalog {
 public:
  SqlCatalog(Sqlite db, SqlCatalogOptions options, storage::FileStore& store)
      : store_(store), options_(std::move(options)), db_(std::move(db)) {}

  Status Open() {
    TRY_VOID(db_.Run(kCreateTables));
    TRY_VOID(db_.Run(kCreateNamespaces));
    // A file of JDBC catalog version 0 has no views and no column for them; it stays as it is.
    TRY(auto columns, db_.Prepare("SELECT 1 FROM pragma_table_info('iceberg_tables') WHERE name = 'iceberg_type'"));
    TRY(has_types_, columns.Step());
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
    TRY(SqliteTransaction transaction, SqliteTransaction::Begin(db_));
    for (const std::string& name : missing) {
      TRY(auto insert, db_.Prepare("INSERT OR IGNORE INTO iceberg_namespace_properties"
                                   "(catalog_name, namespace, property_key, property_value)"
                                   " VALUES (?, ?, 'exists', 'true')"));
      TRY_VOID(insert.Bind(options_.name).Bind(name).Run());
    }
    return Definite(transaction.Commit());
  }

  Result<std::vector<std::vector<std::string>>> ListNamespaces() override {
    std::lock_guard lock(mutex_);
    TRY(auto select, db_.Prepare("SELECT namespace FROM iceberg_namespace_properties WHERE catalog_name = ?1"
                                 " UNION SELECT table_namespace FROM iceberg_tables WHERE catalog_name = ?1"));
    select.Bind(options_.name);
    std::set<std::vector<std::string>> namespaces;  // Those above one that is there are there, too.
    while (true) {
      TRY(const bool row, select.Step());
      if (!row) return std::vector<std::vector<std::string>>(namespaces.begin(), namespaces.end());
      std::vector<std::string> levels;
      std::string rest = select.Text(0).value_or("");
      for (size_t dot = rest.find('.'); dot != std::string::npos; dot = rest.find('.')) {
        levels.push_back(rest.substr(0, dot));
        namespaces.insert(levels);
        rest.erase(0, dot + 1);
      }
      levels.push_back(rest);
      namespaces.insert(std::move(levels));
    }
  }

  Result<std::vector<TableIdent>> ListTables(const std::vector<std::string>& levels) override {
    std::lock_guard lock(mutex_);
    const std::string name = NamespaceText(levels);
    TRY(const bool exists, NamespaceExists(name));
    if (!exists) return NoNamespace(name);
    TRY(auto select,
        db_.Prepare("SELECT table_name FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ?" +
                    TypeFilter() + " ORDER BY table_name"));
    select.Bind(options_.name).Bind(name);
    std::vector<TableIdent> idents;
    while (true) {
      TRY(const bool row, select.Step());
      if (!row) return idents;
      idents.push_back({.namespace_levels = levels, .name = select.Text(0).value_or("")});
    }
  }

  Result<LoadedTable> LoadTable(const TableIdent& ident) override {
    for (int attempt = 1;; ++attempt) {
      TRY(std::string location, ReadPointer(ident));
      if (TableMetadataPtr cached = Cached(ident, location)) {
        return LoadedTable{.ident = ident, .metadata = std::move(cached), .metadata_location = std::move(location)};
      }
      auto metadata = ReadMetadata(location);
      if (metadata.has_value()) {
        Remember(ident, location, *metadata);
        return LoadedTable{.ident = ident, .metadata = std::move(*metadata), .metadata_location = std::move(location)};
      }
      // Another writer may have moved the pointer on and deleted the old file just now.
      if (metadata.error().kind() == ErrorKind::kNotFound && attempt < kLoadAttemptsMax) {
        TRY(const std::string now, ReadPointer(ident));
        if (now != location) continue;
      }
      return std::move(metadata).Context("loading table {}", ToString(ident)).error();
    }
  }

  Result<LoadedTable> CreateTable(const TableIdent& ident, const iceberg::NewTable& table) override {
    const std::string name = NamespaceText(ident.namespace_levels);
    {
      std::lock_guard lock(mutex_);
      TRY(const bool exists, NamespaceExists(name));
      if (!exists) return NoNamespace(name);
      TRY(const bool taken, NameTaken(ident));
      if (taken) return AlreadyExists(ident);
    }
    iceberg::NewTable placed = table;
    if (placed.location.empty()) {
      TRY(placed.location, DefaultLocation(ident));
    }
    TRY(TableMetadata metadata, iceberg::MakeTableMetadata(placed, UnixMillisNow()));
    const std::string location = NewMetadataLocation(metadata, 0);
    WrittenFiles files(store_);
    TRY_VOID(files.Write(location, TableMetadataToText(metadata)).Context("creating table {}", ToString(ident)));
    {
      std::lock_guard lock(mutex_);
      TRY(SqliteTransaction transaction, SqliteTransaction::Begin(db_));
      TRY(auto insert, db_.Prepare(has_types_ ? "INSERT INTO iceberg_tables(catalog_name, table_namespace, table_name,"
                                                " metadata_location, iceberg_type) VALUES (?, ?, ?, ?, 'TABLE')"
                                              : "INSERT INTO iceberg_tables(catalog_name, table_namespace, table_name,"
                                                " metadata_location) VALUES (?, ?, ?, ?)"));
      const auto inserted = insert.Bind(options_.name).Bind(name).Bind(ident.name).Bind(location).Run();
      if (!inserted.has_value()) {
        if (inserted.error().kind() == ErrorKind::kAlreadyExists) return AlreadyExists(ident);
        return inserted.error();
      }
      const Status committed = transaction.Commit();
      if (committed.has_value() || committed.error().kind() == ErrorKind::kCommitUnknown) files.Keep();
      TRY_VOID(Definite(committed));
    }
    auto created = std::make_shared<const TableMetadata>(std::move(metadata));
    Remember(ident, location, created);
    return LoadedTable{.ident = ident, .metadata = std::move(created), .metadata_location = location};
  }

  Status RenameTable(const TableIdent& from, const TableIdent& to) override {
    const std::string name = NamespaceText(to.namespace_levels);
    std::lock_guard lock(mutex_);
    TRY(const bool exists, NamespaceExists(name));
    if (!exists) return NoNamespace(name);
    TRY(SqliteTransaction transaction, SqliteTransaction::Begin(db_));
    TRY(auto update, db_.Prepare("UPDATE iceberg_tables SET table_namespace = ?, table_name = ? WHERE catalog_name = ?"
                                 " AND table_namespace = ? AND table_name = ?" +
                                 TypeFilter()));
    const auto renamed = update.Bind(name)
                             .Bind(to.name)
                             .Bind(options_.name)
                             .Bind(NamespaceText(from.namespace_levels))
                             .Bind(from.name)
                             .Run();
    if (!renamed.has_value()) {
      if (renamed.error().kind() == ErrorKind::kAlreadyExists) return AlreadyExists(to);
      return renamed.error();
    }
    if (*renamed == 0) return NoTable(from);
    cache_.erase(from);
    return Definite(transaction.Commit());
  }

  Status DropTable(const TableIdent& ident) override {
    std::lock_guard lock(mutex_);
    TRY(SqliteTransaction transaction, SqliteTransaction::Begin(db_));
    TRY(auto erase, db_.Prepare("DELETE FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ?"
                                " AND table_name = ?" +
                                TypeFilter()));
    TRY(const int rows, erase.Bind(options_.name).Bind(NamespaceText(ident.namespace_levels)).Bind(ident.name).Run());
    if (rows == 0) return NoTable(ident);
    cache_.erase(ident);
    return Definite(transaction.Commit());
  }

  bool CommitsTablesTogether() const override { return true; }

  Result<std::vector<LoadedTable>> CommitTables(std::span<const CommitRequest> requests) override {
    const int64_t now_ms = UnixMillisNow();
    WrittenFiles files(store_);
    std::vector<LoadedTable> bases;
    std::vector<LoadedTable> committed;
    for (const CommitRequest& request : requests) {
      TRY(LoadedTable base, LoadTable(request.table));
      TRY_VOID(FromCatalog(iceberg::CheckRequirements(base.metadata.get(), request.requirements))
                   .Context("table {}", ToString(request.table)));
      TRY(TableMetadata metadata,
          FromCatalog(iceberg::ApplyUpdates(*base.metadata, base.metadata_location, request.updates, now_ms))
              .Context("table {}", ToString(request.table)));
      std::string location = NewMetadataLocation(metadata, VersionOf(base.metadata_location) + 1);
      TRY_VOID(files.Write(location, TableMetadataToText(metadata)).Context("table {}", ToString(request.table)));
      bases.push_back(std::move(base));
      committed.push_back({.ident = request.table,
                           .metadata = std::make_shared<const TableMetadata>(std::move(metadata)),
                           .metadata_location = std::move(location)});
    }

    const Status moved = MovePointers(bases, committed);
    if (moved.has_value() || moved.error().kind() == ErrorKind::kCommitUnknown) files.Keep();
    TRY_VOID(moved);
    for (size_t i = 0; i < committed.size(); ++i) {
      Remember(committed[i].ident, committed[i].metadata_location, committed[i].metadata);
      DeleteForgottenMetadata(*bases[i].metadata, *committed[i].metadata);
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
  /// The error of a check that stands for the catalog's.
  template <typename T>
  static Result<T> FromCatalog(Result<T> result) {
    if (result.has_value()) return result;
    return Error(result.error().kind(), result.error().message(), ErrorOrigin::kCatalog, result.error().native_code());
  }
  /// For changes that may be done twice: an unknown outcome is one to try again.
  static Status Definite(Status status) {
    if (status.has_value() || status.error().kind() != ErrorKind::kCommitUnknown) return status;
    return std::move(status).error().WithKind(ErrorKind::kTransient);
  }

  /// Java leaves out the type in rows that it made as version 0.
  std::string TypeFilter() const { return has_types_ ? " AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)" : ""; }

  /// As in Java, a namespace also exists when something lies in it. Needs the lock.
  Result<bool> NamespaceExists(const std::string& name) {
    // Everything below a namespace sorts between "name." and "name/": '/' follows '.'.
    TRY(auto select, db_.Prepare("SELECT 1 FROM iceberg_namespace_properties"
                                 " WHERE catalog_name = ?1 AND (namespace = ?2 OR (namespace > ?3 AND namespace < ?4))"
                                 " UNION ALL SELECT 1 FROM iceberg_tables"
                                 " WHERE catalog_name = ?1 AND (table_namespace = ?2 OR (table_namespace > ?3 AND"
                                 " table_namespace < ?4)) LIMIT 1"));
    return select.Bind(options_.name).Bind(name).Bind(name + ".").Bind(name + "/").Step();
  }

  /// By a table or by a view. Needs the lock.
  Result<bool> NameTaken(const TableIdent& ident) {
    TRY(auto select, db_.Prepare("SELECT 1 FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ?"
                                 " AND table_name = ?"));
    return select.Bind(options_.name).Bind(NamespaceText(ident.namespace_levels)).Bind(ident.name).Step();
  }

  Result<std::string> ReadPointer(const TableIdent& ident) {
    std::lock_guard lock(mutex_);
    TRY(auto select, db_.Prepare("SELECT metadata_location FROM iceberg_tables WHERE catalog_name = ?"
                                 " AND table_namespace = ? AND table_name = ?" +
                                 TypeFilter()));
    TRY(const bool row, select.Bind(options_.name).Bind(NamespaceText(ident.namespace_levels)).Bind(ident.name).Step());
    if (!row) return NoTable(ident);
    const auto location = select.Text(0);
    if (!location.has_value()) {
      return MakeError(ErrorKind::kCorrupt, ErrorOrigin::kCatalog, "table {} has no metadata location in {}",
                       ToString(ident), db_.path());
    }
    return *location;
  }

  Result<TableMetadataPtr> ReadMetadata(const std::string& location) {
    // Other writers put plain paths and Java's "file:/…" here.
    TRY(const std::string uri, storage::NormalizeLocation(location));
    TRY(const std::string text, store_.Read(uri));
    TRY(TableMetadata metadata, iceberg::ParseTableMetadata(text).Context("reading {}", location));
    return std::make_shared<const TableMetadata>(std::move(metadata));
  }

  TableMetadataPtr Cached(const TableIdent& ident, const std::string& location) {
    std::lock_guard lock(mutex_);
    const auto cached = cache_.find(ident);
    return cached != cache_.end() && cached->second.first == location ? cached->second.second : nullptr;
  }
  void Remember(const TableIdent& ident, const std::string& location, const TableMetadataPtr& metadata) {
    std::lock_guard lock(mutex_);
    if (cache_.size() >= kCachedTablesMax && !cache_.contains(ident)) cache_.erase(cache_.begin());
    cache_[ident] = {location, metadata};
  }

  /// <warehouse>/<namespace levels>/<table>, as Java's JdbcCatalog.defaultWarehouseLocation. Names that don't do as
  /// folders are altered, and the folder made unique; so is one in which a table lies that was renamed since.
  Result<std::string> DefaultLocation(const TableIdent& ident) {
    if (options_.warehouse.empty()) {
      return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kCatalog,
                       "table {} has no location: set catalog.warehouse", ToString(ident));
    }
    bool altered = false;
    std::string location = options_.warehouse;
    for (const std::string& level : ident.namespace_levels) location += "/" + FolderName(level, altered);
    location += "/" + FolderName(ident.name, altered);
    TRY(const bool taken, HoldsMetadata(location));
    if (altered || taken) location += "-" + NewUuid().substr(0, 8);
    return location;
  }

  /// Whether a table's metadata lies below the folder.
  Result<bool> HoldsMetadata(const std::string& location) {
    std::lock_guard lock(mutex_);
    TRY(auto select,
        db_.Prepare("SELECT 1 FROM iceberg_tables WHERE substr(metadata_location, 1, length(?1)) = ?1 LIMIT 1"));
    return select.Bind(location + "/").Step();
  }

  Status MovePointers(std::span<const LoadedTable> from, std::span<const LoadedTable> to) {
    std::lock_guard lock(mutex_);
    TRY(SqliteTransaction transaction, SqliteTransaction::Begin(db_));
    for (size_t i = 0; i < from.size(); ++i) {
      TRY(auto update,
          db_.Prepare("UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ?"
                      " WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND metadata_location = ?" +
                      TypeFilter()));
      TRY(const int rows, update.Bind(to[i].metadata_location)
                              .Bind(from[i].metadata_location)
                              .Bind(options_.name)
                              .Bind(NamespaceText(from[i].ident.namespace_levels))
                              .Bind(from[i].ident.name)
                              .Bind(from[i].metadata_location)
                              .Run());
      if (rows != 1) {
        return MakeError(ErrorKind::kConflict, ErrorOrigin::kCatalog, "table {}: another writer committed first",
                         ToString(from[i].ident));
      }
    }
    return transaction.Commit();
  }

  /// Table property write.metadata.delete-after-commit.enabled: metadata files that have left the log go.
  void DeleteForgottenMetadata(const TableMetadata& before, const TableMetadata& after) {
    const auto enabled = after.properties.find("write.metadata.delete-after-commit.enabled");
    if (enabled == after.properties.end() || enabled->second != "true") return;
    std::set<std::string> kept;
    for (const auto& entry : after.metadata_log) kept.insert(entry.metadata_file);
    for (const auto& entry : before.metadata_log) {
      if (kept.contains(entry.metadata_file)) continue;
      const auto uri = storage::NormalizeLocation(entry.metadata_file);
      const Status deleted = uri.has_value() ? store_.Delete(*uri) : Status(uri.error());
      if (!deleted.has_value()) {
        LogWarn("an old metadata file could not be deleted",
                {{"file", entry.metadata_file}, {"reason", deleted.error().message()}});
      }
    }
  }

  storage::FileStore& store_;
  const SqlCatalogOptions options_;
  std::mutex mutex_;  ///< For what follows. Never held while files of the warehouse are read or written.
  Sqlite db_;
  bool has_types_ = true;  ///< Set by Open, then constant.
  std::map<TableIdent, std::pair<std::string, TableMetadataPtr>> cache_;
};

}  // namespace

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
  if (uri.find("://") != uri.npos) {
    return MakeError(ErrorKind::kUnsupported, ErrorOrigin::kCatalog,
                     "catalog uri \"{}\": firn keeps a SQL catalog in SQLite only; use sqlite:///path/to/catalog.db",
                     uri);
  }
  if (uri.empty() || uri.starts_with(':') || uri.starts_with("sqlite:")) return names_no_file();
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(uri, error);
  if (error) return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kCatalog, "{}: {}", uri, error.message());
  return path.lexically_normal().string();
}

Result<std::unique_ptr<Catalog>> OpenSqlCatalog(const SqlCatalogOptions& options, storage::FileStore& store) {
  TRY(const std::string path, SqlitePath(options.uri));
  SqlCatalogOptions normalized = options;
  if (!options.warehouse.empty()) {
    TRY(normalized.warehouse, storage::NormalizeLocation(options.warehouse));
  }
  TRY(Sqlite db, Sqlite::Open(path));
  auto catalog = std::make_unique<SqlCatalog>(std::move(db), std::move(normalized), store);
  TRY_VOID(catalog->Open());
  return catalog;
}

}  // namespace firn::catalog
