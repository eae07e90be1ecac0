#include "iceberg/avro_container.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <mutex>

#include "base/system_random.h"
#include "iceberg/json_member.h"

namespace firn::iceberg {
namespace {

constexpr std::string_view kMagic("Obj\1", 4);
constexpr size_t kSyncBytes = 16;
constexpr size_t kBlockBytes = 64 << 10;
constexpr int64_t kBlockBytesMax = int64_t{256} << 20;
constexpr int kSchemaDepthMax = 64;
constexpr int64_t kSizeMax = int64_t{1} << 40;  // Where sums of minimal sizes stop growing.

constexpr std::pair<std::string_view, BlockCodec> kCodecs[] = {
    {"null", BlockCodec::kNone},
    {"deflate", BlockCodec::kDeflate},
    {"snappy", BlockCodec::kSnappy},
    {"zstandard", BlockCodec::kZstandard},
};

constexpr std::pair<std::string_view, AvroKind> kPrimitives[] = {
    {"null", AvroKind::kNull},   {"boolean", AvroKind::kBoolean}, {"int", AvroKind::kInt},
    {"long", AvroKind::kLong},   {"float", AvroKind::kFloat},     {"double", AvroKind::kDouble},
    {"bytes", AvroKind::kBytes}, {"string", AvroKind::kString},
};

using AvroTypePtr = std::shared_ptr<const AvroType>;

/// Parses a schema's JSON. A record that holds itself is refused: Iceberg has none, and it would have no least size.
class SchemaParser {
 public:
  Result<AvroTypePtr> Parse(const Json& json, int depth) {
    if (depth > kSchemaDepthMax)
      return MakeError(ErrorKind::kCorrupt, "the schema nests deeper than {}", kSchemaDepthMax);
    if (json.is_string()) return Named(json.get_ref<const std::string&>());
    if (json.is_array()) return Union(json, depth);
    TRY(const Json kind, Member<Json>(json, "type"));
    if (!kind.is_string()) return Parse(kind, depth + 1);
    const std::string& name = kind.get_ref<const std::string&>();
    AvroType type;
    TRY(auto logical_type, OptionalMember<std::string>(json, "logicalType"));
    type.logical_type = std::move(logical_type).value_or("");
    if (name == "record") {
      TRY_VOID(Record(json, depth, type));
    } else if (name == "array" || name == "map") {
      type.kind = name == "array" ? AvroKind::kArray : AvroKind::kMap;
      TRY(const Json items, Member<Json>(json, name == "array" ? "items" : "values"));
      TRY(auto item_type, Parse(items, depth + 1));
      if (type.kind == AvroKind::kArray && item_type->bytes_min == 0) {
        return MakeError(ErrorKind::kUnsupported, "an array of items without bytes");
      }
      type.branches.push_back(std::move(item_type));
      type.bytes_min = 1;
    } else if (name == "fixed") {
      type.kind = AvroKind::kFixed;
      TRY(type.fixed_size, Member<int64_t>(json, "size"));
      if (type.fixed_size < 0 || type.fixed_size > kBlockBytesMax) {
        return MakeError(ErrorKind::kCorrupt, "a fixed of {} bytes", type.fixed_size);
      }
      type.bytes_min = type.fixed_size;
    } else if (name == "enum") {
      type.kind = AvroKind::kEnum;
      type.bytes_min = 1;
    } else {
      TRY(auto plain, Named(name));
      if (type.logical_type.empty()) return plain;
      AvroType with_logical = *plain;
      with_logical.logical_type = std::move(type.logical_type);
      return std::make_shared<const AvroType>(std::move(with_logical));
    }
    auto result = std::make_shared<const AvroType>(std::move(type));
    TRY(auto own_name, OptionalMember<std::string>(json, "name"));
    if (own_name) names_[*own_name] = result;
    return result;
  }

