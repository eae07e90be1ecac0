// The action behind each of firn's data commits: files come, deletes come, files go, in one snapshot.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "firn/result.h"
#include "iceberg/table_files.h"
#include "iceberg/table_update.h"

namespace firn::iceberg {

struct RowDelta {
  std::vector<DataFile> added_data_files;
  /// Each has referenced_data_file and replaces the live delete files of that data file alone, but for those kept.
  std::vector<DataFile> added_delete_files;
  /// Locations of live delete files that stay valid beside added ones.
  std::vector<std::string> kept_delete_files;
  /// Locations of live data files of which no row is left. Their delete files go with them.
  std::vector<std::string> removed_data_files;
  /// Every file that was live before goes (PostgreSQL's TRUNCATE). History stays readable.
  bool truncate = false;
  /// The added files hold the rows of the removed ones, in other files: the operation is replace.
  bool replace = false;
  /// Added to the snapshot's summary beside the standard counts.
  Properties summary;
};

/// Writes manifests and the manifest list for `delta` on top of base's current snapshot of "main" and gives the commit:
/// AssertTableUuid + AssertRefSnapshotId(main), AddSnapshot + SetSnapshotRef(main). The operation is append, delete,
/// overwrite or replace, as Java names them. Small data manifests are merged once there are eight of like size
/// (commit.manifest.min-count-to-merge), delete manifests earlier: sizes grow geometrically, and there are few.
/// kConflict when a referenced or removed data file is not live in base: another writer rewrote it. One call per
/// attempt; an attempt that lost leaves orphan manifests which RemoveBuilt deletes.
Result<CommitRequest> BuildRowDelta(storage::FileStore& store, const TableIdent& ident, const TableMetadata& base,
                                    const RowDelta& delta, ManifestCache& cache, int64_t now_ms);

/// Deletes the manifest list and new manifests of a request that was not committed, as far as it can.
void RemoveBuilt(storage::FileStore& store, const TableMetadata& base, const CommitRequest& request);

/// "<location>/data/<name>", or below the table property write.data.path. `name` includes the partition folders.
std::string DataLocation(const TableMetadata& metadata, std::string_view name);
/// "<location>/metadata/<name>", or below write.metadata.path.
std::string MetadataLocation(const TableMetadata& metadata, std::string_view name);

}  // namespace firn::iceberg
