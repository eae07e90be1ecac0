// JSON text → the Parquet Variant binary encoding (parquet-format, VariantEncoding.md), the value of an Iceberg
// variant.
//
//   metadata: header (version 1, offset size) | number of names | offsets | the names, in the order of their first use
//   value:    header (2 bits basic type, 6 bits more) | bytes; an object's and an array's values lie inside it
//
// Numbers stay what they are: an integer of up to 64 bits, a decimal of up to 38 digits (1.50 keeps its scale), and a
// double only where it is the very number that the text says. Of two members of one name the last counts, as in jsonb.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "encode/wire_fault.h"

namespace firn::encode {

/// What to do with a number that neither a decimal of 38 digits nor a double holds.
enum class InexactNumbers : uint8_t { kRefuse, kNearestDouble };

/// Single-threaded; reused for value after value.
class VariantEncoder {
 public:
  /// `replaced` counts the numbers that kNearestDouble changed. Faults: kMalformed; kInexactNumber; kNotUnicode for a
  /// string with half a surrogate pair; kTooDeep. After a fault there are no metadata and no value.
  Fault Encode(std::string_view json, InexactNumbers inexact, int64_t& replaced);

  /// Of the last Encode; valid until the next one.
  std::string_view metadata() const { return metadata_; }
  std::string_view value() const { return value_; }

 private:
  class Handler;  // of the JSON parser's events

  /// A member of an object, or an element of an array: where its value lies behind its container's begin.
  struct Part {
    uint32_t id = 0;  ///< A member's name.
    size_t begin = 0;
    size_t end = 0;
  };
  struct Container {
    size_t begin = 0;  ///< In value_.
    std::vector<Part> parts = {};
  };

  void FinishObject(Container& object);
  void FinishArray(const Container& array);
  Fault PutNumber(std::string_view token);
  void PutString(std::string_view text);
  void PutDecimal(std::string_view digits, bool negative, int scale);
  void PutDouble(double number);
  void DropRepeatedNames(std::vector<Part>& members, size_t begin);
  uint32_t IdOf(std::string_view name);
  void FinishMetadata();

  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
  };

  std::string metadata_;
  std::string value_;
  std::unordered_map<std::string, uint32_t, NameHash, std::equal_to<>> ids_;
  std::vector<std::string_view> names_;  ///< By id; borrowed from ids_.
  InexactNumbers inexact_ = InexactNumbers::kRefuse;
  int64_t replaced_ = 0;
};

}  // namespace firn::encode