 private:
  Result<AvroTypePtr> Named(std::string_view name) {
    for (const auto& [text, kind] : kPrimitives) {
      if (text != name) continue;
      AvroType type{.kind = kind, .bytes_min = 1};
      if (kind == AvroKind::kNull) type.bytes_min = 0;
      if (kind == AvroKind::kFloat) type.bytes_min = 4;
      if (kind == AvroKind::kDouble) type.bytes_min = 8;
      return std::make_shared<const AvroType>(std::move(type));
    }
    auto found = names_.find(name);
    if (found == names_.end()) return MakeError(ErrorKind::kCorrupt, "the schema names the unknown type \"{}\"", name);
    return found->second;
  }

  Result<AvroTypePtr> Union(const Json& json, int depth) {
    AvroType type{.kind = AvroKind::kUnion, .bytes_min = 1};
    for (const Json& item : json) {
      TRY(auto branch, Parse(item, depth + 1));
      if (branch->kind == AvroKind::kUnion) return MakeError(ErrorKind::kCorrupt, "a union directly in a union");
      type.branches.push_back(std::move(branch));
    }
    return std::make_shared<const AvroType>(std::move(type));
  }

  Status Record(const Json& json, int depth, AvroType& type) {
    type.kind = AvroKind::kRecord;
    TRY(type.fields,
        MemberArray<AvroType::RecordField>(json, "fields", [&](const Json& item) -> Result<AvroType::RecordField> {
          AvroType::RecordField field;
          TRY(field.name, Member<std::string>(item, "name"));
          TRY(auto field_id, OptionalMember<int32_t>(item, "field-id"));
          field.field_id = field_id.value_or(-1);
          TRY(const Json field_type, Member<Json>(item, "type"));
          TRY(field.type, Parse(field_type, depth + 1).Context("field \"{}\"", field.name));
          return field;
        }));
    for (const auto& field : type.fields) type.bytes_min = std::min(kSizeMax, type.bytes_min + field.type->bytes_min);
    return {};
  }

  std::map<std::string, AvroTypePtr, std::less<>> names_;
};

/// The types of schemas that were met lately: nearly all files of a process have one of a few, and reading a small file
/// is mostly parsing its schema. Thread-safe.
class SchemaCache {
 public:
  Result<AvroTypePtr> Parse(std::string_view text) {
    {
      std::lock_guard lock(mutex_);
      if (const auto known = types_.find(text); known != types_.end()) return known->second;
    }
    TRY(const Json json, ParseJson(text));
    SchemaParser parser;
    TRY(AvroTypePtr type, parser.Parse(json, 0));
    std::lock_guard lock(mutex_);
    if (types_.size() >= kTypesMax) types_.clear();
    types_.emplace(text, type);
    return type;
  }

 private:
  static constexpr size_t kTypesMax = 64;

