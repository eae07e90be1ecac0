// Manifests as Avro files (spec: "Manifests"), written as Java does; read whatever the writer's field order.
//
//   file metadata: schema, schema-id, partition-spec, partition-spec-id, format-version, content
//   records:       status | snapshot_id | sequence_number | file_sequence_number | data_file{…, partition, metrics, …}
//
// An added entry's sequence numbers (and v3 first row id) are written as null and inherited from the manifest list:
// they are known only once the commit is in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "firn/result.h"
#include "iceberg/avro_container.h"
#include "iceberg/data_file.h"
#include "iceberg/table_files.h"
#include "iceberg/table_metadata.h"

namespace firn::iceberg {

/// The Avro schema of a manifest's records, as JSON.
std::string ManifestEntryAvroSchema(int32_t format_version, const Type& partition_type);

struct WrittenManifest {
  ManifestFile manifest;  ///< Complete but for its path (and v3's first_row_id).
  std::string content;
};

/// Encodes one manifest: files of one partition spec, either data or deletes. Single-threaded.
class ManifestWriter {
 public:
  /// For a manifest that the snapshot `snapshot_id` with `sequence_number` adds.
  ManifestWriter(const TableMetadata& metadata, const PartitionSpec& spec, bool holds_deletes, SnapshotId snapshot_id,
                 int64_t sequence_number);

  /// kInternal for a file of another spec or with other partition values than its spec's.
  Status Add(const ManifestEntry& entry);
  int64_t estimated_bytes() const { return avro_.estimated_bytes(); }
  Result<WrittenManifest> Finish() &&;

 private:
  void Count(const ManifestEntry& entry);

  int32_t format_version_;
  const Type partition_type_;
  AvroWriter avro_;
  AvroEncoder encoder_;
  ManifestFile manifest_;
  std::vector<std::pair<Literal, Literal>> partition_bounds_;  ///< Least and greatest value by field; monostate: none.
};

/// The entries of a manifest, inherited values filled in. `partition_type`: PartitionType of the manifest's spec.
Result<std::vector<ManifestEntry>> ReadManifest(std::string_view content, const ManifestFile& manifest,
                                                const Type& partition_type);

/// Gives the live data files that have no first row id theirs, from the manifest's on (spec: "First Row ID
/// Inheritance").
void InheritRowIds(const ManifestFile& manifest, std::vector<ManifestEntry>& entries);

}  // namespace firn::iceberg
