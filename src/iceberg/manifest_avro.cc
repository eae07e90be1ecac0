#include "iceberg/manifest_avro.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/try.h"
#include "iceberg/avro_schema.h"
#include "iceberg/json_member.h"
#include "iceberg/schema_json.h"
#include "iceberg/single_value.h"

namespace firn::iceberg {
namespace {

// Field ids of the spec's tables "manifest_entry" and "data_file".
enum EntryField : int32_t { kStatus = 0, kSnapshotId = 1, kDataFile = 2, kSequenceNumber = 3, kFileSequenceNumber = 4 };
enum FileField : int32_t {
  kFilePath = 100,
  kFileFormat = 101,
  kPartition = 102,
  kRecordCount = 103,
  kFileSizeInBytes = 104,
  kColumnSizes = 108,
  kValueCounts = 109,
  kNullValueCounts = 110,
  kLowerBounds = 125,
  kUpperBounds = 128,
  kKeyMetadata = 131,
  kSplitOffsets = 132,
  kContent = 134,
  kEqualityIds = 135,
  kNanValueCounts = 137,
  kSortOrderId = 140,
  kFirstRowId = 142,
  kReferencedDataFile = 143,
  kContentOffset = 144,
  kContentSizeInBytes = 145,
};

// --- The Avro schema ---

Json Record(std::string_view name, Json fields) {
  return {{"type", "record"}, {"name", name}, {"fields", std::move(fields)}};
}

/// Avro's maps have string keys, so one by field id is an array of pairs.
Json MapById(std::string_view name, int32_t id, int32_t key_id, int32_t value_id, std::string_view value_type) {
  Json pair = Record(fmt::format("k{}_v{}", key_id, value_id),
                     Json::array({RequiredField("key", key_id, "int"), RequiredField("value", value_id, value_type)}));
  return OptionalField(name, id, {{"type", "array"}, {"items", std::move(pair)}, {"logicalType", "map"}});
}

Json ListOf(std::string_view name, int32_t id, int32_t element_id, std::string_view element_type) {
  return OptionalField(name, id, {{"type", "array"}, {"items", element_type}, {"element-id", element_id}});
}

/// The bytes that a decimal of this precision needs as two's complement.
int32_t DecimalBytes(int32_t precision) {
  return static_cast<int32_t>(std::ceil((precision * std::log2(10.0) + 1) / 8));
}

/// The Avro type of a partition value. A named type is declared once and referred to by its name after that.
Json PartitionValueAvroType(const Type& type, std::set<std::string>& declared) {
  const auto fixed = [&declared](std::string name, int32_t size, Json more) -> Json {
    if (!declared.insert(name).second) return name;
    Json json = {{"type", "fixed"}, {"name", std::move(name)}, {"size", size}};
    json.update(more);
    return json;
  };
  const auto timestamp = [](std::string_view logical_type, bool utc) -> Json {
    return {{"type", "long"}, {"logicalType", logical_type}, {"adjust-to-utc", utc}};
  };
  switch (type.id) {
    case TypeId::kBoolean:
      return "boolean";
    case TypeId::kInt:
      return "int";
    case TypeId::kLong:
      return "long";
    case TypeId::kFloat:
      return "float";
    case TypeId::kDouble:
      return "double";
    case TypeId::kDate:
      return {{"type", "int"}, {"logicalType", "date"}};
    case TypeId::kTime:
      return {{"type", "long"}, {"logicalType", "time-micros"}};
    case TypeId::kTimestamp:
      return timestamp("timestamp-micros", false);
    case TypeId::kTimestampTz:
      return timestamp("timestamp-micros", true);
    case TypeId::kTimestampNs:
      return timestamp("timestamp-nanos", false);
    case TypeId::kTimestampTzNs:
      return timestamp("timestamp-nanos", true);
    case TypeId::kUuid:
      return fixed("uuid_fixed", 16, {{"logicalType", "uuid"}});
    case TypeId::kFixed:
      return fixed(fmt::format("fixed_{}", type.length), type.length, Json::object());
    case TypeId::kDecimal:
      return fixed(fmt::format("decimal_{}_{}", type.precision, type.scale), DecimalBytes(type.precision),
                   {{"logicalType", "decimal"}, {"precision", type.precision}, {"scale", type.scale}});
    case TypeId::kBinary:
      return "bytes";
    default:
      return "string";  // Strings, and a dropped column's values, which are null.
  }
}

/// Avro's names are letters, digits and "_"; others are escaped, and the real name goes beside it (as Java does).
std::string AvroName(std::string_view name) {
  std::string escaped;
  for (const char c : name) {
    const bool digit = c >= '0' && c <= '9';
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (digit && !escaped.empty())) {
      escaped.push_back(c);
    } else if (digit) {
      escaped += {'_', c};
    } else {
      escaped += fmt::format("_x{:X}", static_cast<uint8_t>(c));
    }
  }
  return escaped.empty() ? "_" : escaped;
}

Json PartitionAvroSchema(const Type& partition_type) {
  std::set<std::string> declared;
  Json fields = Json::array();
  for (const Field& field : partition_type.fields) {
    const std::string name = AvroName(field.name);
    Json json = OptionalField(name, field.id, PartitionValueAvroType(field.type, declared));
    if (name != field.name) json["iceberg-field-name"] = field.name;
    fields.push_back(std::move(json));
  }
  return Record("r102", std::move(fields));
}

constexpr std::string_view kPartitionMark = "the partition's type";

/// The schema of a manifest's records around that of its partition values.
Json EntryAvroSchema(int32_t format_version, Json partition) {
  Json file = Json::array({
      RequiredField("content", kContent, "int"),
      RequiredField("file_path", kFilePath, "string"),
      RequiredField("file_format", kFileFormat, "string"),
      RequiredField("partition", kPartition, std::move(partition)),
      RequiredField("record_count", kRecordCount, "long"),
      RequiredField("file_size_in_bytes", kFileSizeInBytes, "long"),
      MapById("column_sizes", kColumnSizes, 117, 118, "long"),
      MapById("value_counts", kValueCounts, 119, 120, "long"),
      MapById("null_value_counts", kNullValueCounts, 121, 122, "long"),
      MapById("nan_value_counts", kNanValueCounts, 138, 139, "long"),
      MapById("lower_bounds", kLowerBounds, 126, 127, "bytes"),
      MapById("upper_bounds", kUpperBounds, 129, 130, "bytes"),
      OptionalField("key_metadata", kKeyMetadata, "bytes"),
      ListOf("split_offsets", kSplitOffsets, 133, "long"),
      ListOf("equality_ids", kEqualityIds, 136, "int"),
      OptionalField("sort_order_id", kSortOrderId, "int"),
  });
  if (format_version >= 3) file.push_back(OptionalField("first_row_id", kFirstRowId, "long"));
  file.push_back(OptionalField("referenced_data_file", kReferencedDataFile, "string"));
  if (format_version >= 3) {
    file.push_back(OptionalField("content_offset", kContentOffset, "long"));
    file.push_back(OptionalField("content_size_in_bytes", kContentSizeInBytes, "long"));
  }
  return Record("manifest_entry", Json::array({
                                      RequiredField("status", kStatus, "int"),
                                      OptionalField("snapshot_id", kSnapshotId, "long"),
                                      OptionalField("sequence_number", kSequenceNumber, "long"),
                                      OptionalField("file_sequence_number", kFileSequenceNumber, "long"),
                                      RequiredField("data_file", kDataFile, Record("r2", std::move(file))),
                                  }));
}

// --- Writing ---

void EncodeOptional(AvroEncoder& encoder, const std::optional<int64_t>& value) {
  if (!value) return encoder.Null();
  encoder.NotNull();
  encoder.Long(*value);
}

/// An empty map is null: no metrics, as far as DataFile tells.
void EncodeCounts(AvroEncoder& encoder, const std::map<FieldId, int64_t>& counts) {
  if (counts.empty()) return encoder.Null();
  encoder.NotNull();
  encoder.ArrayBlock(counts.size());
  for (const auto& [id, count] : counts) {
    encoder.Long(id);
    encoder.Long(count);
  }
  encoder.ArrayEnd();
}

void EncodeBounds(AvroEncoder& encoder, const std::map<FieldId, std::string>& bounds) {
  if (bounds.empty()) return encoder.Null();
  encoder.NotNull();
  encoder.ArrayBlock(bounds.size());
  for (const auto& [id, bound] : bounds) {
    encoder.Long(id);
    encoder.Bytes(bound);
  }
  encoder.ArrayEnd();
}

template <typename T>
void EncodeList(AvroEncoder& encoder, const std::vector<T>& values) {
  if (values.empty()) return encoder.Null();
  encoder.NotNull();
  encoder.ArrayBlock(values.size());
  for (const T value : values) encoder.Long(value);
  encoder.ArrayEnd();
}

/// A decimal's fewest bytes, extended by its sign to the size of its Avro type (which is no smaller).
std::string SignExtended(std::string_view number, size_t size) {
  const bool negative = !number.empty() && (number[0] & 0x80) != 0;
  return std::string(size - number.size(), negative ? '\xFF' : '\0').append(number);
}

/// False when the literal does not hold a T.
template <typename T, typename Encode>
bool EncodeIf(const Literal& value, Encode encode) {
  const T* held = std::get_if<T>(&value);
  if (held == nullptr) return false;
  encode(*held);
  return true;
}

/// False when the literal is not of its type's form.
bool EncodePartitionValue(AvroEncoder& encoder, const Type& type, const Literal& value) {
  if (std::holds_alternative<std::monostate>(value)) {
    encoder.Null();
    return true;
  }
  encoder.NotNull();
  const auto integer = [&encoder](int64_t number) { encoder.Long(number); };
  const auto fixed = [&encoder, &value](size_t size) {
    const auto* bytes = std::get_if<std::string>(&value);
    if (bytes == nullptr || bytes->size() != size) return false;
    encoder.Fixed(*bytes);
    return true;
  };
  switch (type.id) {
    case TypeId::kBoolean:
      return EncodeIf<bool>(value, [&](bool flag) { encoder.Boolean(flag); });
    case TypeId::kInt:
    case TypeId::kDate:
      return EncodeIf<int32_t>(value, integer);
    case TypeId::kLong:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
    case TypeId::kTimestampNs:
    case TypeId::kTimestampTzNs:  // An int is from before the column became a long.
      return EncodeIf<int64_t>(value, integer) || EncodeIf<int32_t>(value, integer);
    case TypeId::kFloat:
      return EncodeIf<float>(value, [&](float number) { encoder.Float(number); });
    case TypeId::kDouble: {
      const auto floating = [&](double number) { encoder.Double(number); };
      return EncodeIf<double>(value, floating) || EncodeIf<float>(value, floating);
    }
    case TypeId::kDecimal: {
      const auto* number = std::get_if<std::string>(&value);
      const auto size = static_cast<size_t>(DecimalBytes(type.precision));
      if (number == nullptr || number->empty() || number->size() > size) return false;
      encoder.Fixed(SignExtended(*number, size));
      return true;
    }
    case TypeId::kUuid:
      return fixed(16);
    case TypeId::kFixed:
      return fixed(static_cast<size_t>(type.length));
    case TypeId::kBinary:
    case TypeId::kString:
      return EncodeIf<std::string>(value, [&](const std::string& bytes) { encoder.Bytes(bytes); });
    default:
      return false;
  }
}

bool IsNan(const Literal& value) {
  if (const auto* number = std::get_if<float>(&value)) return std::isnan(*number);
  if (const auto* number = std::get_if<double>(&value)) return std::isnan(*number);
  return false;
}

/// The value in its type's own form: it may be from before the column's type was made wider.
Literal Widened(const Type& type, const Literal& value) {
  const auto* integer = std::get_if<int32_t>(&value);
  if (type.id == TypeId::kLong && integer != nullptr) return int64_t{*integer};
  const auto* floating = std::get_if<float>(&value);
  if (type.id == TypeId::kDouble && floating != nullptr) return double{*floating};
  return value;
}

std::map<std::string, std::string> FileMetadata(const TableMetadata& metadata, const PartitionSpec& spec,
                                                bool holds_deletes) {
  return {
      {"schema", DumpJson(SchemaToJson(metadata.CurrentSchema()))},
      {"schema-id", fmt::format("{}", metadata.current_schema_id)},
      {"partition-spec", DumpJson(PartitionFieldsToJson(spec))},
      {"partition-spec-id", fmt::format("{}", spec.spec_id)},
      {"format-version", fmt::format("{}", metadata.format_version)},
      {"content", holds_deletes ? "deletes" : "data"},
  };
}

// --- Reading ---

bool IsCount(int64_t value) { return value >= 0 && value <= kCountMax; }

/// An entry as it stands in the file.
struct RawEntry {
  ManifestEntry entry;
  std::optional<int64_t> snapshot_id;
  std::optional<int64_t> sequence_number;
  std::optional<int64_t> file_sequence_number;
  bool encrypted = false;
};

std::optional<int64_t> DecodeOptionalLong(AvroDecoder& decoder, const AvroType& type) {
  const AvroType& present = decoder.Resolve(type);
  if (present.kind == AvroKind::kNull) return std::nullopt;
  return decoder.Long(present);
}

/// Calls visit(type) for each item of an array, or not at all for null.
template <typename Visit>
void DecodeOptionalArray(AvroDecoder& decoder, const AvroType& type, Visit visit) {
  const AvroType& present = decoder.Resolve(type);
  if (present.kind != AvroKind::kNull) decoder.Array(present, visit);
}

/// A map by field id, which stands as an array of pairs.
template <typename T, typename DecodeValue>
void DecodeMap(AvroDecoder& decoder, const AvroType& type, std::map<FieldId, T>& map, DecodeValue decode_value) {
  DecodeOptionalArray(decoder, type, [&](const AvroType& item) {
    FieldId key = 0;
    T value{};
    if (item.kind == AvroKind::kRecord && item.fields.size() != 2)
      return decoder.Fail("a map whose items are not pairs");
    int position = 0;
    decoder.Record(item, [&](int32_t, const AvroType& part) {
      if (position++ == 0) {
        key = decoder.Int(part);
      } else {
        value = decode_value(part);
      }
    });
    if (decoder.ok()) map[key] = std::move(value);
  });
}

Literal DecodePartitionValue(AvroDecoder& decoder, const AvroType& type, const Type& target) {
  const AvroType& present = decoder.Resolve(type);
  if (present.kind == AvroKind::kNull) return std::monostate();
  switch (target.id) {
    case TypeId::kBoolean:
      return decoder.Boolean(present);
    case TypeId::kInt:
    case TypeId::kDate:
      return decoder.Int(present);
    case TypeId::kLong:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
    case TypeId::kTimestampNs:
    case TypeId::kTimestampTzNs:
      return decoder.Long(present);
    case TypeId::kFloat:
      return decoder.Float(present);
    case TypeId::kDouble:
      return decoder.Double(present);
    case TypeId::kDecimal:
      return DecimalSingleValue(decoder.Bytes(present));
    case TypeId::kString:
    case TypeId::kBinary:
    case TypeId::kUuid:
    case TypeId::kFixed:
      return decoder.Bytes(present);
    default:
      decoder.Skip(present);
      return std::monostate();
  }
}

void DecodeDataFile(AvroDecoder& decoder, const AvroType& type, const Type& partition_type, RawEntry& raw) {
  DataFile& file = raw.entry.file;
  const auto count = [&decoder](const AvroType& value) { return decoder.Long(value); };
  const auto bound = [&decoder](const AvroType& value) { return decoder.Bytes(value); };
  decoder.Record(type, [&](int32_t id, const AvroType& field) {
    switch (id) {
      case kContent: {
        const AvroType& present = decoder.Resolve(field);
        const int32_t content = present.kind == AvroKind::kNull ? 0 : decoder.Int(present);
        if (content < 0 || content > 2) return decoder.Fail("a file whose content is none of data and deletes");
        file.content = static_cast<FileContent>(content);
        return;
      }
      case kFilePath:
        file.file_path = decoder.Bytes(decoder.Resolve(field));
        return;
      case kFileFormat:
        file.file_format = decoder.Bytes(decoder.Resolve(field));
        for (char& c : file.file_format) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        return;
      case kPartition:
        decoder.Record(decoder.Resolve(field), [&](int32_t partition_id, const AvroType& value) {
          auto known = std::ranges::find(partition_type.fields, partition_id, &Field::id);
          if (known == partition_type.fields.end()) return decoder.Skip(value);
          const auto position = static_cast<size_t>(known - partition_type.fields.begin());
          file.partition[position] = DecodePartitionValue(decoder, value, known->type);
        });
        return;
      case kRecordCount:
        file.record_count = decoder.Long(decoder.Resolve(field));
        return;
      case kFileSizeInBytes:
        file.file_size_in_bytes = decoder.Long(decoder.Resolve(field));
        return;
      case kColumnSizes:
        return DecodeMap(decoder, field, file.column_sizes, count);
      case kValueCounts:
        return DecodeMap(decoder, field, file.value_counts, count);
      case kNullValueCounts:
        return DecodeMap(decoder, field, file.null_value_counts, count);
      case kNanValueCounts:
        return DecodeMap(decoder, field, file.nan_value_counts, count);
      case kLowerBounds:
        return DecodeMap(decoder, field, file.lower_bounds, bound);
      case kUpperBounds:
        return DecodeMap(decoder, field, file.upper_bounds, bound);
      case kKeyMetadata: {
        const AvroType& present = decoder.Resolve(field);
        raw.encrypted = present.kind != AvroKind::kNull;
        return decoder.Skip(present);
      }
      case kSplitOffsets:
        return DecodeOptionalArray(decoder, field,
                                   [&](const AvroType& item) { file.split_offsets.push_back(decoder.Long(item)); });
      case kEqualityIds:
        return DecodeOptionalArray(decoder, field,
                                   [&](const AvroType& item) { file.equality_ids.push_back(decoder.Int(item)); });
      case kSortOrderId: {
        const AvroType& present = decoder.Resolve(field);
        if (present.kind != AvroKind::kNull) file.sort_order_id = decoder.Int(present);
        return;
      }
      case kReferencedDataFile: {
        const AvroType& present = decoder.Resolve(field);
        if (present.kind != AvroKind::kNull) file.referenced_data_file = decoder.Bytes(present);
        return;
      }
      case kFirstRowId:
        file.first_row_id = DecodeOptionalLong(decoder, field);
        return;
      case kContentOffset:
        file.content_offset = DecodeOptionalLong(decoder, field);
        return;
      case kContentSizeInBytes:
        file.content_size_in_bytes = DecodeOptionalLong(decoder, field);
        return;
      default:
        return decoder.Skip(field);
    }
  });
}

void DecodeEntry(AvroDecoder& decoder, const AvroType& type, const Type& partition_type, RawEntry& raw) {
  decoder.Record(type, [&](int32_t id, const AvroType& field) {
    switch (id) {
      case kStatus: {
        const int32_t status = decoder.Int(decoder.Resolve(field));
        if (status < 0 || status > 2) return decoder.Fail("an entry whose status is none of existing, added, deleted");
        raw.entry.status = static_cast<EntryStatus>(status);
        return;
      }
      case kSnapshotId:
        raw.snapshot_id = DecodeOptionalLong(decoder, field);
        return;
      case kSequenceNumber:
        raw.sequence_number = DecodeOptionalLong(decoder, field);
        return;
      case kFileSequenceNumber:
        raw.file_sequence_number = DecodeOptionalLong(decoder, field);
        return;
      case kDataFile:
        return DecodeDataFile(decoder, decoder.Resolve(field), partition_type, raw);
      default:
        return decoder.Skip(field);
    }
  });
}

}  // namespace

