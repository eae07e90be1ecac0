#include "iceberg/table_metadata_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "iceberg/compression.h"
#include "iceberg/json_member.h"
#include "iceberg/schema_json.h"

namespace firn::iceberg {
namespace {

/// The members that TableMetadata holds itself; all others are kept as they are.
constexpr std::array kReadMembers = std::to_array<std::string_view>({"format-version",
                                                                     "table-uuid",
                                                                     "location",
                                                                     "last-sequence-number",
                                                                     "last-updated-ms",
                                                                     "last-column-id",
                                                                     "schema",
                                                                     "schemas",
                                                                     "current-schema-id",
                                                                     "partition-spec",
                                                                     "partition-specs",
                                                                     "default-spec-id",
                                                                     "sort-orders",
                                                                     "default-sort-order-id",
                                                                     "last-partition-id",
                                                                     "properties",
                                                                     "current-snapshot-id",
                                                                     "snapshots",
                                                                     "refs",
                                                                     "snapshot-log",
                                                                     "metadata-log",
                                                                     "next-row-id"});

constexpr int64_t kNumberMax = int64_t{1} << 62;  // What is counted on from stays below.
constexpr int64_t kMetadataBytesMax = int64_t{1} << 30;

Result<Properties> PropertiesFromJson(const Json& object, std::string_view name) {
  Properties properties;
  const Json* member = FindMember(object, name);
  if (member == nullptr) return properties;
  if (!member->is_object()) {
    return MakeError(ErrorKind::kCorrupt, "{}: expected an object, found {}", name, member->type_name());
  }
  for (const auto& [key, value] : member->items()) {
    TRY(properties[key], JsonValue<std::string>(value).Context("{}: {}", name, key));
  }
  return properties;
}

/// What the metadata's own ids refer to must be there: accessors and updates rely on it.
Status CheckReferences(const TableMetadata& metadata) {
  if (metadata.last_sequence_number < 0 || metadata.last_sequence_number > kNumberMax) {
    return MakeError(ErrorKind::kCorrupt, "last-sequence-number: {} is out of range", metadata.last_sequence_number);
  }
  if (metadata.next_row_id.value_or(0) < 0 || metadata.next_row_id.value_or(0) > kNumberMax) {
    return MakeError(ErrorKind::kCorrupt, "next-row-id: {} is out of range", *metadata.next_row_id);
  }
  if (metadata.FindSchema(metadata.current_schema_id) == nullptr) {
    return MakeError(ErrorKind::kCorrupt, "current-schema-id: there is no schema {}", metadata.current_schema_id);
  }
  if (metadata.FindSpec(metadata.default_spec_id) == nullptr) {
    return MakeError(ErrorKind::kCorrupt, "default-spec-id: there is no partition spec {}", metadata.default_spec_id);
  }
  if (metadata.FindSortOrder(metadata.default_sort_order_id) == nullptr) {
    return MakeError(ErrorKind::kCorrupt, "default-sort-order-id: there is no sort order {}",
                     metadata.default_sort_order_id);
  }
  if (metadata.current_snapshot_id && metadata.CurrentSnapshot() == nullptr) {
    return MakeError(ErrorKind::kCorrupt, "current-snapshot-id: there is no snapshot {}",
                     *metadata.current_snapshot_id);
  }
  return {};
}

/// The members that come before the snapshots.
Json HeadToJson(const TableMetadata& metadata) {
  Json json = {{"format-version", metadata.format_version},
               {"table-uuid", metadata.table_uuid},
               {"location", metadata.location},
               {"last-sequence-number", metadata.last_sequence_number},
               {"last-updated-ms", metadata.last_updated_ms},
               {"last-column-id", metadata.last_column_id},
               {"current-schema-id", metadata.current_schema_id}};
  Json& schemas = json["schemas"] = Json::array();
  for (const Schema& schema : metadata.schemas) schemas.push_back(SchemaToJson(schema));
  json["default-spec-id"] = metadata.default_spec_id;
  Json& specs = json["partition-specs"] = Json::array();
  for (const PartitionSpec& spec : metadata.partition_specs) specs.push_back(PartitionSpecToJson(spec));
  json["last-partition-id"] = metadata.last_partition_id;
  json["default-sort-order-id"] = metadata.default_sort_order_id;
  Json& orders = json["sort-orders"] = Json::array();
  for (const SortOrder& order : metadata.sort_orders) orders.push_back(SortOrderToJson(order));
  json["properties"] = metadata.properties;
  if (metadata.current_snapshot_id) {
    json["current-snapshot-id"] = *metadata.current_snapshot_id;
  } else if (metadata.format_version >= 3) {
    json["current-snapshot-id"] = nullptr;
  } else {
    json["current-snapshot-id"] = -1;  // What Java reads and writes for "none" in v2.
  }
  if (metadata.next_row_id) json["next-row-id"] = *metadata.next_row_id;
  Json& refs = json["refs"] = Json::object();
  for (const auto& [name, ref] : metadata.refs) refs[name] = SnapshotRefToJson(ref);
  return json;
}

/// The members that firn doesn't interpret.
Json UnreadToJson(const TableMetadata& metadata) {
  Json json = Json::object();
  for (const auto& [name, text] : metadata.unread_json) {
    Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!value.is_discarded()) json[name] = std::move(value);
  }
  return json;
}

Json MetadataLogToJson(const TableMetadata& metadata) {
  Json json = Json::array();
  for (const MetadataLogEntry& entry : metadata.metadata_log) {
    json.push_back({{"timestamp-ms", entry.timestamp_ms}, {"metadata-file", entry.metadata_file}});
  }
  return json;
}

/// Ends an array whose elements each have a comma behind them, and begins the next member.
void CloseArray(std::string& text) {
  if (text.back() == ',') text.pop_back();
  text += "],";
}

}  // namespace

