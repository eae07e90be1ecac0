// Which files the metadata of a table names, directly or through its snapshots.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "catalog/catalog.h"
#include "firn/result.h"
#include "iceberg/table_metadata.h"
#include "storage/file_store.h"

namespace firn::maintenance {

/// A location by its path alone: writers spell schemes and hosts differently ("s3a://", "file:/").
std::string_view PathOf(std::string_view location);

/// The paths (PathOf) of every file that `table` needs: metadata files of its log, manifest lists, manifests, data and
/// delete files of all snapshots, statistics.
Result<std::unordered_set<std::string>> ReachablePaths(storage::FileStore& store, const catalog::LoadedTable& table);

/// Locations of files that snapshots of `before` need and those of `after`, a later version of the same table, don't.
Result<std::vector<std::string>> FilesGone(storage::FileStore& store, const iceberg::TableMetadata& before,
                                           const iceberg::TableMetadata& after);

}  // namespace firn::maintenance
