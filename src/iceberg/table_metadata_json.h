// Table metadata files (spec: "Table Metadata", Appendix C). Reading is strict about what firn interprets and keeps
// what it doesn't; writing has Java's order of members.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "firn/result.h"
#include "iceberg/table_metadata.h"

namespace firn::iceberg {

/// The text of a "*.metadata.json", plain or gzipped ("*.gz.metadata.json"). kCorrupt names the member; kUnsupported
/// for a format version that firn doesn't write.
Result<TableMetadata> ParseTableMetadata(std::string_view text);
Result<TableMetadata> TableMetadataFromJson(const nlohmann::ordered_json& json);

/// The text of a metadata file.
std::string TableMetadataToText(const TableMetadata& metadata);
nlohmann::ordered_json TableMetadataToJson(const TableMetadata& metadata);

nlohmann::ordered_json SnapshotToJson(const Snapshot& snapshot);
Result<Snapshot> SnapshotFromJson(const nlohmann::ordered_json& json);

nlohmann::ordered_json SnapshotRefToJson(const SnapshotRef& ref);
Result<SnapshotRef> SnapshotRefFromJson(const nlohmann::ordered_json& json);

}  // namespace firn::iceberg
