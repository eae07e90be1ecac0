#include "encode/wire_array.h"

#include <algorithm>

#include "encode/big_endian.h"

namespace firn::encode {
namespace {

constexpr size_t kArrayHeaderBytes = 12;
constexpr size_t kDimensionBytes = 8;

WireValue TextValue(const char* data, size_t size) {
  return {.data = data, .size = static_cast<int32_t>(size), .format = WireFormat::kText};
}

}  // namespace

Fault TakeArrayHeader(std::string_view& bytes, uint32_t element_oid, ArrayHeader& header) {
  if (bytes.size() < kArrayHeaderBytes) return Fault::kMalformed;
  const auto dimensions = LoadBigEndian<uint32_t>(bytes.data());
  if (dimensions > kMaxArrayDimensions) return Fault::kMalformed;
  if (LoadBigEndian<uint32_t>(bytes.data() + 8) != element_oid) return Fault::kMalformed;
  header.dimensions = dimensions;
  bytes.remove_prefix(kArrayHeaderBytes);
  if (bytes.size() < dimensions * kDimensionBytes) return Fault::kMalformed;
  header.elements = dimensions == 0 ? 0 : 1;
  const size_t most = (bytes.size() - dimensions * kDimensionBytes) / sizeof(int32_t);
  for (size_t i = 0; i < dimensions; ++i) {
    header.sizes[i] = LoadBigEndian<int32_t>(bytes.data());
    header.lower_bounds[i] = LoadBigEndian<int32_t>(bytes.data() + 4);
    bytes.remove_prefix(kDimensionBytes);
    if (header.sizes[i] < 0) return Fault::kMalformed;
    header.elements *= static_cast<size_t>(header.sizes[i]);
    if (header.elements > most) return Fault::kMalformed;
  }
  return Fault::kNone;
}

Fault TakeArrayElement(std::string_view& bytes, WireValue& element) {
  if (bytes.size() < sizeof(int32_t)) return Fault::kMalformed;
  const auto size = LoadBigEndian<int32_t>(bytes.data());
  bytes.remove_prefix(sizeof(int32_t));
  if (size == -1) {
    element = {};
    return Fault::kNone;
  }
  if (size < 0 || static_cast<size_t>(size) > bytes.size()) return Fault::kMalformed;
  element = {.data = bytes.data(), .size = size, .format = WireFormat::kBinary};
  bytes.remove_prefix(static_cast<size_t>(size));
  return Fault::kNone;
}

Fault SplitBinaryArray(std::string_view bytes, uint32_t element_oid, LowerBounds bounds,
                       std::vector<WireValue>& elements) {
  ArrayHeader header;
  if (const Fault fault = TakeArrayHeader(bytes, element_oid, header); fault != Fault::kNone) return fault;
  if (header.dimensions > 1) return Fault::kManyDimensions;
  if (header.dimensions == 1 && header.lower_bounds[0] != 1 && bounds == LowerBounds::kOne) return Fault::kLowerBound;
  for (size_t i = 0; i < header.elements; ++i) {
    if (const Fault fault = TakeArrayElement(bytes, elements.emplace_back()); fault != Fault::kNone) return fault;
  }
  return bytes.empty() ? Fault::kNone : Fault::kMalformed;
}

Fault SplitTextArray(std::string_view text, char delimiter, LowerBounds bounds, char*& scratch,
                     std::vector<WireValue>& elements) {
  if (text.starts_with('[')) {  // [2:4]={…}, in front of an array whose lower bounds are not all 1
    const size_t equals = text.find('=');
    if (equals == text.npos) return Fault::kMalformed;
    if (text.substr(equals + 1).starts_with("{{")) return Fault::kManyDimensions;
    if (bounds == LowerBounds::kOne) return Fault::kLowerBound;
    text.remove_prefix(equals + 1);
  }
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') return Fault::kMalformed;
  if (text.size() == 2) return Fault::kNone;
  const char* at = text.data() + 1;
  const char* const end = text.data() + text.size() - 1;  // the closing brace
  if (*at == '{') return Fault::kManyDimensions;
  for (;;) {
    if (*at == '"') {
      const char* const begin = ++at;
      while (at != end && *at != '"' && *at != '\\') ++at;
      if (at == end) return Fault::kMalformed;
      if (*at == '"') {
        elements.push_back(TextValue(begin, static_cast<size_t>(at - begin)));
      } else {
        char* const unescaped = scratch;
        for (const char* copied = begin; copied != at; ++copied) *scratch++ = *copied;
        while (at != end && *at != '"') {
          if (*at == '\\' && ++at == end) return Fault::kMalformed;
          *scratch++ = *at++;
        }
        if (at == end) return Fault::kMalformed;
        elements.push_back(TextValue(unescaped, static_cast<size_t>(scratch - unescaped)));
      }
      ++at;
    } else {
      const char* const begin = at;
      while (at != end && *at != delimiter) {
        if (*at == '"' || *at == '{' || *at == '}' || *at == '\\') return Fault::kMalformed;
        ++at;
      }
      const std::string_view element(begin, static_cast<size_t>(at - begin));
      if (element.empty()) return Fault::kMalformed;
      elements.push_back(element == "NULL" ? WireValue{} : TextValue(begin, element.size()));
    }
    if (at == end) return Fault::kNone;
    if (*at != delimiter) return Fault::kMalformed;
    ++at;
    if (at == end) return Fault::kMalformed;
  }
}

}  // namespace firn::encode