  std::mutex mutex_;
  std::map<std::string, AvroTypePtr, std::less<>> types_;  ///< Under mutex_; by the schema's text.
};

template <typename Bits, typename Value>
void AppendLittleEndian(std::string& bytes, Value value) {
  auto bits = std::bit_cast<Bits>(value);
  for (size_t i = 0; i < sizeof(Bits); ++i, bits >>= 8) bytes.push_back(static_cast<char>(bits & 0xFF));
}

template <typename Bits>
Bits ReadLittleEndian(std::string_view bytes) {
  Bits bits = 0;
  for (size_t i = 0; i < bytes.size(); ++i) bits |= Bits{static_cast<uint8_t>(bytes[i])} << (8 * i);
  return bits;
}

std::string RandomSyncMarker() {
  std::string marker;
  while (marker.size() < kSyncBytes) AppendLittleEndian<uint64_t>(marker, SystemRandom()());
  return marker;
}

const AvroType& NullType() {
  static const AvroType type;
  return type;
}

const AvroType& LongType() {
  static const AvroType type{.kind = AvroKind::kLong, .bytes_min = 1};
  return type;
}

const AvroType& BytesType() {
  static const AvroType type{.kind = AvroKind::kBytes, .bytes_min = 1};
  return type;
}

}  // namespace

void AvroEncoder::Long(int64_t value) {
  uint64_t rest = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  while (rest >= 0x80) {
    bytes_.push_back(static_cast<char>(rest | 0x80));
    rest >>= 7;
  }
  bytes_.push_back(static_cast<char>(rest));
}

void AvroEncoder::Float(float value) { AppendLittleEndian<uint32_t>(bytes_, value); }
void AvroEncoder::Double(double value) { AppendLittleEndian<uint64_t>(bytes_, value); }

void AvroEncoder::Bytes(std::string_view value) {
  Long(static_cast<int64_t>(value.size()));
  bytes_.append(value);
}

AvroWriter::AvroWriter(std::string_view schema_json, const std::map<std::string, std::string>& metadata,
                       BlockCodec codec)
    : codec_(codec), sync_marker_(RandomSyncMarker()) {
  AvroEncoder header;
  header.Fixed(kMagic);
  header.ArrayBlock(metadata.size() + 2);
  header.Bytes("avro.schema");
  header.Bytes(schema_json);
  header.Bytes("avro.codec");
  header.Bytes(std::ranges::find(kCodecs, codec, &std::pair<std::string_view, BlockCodec>::second)->first);
  for (const auto& [key, value] : metadata) {
    header.Bytes(key);
    header.Bytes(value);
  }
  header.ArrayEnd();
  header.Fixed(sync_marker_);
  file_ = header.bytes();
}

Status AvroWriter::Append(std::string_view record) {
  block_.append(record);
  ++block_records_;
  if (block_.size() >= kBlockBytes) return FlushBlock();
  return {};
}

Status AvroWriter::FlushBlock() {
  if (block_records_ == 0) return {};
  TRY(const std::string compressed, Compress(codec_, block_));
  AvroEncoder encoder;
  encoder.Long(block_records_);
  encoder.Bytes(compressed);
  encoder.Fixed(sync_marker_);
  file_ += encoder.bytes();
  plain_bytes_ += static_cast<int64_t>(block_.size());
  compressed_bytes_ += static_cast<int64_t>(compressed.size());
  block_.clear();
  block_records_ = 0;
  return {};
}

Result<std::string> AvroWriter::Finish() && {
  TRY_VOID(FlushBlock());
  return std::move(file_);
}

int64_t AvroWriter::estimated_bytes() const {
  const auto open = static_cast<double>(block_.size());
  const double ratio =
      plain_bytes_ > 0 ? static_cast<double>(compressed_bytes_) / static_cast<double>(plain_bytes_) : 1.0;
  return static_cast<int64_t>(file_.size()) + static_cast<int64_t>(open * ratio);
}

Status AvroDecoder::status() const {
  if (ok()) return {};
  return MakeError(ErrorKind::kCorrupt, "{}", error_);
}

int64_t AvroDecoder::RawLong() {
  uint64_t value = 0;
  for (size_t i = 0; i < 10; ++i) {
    if (i >= rest_.size()) break;
    const auto byte = static_cast<uint8_t>(rest_[i]);
    value |= uint64_t{byte & 0x7Fu} << (7 * i);
    if (byte < 0x80) {
      rest_.remove_prefix(i + 1);
      return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1));
    }
  }
  Fail("a number that does not end");
  return 0;
}

std::string_view AvroDecoder::RawBytes(int64_t size) {
  if (size < 0 || static_cast<uint64_t>(size) > rest_.size()) {
    Fail("a value that is longer than what is left");
    return {};
  }
  const std::string_view bytes = rest_.substr(0, static_cast<size_t>(size));
  rest_.remove_prefix(static_cast<size_t>(size));
  return bytes;
}

bool AvroDecoder::Expect(const AvroType& type, AvroKind kind) {
  if (!ok()) return false;
  if (type.kind != kind) {
    Fail("a field of another type than Iceberg's");
    return false;
  }
  if (type.bytes_min > static_cast<int64_t>(rest_.size())) {
    Fail("a value that is longer than what is left");
    return false;
  }
  return true;
}

