#include "maintenance/orphan_files.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>

#include "base/try.h"
#include "iceberg/row_delta.h"
#include "maintenance/reachable_files.h"
#include "observe/log.h"
#include "pipeline/parked_tables.h"
#include "pipeline/progress.h"
#include "pipeline/source_definition.h"
#include "storage/store_location.h"

namespace firn::maintenance {
namespace {

std::string WithoutSlash(std::string location) {
  while (location.ends_with('/')) location.pop_back();
  return location;
}

/// The table's folder, and those that its properties name instead of the usual ones below it.
std::set<std::string> FoldersOf(const iceberg::TableMetadata& metadata) {
  const std::string own = WithoutSlash(metadata.location);
  std::set<std::string> folders{own};
  for (const char* key : {"write.data.path", "write.metadata.path"}) {
    const auto found = metadata.properties.find(key);
    if (found == metadata.properties.end()) continue;
    const std::string folder = WithoutSlash(found->second);
    if (!storage::IsAtOrBelow(PathOf(folder), PathOf(own))) folders.insert(folder);
  }
  return folders;
}

Status CheckAlone(const iceberg::TableIdent& ident, const std::set<std::string>& folders,
                  const std::vector<catalog::LoadedTable>& tables) {
  for (const catalog::LoadedTable& other : tables) {
    if (other.ident == ident) continue;
    for (const std::string& theirs : FoldersOf(*other.metadata)) {
      for (const std::string& folder : folders) {
        if (!storage::IsAtOrBelow(PathOf(theirs), PathOf(folder))) continue;
        return MakeError(ErrorKind::kUnsupported,
                         "table {} has its files in {}, which lies within {}, the folder of table {}: orphans of one "
                         "can't be told from files of the other",
                         ToString(other.ident), theirs, folder, ToString(ident));
      }
    }
  }
  return {};
}

/// Whether a copy of the table may be under way, or break off and go on: what it has written is in no metadata before
/// its commit. A table is made without progress, or marked, before a copy of it begins.
Result<bool> MayBeInACopy(const iceberg::TableMetadata& metadata) {
  if (!metadata.properties.contains(pipeline::kSourceTableProperty)) return false;
  TRY(const auto progress, pipeline::ReadProgress(metadata));
  return !progress || progress->is_taken_back || pipeline::ReadMark(metadata).has_value();
}

/// Of manifests and metadata files, which no copy writes before its commit.
bool IsOfMetadata(const iceberg::TableMetadata& metadata, const std::string& location) {
  const auto is_below = [&](const std::string& folder) {
    return storage::IsAtOrBelow(PathOf(location), PathOf(WithoutSlash(folder)));
  };
  return is_below(iceberg::MetadataLocation(metadata, "")) && !is_below(iceberg::DataLocation(metadata, ""));
}

}  // namespace

Result<std::vector<storage::FileInfo>> FindOrphans(catalog::Catalog& catalog, storage::FileStore& store,
                                                   const iceberg::TableIdent& ident,
                                                   const std::vector<catalog::LoadedTable>& tables,
                                                   const OrphanOptions& options) {
  TRY(const catalog::LoadedTable before, catalog.LoadTable(ident));
  const std::set<std::string> folders = FoldersOf(*before.metadata);
  TRY_VOID(CheckAlone(ident, folders, tables));
  std::vector<storage::FileInfo> files;
  for (const std::string& folder : folders) {
    TRY(auto listed, store.List(folder + "/"));
    std::ranges::move(listed, std::back_inserter(files));
  }
  TRY(const catalog::LoadedTable table, catalog.LoadTable(ident));
  TRY(const auto reachable, ReachablePaths(store, table));
  std::erase_if(files, [&](const storage::FileInfo& file) {
    const bool is_young = file.modified_ms > options.now_ms - options.grace_ms;
    return is_young || options.kept.contains(file.location) || reachable.contains(std::string(PathOf(file.location))) ||
           file.location.ends_with("/version-hint.text");
  });
  TRY(const bool may_have_been, MayBeInACopy(*before.metadata));
  TRY(const bool may_be, MayBeInACopy(*table.metadata));
  if (!may_have_been && !may_be) return files;
  const size_t left = std::erase_if(
      files, [&](const storage::FileInfo& file) { return !IsOfMetadata(*table.metadata, file.location); });
  if (left > 0) {
    LogInfo("data files are left that no snapshot names: the table is to be copied, and they may be its copy's",
            {{"table", ToString(ident)}, {"files", left}});
  }
  return files;
}

}  // namespace firn::maintenance
