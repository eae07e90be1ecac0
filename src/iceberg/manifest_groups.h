// Which files may stand in one manifest: those of one partition spec and, where uuids are partition values, of one
// sign.
//
// Engines leave out manifests by the bounds of their partitions, and don't agree on the order of uuids: for Iceberg's
// Java library a uuid is two signed numbers, for others it is unsigned bytes. Where the signs of both halves are the
// same for all uuids of a manifest, both orders are, and so the bounds are right for everybody. (To leave bounds out is
// no way: that says that every value is null.)
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "iceberg/data_file.h"
#include "iceberg/table_files.h"
#include "iceberg/table_metadata.h"

namespace firn::iceberg {

struct ManifestGroup {
  int32_t spec_id = 0;
  std::string signs;  ///< One character for each uuid of a partition.
  auto operator<=>(const ManifestGroup&) const = default;
};

/// The groups of a table's files. Pure.
class ManifestGroups {
 public:
  explicit ManifestGroups(const TableMetadata& metadata);

  ManifestGroup Of(const DataFile& file) const;
  /// Nothing for one that holds files of several groups, as other writers' do.
  std::optional<ManifestGroup> Of(const ManifestFile& manifest) const;

 private:
  const std::vector<size_t>& UuidsOf(int32_t spec_id) const;

  std::map<int32_t, std::vector<size_t>> uuids_;  ///< Places in partitions, by spec.
};

}  // namespace firn::iceberg
