#include "maintenance/reachable_files.h"

#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/try.h"
#include "iceberg/table_files.h"

namespace firn::maintenance {
namespace {

using iceberg::ManifestEntry;
using iceberg::ManifestFile;
using iceberg::Snapshot;
using iceberg::TableMetadata;

/// The manifests of many snapshots, each once.
using Manifests = std::unordered_map<std::string, ManifestFile>;

Status AddManifests(storage::FileStore& store, const Snapshot& snapshot, Manifests& manifests) {
  TRY(auto list, iceberg::ReadManifestList(store, snapshot));
  for (ManifestFile& manifest : list) {
    std::string path = manifest.manifest_path;
    manifests.emplace(std::move(path), std::move(manifest));
  }
  return {};
}

/// Calls `visit` with every entry of the manifests, deleted ones included.
template <typename Visit>
Status VisitEntries(storage::FileStore& store, const TableMetadata& metadata, const Manifests& manifests, Visit visit) {
  iceberg::ManifestCache no_cache(1);
  for (const auto& [path, manifest] : manifests) {
    TRY(const auto entries, no_cache.Read(store, metadata, manifest));
    for (const ManifestEntry& entry : *entries) visit(entry);
  }
  return {};
}

bool IsLive(const ManifestEntry& entry) { return entry.status != iceberg::EntryStatus::kDeleted; }

/// "statistics" and "partition-statistics", which firn doesn't interpret otherwise.
void AddStatistics(const TableMetadata& metadata, std::unordered_set<std::string>& paths) {
  for (const auto& [member, text] : metadata.unread_json) {
    const auto files = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!files.is_array()) continue;
    for (const auto& file : files) {
      const auto path = file.is_object() ? file.find("statistics-path") : file.end();
      if (path != file.end() && path->is_string()) paths.emplace(PathOf(path->get_ref<const std::string&>()));
    }
  }
}

}  // namespace

std::string_view PathOf(std::string_view location) {
  const size_t colon = location.find(':');
  if (colon == std::string_view::npos) return location;
  std::string_view rest = location.substr(colon + 1);
  if (!rest.starts_with("//")) return rest;
  const size_t slash = rest.find('/', 2);
  return slash == std::string_view::npos ? std::string_view() : rest.substr(slash);
}

Result<std::unordered_set<std::string>> ReachablePaths(storage::FileStore& store, const catalog::LoadedTable& table) {
  const TableMetadata& metadata = *table.metadata;
  std::unordered_set<std::string> paths{std::string(PathOf(table.metadata_location))};
  for (const auto& entry : metadata.metadata_log) paths.emplace(PathOf(entry.metadata_file));
  AddStatistics(metadata, paths);
  Manifests manifests;
  for (const Snapshot& snapshot : metadata.snapshots) {
    paths.emplace(PathOf(snapshot.manifest_list));
    TRY_VOID(AddManifests(store, snapshot, manifests));
  }
  for (const auto& [path, manifest] : manifests) paths.emplace(PathOf(path));
  TRY_VOID(VisitEntries(store, metadata, manifests, [&](const ManifestEntry& entry) {
    if (IsLive(entry)) paths.emplace(PathOf(entry.file.file_path));
  }));
  return paths;
}

Result<std::vector<std::string>> FilesGone(storage::FileStore& store, const TableMetadata& before,
                                           const TableMetadata& after) {
  Manifests kept;
  std::unordered_set<iceberg::SnapshotId> kept_snapshots;
  for (const Snapshot& snapshot : after.snapshots) {
    kept_snapshots.insert(snapshot.snapshot_id);
    TRY_VOID(AddManifests(store, snapshot, kept));
  }
  Manifests gone;
  std::vector<std::string> locations;
  for (const Snapshot& snapshot : before.snapshots) {
    if (kept_snapshots.contains(snapshot.snapshot_id)) continue;
    const Status added = AddManifests(store, snapshot, gone);
    // Another process expired it too, and is further.
    if (!added && added.error().kind() == ErrorKind::kNotFound) continue;
    TRY_VOID(added);
    locations.push_back(snapshot.manifest_list);
  }
  std::erase_if(gone, [&](const auto& manifest) { return kept.contains(manifest.first); });
  for (const auto& [path, manifest] : gone) locations.push_back(path);

  std::unordered_set<std::string> files;
  TRY_VOID(VisitEntries(store, before, gone, [&](const ManifestEntry& entry) { files.insert(entry.file.file_path); }));
  if (!files.empty()) {
    TRY_VOID(VisitEntries(store, after, kept, [&](const ManifestEntry& entry) {
      if (IsLive(entry)) files.erase(entry.file.file_path);
    }));
  }
  locations.insert(locations.end(), files.begin(), files.end());
  return locations;
}

}  // namespace firn::maintenance
