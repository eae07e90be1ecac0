// Variants, the encoding of semi-structured values (Parquet's VariantEncoding.md, version 1): a dictionary of field
// names, "metadata", and values that refer to it. Pure; bytes that are no variant give kCorrupt.
//
//   metadata  header (version, sorted?, size of offsets) | count | offsets, count + 1 | names
//   value     header (basic type in its lowest 2 bits):
//               0 primitive (its type in the rest) | its bytes        1 short string (its size in the rest) | UTF-8
//               2 object | count | field ids, by name | offsets | values       3 array | count | offsets | values
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "firn/result.h"

namespace firn::iceberg {

/// A primitive's type, as it stands in the header.
enum class VariantPrimitive : uint8_t {
  kNull = 0,
  kTrue = 1,
  kFalse = 2,
  kInt8 = 3,
  kInt16 = 4,
  kInt32 = 5,
  kInt64 = 6,
  kDouble = 7,
  kDecimal4 = 8,
  kDecimal8 = 9,
  kDecimal16 = 10,
  kDate = 11,
  kTimestampTz = 12,
  kTimestamp = 13,
  kFloat = 14,
  kBinary = 15,
  kString = 16,
  kTime = 17,
  kTimestampTzNs = 18,
  kTimestampNs = 19,
  kUuid = 20,
};

enum class VariantKind : uint8_t { kPrimitive = 0, kShortString = 1, kObject = 2, kArray = 3 };

/// The names that a value's objects use. Views into the bytes that it was parsed from.
class VariantNames {
 public:
  static Result<VariantNames> Parse(std::string_view metadata);
  size_t size() const { return names_.size(); }
  std::string_view operator[](size_t id) const { return names_[id]; }
  /// The id of a name; kCorrupt when there is none.
  Result<uint32_t> Find(std::string_view name) const;

 private:
  std::vector<std::string_view> names_;
  std::unordered_map<std::string_view, uint32_t> ids_;
};

/// The kind of the value that `value` begins with, which is not empty.
VariantKind KindOfVariant(std::string_view value);
/// The type of a primitive.
Result<VariantPrimitive> PrimitiveOfVariant(std::string_view value);
/// The content of a primitive or short string: a string's or binary's bytes without their length.
Result<std::string_view> PrimitiveBytes(std::string_view value);
/// The fields of an object, by id, and the items of an array. Each view is exactly one value.
Result<std::vector<std::pair<uint32_t, std::string_view>>> ObjectFields(std::string_view value);
Result<std::vector<std::string_view>> ArrayItems(std::string_view value);

/// `content`: as PrimitiveBytes has it.
void AppendVariantPrimitive(VariantPrimitive type, std::string_view content, std::string& out);
/// `fields` in the order of their names.
void AppendVariantObject(const std::vector<std::pair<uint32_t, std::string>>& fields, std::string& out);
void AppendVariantArray(const std::vector<std::string>& items, std::string& out);

}  // namespace firn::iceberg