std::string ManifestEntryAvroSchema(int32_t format_version, const Type& partition_type) {
  // Made once but for the partition: it would take longer than to encode the few entries of a small commit.
  static const std::string kV2 = DumpJson(EntryAvroSchema(2, kPartitionMark));
  static const std::string kV3 = DumpJson(EntryAvroSchema(3, kPartitionMark));
  const std::string_view text = format_version >= 3 ? kV3 : kV2;
  const std::string mark = fmt::format("\"{}\"", kPartitionMark);
  const size_t place = text.find(mark);
  return fmt::format("{}{}{}", text.substr(0, place), DumpJson(PartitionAvroSchema(partition_type)),
                     text.substr(place + mark.size()));
}

ManifestWriter::ManifestWriter(const TableMetadata& metadata, const PartitionSpec& spec, bool holds_deletes,
                               SnapshotId snapshot_id, int64_t sequence_number)
    : format_version_(metadata.format_version),
      partition_type_(PartitionType(metadata, spec)),
      avro_(ManifestEntryAvroSchema(format_version_, partition_type_), FileMetadata(metadata, spec, holds_deletes)),
      partition_bounds_(spec.fields.size()) {
  manifest_.partition_spec_id = spec.spec_id;
  manifest_.holds_deletes = holds_deletes;
  manifest_.sequence_number = sequence_number;
  manifest_.min_sequence_number = sequence_number;
  manifest_.added_snapshot_id = snapshot_id;
  manifest_.partitions.resize(spec.fields.size());
  for (ManifestFile::FieldSummary& summary : manifest_.partitions) summary.contains_nan = false;
}

