#include "iceberg/manifest_list_avro.h"

#include <algorithm>
#include <map>

#include "base/try.h"
#include "iceberg/avro_container.h"
#include "iceberg/avro_schema.h"
#include "iceberg/json_member.h"

namespace firn::iceberg {
namespace {

// Field ids of the spec's tables "manifest_file" and "field_summary".
struct ListField {
  enum Id : int32_t {
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
};

Json RecordAvroSchema(int32_t format_version) {
  Json summary = {{"type", "record"},
                  {"name", fmt::format("r{}", static_cast<int32_t>(ListField::kFieldSummary))},
                  {"fields", Json::array({
                                 RequiredField("contains_null", ListField::kContainsNull, "boolean"),
                                 OptionalField("contains_nan", ListField::kContainsNan, "boolean"),
                                 OptionalField("lower_bound", ListField::kLowerBound, "bytes"),
                                 OptionalField("upper_bound", ListField::kUpperBound, "bytes"),
                             })}};
  Json partitions = {
      {"type", "array"}, {"items", std::move(summary)}, {"element-id", static_cast<int32_t>(ListField::kFieldSummary)}};
  Json fields = Json::array({
      RequiredField("manifest_path", ListField::kManifestPath, "string"),
      RequiredField("manifest_length", ListField::kManifestLength, "long"),
      RequiredField("partition_spec_id", ListField::kPartitionSpecId, "int"),
      RequiredField("content", ListField::kContent, "int"),
      RequiredField("sequence_number", ListField::kSequenceNumber, "long"),
      RequiredField("min_sequence_number", ListField::kMinSequenceNumber, "long"),
      RequiredField("added_snapshot_id", ListField::kAddedSnapshotId, "long"),
      RequiredField("added_files_count", ListField::kAddedFilesCount, "int"),
      RequiredField("existing_files_count", ListField::kExistingFilesCount, "int"),
      RequiredField("deleted_files_count", ListField::kDeletedFilesCount, "int"),
      RequiredField("added_rows_count", ListField::kAddedRowsCount, "long"),
      RequiredField("existing_rows_count", ListField::kExistingRowsCount, "long"),
      RequiredField("deleted_rows_count", ListField::kDeletedRowsCount, "long"),
      OptionalField("partitions", ListField::kPartitions, std::move(partitions)),
      OptionalField("key_metadata", ListField::kKeyMetadata, "bytes"),
  });
  if (format_version >= 3) fields.push_back(OptionalField("first_row_id", ListField::kFirstRowId, "long"));
  return {{"type", "record"}, {"name", "manifest_file"}, {"fields", std::move(fields)}};
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
      case ListField::kContainsNull:
        summary.contains_null = decoder.Boolean(decoder.Resolve(field));
        return;
      case ListField::kContainsNan: {
        const AvroType& present = decoder.Resolve(field);
        if (present.kind != AvroKind::kNull) summary.contains_nan = decoder.Boolean(present);
        return;
      }
      case ListField::kLowerBound:
        summary.lower_bound = DecodeOptionalBytes(decoder, field);
        return;
      case ListField::kUpperBound:
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
      case ListField::kManifestPath:
        manifest.manifest_path = decoder.Bytes(decoder.Resolve(field));
        return;
      case ListField::kManifestLength:
        manifest.manifest_length = large(field);
        return;
      case ListField::kPartitionSpecId:
        manifest.partition_spec_id = decoder.Int(decoder.Resolve(field));
        return;
      case ListField::kContent: {
        const int64_t content = number(field);
        if (content < 0 || content > 1) return decoder.Fail("a manifest that holds neither data nor deletes");
        manifest.holds_deletes = content == 1;
        return;
      }
      case ListField::kSequenceNumber:
        manifest.sequence_number = number(field);
        return;
      case ListField::kMinSequenceNumber:
        manifest.min_sequence_number = number(field);
        return;
      case ListField::kAddedSnapshotId:
        manifest.added_snapshot_id = number(field);
        return;
      case ListField::kAddedFilesCount:
        manifest.added_files_count = count(field);
        return;
      case ListField::kExistingFilesCount:
        manifest.existing_files_count = count(field);
        return;
      case ListField::kDeletedFilesCount:
        manifest.deleted_files_count = count(field);
        return;
      case ListField::kAddedRowsCount:
        manifest.added_rows_count = large(field);
        return;
      case ListField::kExistingRowsCount:
        manifest.existing_rows_count = large(field);
        return;
      case ListField::kDeletedRowsCount:
        manifest.deleted_rows_count = large(field);
        return;
      case ListField::kPartitions: {
        const AvroType& present = decoder.Resolve(field);
        if (present.kind == AvroKind::kNull) return;
        return decoder.Array(
            present, [&](const AvroType& item) { manifest.partitions.push_back(DecodeSummary(decoder, item)); });
      }
      case ListField::kKeyMetadata:
        raw.encrypted = DecodeOptionalBytes(decoder, field).has_value();
        return;
      case ListField::kFirstRowId: {
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

const std::string& ManifestFileAvroSchema(int32_t format_version) {
  static const std::string kV2 = DumpJson(RecordAvroSchema(2));
  static const std::string kV3 = DumpJson(RecordAvroSchema(3));
  return format_version >= 3 ? kV3 : kV2;
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
  AvroWriter writer(ManifestFileAvroSchema(format_version), metadata);
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
