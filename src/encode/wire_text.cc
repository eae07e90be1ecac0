#include "encode/wire_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "encode/text_pieces.h"
#include "encode/wire_array.h"

namespace firn::encode {
namespace {

constexpr size_t kMaxIntegerText = 20;  // -9223372036854775808
constexpr size_t kMaxFloatText = 24;    // -2.2250738585072014e-308

/// A formatter over a fixed-width codec: `kPut` writes the value that the codec reads.
template <typename WireCodec, auto kPut>
Fault FormatValue(std::string_view bytes, char*& out) {
  typename WireCodec::Value value{};
  if (const Fault fault = WireCodec().Binary(bytes, value); fault != Fault::kNone) return fault;
  kPut(value, out);
  return Fault::kNone;
}

/// A formatter over a variable-width codec, which writes text already.
template <typename WireCodec>
Fault FormatText(std::string_view bytes, char*& out) {
  return WireCodec().Binary(bytes, out);
}

void PutBool(uint8_t value, char*& out) { *out++ = value ? 't' : 'f'; }

template <typename Integer>
void PutInteger(Integer value, char*& out) {
  out = std::to_chars(out, out + kMaxIntegerText, value).ptr;
}

/// float4out, float8out: the shortest digits that read back as the same value, with an exponent below 1e-4 and from
/// 1e`kFixedDigits` on.
template <typename Float, int kFixedDigits>
void PutFloat(Float value, char*& out) {
  if (std::isnan(value)) return Put("NaN", out);
  if (std::signbit(value)) *out++ = '-';
  value = std::abs(value);
  if (std::isinf(value)) return Put("Infinity", out);
  if (value == 0) return Put("0", out);
  std::array<char, 32> buffer;
  const char* const end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific).ptr;
  const std::string_view shortest(buffer.data(), static_cast<size_t>(end - buffer.data()));  // d.ddde+xx
  const size_t e = shortest.find('e');
  int exponent = 0;
  std::from_chars(shortest.data() + e + (shortest[e + 1] == '+' ? 2 : 1), end, exponent);
  if (exponent < -4 || exponent >= kFixedDigits) return Put(shortest, out);
  std::array<char, 32> digit_buffer;
  size_t count = 0;
  for (const char c : shortest.substr(0, e)) {
    if (c != '.') digit_buffer[count++] = c;
  }
  const std::string_view digits(digit_buffer.data(), count);
  if (exponent < 0) {
    Put("0.", out);
    for (int i = -1; i > exponent; --i) *out++ = '0';
    return Put(digits, out);
  }
  const size_t whole = static_cast<size_t>(exponent) + 1;
  Put(digits.substr(0, whole), out);
  for (size_t i = digits.size(); i < whole; ++i) *out++ = '0';
  if (digits.size() > whole) {
    *out++ = '.';
    Put(digits.substr(whole), out);
  }
}

void PutHex(unsigned char byte, char*& out) {
  constexpr char kDigits[] = "0123456789abcdef";
  *out++ = kDigits[byte >> 4];
  *out++ = kDigits[byte & 15];
}

void PutUuid(const UuidCodec::Value& value, char*& out) {
  for (size_t i = 0; i < value.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
    PutHex(value[i], out);
  }
}

Fault FormatBytea(std::string_view bytes, char*& out) {
  Put("\\x", out);
  for (const char byte : bytes) PutHex(static_cast<unsigned char>(byte), out);
  return Fault::kNone;
}

template <size_t kBytes>
size_t AtMost(std::string_view) {
  return kBytes;
}
size_t SameSize(std::string_view bytes) { return bytes.size(); }
size_t TwiceAndPrefix(std::string_view bytes) { return 2 * bytes.size() + 2; }

// --- Arrays ---

/// Whether array_out puts quotes around an element's text.
bool NeedsQuotes(std::string_view text) {
  constexpr std::string_view kNullWord = "NULL";
  if (text.empty()) return true;
  const auto same_letter = [](char a, char b) { return (a >= 'a' && a <= 'z' ? a - 'a' + 'A' : a) == b; };
  if (std::ranges::equal(text, kNullWord, same_letter)) return true;
  return text.find_first_of("\"\\{}, \t\n\r\v\f") != text.npos;
}

/// The text that lies between `begin` and `end` gets its quotes; there is room for twice its size and two more.
char* QuoteInPlace(char* begin, char* end) {
  const auto escapes = std::count_if(begin, end, [](char c) { return c == '"' || c == '\\'; });
  char* to = end + escapes + 2;
  char* const new_end = to;
  *--to = '"';
  for (const char* from = end; from != begin;) {
    *--to = *--from;
    if (*to == '"' || *to == '\\') *--to = '\\';
  }
  *--to = '"';
  return new_end;
}

constexpr size_t kMaxBoundsText = 25;  // [-2147483648:2147483647]

/// [2:4][1:2]= where a lower bound is not 1.
void PutBounds(const ArrayHeader& header, char*& out) {
  const auto bounds = std::span(header.lower_bounds).first(header.dimensions);
  if (std::ranges::all_of(bounds, [](int32_t bound) { return bound == 1; })) return;
  for (size_t i = 0; i < header.dimensions; ++i) {
    *out++ = '[';
    PutInteger(header.lower_bounds[i], out);
    *out++ = ':';
    PutInteger(int64_t{header.lower_bounds[i]} + header.sizes[i] - 1, out);
    *out++ = ']';
  }
  *out++ = '=';
}

}  // namespace