Status ManifestWriter::Add(const ManifestEntry& entry) {
  const DataFile& file = entry.file;
  if (file.partition_spec_id != manifest_.partition_spec_id || file.partition.size() != partition_type_.fields.size() ||
      (file.content != FileContent::kData) != manifest_.holds_deletes) {
    return MakeError(ErrorKind::kInternal, "{} (partition spec {}, {} partition values) in a manifest of spec {}",
                     file.file_path, file.partition_spec_id, file.partition.size(), manifest_.partition_spec_id);
  }
  encoder_.Clear();
  const bool added = entry.status == EntryStatus::kAdded;
  encoder_.Long(static_cast<int32_t>(entry.status));
  EncodeOptional(encoder_, entry.snapshot_id);
  EncodeOptional(encoder_, added ? std::nullopt : std::optional(entry.sequence_number));
  EncodeOptional(encoder_, added ? std::nullopt : std::optional(entry.file_sequence_number));
  encoder_.Long(static_cast<int32_t>(file.content));
  encoder_.Bytes(file.file_path);
  encoder_.Bytes(file.file_format);
  for (size_t i = 0; i < file.partition.size(); ++i) {
    const Field& field = partition_type_.fields[i];
    if (!EncodePartitionValue(encoder_, field.type, file.partition[i])) {
      return MakeError(ErrorKind::kInternal, "{}: the value of partition field \"{}\" is no {}", file.file_path,
                       field.name, ToString(field.type));
    }
  }
  encoder_.Long(file.record_count);
  encoder_.Long(file.file_size_in_bytes);
  EncodeCounts(encoder_, file.column_sizes);
  EncodeCounts(encoder_, file.value_counts);
  EncodeCounts(encoder_, file.null_value_counts);
  EncodeCounts(encoder_, file.nan_value_counts);
  EncodeBounds(encoder_, file.lower_bounds);
  EncodeBounds(encoder_, file.upper_bounds);
  encoder_.Null();  // key_metadata
  EncodeList(encoder_, file.split_offsets);
  EncodeList(encoder_, file.equality_ids);
  EncodeOptional(encoder_, file.sort_order_id);
  if (format_version_ >= 3) EncodeOptional(encoder_, file.first_row_id);
  if (file.referenced_data_file) {
    encoder_.NotNull();
    encoder_.Bytes(*file.referenced_data_file);
  } else {
    encoder_.Null();
  }
  if (format_version_ >= 3) {
    EncodeOptional(encoder_, file.content_offset);
    EncodeOptional(encoder_, file.content_size_in_bytes);
  }
  TRY_VOID(avro_.Append(encoder_.bytes()));
  Count(entry);
  return {};
}

