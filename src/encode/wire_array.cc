#include "encode/wire_array.h"

#include <limits>

#include "encode/big_endian.h"

namespace firn::encode {
namespace {

constexpr size_t kHeaderBytes = 12;
constexpr size_t kDimensionBytes = 8;
constexpr int32_t kMaxDimensions = 6;  // MAXDIM

WireValue TextValue(const char* data, size_t size) {
  return {.data = data, .size = static_cast<int32_t>(size), .format = WireFormat::kText};
}

}  // namespace

Fault SplitBinaryArray(std::string_view bytes, uint32_t element_oid, std::vector<WireValue>& elements) {
  if (bytes.size() < kHeaderBytes) return Fault::kMalformed;
  const auto dimensions = LoadBigEndian<int32_t>(bytes.data());
  if (dimensions < 0 || dimensions > kMaxDimensions) return Fault::kMalformed;
  if (LoadBigEndian<uint32_t>(bytes.data() + 8) != element_oid) return Fault::kMalformed;
  if (dimensions == 0) return bytes.size() == kHeaderBytes ? Fault::kNone : Fault::kMalformed;
  if (dimensions > 1) return Fault::kManyDimensions;
  if (bytes.size() < kHeaderBytes + kDimensionBytes) return Fault::kMalformed;
  const auto count = LoadBigEndian<int32_t>(bytes.data() + kHeaderBytes);
  if (LoadBigEndian<int32_t>(bytes.data() + kHeaderBytes + 4) != 1) return Fault::kLowerBound;
  bytes.remove_prefix(kHeaderBytes + kDimensionBytes);
  if (count < 0 || static_cast<size_t>(count) > bytes.size() / sizeof(int32_t)) return Fault::kMalformed;
  for (int32_t i = 0; i < count; ++i) {
    if (bytes.size() < sizeof(int32_t)) return Fault::kMalformed;
    const auto size = LoadBigEndian<int32_t>(bytes.data());
    bytes.remove_prefix(sizeof(int32_t));
    if (size == -1) {
      elements.push_back(WireValue{});
      continue;
    }
    if (size < 0 || static_cast<size_t>(size) > bytes.size()) return Fault::kMalformed;
    elements.push_back({.data = bytes.data(), .size = size, .format = WireFormat::kBinary});
    bytes.remove_prefix(static_cast<size_t>(size));
  }
  return bytes.empty() ? Fault::kNone : Fault::kMalformed;
}

Fault SplitTextArray(std::string_view text, char*& scratch, std::vector<WireValue>& elements) {
  if (!text.empty() && text.front() == '[')
    return text.find("={{") == text.npos ? Fault::kLowerBound : Fault::kManyDimensions;
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
      while (at != end && *at != ',') {
        if (*at == '"' || *at == '{' || *at == '}' || *at == '\\') return Fault::kMalformed;
        ++at;
      }
      const std::string_view element(begin, static_cast<size_t>(at - begin));
      if (element.empty()) return Fault::kMalformed;
      elements.push_back(element == "NULL" ? WireValue{} : TextValue(begin, element.size()));
    }
    if (at == end) return Fault::kNone;
    if (*at != ',') return Fault::kMalformed;
    ++at;
    if (at == end) return Fault::kMalformed;
  }
}

}  // namespace firn::encode
