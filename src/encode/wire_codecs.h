// One small struct per PostgreSQL type: both wire forms of a value → its Arrow value. column_decoder's loops are
// templates over these, so that everything here is inlined where it is short.
//
// A fixed-width codec has `Value`, Binary(bytes, value) and Text(text, value).
// A variable-width codec has Bound(value): no less than the bytes it may need; and Binary(bytes, out), Text(text, out):
// write the value at `out` and move `out` behind it.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "encode/big_endian.h"
#include "encode/wire_datetime.h"
#include "encode/wire_fault.h"
#include "encode/wire_numeric.h"
#include "model/wire_value.h"

namespace firn::encode {

/// std::copy of few bytes at a known speed: most values are shorter than 16 bytes, for which a call of memcpy is dear.
inline void CopyBytes(char* to, const char* from, size_t size) {
  if (size > 16) {
    std::memcpy(to, from, size);
  } else if (size >= 8) {
    uint64_t head, tail;
    std::memcpy(&head, from, 8);
    std::memcpy(&tail, from + size - 8, 8);
    std::memcpy(to, &head, 8);
    std::memcpy(to + size - 8, &tail, 8);
  } else if (size >= 4) {
    uint32_t head, tail;
    std::memcpy(&head, from, 4);
    std::memcpy(&tail, from + size - 4, 4);
    std::memcpy(to, &head, 4);
    std::memcpy(to + size - 4, &tail, 4);
  } else if (size > 0) {
    to[0] = from[0];
    to[size / 2] = from[size / 2];
    to[size - 1] = from[size - 1];
  }
}

struct BoolCodec {
  using Value = uint8_t;
  Fault Binary(std::string_view bytes, Value& value) const {
    if (bytes.size() != 1) [[unlikely]]
      return Fault::kMalformed;
    value = bytes[0] != 0;
    return Fault::kNone;
  }
  Fault Text(std::string_view text, Value& value) const {
    value = text == "t" || text == "true";
    return value || text == "f" || text == "false" ? Fault::kNone : Fault::kMalformed;
  }
};

template <typename T>
struct IntegerCodec {
  using Value = T;
  Fault Binary(std::string_view bytes, Value& value) const {
    if (bytes.size() != sizeof(T)) [[unlikely]]
      return Fault::kMalformed;
    value = LoadBigEndian<T>(bytes.data());
    return Fault::kNone;
  }
  Fault Text(std::string_view text, Value& value) const {
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return error == std::errc() && stop == end ? Fault::kNone : Fault::kMalformed;
  }
};
using Int2Codec = IntegerCodec<int16_t>;
using Int4Codec = IntegerCodec<int32_t>;
using Int8Codec = IntegerCodec<int64_t>;
using OidCodec = IntegerCodec<uint32_t>;

template <typename T, typename Bits>
struct FloatCodec {
  using Value = T;
  Fault Binary(std::string_view bytes, Value& value) const {
    if (bytes.size() != sizeof(T)) [[unlikely]]
      return Fault::kMalformed;
    value = std::bit_cast<T>(LoadBigEndian<Bits>(bytes.data()));
    return Fault::kNone;
  }
  Fault Text(std::string_view text, Value& value) const {
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);  // takes NaN, Infinity and -Infinity, too
    return error == std::errc() && stop == end ? Fault::kNone : Fault::kMalformed;
  }
};
using Float4Codec = FloatCodec<float, uint32_t>;
using Float8Codec = FloatCodec<double, uint64_t>;

struct DecimalCodec {
  using Value = Int128;
  DecimalLimits limits;
  Fault Binary(std::string_view bytes, Value& value) const { return DecodeBinaryNumeric(bytes, limits, value); }
  Fault Text(std::string_view text, Value& value) const { return DecodeTextNumeric(text, limits, value); }
};

struct DateCodec {
  using Value = int32_t;
  Fault Binary(std::string_view bytes, Value& value) const { return DecodeBinaryDate(bytes, value); }
  Fault Text(std::string_view text, Value& value) const { return DecodeTextDate(text, value); }
};

struct TimeCodec {
  using Value = int64_t;
  Fault Binary(std::string_view bytes, Value& value) const { return DecodeBinaryTime(bytes, value); }
  Fault Text(std::string_view text, Value& value) const { return DecodeTextTime(text, value); }
};

struct TimestampCodec {
  using Value = int64_t;
  Fault Binary(std::string_view bytes, Value& value) const { return DecodeBinaryTimestamp(bytes, value); }
  Fault Text(std::string_view text, Value& value) const { return DecodeTextTimestamp(text, value); }
};

struct TimestampTzCodec {
  using Value = int64_t;
  Fault Binary(std::string_view bytes, Value& value) const { return DecodeBinaryTimestamp(bytes, value); }
  Fault Text(std::string_view text, Value& value) const { return DecodeTextTimestampTz(text, value); }
};

/// The value of a hexadecimal digit, or -1.
inline int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