void ManifestWriter::Count(const ManifestEntry& entry) {
  switch (entry.status) {
    case EntryStatus::kAdded:
      ++manifest_.added_files_count;
      manifest_.added_rows_count += entry.file.record_count;
      break;
    case EntryStatus::kExisting:
      ++manifest_.existing_files_count;
      manifest_.existing_rows_count += entry.file.record_count;
      break;
    case EntryStatus::kDeleted:
      ++manifest_.deleted_files_count;
      manifest_.deleted_rows_count += entry.file.record_count;
      break;
  }
  if (entry.status == EntryStatus::kExisting) {
    manifest_.min_sequence_number = std::min(manifest_.min_sequence_number, entry.sequence_number);
  }
  for (size_t i = 0; i < entry.file.partition.size(); ++i) {
    const Type& type = partition_type_.fields[i].type;
    const Literal value = Widened(type, entry.file.partition[i]);
    ManifestFile::FieldSummary& summary = manifest_.partitions[i];
    if (std::holds_alternative<std::monostate>(value)) {
      summary.contains_null = true;
    } else if (IsNan(value)) {
      summary.contains_nan = true;
    } else {
      auto& [least, greatest] = partition_bounds_[i];
      if (std::holds_alternative<std::monostate>(least) || LiteralLess(type, value, least)) least = value;
      if (std::holds_alternative<std::monostate>(greatest) || LiteralLess(type, greatest, value)) greatest = value;
    }
  }
}