const BinaryToText* FindBinaryToText(Codec codec) {
  static constexpr BinaryToText kBool{AtMost<1>, FormatValue<BoolCodec, PutBool>};
  static constexpr BinaryToText kInt2{AtMost<kMaxIntegerText>, FormatValue<Int2Codec, PutInteger<int16_t>>};
  static constexpr BinaryToText kInt4{AtMost<kMaxIntegerText>, FormatValue<Int4Codec, PutInteger<int32_t>>};
  static constexpr BinaryToText kInt8{AtMost<kMaxIntegerText>, FormatValue<Int8Codec, PutInteger<int64_t>>};
  static constexpr BinaryToText kOid{AtMost<kMaxIntegerText>, FormatValue<OidCodec, PutInteger<uint32_t>>};
  static constexpr BinaryToText kFloat4{AtMost<kMaxFloatText>, FormatValue<Float4Codec, PutFloat<float, 6>>};
  static constexpr BinaryToText kFloat8{AtMost<kMaxFloatText>, FormatValue<Float8Codec, PutFloat<double, 15>>};
  static constexpr BinaryToText kNumeric{BinaryNumericTextBound, FormatText<NumericStringCodec>};
  static constexpr BinaryToText kText{SameSize, FormatText<TextCodec>};
  static constexpr BinaryToText kChar{AtMost<4>, FormatText<CharCodec>};
  static constexpr BinaryToText kJsonb{SameSize, FormatText<JsonbCodec>};
  static constexpr BinaryToText kBytea{TwiceAndPrefix, FormatBytea};
  static constexpr BinaryToText kUuid{AtMost<36>, FormatValue<UuidCodec, PutUuid>};
  static constexpr BinaryToText kDate{AtMost<kMaxDatetimeText>, FormatBinaryDate};
  static constexpr BinaryToText kTime{AtMost<kMaxDatetimeText>, FormatBinaryTime};
  static constexpr BinaryToText kTimestamp{AtMost<kMaxDatetimeText>, FormatBinaryTimestamp};
  static constexpr BinaryToText kTimestampTz{AtMost<kMaxDatetimeText>, FormatBinaryTimestampTz};
  switch (codec) {
    case Codec::kBool:
      return &kBool;
    case Codec::kInt2:
      return &kInt2;
    case Codec::kInt4:
      return &kInt4;
    case Codec::kInt8:
      return &kInt8;
    case Codec::kOid:
      return &kOid;
    case Codec::kFloat4:
      return &kFloat4;
    case Codec::kFloat8:
      return &kFloat8;
    case Codec::kNumericDecimal:
    case Codec::kNumericString:
      return &kNumeric;
    case Codec::kText:
    case Codec::kJson:
      return &kText;
    case Codec::kChar:
      return &kChar;
    case Codec::kJsonb:
      return &kJsonb;
    case Codec::kBytea:
      return &kBytea;
    case Codec::kUuid:
      return &kUuid;
    case Codec::kDate:
      return &kDate;
    case Codec::kTime:
      return &kTime;
    case Codec::kTimestamp:
      return &kTimestamp;
    case Codec::kTimestampTz:
      return &kTimestampTz;
    case Codec::kArray:
    case Codec::kTextArray:
    case Codec::kTextForm:
      return nullptr;
  }
  return nullptr;
}

