// Data and delete files as manifests describe them (spec: "Manifests", data_file struct). Plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "iceberg/schema.h"

namespace firn::iceberg {

/// A single value in the form that its type has in a partition tuple: std::monostate is null; int covers int and date;
/// int64 covers long, time and timestamps; string covers string, and binary, fixed, uuid and decimal as the spec's
/// single-value bytes.
using Literal = std::variant<std::monostate, bool, int32_t, int64_t, float, double, std::string>;

/// The values of a partition, in the order of its spec's fields; empty for an unpartitioned table.
using PartitionValues = std::vector<Literal>;

enum class FileContent : int32_t { kData = 0, kPositionDeletes = 1, kEqualityDeletes = 2 };

struct DataFile {
  FileContent content = FileContent::kData;
  std::string file_path;  ///< A full URI.
  std::string file_format = "PARQUET";
  int32_t partition_spec_id = 0;
  PartitionValues partition;
  int64_t record_count = 0;
  int64_t file_size_in_bytes = 0;
  std::map<FieldId, int64_t> column_sizes;
  std::map<FieldId, int64_t> value_counts;
  std::map<FieldId, int64_t> null_value_counts;
  std::map<FieldId, int64_t> nan_value_counts;
  std::map<FieldId, std::string> lower_bounds;  ///< Single-value serialization (spec: Appendix D).
  std::map<FieldId, std::string> upper_bounds;
  std::vector<int64_t> split_offsets;
  std::vector<int32_t> equality_ids;
  std::optional<int32_t> sort_order_id;
  std::optional<std::string> referenced_data_file;  ///< Position deletes of one data file, and deletion vectors.
  std::optional<int64_t> first_row_id;              ///< v3
  std::optional<int64_t> content_offset;            ///< v3 deletion vectors
  std::optional<int64_t> content_size_in_bytes;     ///< v3 deletion vectors

  bool operator==(const DataFile&) const = default;
};

enum class EntryStatus : int32_t { kExisting = 0, kAdded = 1, kDeleted = 2 };

/// A manifest's entry after inheritance: snapshot_id and both sequence numbers are filled in.
struct ManifestEntry {
  EntryStatus status = EntryStatus::kAdded;
  int64_t snapshot_id = 0;
  int64_t sequence_number = 0;  ///< Data sequence number.
  int64_t file_sequence_number = 0;
  DataFile file;

  bool operator==(const ManifestEntry&) const = default;
};

/// The one data file that a position delete file or deletion vector applies to, or nothing where it may apply to
/// several (or is something else): its referenced_data_file, else its file_path column's bounds where they are one
/// path.
std::optional<std::string_view> ReferencedDataFile(const DataFile& file);

/// A position delete "file" that is a blob of a Puffin file (v3).
bool IsDeletionVector(const DataFile& file);

/// Equal for two partitions when they are the same one of the same spec. Not for people.
std::string PartitionKey(int32_t spec_id, const PartitionValues& partition);

/// Whether `a` comes before `b` in the order of `type`, whose form both have. Neither is null or NaN.
bool LiteralLess(const Type& type, const Literal& a, const Literal& b);

}  // namespace firn::iceberg