Json SnapshotToJson(const Snapshot& snapshot) {
  Json json = {{"sequence-number", snapshot.sequence_number}, {"snapshot-id", snapshot.snapshot_id}};
  if (snapshot.parent_snapshot_id) json["parent-snapshot-id"] = *snapshot.parent_snapshot_id;
  json["timestamp-ms"] = snapshot.timestamp_ms;
  Json summary = Json::object();
  if (auto operation = snapshot.summary.find("operation"); operation != snapshot.summary.end()) {
    summary["operation"] = operation->second;
  }
  for (const auto& [key, value] : snapshot.summary) {
    if (key != "operation") summary.emplace(key, value);
  }
  json["summary"] = std::move(summary);
  json["manifest-list"] = snapshot.manifest_list;
  if (snapshot.schema_id) json["schema-id"] = *snapshot.schema_id;
  if (snapshot.first_row_id) json["first-row-id"] = *snapshot.first_row_id;
  if (snapshot.added_rows) json["added-rows"] = *snapshot.added_rows;
  return json;
}

Result<Snapshot> SnapshotFromJson(const Json& json) {
  Snapshot snapshot;
  TRY(snapshot.snapshot_id, Member<int64_t>(json, "snapshot-id"));
  TRY(snapshot.parent_snapshot_id, OptionalMember<int64_t>(json, "parent-snapshot-id"));
  TRY(auto sequence_number, OptionalMember<int64_t>(json, "sequence-number"));  // Not in snapshots that began as v1.
  snapshot.sequence_number = sequence_number.value_or(0);
  TRY(snapshot.timestamp_ms, Member<int64_t>(json, "timestamp-ms"));
  if (FindMember(json, "manifest-list") == nullptr && FindMember(json, "manifests") != nullptr) {
    return MakeError(ErrorKind::kUnsupported, "manifests: a snapshot of format version 1 without a manifest list");
  }
  TRY(snapshot.manifest_list, Member<std::string>(json, "manifest-list"));
  TRY(snapshot.summary, PropertiesFromJson(json, "summary"));
  TRY(snapshot.schema_id, OptionalMember<int32_t>(json, "schema-id"));
  TRY(snapshot.first_row_id, OptionalMember<int64_t>(json, "first-row-id"));
  TRY(snapshot.added_rows, OptionalMember<int64_t>(json, "added-rows"));
  if (FindMember(json, "key-id") != nullptr) {
    return MakeError(ErrorKind::kUnsupported, "key-id: the table is encrypted");
  }
  return snapshot;
}