const AvroType& AvroDecoder::Resolve(const AvroType& type) {
  if (type.kind != AvroKind::kUnion) return type;
  const int64_t branch = ok() ? RawLong() : 0;
  if (!ok() || branch < 0 || static_cast<uint64_t>(branch) >= type.branches.size()) {
    Fail("a union without such a branch");
    return NullType();
  }
  return *type.branches[static_cast<size_t>(branch)];
}

bool AvroDecoder::Boolean(const AvroType& type) {
  if (!Expect(type, AvroKind::kBoolean)) return false;
  const std::string_view byte = RawBytes(1);
  if (!byte.empty() && static_cast<uint8_t>(byte[0]) > 1) Fail("a boolean that is neither 0 nor 1");
  return ok() && byte[0] == 1;
}

int64_t AvroDecoder::Long(const AvroType& type) {
  if (!Expect(type, type.kind == AvroKind::kInt ? AvroKind::kInt : AvroKind::kLong)) return 0;
  return RawLong();
}

int32_t AvroDecoder::Int(const AvroType& type) {
  const int64_t value = Long(type);
  if (value < std::numeric_limits<int32_t>::min() || value > std::numeric_limits<int32_t>::max()) {
    Fail("an integer that is out of range");
    return 0;
  }
  return static_cast<int32_t>(value);
}

float AvroDecoder::Float(const AvroType& type) {
  if (!Expect(type, AvroKind::kFloat)) return 0;
  return std::bit_cast<float>(ReadLittleEndian<uint32_t>(RawBytes(4)));
}

double AvroDecoder::Double(const AvroType& type) {
  if (type.kind == AvroKind::kFloat) return Float(type);
  if (!Expect(type, AvroKind::kDouble)) return 0;
  return std::bit_cast<double>(ReadLittleEndian<uint64_t>(RawBytes(8)));
}

std::string AvroDecoder::Bytes(const AvroType& type) {
  if (!ok()) return {};
  if (type.kind == AvroKind::kFixed) return std::string(RawBytes(type.fixed_size));
  if (!Expect(type, type.kind == AvroKind::kString ? AvroKind::kString : AvroKind::kBytes)) return {};
  return std::string(RawBytes(RawLong()));
}

int64_t AvroDecoder::BlockCount(const AvroType& items) {
  if (!ok()) return 0;
  int64_t count = RawLong();
  if (count < 0) {  // A count with the block's size in bytes behind it, to skip by.
    if (count == std::numeric_limits<int64_t>::min()) {
      Fail("an array with more items than bytes");
      return 0;
    }
    count = -count;
    RawLong();
  }
  if (count > static_cast<int64_t>(rest_.size()) / std::max<int64_t>(1, items.bytes_min)) {
    Fail("an array with more items than bytes");
    return 0;
  }
  return ok() ? count : 0;
}

int64_t AvroDecoder::EntryCount() { return BlockCount(BytesType()); }

std::string AvroDecoder::Key() { return Bytes(BytesType()); }

void AvroDecoder::Skip(const AvroType& type) {
  if (!ok()) return;
  switch (type.kind) {
    case AvroKind::kNull:
      return;
    case AvroKind::kBoolean:
      RawBytes(1);
      return;
    case AvroKind::kInt:
    case AvroKind::kLong:
    case AvroKind::kEnum:
      RawLong();
      return;
    case AvroKind::kFloat:
      RawBytes(4);
      return;
    case AvroKind::kDouble:
      RawBytes(8);
      return;
    case AvroKind::kBytes:
    case AvroKind::kString:
      RawBytes(RawLong());
      return;
    case AvroKind::kFixed:
      RawBytes(type.fixed_size);
      return;
    case AvroKind::kRecord:
      if (type.bytes_min == 0) return;  // Every value of it is empty.
      Record(type, [this](int32_t, const AvroType& field) { Skip(field); });
      return;
    case AvroKind::kArray:
      Array(type, [this](const AvroType& item) { Skip(item); });
      return;
    case AvroKind::kMap:
      while (const int64_t count = EntryCount()) {
        for (int64_t i = 0; i < count && ok(); ++i) {
          Skip(BytesType());
          Skip(*type.branches[0]);
        }
      }
      return;
    case AvroKind::kUnion:
      Skip(Resolve(type));
      return;
  }
}

