#include "catalog/metadata_files.h"

#include <charconv>
#include <memory>
#include <set>

#include "base/failpoint.h"
#include "base/try.h"
#include "base/uuid.h"
#include "iceberg/row_delta.h"
#include "iceberg/table_metadata_json.h"
#include "observe/log.h"

namespace firn::catalog {
namespace {

using iceberg::TableIdent;
using iceberg::TableMetadata;
using iceberg::TableMetadataPtr;

/// Cached metadata of more tables than this is dropped; it is only a cache.
constexpr size_t kCachedTablesMax = 4'096;

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

/// "00007-<uuid>.metadata.json" → 7; -1 where the name has no version.
int64_t VersionOf(std::string_view metadata_location) {
  const std::string_view name = metadata_location.substr(metadata_location.find_last_of('/') + 1);
  int64_t version = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), version);
  if (error != std::errc() || end == name.data() + name.size() || *end != '-') return -1;
  return version;
}

/// Writes `metadata` to "<location>/metadata/<version>-<uuid>.metadata.json", the next after `previous` (empty: the
/// first of a table).
Result<LoadedTable> WriteMetadata(const TableIdent& ident, TableMetadata metadata, std::string_view previous,
                                  WrittenFiles& files) {
  const int64_t version = previous.empty() ? 0 : VersionOf(previous) + 1;
  std::string location = iceberg::MetadataLocation(metadata, fmt::format("{:05}-{}.metadata.json", version, NewUuid()));
  TRY_VOID(BeforeStep(Failpoint::kMetadataWriteBefore));
  TRY_VOID(files.Write(location, TableMetadataToText(metadata)));
  AfterStep(Failpoint::kMetadataWriteAfter);
  return LoadedTable{.ident = ident,
                     .metadata = std::make_shared<const TableMetadata>(std::move(metadata)),
                     .metadata_location = std::move(location)};
}

/// The error of a check that stands for the catalog's.
template <typename T>
Result<T> FromCatalog(Result<T> result) {
  if (result.has_value()) return result;
  return Error(result.error().kind(), result.error().message(), ErrorOrigin::kCatalog, result.error().native_code());
}

}  // namespace

WrittenFiles::~WrittenFiles() {
  for (const std::string& location : locations_) {
    if (const Status deleted = store_.Delete(location); !deleted.has_value()) {
      LogWarn("a metadata file that was not committed is left",
              {{"file", location}, {"reason", deleted.error().message()}});
    }
  }
}

Status WrittenFiles::Write(const std::string& location, std::string_view content) {
  {
    std::lock_guard lock(mutex_);
    locations_.push_back(location);
  }
  return store_.Write(location, content).Context("writing {}", location);
}

Result<std::string> PlaceTable(const std::string& warehouse, std::span<const std::string> folders,
                               const TableIdent& ident, bool& altered) {
  if (warehouse.empty()) {
    return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kCatalog,
                     "table {} has no location: set catalog.warehouse", ToString(ident));
  }
  std::string location = warehouse;
  for (const std::string& folder : folders) location += "/" + FolderName(folder, altered);
  return location + "/" + FolderName(ident.name, altered);
}

std::string MakeUnique(std::string location) { return std::move(location) + "-" + NewUuid().substr(0, 8); }

Result<LoadedTable> BuildTable(const TableIdent& ident, const iceberg::NewTable& table, int64_t now_ms,
                               WrittenFiles& files) {
  TRY(TableMetadata metadata, iceberg::MakeTableMetadata(table, now_ms));
  return WriteMetadata(ident, std::move(metadata), "", files).Context("creating table {}", ToString(ident));
}

Result<LoadedTable> BuildCommit(const LoadedTable& base, const iceberg::CommitRequest& request, int64_t now_ms,
                                WrittenFiles& files) {
  TRY_VOID(FromCatalog(iceberg::CheckRequirements(base.metadata.get(), request.requirements))
               .Context("table {}", ToString(request.table)));
  TRY(TableMetadata metadata,
      FromCatalog(iceberg::ApplyUpdates(*base.metadata, base.metadata_location, request.updates, now_ms))
          .Context("table {}", ToString(request.table)));
  return WriteMetadata(request.table, std::move(metadata), base.metadata_location, files)
      .Context("table {}", ToString(request.table));
}

void DeleteForgottenMetadata(storage::FileStore& store, const TableMetadata& before, const TableMetadata& after) {
  const auto enabled = after.properties.find("write.metadata.delete-after-commit.enabled");
  if (enabled == after.properties.end() || enabled->second != "true") return;
  std::set<std::string> kept;
  for (const auto& entry : after.metadata_log) kept.insert(entry.metadata_file);
  for (const auto& entry : before.metadata_log) {
    if (kept.contains(entry.metadata_file)) continue;
    const auto uri = storage::NormalizeLocation(entry.metadata_file);
    const Status deleted = uri.has_value() ? store.Delete(*uri) : Status(uri.error());
    if (!deleted.has_value()) {
      LogWarn("an old metadata file could not be deleted",
              {{"file", entry.metadata_file}, {"reason", deleted.error().message()}});
    }
  }
}

Result<TableMetadataPtr> MetadataCache::Load(const TableIdent& ident, const std::string& location) {
  {
    std::lock_guard lock(mutex_);
    const auto cached = tables_.find(ident);
    if (cached != tables_.end() && cached->second.first == location) return cached->second.second;
  }
  // Other writers put plain paths and Java's "file:/…" into the catalog.
  TRY(const std::string uri, storage::NormalizeLocation(location));
  TRY(const std::string text, store_.Read(uri));
  TRY(TableMetadata metadata, iceberg::ParseTableMetadata(text).Context("reading {}", location));
  LoadedTable loaded{.ident = ident,
                     .metadata = std::make_shared<const TableMetadata>(std::move(metadata)),
                     .metadata_location = location};
  Remember(loaded);
  return std::move(loaded.metadata);
}

void MetadataCache::Remember(const LoadedTable& table) {
  std::lock_guard lock(mutex_);
  if (tables_.size() >= kCachedTablesMax && !tables_.contains(table.ident)) tables_.erase(tables_.begin());
  tables_[table.ident] = {table.metadata_location, table.metadata};
}

void MetadataCache::Forget(const TableIdent& ident) {
  std::lock_guard lock(mutex_);
  tables_.erase(ident);
}

}  // namespace firn::catalog