Json SnapshotRefToJson(const SnapshotRef& ref) {
  Json json = {{"snapshot-id", ref.snapshot_id}, {"type", ref.is_branch ? "branch" : "tag"}};
  if (ref.min_snapshots_to_keep) json["min-snapshots-to-keep"] = *ref.min_snapshots_to_keep;
  if (ref.max_snapshot_age_ms) json["max-snapshot-age-ms"] = *ref.max_snapshot_age_ms;
  if (ref.max_ref_age_ms) json["max-ref-age-ms"] = *ref.max_ref_age_ms;
  return json;
}

Result<SnapshotRef> SnapshotRefFromJson(const Json& json) {
  SnapshotRef ref;
  TRY(ref.snapshot_id, Member<int64_t>(json, "snapshot-id"));
  TRY(const auto type, Member<std::string>(json, "type"));
  if (type != "branch" && type != "tag") {
    return MakeError(ErrorKind::kCorrupt, "type: \"{}\" is neither branch nor tag", type);
  }
  ref.is_branch = type == "branch";
  TRY(ref.min_snapshots_to_keep, OptionalMember<int32_t>(json, "min-snapshots-to-keep"));
  TRY(ref.max_snapshot_age_ms, OptionalMember<int64_t>(json, "max-snapshot-age-ms"));
  TRY(ref.max_ref_age_ms, OptionalMember<int64_t>(json, "max-ref-age-ms"));
  return ref;
}

Json TableMetadataToJson(const TableMetadata& metadata) {
  Json json = HeadToJson(metadata);
  Json& snapshots = json["snapshots"] = Json::array();
  for (const Snapshot& snapshot : metadata.snapshots) snapshots.push_back(SnapshotToJson(snapshot));
  json.update(UnreadToJson(metadata));
  Json& snapshot_log = json["snapshot-log"] = Json::array();
  for (const SnapshotLogEntry& entry : metadata.snapshot_log) {
    snapshot_log.push_back({{"timestamp-ms", entry.timestamp_ms}, {"snapshot-id", entry.snapshot_id}});
  }
  json["metadata-log"] = MetadataLogToJson(metadata);
  return json;
}

std::string TableMetadataToText(const TableMetadata& metadata) {
  // What grows with each commit is spliced in as text; the rest is an object of its own, less a brace.
  std::string text = DumpJson(HeadToJson(metadata));
  text.back() = ',';
  text += R"("snapshots":[)";
  metadata.snapshots.VisitTexts([](const Snapshot& snapshot) { return DumpJson(SnapshotToJson(snapshot)); },
                                [&](const std::string& snapshot) { text.append(snapshot) += ','; });
  CloseArray(text);
  if (const Json unread = UnreadToJson(metadata); !unread.empty()) {
    text += std::string_view(DumpJson(unread)).substr(1);
    text.back() = ',';
  }
  text += R"("snapshot-log":[)";
  for (const SnapshotLogEntry& entry : metadata.snapshot_log) {
    fmt::format_to(std::back_inserter(text), R"({{"timestamp-ms":{},"snapshot-id":{}}},)", entry.timestamp_ms,
                   entry.snapshot_id);
  }
  CloseArray(text);
  text += R"("metadata-log":)";
  text += DumpJson(MetadataLogToJson(metadata));
  text += '}';
  return text;
}