struct UuidCodec {
  using Value = std::array<uint8_t, 16>;
  Fault Binary(std::string_view bytes, Value& value) const {
    if (bytes.size() != value.size()) [[unlikely]]
      return Fault::kMalformed;
    std::memcpy(value.data(), bytes.data(), value.size());
    return Fault::kNone;
  }
  /// a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11
  Fault Text(std::string_view text, Value& value) const {
    if (text.size() != 36) return Fault::kMalformed;
    size_t at = 0;
    for (uint8_t& byte : value) {
      if (at == 8 || at == 13 || at == 18 || at == 23) {
        if (text[at++] != '-') return Fault::kMalformed;
      }
      const int high = HexDigit(text[at]);
      const int low = HexDigit(text[at + 1]);
      if (high < 0 || low < 0) return Fault::kMalformed;
      byte = static_cast<uint8_t>(high * 16 + low);
      at += 2;
    }
    return Fault::kNone;
  }
};

/// Types whose binary and text forms are the value itself: text, varchar, bpchar (blanks at its end kept), name, json,
/// xml, enums.
struct TextCodec {
  size_t Bound(const WireValue& value) const { return static_cast<size_t>(value.size); }
  Fault Binary(std::string_view bytes, char*& out) const { return Text(bytes, out); }
  Fault Text(std::string_view text, char*& out) const {
    CopyBytes(out, text.data(), text.size());
    out += text.size();
    return Fault::kNone;
  }
};

/// Types that are stored by their text form. COPY casts such columns to text, whose binary form is the text itself. A
/// zero byte, which no text of PostgreSQL has, gives away the type's own binary form.
struct TextFormCodec : TextCodec {
  Fault Binary(std::string_view bytes, char*& out) const {
    if (bytes.find('\0') != bytes.npos) [[unlikely]]
      return Fault::kNoBinaryDecoder;
    return Text(bytes, out);
  }
};

/// jsonb: a version byte, 1, before the text.
struct JsonbCodec : TextCodec {
  Fault Binary(std::string_view bytes, char*& out) const {
    if (bytes.empty() || bytes[0] != 1) [[unlikely]]
      return Fault::kMalformed;
    return Text(bytes.substr(1), out);
  }
};

/// "char", a single byte, as charout of PostgreSQL 16 prints it: nothing for 0, \ooo from 128 on.
struct CharCodec {
  size_t Bound(const WireValue& value) const { return std::max<size_t>(static_cast<size_t>(value.size), 4); }
  Fault Binary(std::string_view bytes, char*& out) const {
    if (bytes.size() != 1) [[unlikely]]
      return Fault::kMalformed;
    const auto byte = static_cast<unsigned char>(bytes[0]);
    if (byte >= 0x80) {
      *out++ = '\\';
      *out++ = static_cast<char>('0' + (byte >> 6));
      *out++ = static_cast<char>('0' + (byte >> 3 & 7));
      *out++ = static_cast<char>('0' + (byte & 7));
    } else if (byte != 0) {
      *out++ = bytes[0];
    }
    return Fault::kNone;
  }
  Fault Text(std::string_view text, char*& out) const {
    if (text.size() == 1) return Binary(text, out);  // 15 and older print a byte from 128 on as it is
    if (!text.empty() && (text.size() != 4 || text[0] != '\\')) return Fault::kMalformed;
    return TextCodec().Text(text, out);
  }
};

struct ByteaCodec : TextCodec {
  /// bytea_output = hex: \x616200; escape: printable bytes as they are, \\ for a backslash, \ooo for the others.
  Fault Text(std::string_view text, char*& out) const {
    if (text.starts_with("\\x")) {
      if (text.size() % 2 != 0) return Fault::kMalformed;
      for (size_t at = 2; at < text.size(); at += 2) {
        const int high = HexDigit(text[at]);
        const int low = HexDigit(text[at + 1]);
        if (high < 0 || low < 0) return Fault::kMalformed;
        *out++ = static_cast<char>(high * 16 + low);
      }
      return Fault::kNone;
    }
    const auto octal = [&](size_t at, char last) { return text[at] >= '0' && text[at] <= last; };
    for (size_t at = 0; at < text.size();) {
      if (text[at] != '\\') {
        *out++ = text[at++];
      } else if (at + 1 < text.size() && text[at + 1] == '\\') {
        *out++ = '\\';
        at += 2;
      } else if (at + 3 < text.size() && octal(at + 1, '3') && octal(at + 2, '7') && octal(at + 3, '7')) {
        *out++ = static_cast<char>((text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 + (text[at + 3] - '0'));
        at += 4;
      } else {
        return Fault::kMalformed;
      }
    }
    return Fault::kNone;
  }
};

/// numeric as the text that PostgreSQL prints, NaN and Infinity included.
struct NumericStringCodec : TextCodec {
  size_t Bound(const WireValue& value) const {
    return value.format == WireFormat::kBinary ? BinaryNumericTextBound(value.bytes()) : TextCodec::Bound(value);
  }
  Fault Binary(std::string_view bytes, char*& out) const {
    size_t written = 0;
    const Fault fault = FormatBinaryNumeric(bytes, out, written);
    out += written;
    return fault;
  }
};

}  // namespace firn::encode
