// Manifest lists as Avro files (spec: "Manifest Lists"), written as Java does; read whatever the writer's field order.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firn/result.h"
#include "iceberg/table_files.h"

namespace firn::iceberg {

/// The Avro schema of a manifest list's records, as JSON.
const std::string& ManifestFileAvroSchema(int32_t format_version);

/// The whole file of the snapshot's list. Of `snapshot`: ids, sequence number and first row id.
Result<std::string> WriteManifestList(int32_t format_version, const Snapshot& snapshot,
                                      const std::vector<ManifestFile>& manifests);

Result<std::vector<ManifestFile>> ReadManifestListFile(std::string_view content);

}  // namespace firn::iceberg