Result<TableMetadata> TableMetadataFromJson(const Json& json) {
  if (!json.is_object()) return MakeError(ErrorKind::kCorrupt, "expected an object, found {}", json.type_name());
  TableMetadata metadata;
  TRY(metadata.format_version, Member<int32_t>(json, "format-version"));
  if (metadata.format_version < 2 || metadata.format_version > 3) {
    return MakeError(ErrorKind::kUnsupported,
                     "format-version: {} is not one that firn writes; upgrade the table to 2 or 3 with its engine",
                     metadata.format_version);
  }
  TRY(metadata.table_uuid, Member<std::string>(json, "table-uuid"));
  TRY(metadata.location, Member<std::string>(json, "location"));
  while (metadata.location.ends_with('/')) metadata.location.pop_back();
  TRY(metadata.last_sequence_number, Member<int64_t>(json, "last-sequence-number"));
  TRY(metadata.last_updated_ms, Member<int64_t>(json, "last-updated-ms"));
  TRY(metadata.last_column_id, Member<int32_t>(json, "last-column-id"));
  TRY(metadata.schemas, MemberArray<Schema>(json, "schemas", SchemaFromJson));
  TRY(metadata.current_schema_id, Member<int32_t>(json, "current-schema-id"));
  TRY(metadata.partition_specs, MemberArray<PartitionSpec>(json, "partition-specs", PartitionSpecFromJson));
  TRY(metadata.default_spec_id, Member<int32_t>(json, "default-spec-id"));
  TRY(metadata.last_partition_id, Member<int32_t>(json, "last-partition-id"));
  TRY(metadata.sort_orders, MemberArray<SortOrder>(json, "sort-orders", SortOrderFromJson));
  TRY(metadata.default_sort_order_id, Member<int32_t>(json, "default-sort-order-id"));
  TRY(metadata.properties, PropertiesFromJson(json, "properties"));
  TRY(metadata.current_snapshot_id, OptionalMember<int64_t>(json, "current-snapshot-id"));
  if (metadata.current_snapshot_id == -1) metadata.current_snapshot_id.reset();
  TRY(metadata.next_row_id, OptionalMember<int64_t>(json, "next-row-id"));
  if (metadata.format_version >= 3 && !metadata.next_row_id) {
    return MakeError(ErrorKind::kCorrupt, "next-row-id: the member is missing");
  }
  TRY(metadata.snapshots, MemberArray<Snapshot>(json, "snapshots", SnapshotFromJson));
  if (const Json* refs = FindMember(json, "refs")) {
    if (!refs->is_object())
      return MakeError(ErrorKind::kCorrupt, "refs: expected an object, found {}", refs->type_name());
    for (const auto& [name, ref] : refs->items()) {
      TRY(metadata.refs[name], SnapshotRefFromJson(ref).Context("refs: {}", name));
    }
  }
  if (metadata.current_snapshot_id && !metadata.refs.contains(kMainRef)) {
    metadata.refs[kMainRef] = SnapshotRef{.snapshot_id = *metadata.current_snapshot_id};
  }
  TRY(metadata.snapshot_log,
      MemberArray<SnapshotLogEntry>(json, "snapshot-log", [](const Json& item) -> Result<SnapshotLogEntry> {
        SnapshotLogEntry entry;
        TRY(entry.timestamp_ms, Member<int64_t>(item, "timestamp-ms"));
        TRY(entry.snapshot_id, Member<int64_t>(item, "snapshot-id"));
        return entry;
      }));
  TRY(metadata.metadata_log,
      MemberArray<MetadataLogEntry>(json, "metadata-log", [](const Json& item) -> Result<MetadataLogEntry> {
        MetadataLogEntry entry;
        TRY(entry.timestamp_ms, Member<int64_t>(item, "timestamp-ms"));
        TRY(entry.metadata_file, Member<std::string>(item, "metadata-file"));
        return entry;
      }));
  for (const auto& [name, value] : json.items()) {
    if (std::ranges::find(kReadMembers, name) == kReadMembers.end()) metadata.unread_json[name] = DumpJson(value);
  }
  TRY_VOID(CheckReferences(metadata));
  return metadata;
}

Result<TableMetadata> ParseTableMetadata(std::string_view text) {
  if (text.starts_with("\x1f\x8b")) {
    TRY(const std::string plain, Decompress(BlockCodec::kGzip, text, kMetadataBytesMax).Context("table metadata"));
    return ParseTableMetadata(plain);
  }
  TRY(const Json json, ParseJson(text).Context("table metadata"));
  return TableMetadataFromJson(json).Context("table metadata");
}

}  // namespace firn::iceberg
