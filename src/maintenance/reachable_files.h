// Which files the metadata of a table names, directly or through its snapshots.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "catalog/catalog.h"
#include "firn/result.h"
#include "iceberg/table_metadata.h"
#include "storage/file_store.h"

namespace firn::maintenance {

/// A location by its path alone: writers spell schemes and hosts differently ("s3a://", "file:/").
std::string_view PathOf(std::string_view location);

/// Whether files of the table may be deleted, and snapshots expired. Not where its property gc.enabled is false: other
/// tables may need them.
bool MayDeleteFiles(const iceberg::TableMetadata& metadata);

/// The paths (PathOf) of every file that `table` needs: metadata files of its log, manifest lists, manifests, data and
/// delete files of all snapshots, statistics.
Result<std::unordered_set<std::string>> ReachablePaths(storage::FileStore& store, const catalog::LoadedTable& table);

/// The files of a table that its snapshots name, remembered from one expiry to the next: each has to know all that the
/// snapshots that stay need, most of which were there at the last one. Single-threaded.
class SnapshotFiles {
 public:
  /// Reads what is not known yet of the snapshots of `metadata`, and forgets all others.
  Status Follow(storage::FileStore& store, const iceberg::TableMetadata& metadata);

  bool HasManifest(const std::string& path) const { return live_in_.contains(path); }
  /// Files are known by a hash of their path: one that only looks like a live one is erased, too.
  void EraseLive(std::unordered_set<std::string>& paths) const;
  /// In manifests: a file counts once for each of them.
  size_t files() const { return files_; }

 private:
  Status Add(storage::FileStore& store, const iceberg::TableMetadata& metadata, const iceberg::Snapshot& snapshot);

  using Hashes = std::vector<size_t>;
  std::unordered_map<std::string, Hashes> live_in_;                                        ///< By manifest.
  std::unordered_map<iceberg::SnapshotId, std::vector<const std::string*>> manifests_of_;  ///< Keys of live_in_.
  size_t files_ = 0;
};

/// Locations of files that snapshots of `before` need and those of `after`, a later version of the same table, don't;
/// their statistics, too.
/// `kept` follows `after`.
Result<std::vector<std::string>> FilesGone(storage::FileStore& store, const iceberg::TableMetadata& before,
                                           const iceberg::TableMetadata& after, SnapshotFiles& kept);

}  // namespace firn::maintenance
