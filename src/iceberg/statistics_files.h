// Statistics of snapshots (spec: "Table Statistics", "Partition Statistics"), which other engines write and read: the
// metadata names a file for each. To firn they are members that it doesn't interpret, but for whose they are.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "iceberg/table_metadata.h"

namespace firn::iceberg {

struct StatisticsFile {
  std::optional<SnapshotId> snapshot_id;  ///< Nothing where it can't be read.
  std::string path;
};

/// Those of the table and of its partitions.
std::vector<StatisticsFile> StatisticsFiles(const TableMetadata& metadata);

/// Has the metadata name none of these snapshots any more.
void RemoveStatistics(TableMetadata& metadata, const std::set<SnapshotId>& snapshots);

}  // namespace firn::iceberg