Result<AvroReader> AvroReader::Open(std::string_view file) {
  if (!file.starts_with(kMagic)) return MakeError(ErrorKind::kCorrupt, "not an Avro file");
  AvroReader reader;
  AvroDecoder decoder(file.substr(kMagic.size()));
  while (int64_t count = decoder.Long(LongType())) {
    if (count < 0) decoder.Skip(LongType());  // The size in bytes of a block with a negative count.
    // A false count runs out of bytes: each entry has at least its two lengths.
    for (; count != 0 && decoder.ok(); count += count < 0 ? 1 : -1) {
      std::string key = decoder.Bytes(BytesType());
      reader.metadata_[std::move(key)] = decoder.Bytes(BytesType());
    }
  }
  TRY_VOID(decoder.status().Context("the header"));
  if (decoder.rest().size() < kSyncBytes) return MakeError(ErrorKind::kCorrupt, "the header: no sync marker");
  reader.sync_marker_ = decoder.rest().substr(0, kSyncBytes);
  reader.blocks_ = decoder.rest().substr(kSyncBytes);

  const std::string_view codec = reader.Metadata("avro.codec").value_or("null");
  auto known = std::ranges::find(kCodecs, codec, &std::pair<std::string_view, BlockCodec>::first);
  if (known == std::end(kCodecs)) {
    return MakeError(ErrorKind::kUnsupported, "codec \"{}\": firn reads null, deflate, snappy and zstandard", codec);
  }
  reader.codec_ = known->second;
  const auto schema = reader.Metadata("avro.schema");
  if (!schema) return MakeError(ErrorKind::kCorrupt, "the header: no avro.schema");
  static SchemaCache schemas;
  TRY(reader.schema_, schemas.Parse(*schema).Context("avro.schema"));
  return reader;
}

std::optional<std::string_view> AvroReader::Metadata(std::string_view key) const {
  auto found = metadata_.find(key);
  if (found == metadata_.end()) return std::nullopt;
  return found->second;
}

Result<size_t> AvroReader::BlockSize(std::string_view bytes) const {
  AvroDecoder decoder(bytes);
  decoder.Skip(LongType());
  const int64_t stored = decoder.Long(LongType());
  TRY_VOID(decoder.status().Context("a block"));
  if (stored < 0 || stored > kBlockBytesMax) return MakeError(ErrorKind::kCorrupt, "a block of {} bytes", stored);
  return bytes.size() - decoder.rest().size() + static_cast<size_t>(stored) + kSyncBytes;
}

Result<AvroReader::Block> AvroReader::DecodeBlock(std::string_view bytes) const {
  AvroDecoder decoder(bytes);
  Block block;
  block.records = decoder.Long(LongType());
  const std::string stored = decoder.Bytes(BytesType());
  TRY_VOID(decoder.status().Context("a block"));
  if (!decoder.rest().starts_with(sync_marker_)) {
    return MakeError(ErrorKind::kCorrupt, "a block without the file's sync marker behind it");
  }

  std::string_view compressed = stored;
  if (codec_ == BlockCodec::kSnappy) {  // A CRC of the plain bytes stands behind them.
    if (compressed.size() < 4) return MakeError(ErrorKind::kCorrupt, "a snappy block without its checksum");
    compressed.remove_suffix(4);
  }
  TRY(block.bytes, Decompress(codec_, compressed, kBlockBytesMax).Context("a block"));
  if (block.records < 0 ||
      block.records > static_cast<int64_t>(block.bytes.size()) / std::max<int64_t>(1, schema_->bytes_min)) {
    return MakeError(ErrorKind::kCorrupt, "a block with more records than bytes");
  }
  return block;
}

}  // namespace firn::iceberg
