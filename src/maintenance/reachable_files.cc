#include "maintenance/reachable_files.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <unordered_map>

#include "base/try.h"
#include "iceberg/statistics_files.h"
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

/// As Java reads it: whatever else a flag is, it is false.
bool EqualsTrue(std::string_view text) {
  constexpr std::string_view kTrue = "true";
  return std::ranges::equal(text, kTrue, {},
                            [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
}

bool IsLive(const ManifestEntry& entry) { return entry.status != iceberg::EntryStatus::kDeleted; }

void AddStatistics(const TableMetadata& metadata, std::unordered_set<std::string>& paths) {
  for (const auto& file : iceberg::StatisticsFiles(metadata)) paths.emplace(PathOf(file.path));
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

bool MayDeleteFiles(const TableMetadata& metadata) {
  const auto found = metadata.properties.find("gc.enabled");
  return found == metadata.properties.end() || EqualsTrue(found->second);
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

Status SnapshotFiles::Add(storage::FileStore& store, const TableMetadata& metadata, const Snapshot& snapshot) {
  std::vector<const std::string*>& manifests = manifests_of_[snapshot.snapshot_id];
  iceberg::ManifestCache no_cache(1);
  TRY(const auto list, iceberg::ReadManifestList(store, snapshot));
  for (const ManifestFile& manifest : list) {
    const auto [known, is_new] = live_in_.try_emplace(manifest.manifest_path);
    manifests.push_back(&known->first);
    if (!is_new) continue;
    TRY(const auto entries, no_cache.Read(store, metadata, manifest));
    for (const ManifestEntry& entry : *entries) {
      if (IsLive(entry)) known->second.push_back(std::hash<std::string>()(entry.file.file_path));
    }
    files_ += known->second.size();
  }
  return {};
}

Status SnapshotFiles::Follow(storage::FileStore& store, const TableMetadata& metadata) {
  std::unordered_set<const std::string*> named;
  std::unordered_set<iceberg::SnapshotId> snapshots;
  for (const Snapshot& snapshot : metadata.snapshots) {
    snapshots.insert(snapshot.snapshot_id);
    if (!manifests_of_.contains(snapshot.snapshot_id)) {
      if (Status added = Add(store, metadata, snapshot); !added) {
        *this = {};  // It may know a half.
        return added;
      }
    }
    for (const std::string* manifest : manifests_of_[snapshot.snapshot_id]) named.insert(manifest);
  }
  std::erase_if(manifests_of_, [&](const auto& known) { return !snapshots.contains(known.first); });
  std::erase_if(live_in_, [&](const auto& manifest) {
    const bool is_gone = !named.contains(&manifest.first);
    if (is_gone) files_ -= manifest.second.size();
    return is_gone;
  });
  return {};
}

void SnapshotFiles::EraseLive(std::unordered_set<std::string>& paths) const {
  std::unordered_set<size_t> left;
  for (const std::string& path : paths) left.insert(std::hash<std::string>()(path));
  for (const auto& [manifest, hashes] : live_in_) {
    for (const size_t hash : hashes) left.erase(hash);
  }
  std::erase_if(paths, [&](const std::string& path) { return !left.contains(std::hash<std::string>()(path)); });
}

Result<std::vector<std::string>> FilesGone(storage::FileStore& store, const TableMetadata& before,
                                           const TableMetadata& after, SnapshotFiles& kept) {
  TRY_VOID(kept.Follow(store, after));
  std::unordered_set<iceberg::SnapshotId> kept_snapshots;
  for (const Snapshot& snapshot : after.snapshots) kept_snapshots.insert(snapshot.snapshot_id);
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
  std::erase_if(gone, [&](const auto& manifest) { return kept.HasManifest(manifest.first); });
  for (const auto& [path, manifest] : gone) locations.push_back(path);

  std::unordered_set<std::string> files;
  TRY_VOID(VisitEntries(store, before, gone, [&](const ManifestEntry& entry) { files.insert(entry.file.file_path); }));
  kept.EraseLive(files);
  locations.insert(locations.end(), files.begin(), files.end());

  std::unordered_set<std::string> statistics;
  AddStatistics(after, statistics);
  for (const iceberg::StatisticsFile& file : iceberg::StatisticsFiles(before)) {
    if (!file.snapshot_id || kept_snapshots.contains(*file.snapshot_id)) continue;
    if (statistics.emplace(PathOf(file.path)).second) locations.push_back(file.path);
  }
  return locations;
}

}  // namespace firn::maintenance
