#include "iceberg/manifest_list_avro.h"

#include <algorithm>
#include <map>

#include "base/try.h"
#include "iceberg/avro_container.h"
#include "iceberg/json_member.h"

namespace firn::iceberg {
namespace {

// Field ids of the spec's tables "manifest_file" and "field_summary".
enum ListField : int32_t {
  kManifestPath = 500,
  kManifestLength = 501,
  kPartitionSpecId = 502,
  kAddedSnapshotId = 503,
  kAddedFilesCount = 504,
  kExistingFilesCount = 505,
  kDeletedFilesCount = 506,
  kPartitions = 507,
  kFieldSummary = 508,
  kContainsNull = 509,
  kLowerBound = 510,
  kUpperBound = 511,
  kAddedRowsCount = 512,
  kExistingRowsCount = 513,
  kDeletedRowsCount = 514,
  kSequenceNumber = 515,
  kMinSequenceNumber = 516,
  kContent = 517,
  kContainsNan = 518,
  kKeyMetadata = 519,
  kFirstRowId = 520,
};

constexpr int64_t kCountMax = int64_t{1} << 50;  // Sums of such don't overflow.

Json Required(std::string_view name, int32_t id, Json type) {
  return {{"name", name}, {"type", std::move(type)}, {"field-id", id}};
}

Json Optional(std::string_view name, int32_t id, Json type) {
  return {{"name", name}, {"type", Json::array({"null", std::move(type)})}, {"default", nullptr}, {"field-id", id}};
}

void EncodeOptionalBytes(AvroEncoder& encoder, const std::optional<std::string>& value) {
  if (!value) return encoder.Null();
  encoder.NotNull();
  encoder.Bytes(*value);
}

void Encode(AvroEncoder& encoder, const ManifestFile& manifest, int32_t format_version) {
  encoder.Bytes(manifest.manifest_path);
  encoder.Long(manifest.manifest_length);
  encoder.Long(manifest.partition_spec_id);
  encoder.Long(manifest.holds_deletes ? 1 : 0);
  encoder.Long(manifest.sequence_number);
  encoder.Long(manifest.min_sequence_number);
  encoder.Long(manifest.added_snapshot_id);
  encoder.Long(manifest.added_files_count);
  encoder.Long(manifest.existing_files_count);
  encoder.Long(manifest.deleted_files_count);
  encoder.Long(manifest.added_rows_count);
  encoder.Long(manifest.existing_rows_count);
  encoder.Long(manifest.deleted_rows_count);
  encoder.NotNull();
  encoder.ArrayBlock(manifest.partitions.size());
  for (const ManifestFile::FieldSummary& summary : manifest.partitions) {
    encoder.Boolean(summary.contains_null);
    if (summary.contains_nan) {
      encoder.NotNull();
      encoder.Boolean(*summary.contains_nan);
    } else {
      encoder.Null();
    }
    EncodeOptionalBytes(encoder, summary.lower_bound);
    EncodeOptionalBytes(encoder, summary.upper_bound);
  }
  encoder.ArrayEnd();
  encoder.Null();  // key_metadata
  if (format_version < 3) return;
  if (manifest.first_row_id) {
    encoder.NotNull();
    encoder.Long(*manifest.first_row_id);
  } else {
    encoder.Null();
  }
}

std::optional<std::string> DecodeOptionalBytes(AvroDecoder& decoder, const AvroType& type) {
  const AvroType& present = decoder.Resolve(type);
  if (present.kind == AvroKind::kNull) return std::nullopt;
  return decoder.Bytes(present);
}

ManifestFile::FieldSummary DecodeSummary(AvroDecoder& decoder, const AvroType& type) {
  ManifestFile::FieldSummary summary;
  decoder.Record(type, [&](int32_t id, const AvroType& field) {
    switch (id) {
      case kContainsNull:
        summary.contains_null = decoder.Boolean(decoder.Resolve(field));
        return;
      case kContainsNan: {
        const AvroType& present = decoder.Resolve(field);
        if (present.kind != AvroKind::kNull) summary.contains_nan = decoder.Boolean(present);
        return;
      }
      case kLowerBound:
        summary.lower_bound = DecodeOptionalBytes(decoder, field);
        return;
      case kUpperBound:
        summary.upper_bound = DecodeOptionalBytes(decoder, field);
        return;
      default:
        return decoder.Skip(field);
    }
  });
  return summary;
}

struct RawManifest {
  ManifestFile manifest;
  bool encrypted = false;
};

/// Counts are optional in lists that v1 writers wrote; `counted` says whether one was there.
void Decode(AvroDecoder& decoder, const AvroType& type, RawManifest& raw, bool& counted) {
  ManifestFile& manifest = raw.manifest;
  const auto number = [&decoder](const AvroType& field) -> int64_t {
    const AvroType& present = decoder.Resolve(field);
    return present.kind == AvroKind::kNull ? 0 : decoder.Long(present);
  };
  const auto count = [&](const AvroType& field) -> int32_t {
    const AvroType& present = decoder.Resolve(field);
    if (present.kind == AvroKind::kNull) {
      counted = false;
      return 0;
    }
    const int32_t value = decoder.Int(present);
    if (value < 0) decoder.Fail("a negative count of files");
    return value;
  };
  const auto large = [&](const AvroType& field) -> int64_t {
    const int64_t value = number(field);
    if (value < 0 || value > kCountMax) decoder.Fail("an impossible count of rows or bytes");
    return decoder.ok() ? value : 0;
  };
  decoder.Record(type, [&](int32_t id, const AvroType& field) {
    switch (id) {
      case kManifestPath:
        manifest.manifest_path = decoder.Bytes(decoder.Resolve(field));
        return;
      case kManifestLength:
        manifest.manifest_length = large(field);
        return;
      case kPartitionSpecId:
        manifest.partition_spec_id = decoder.Int(decoder.Resolve(field));
        return;
      case kContent: {
        const int64_t content = number(field);
        if (content < 0 || content > 1) return decoder.Fail("a manifest that holds neither data nor deletes");
        manifest.holds_deletes = content == 1;
        return;
      }
      case kSequenceNumber:
        manifest.sequence_number = number(field);
        return;
      case kMinSequenceNumber:
        manifest.min_sequence_number = number(field);
        return;
      case kAddedSnapshotId:
        manifest.added_snapshot_id = number(field);
        return;
      case kAddedFilesCount:
        manifest.added_files_count = count(field);
        return;
      case kExistingFilesCount:
        manifest.existing_files_count = count(field);
        return;
      case kDeletedFilesCount:
        manifest.deleted_files_count = count(field);
        return;
      case kAddedRowsCount:
        manifest.added_rows_count = large(field);
        return;
      case kExistingRowsCount:
        manifest.existing_rows_count = large(field);
        return;
      case kDeletedRowsCount:
        manifest.deleted_rows_count = large(field);
        return;
      case kPartitions: {
        const AvroType& present = decoder.Resolve(field);
        if (present.kind == AvroKind::kNull) return;
        return decoder.Array(
            present, [&](const AvroType& item) { manifest.partitions.push_back(DecodeSummary(decoder, item)); });
      }
      case kKeyMetadata:
        raw.encrypted = DecodeOptionalBytes(decoder, field).has_value();
        return;
      case kFirstRowId: {
        const AvroType& present = decoder.Resolve(field);
        if (present.kind != AvroKind::kNull) manifest.first_row_id = decoder.Long(present);
        return;
      }
      default:
        return decoder.Skip(field);
    }
  });
}

}  // namespace

Json ManifestFileAvroSchema(int32_t format_version) {
  Json summary = {{"type", "record"},
                  {"name", fmt::format("r{}", static_cast<int32_t>(kFieldSummary))},
                  {"fields", Json::array({
                                 Required("contains_null", kContainsNull, "boolean"),
                                 Optional("contains_nan", kContainsNan, "boolean"),
                                 Optional("lower_bound", kLowerBound, "bytes"),
                                 Optional("upper_bound", kUpperBound, "bytes"),
                             })}};
  Json partitions = {
      {"type", "array"}, {"items", std::move(summary)}, {"element-id", static_cast<int32_t>(kFieldSummary)}};
  Json fields = Json::array({
      Required("manifest_path", kManifestPath, "string"),
      Required("manifest_length", kManifestLength, "long"),
      Required("partition_spec_id", kPartitionSpecId, "int"),
      Required("content", kContent, "int"),
      Required("sequence_number", kSequenceNumber, "long"),
      Required("min_sequence_number", kMinSequenceNumber, "long"),
      Required("added_snapshot_id", kAddedSnapshotId, "long"),
      Required("added_files_count", kAddedFilesCount, "int"),
      Required("existing_files_count", kExistingFilesCount, "int"),
      Required("deleted_files_count", kDeletedFilesCount, "int"),
      Required("added_rows_count", kAddedRowsCount, "long"),
      Required("existing_rows_count", kExistingRowsCount, "long"),
      Required("deleted_rows_count", kDeletedRowsCount, "long"),
      Optional("partitions", kPartitions, std::move(partitions)),
      Optional("key_metadata", kKeyMetadata, "bytes"),
  });
  if (format_version >= 3) fields.push_back(Optional("first_row_id", kFirstRowId, "long"));
  return {{"type", "record"}, {"name", "manifest_file"}, {"fields", std::move(fields)}};
}

Result<std::string> WriteManifestList(int32_t format_version, const Snapshot& snapshot,
                                      const std::vector<ManifestFile>& manifests) {
  std::map<std::string, std::string> metadata = {
      {"snapshot-id", fmt::format("{}", snapshot.snapshot_id)},
      {"parent-snapshot-id",
       snapshot.parent_snapshot_id ? fmt::format("{}", *snapshot.parent_snapshot_id) : std::string("null")},
      {"sequence-number", fmt::format("{}", snapshot.sequence_number)},
      {"format-version", fmt::format("{}", format_version)},
  };
  if (snapshot.first_row_id) metadata["first-row-id"] = fmt::format("{}", *snapshot.first_row_id);
  AvroWriter writer(DumpJson(ManifestFileAvroSchema(format_version)), metadata);
  AvroEncoder encoder;
  for (const ManifestFile& manifest : manifests) {
    encoder.Clear();
    Encode(encoder, manifest, format_version);
    TRY_VOID(writer.Append(encoder.bytes()));
  }
  return std::move(writer).Finish();
}

Result<std::vector<ManifestFile>> ReadManifestListFile(std::string_view content) {
  TRY(auto reader, AvroReader::Open(content));
  std::vector<ManifestFile> manifests;
  const auto read_manifest = [&](AvroDecoder& decoder, const AvroType& type) -> Status {
    RawManifest raw;
    bool counted = true;
    Decode(decoder, type, raw, counted);
    TRY_VOID(decoder.status());
    if (raw.encrypted) return MakeError(ErrorKind::kUnsupported, "{} is encrypted", raw.manifest.manifest_path);
    if (raw.manifest.manifest_path.empty()) return MakeError(ErrorKind::kCorrupt, "a manifest without a path");
    // Without counts a manifest may hold live files: it must be opened to know.
    if (!counted) raw.manifest.existing_files_count = std::max(1, raw.manifest.existing_files_count);
    manifests.push_back(std::move(raw.manifest));
    return {};
  };
  TRY_VOID(reader.ForEach(read_manifest));
  return manifests;
}

}  // namespace firn::iceberg