std::string BinaryAsText(Codec codec, std::string_view bytes) {
  const BinaryToText* const form = FindBinaryToText(codec);
  if (form == nullptr) return {};
  std::string text(form->bound(bytes), '\0');
  char* end = text.data();
  if (form->format(bytes, end) != Fault::kNone) return {};
  text.resize(static_cast<size_t>(end - text.data()));
  return text;
}

std::string BinaryArrayAsText(Codec element_codec, TypeOid element_oid, std::string_view bytes) {
  ArrayTextCodec codec;
  codec.element = FindBinaryToText(element_codec);
  codec.element_oid = element_oid;
  if (codec.element == nullptr) return {};
  std::string text(codec.BinaryBound(bytes), '\0');
  char* end = text.data();
  if (codec.Binary(bytes, end) != Fault::kNone) return {};
  text.resize(static_cast<size_t>(end - text.data()));
  return text;
}

size_t ArrayTextCodec::BinaryBound(std::string_view bytes) const {
  ArrayHeader header;
  if (TakeArrayHeader(bytes, element_oid, header) != Fault::kNone) return 0;
  size_t bound = 2 + header.dimensions * kMaxBoundsText;
  WireValue value;
  for (size_t i = 0; i < header.elements; ++i) {
    bound += 1 + 2 * header.dimensions;                         // a comma, and the braces of every dimension
    if (TakeArrayElement(bytes, value) != Fault::kNone) break;  // so far Binary() comes, too
    bound += value.format == WireFormat::kNull ? 4 : 2 * element->bound(value.bytes()) + 2;  // escapes, quotes
  }
  return bound;
}

Fault ArrayTextCodec::Binary(std::string_view bytes, char*& out) const {
  ArrayHeader header;
  if (const Fault fault = TakeArrayHeader(bytes, element_oid, header); fault != Fault::kNone) return fault;
  if (header.elements == 0) {
    Put("{}", out);
    return bytes.empty() ? Fault::kNone : Fault::kMalformed;
  }
  PutBounds(header, out);
  // How many elements an inner array of each dimension holds: where one begins or ends, so does a brace.
  std::array<size_t, kMaxArrayDimensions> inner{};
  size_t product = 1;
  for (size_t i = header.dimensions; i-- > 0;) {
    product *= static_cast<size_t>(header.sizes[i]);
    inner[i] = product;
  }
  const auto inner_sizes = std::span(inner).first(header.dimensions);
  for (size_t i = 0; i < header.elements; ++i) {
    if (i > 0) *out++ = ',';
    for (const size_t size : inner_sizes) {
      if (i % size == 0) *out++ = '{';
    }
    WireValue value;
    if (const Fault fault = TakeArrayElement(bytes, value); fault != Fault::kNone) return fault;
    if (value.format == WireFormat::kNull) {
      Put("NULL", out);
    } else {
      char* const begin = out;
      if (const Fault fault = element->format(value.bytes(), out); fault != Fault::kNone) return fault;
      if (NeedsQuotes(std::string_view(begin, static_cast<size_t>(out - begin)))) out = QuoteInPlace(begin, out);
    }
    for (const size_t size : inner_sizes) {
      if ((i + 1) % size == 0) *out++ = '}';
    }
  }
  return bytes.empty() ? Fault::kNone : Fault::kMalformed;
}

}  // namespace firn::encode
