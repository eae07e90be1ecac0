// Avro object container files (Avro 1.11 specification, "Object Container Files"), as far as Iceberg's manifests need.
//
//   "Obj" 1 | metadata map: avro.schema, avro.codec, … | sync marker (16 bytes)
//   block:    record count | size in bytes | records, compressed | sync marker         … and so on to the end
//
// Writers encode records by hand, in the order of their schema. Readers follow the schema that stands in the file, as
// other writers have other orders and optional fields, and pick record fields by Iceberg's "field-id". Files are whole
// in memory; malformed ones give kCorrupt. Single-threaded.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/try.h"
#include "firn/result.h"
#include "iceberg/compression.h"

namespace firn::iceberg {

/// Appends values in Avro's binary encoding.
class AvroEncoder {
 public:
  void Boolean(bool value) { bytes_.push_back(value ? 1 : 0); }
  void Long(int64_t value);  ///< Avro's int and long: zigzag, variable length.
  void Float(float value);
  void Double(double value);
  void Bytes(std::string_view value);  ///< Avro's bytes and string.
  void Fixed(std::string_view value) { bytes_.append(value); }
  /// The branch of ["null", T], before the value where there is one.
  void Null() { Long(0); }
  void NotNull() { Long(1); }
  /// An array is its count and items, then the end; an empty one is the end alone.
  void ArrayBlock(size_t count) {
    if (count > 0) Long(static_cast<int64_t>(count));
  }
  void ArrayEnd() { Long(0); }

  const std::string& bytes() const { return bytes_; }
  void Clear() { bytes_.clear(); }

 private:
  std::string bytes_;
};

class AvroWriter {
 public:
  /// `metadata` comes beside avro.schema and avro.codec.
  AvroWriter(std::string_view schema_json, const std::map<std::string, std::string>& metadata,
             BlockCodec codec = BlockCodec::kDeflate);

  Status Append(std::string_view record);
  /// The whole file.
  Result<std::string> Finish() &&;
  /// Bytes of the file so far; the block that is still open counts as if it were compressed like those before it.
  int64_t estimated_bytes() const;

 private:
  Status FlushBlock();

  BlockCodec codec_;
  std::string sync_marker_;
  std::string file_;
  std::string block_;
  int64_t block_records_ = 0;
  int64_t plain_bytes_ = 0;       ///< Of all flushed blocks, before compression.
  int64_t compressed_bytes_ = 0;  ///< The same, after it.
};

enum class AvroKind : uint8_t {
  kNull,
  kBoolean,
  kInt,
  kLong,
  kFloat,
  kDouble,
  kBytes,
  kString,
  kFixed,
  kEnum,
  kRecord,
  kArray,
  kMap,
  kUnion,
};

/// A schema as a file declares it.
struct AvroType {
  struct RecordField {
    std::string name;
    int32_t field_id = -1;  ///< Iceberg's; -1: none.
    std::shared_ptr<const AvroType> type;
  };
  AvroKind kind = AvroKind::kNull;
  int64_t fixed_size = 0;
  std::string logical_type;
  std::vector<RecordField> fields;                        ///< kRecord
  std::vector<std::shared_ptr<const AvroType>> branches;  ///< kUnion: its branches; kArray, kMap: [items]
  int64_t bytes_min = 0;  ///< No value is shorter. A type whose values have no bytes at all has 0.
};

/// Reads values along a type. The first malformed byte stops it: everything read from then on is zero or empty, and
/// ok() is false. Checked by callers at the end of what they read, and by loops at each step.
class AvroDecoder {
 public:
  explicit AvroDecoder(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return error_ == nullptr; }
  /// Stops reading: what was read is not what it should be. `error` is a literal.
  void Fail(const char* error) {
    if (error_ == nullptr) error_ = error;
    rest_ = {};
  }
  /// kCorrupt with the first thing that was wrong.
  Status status() const;
  std::string_view rest() const { return rest_; }  ///< Not yet read; empty once something was malformed.