Result<WrittenManifest> ManifestWriter::Finish() && {
  for (size_t i = 0; i < partition_bounds_.size(); ++i) {
    manifest_.partitions[i].lower_bound = SingleValue(partition_bounds_[i].first);
    manifest_.partitions[i].upper_bound = SingleValue(partition_bounds_[i].second);
  }
  WrittenManifest written;
  TRY(written.content, std::move(avro_).Finish());
  manifest_.manifest_length = static_cast<int64_t>(written.content.size());
  written.manifest = std::move(manifest_);
  return written;
}

Result<std::vector<ManifestEntry>> ReadManifest(std::string_view content, const ManifestFile& manifest,
                                                const Type& partition_type) {
  TRY(auto reader, AvroReader::Open(content));
  std::vector<ManifestEntry> entries;
  const auto read_entry = [&](AvroDecoder& decoder, const AvroType& type) -> Status {
    RawEntry raw;
    raw.entry.file.partition.resize(partition_type.fields.size());
    DecodeEntry(decoder, type, partition_type, raw);
    TRY_VOID(decoder.status());
    ManifestEntry& entry = raw.entry;
    if (raw.encrypted) return MakeError(ErrorKind::kUnsupported, "{} is encrypted", entry.file.file_path);
    if (entry.file.file_path.empty() || !IsCount(entry.file.record_count) || !IsCount(entry.file.file_size_in_bytes)) {
      return MakeError(ErrorKind::kCorrupt, "an entry without a path, or with impossible counts");
    }
    // Spec, "Sequence Number Inheritance": null is inherited by added entries, and v1 manifests have 0 throughout.
    const bool inherits = entry.status == EntryStatus::kAdded || manifest.sequence_number == 0;
    if (!inherits && (!raw.sequence_number || !raw.file_sequence_number)) {
      return MakeError(ErrorKind::kCorrupt, "{} is not added here, but has no sequence number", entry.file.file_path);
    }
    entry.snapshot_id = raw.snapshot_id.value_or(manifest.added_snapshot_id);
    entry.sequence_number = raw.sequence_number.value_or(manifest.sequence_number);
    entry.file_sequence_number = raw.file_sequence_number.value_or(manifest.sequence_number);
    entry.file.partition_spec_id = manifest.partition_spec_id;
    entries.push_back(std::move(entry));
    return {};
  };
  TRY_VOID(reader.ForEach(read_entry));
  InheritRowIds(manifest, entries);
  return entries;
}

void InheritRowIds(const ManifestFile& manifest, std::vector<ManifestEntry>& entries) {
  if (manifest.holds_deletes || !manifest.first_row_id) return;
  auto next = static_cast<uint64_t>(*manifest.first_row_id);
  for (ManifestEntry& entry : entries) {
    if (entry.status == EntryStatus::kDeleted || entry.file.first_row_id) continue;
    entry.file.first_row_id = static_cast<int64_t>(next);
    next += static_cast<uint64_t>(entry.file.record_count);
  }
}

}  // namespace firn::iceberg
