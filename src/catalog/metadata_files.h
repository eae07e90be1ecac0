// The metadata files of tables whose catalog holds no more than a pointer to the current one (sql/, glue/): firn writes
// them itself, and the catalog says which one counts.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catalog/catalog.h"
#include "firn/result.h"
#include "iceberg/table_metadata.h"
#include "iceberg/table_update.h"
#include "storage/file_store.h"

namespace firn::catalog {

/// Files written for something that may yet fail: deleted by the destructor unless kept. Write may be called from any
/// thread.
class WrittenFiles {
 public:
  explicit WrittenFiles(storage::FileStore& store) : store_(store) {}
  WrittenFiles(const WrittenFiles&) = delete;
  ~WrittenFiles();

  Status Write(const std::string& location, std::string_view content);
  void Keep() { locations_.clear(); }

 private:
  storage::FileStore& store_;
  std::mutex mutex_;
  std::vector<std::string> locations_;  ///< Under mutex_ while files are written.
};

/// "<warehouse>/<folders>/<table>" for a table that names no location. `warehouse` is a URI, or kInvalidConfig.
/// `altered` is set when a name doesn't do as a folder and became another: the location may then be another table's.
Result<std::string> PlaceTable(const std::string& warehouse, std::span<const std::string> folders,
                               const iceberg::TableIdent& ident, bool& altered);
/// The location made unique by a random suffix.
std::string MakeUnique(std::string location);

/// A new table, its metadata written to its first file, which `files` deletes unless kept.
Result<LoadedTable> BuildTable(const iceberg::TableIdent& ident, const iceberg::NewTable& table, int64_t now_ms,
                               WrittenFiles& files);

/// What a commit makes of a table: its metadata after the updates, written to a new file that `files` deletes unless
/// kept. kConflict when a requirement does not hold.
Result<LoadedTable> BuildCommit(const LoadedTable& base, const iceberg::CommitRequest& request, int64_t now_ms,
                                WrittenFiles& files);

/// Table property write.metadata.delete-after-commit.enabled: metadata files that have left the log go. What can't be
/// deleted is logged.
void DeleteForgottenMetadata(storage::FileStore& store, const iceberg::TableMetadata& before,
                             const iceberg::TableMetadata& after);

/// Reads metadata files, and keeps what was read last of each table: a metadata file never changes.
/// Thread-safety: every method may be called from any thread.
class MetadataCache {
 public:
  explicit MetadataCache(storage::FileStore& store) : store_(store) {}

  /// kNotFound where there is no such file (any more).
  Result<iceberg::TableMetadataPtr> Load(const iceberg::TableIdent& ident, const std::string& location);
  void Remember(const LoadedTable& table);
  void Forget(const iceberg::TableIdent& ident);

 private:
  storage::FileStore& store_;
  std::mutex mutex_;  ///< For tables_; not held while files are read.
  std::map<iceberg::TableIdent, std::pair<std::string, iceberg::TableMetadataPtr>> tables_;
};

/// Loads a table by the pointer that `read_pointer` gives (a Result<std::string>); reads it anew when another writer
/// has moved it on and deleted the old file just then.
template <typename ReadPointer>
Result<LoadedTable> LoadByPointer(MetadataCache& cache, const iceberg::TableIdent& ident, ReadPointer read_pointer) {
  constexpr int kAttemptsMax = 5;
  for (int attempt = 1;; ++attempt) {
    Result<std::string> location = read_pointer();
    if (!location.has_value()) return std::move(location).error();
    auto metadata = cache.Load(ident, *location);
    if (metadata.has_value()) {
      return LoadedTable{.ident = ident, .metadata = std::move(*metadata), .metadata_location = std::move(*location)};
    }
    if (metadata.error().kind() == ErrorKind::kNotFound && attempt < kAttemptsMax) {
      Result<std::string> now = read_pointer();
      if (!now.has_value()) return std::move(now).error();
      if (*now != *location) continue;
    }
    return std::move(metadata).Context("loading table {}", ToString(ident)).error();
  }
}

}  // namespace firn::catalog