  /// The type to read at this place: the branch that is there for a union, else `type` itself.
  const AvroType& Resolve(const AvroType& type);

  bool Boolean(const AvroType& type);
  int64_t Long(const AvroType& type);  ///< From int or long.
  int32_t Int(const AvroType& type);   ///< From int or long, which must fit.
  float Float(const AvroType& type);
  double Double(const AvroType& type);      ///< From float or double.
  std::string Bytes(const AvroType& type);  ///< From bytes, string or fixed.
  void Skip(const AvroType& type);

  /// Calls visit(field_id, type) for each field of a record; each call must read or skip its value.
  template <typename Visit>
  void Record(const AvroType& type, Visit visit) {
    if (!Expect(type, AvroKind::kRecord)) return;
    for (const AvroType::RecordField& field : type.fields) {
      if (!ok()) return;
      visit(field.field_id, *field.type);
    }
  }

  /// Calls visit(value_type) after each key of a map; each call must read or skip the value. `key` is then the key.
  template <typename Visit>
  void Map(const AvroType& type, std::string& key, Visit visit) {
    if (!Expect(type, AvroKind::kMap)) return;
    const AvroType& values = *type.branches[0];
    while (const int64_t count = EntryCount()) {
      for (int64_t i = 0; i < count && ok(); ++i) {
        key = Key();
        visit(values);
      }
    }
  }

  /// Calls visit(item_type) for each item; each call must read or skip it.
  template <typename Visit>
  void Array(const AvroType& type, Visit visit) {
    if (!Expect(type, AvroKind::kArray)) return;
    const AvroType& items = *type.branches[0];
    while (const int64_t count = BlockCount(items)) {
      for (int64_t i = 0; i < count && ok(); ++i) visit(items);
    }
  }

 private:
  int64_t RawLong();
  std::string_view RawBytes(int64_t size);
  int64_t BlockCount(const AvroType& items);
  int64_t EntryCount();
  std::string Key();
  bool Expect(const AvroType& type, AvroKind kind);
  std::string_view rest_;
  const char* error_ = nullptr;  ///< The first thing that was wrong, a literal.
};

class AvroReader {
 public:
  /// `file`: the whole file, or as much of it as holds the header.
  static Result<AvroReader> Open(std::string_view file);

  const AvroType& schema() const { return *schema_; }
  /// The value of a file metadata key, or nothing.
  std::optional<std::string_view> Metadata(std::string_view key) const;
  /// What is behind the header; a view into the file.
  std::string_view blocks() const { return blocks_; }

  struct Block {
    int64_t records = 0;
    std::string bytes;
  };
  /// For files that are read in parts: the bytes that the block at the start of `bytes` takes; at least
  /// kBlockHeadBytes of it are there, or all of the file's.
  static constexpr size_t kBlockHeadBytes = 20;
  Result<size_t> BlockSize(std::string_view bytes) const;
  /// The block that `bytes` begin with.
  Result<Block> DecodeBlock(std::string_view bytes) const;

  /// Calls read(decoder, schema()) for each record of the file, which must read or skip it, and gives a Status.
  template <typename Read>
  Status ForEach(Read read) {
    while (!blocks_.empty()) {
      TRY(const size_t size, BlockSize(blocks_));
      TRY(Block block, DecodeBlock(blocks_));
      blocks_.remove_prefix(size);
      AvroDecoder decoder(block.bytes);
      for (int64_t i = 0; i < block.records; ++i) {
        TRY_VOID(read(decoder, *schema_));
        TRY_VOID(decoder.status());
      }
      if (!decoder.rest().empty()) return MakeError(ErrorKind::kCorrupt, "a block with bytes after its last record");
    }
    return {};
  }

 private:
  std::shared_ptr<const AvroType> schema_;
  std::map<std::string, std::string, std::less<>> metadata_;
  BlockCodec codec_ = BlockCodec::kNone;
  std::string sync_marker_;
  std::string_view blocks_;  ///< Those still to read; views into the file.
};

}  // namespace firn::iceberg
