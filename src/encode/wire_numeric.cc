#include "encode/wire_numeric.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "encode/big_endian.h"
#include "encode/text_pieces.h"

namespace firn::encode {
namespace {

constexpr size_t kNumericHeaderBytes = 8;
constexpr uint16_t kPositive = 0x0000;
constexpr uint16_t kNegative = 0x4000;
constexpr uint16_t kNaN = 0xC000;
constexpr uint16_t kPositiveInfinity = 0xD000;
constexpr uint16_t kNegativeInfinity = 0xF000;
constexpr int kGroup = 10000;                  // a base-10000 digit's range
constexpr int kGroupDigits = 4;                // the decimal digits in one
constexpr uint16_t kMaxDisplayScale = 0x3FFF;  // NUMERIC_DSCALE_MAX
constexpr std::array<uint32_t, 5> kPowers = {1, 10, 100, 1000, 10000};

struct Header {
  int32_t ndigits = 0;
  int32_t weight = 0;
  uint16_t sign = 0;
  int32_t dscale = 0;
};

/// False for bytes that no numeric_send writes.
bool ReadHeader(std::string_view bytes, Header& header) {
  if (bytes.size() < kNumericHeaderBytes) return false;
  header.ndigits = LoadBigEndian<uint16_t>(bytes.data());
  header.weight = LoadBigEndian<int16_t>(bytes.data() + 2);
  header.sign = LoadBigEndian<uint16_t>(bytes.data() + 4);
  const uint16_t dscale = LoadBigEndian<uint16_t>(bytes.data() + 6);
  header.dscale = dscale;
  return bytes.size() == kNumericHeaderBytes + 2 * static_cast<size_t>(header.ndigits) && dscale <= kMaxDisplayScale;
}

Fault SpecialValue(uint16_t sign) {
  switch (sign) {
    case kNaN:
      return Fault::kNaN;
    case kPositiveInfinity:
    case kNegativeInfinity:
      return Fault::kInfinity;
    default:
      return Fault::kMalformed;
  }
}

}  // namespace

DecimalLimits::DecimalLimits(int32_t precision_digits, int32_t scale_digits)
    : precision(precision_digits),
      scale(scale_digits),
      bound(1),
      whole_fraction_groups(scale_digits / kGroupDigits),
      partial_digits(scale_digits % kGroupDigits) {
  for (int32_t i = 0; i < precision; ++i) bound *= 10;
}

Fault DecodeBinaryNumeric(std::string_view bytes, const DecimalLimits& limits, Int128& unscaled) {
  Header header;
  if (!ReadHeader(bytes, header)) [[unlikely]]
    return Fault::kMalformed;
  if (header.sign != kPositive && header.sign != kNegative) [[unlikely]]
    return SpecialValue(header.sign);
  const char* digits = bytes.data() + kNumericHeaderBytes;
  const auto digit = [&](int32_t i) { return uint32_t{LoadBigEndian<uint16_t>(digits + 2 * i)}; };

  // Base-10000 digits that go into the result whole: down to the last one that the scale covers.
  const int32_t whole = header.weight + 1 + limits.whole_fraction_groups;
  const int32_t present = std::clamp(whole, 0, header.ndigits);
  UInt128 value;
  uint32_t largest = 0;  // of all digits, for the check that each is below 10000
  if (whole <= 4) {      // 16 decimal digits, and at most 3 more below: 64 bits hold them
    uint64_t small = 0;
    for (int32_t i = 0; i < present; ++i) {
      const uint32_t group = digit(i);
      largest = std::max(largest, group);
      small = small * kGroup + group;
    }
    for (int32_t i = present; i < whole; ++i) small *= kGroup;
    small *= kPowers[limits.partial_digits];
    value = small;
  } else {
    value = 0;
    for (int32_t i = 0; i < whole; ++i) {
      uint32_t group = 0;
      if (i < present) {
        group = digit(i);
        largest = std::max(largest, group);
      }
      // The bound is at most 10^38, so that a value below it times 10000 would not fit; one at or above it is too large
      // whatever follows, unless all of it is zero.
      if (value >= limits.bound / kGroup + 1) return Fault::kTooManyDigits;
      value = value * kGroup + group;
    }
    if (value >= limits.bound / kPowers[limits.partial_digits] + 1) return Fault::kTooManyDigits;
    value *= kPowers[limits.partial_digits];
  }
  // The digit that the scale cuts through, if it does; what lies below must be zero.
  int32_t next = present;
  if (whole >= 0 && next < header.ndigits && next == whole) {
    const uint32_t group = digit(next++);
    largest = std::max(largest, group);
    const uint32_t divisor = kPowers[kGroupDigits - limits.partial_digits];
    value += group / divisor;
    if (group % divisor != 0) [[unlikely]]
      return largest < kGroup ? Fault::kTooFine : Fault::kMalformed;
  }
  for (; next < header.ndigits; ++next) {
    if (digit(next) != 0) return Fault::kTooFine;
  }
  if (largest >= kGroup) [[unlikely]]
    return Fault::kMalformed;
  if (value >= limits.bound) [[unlikely]]
    return Fault::kTooManyDigits;
  unscaled = header.sign == kNegative ? -static_cast<Int128>(value) : static_cast<Int128>(value);
  return Fault::kNone;
}

Fault DecodeTextNumeric(std::string_view text, const DecimalLimits& limits, Int128& unscaled) {
  size_t at = 0;
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) ++at;
  if (text.substr(at) == "NaN") return Fault::kNaN;
  if (text.substr(at) == "Infinity") return Fault::kInfinity;

  UInt128 value = 0;
  const UInt128 last_safe = limits.bound / 10;  // times ten and plus a digit, a value up to it can't overflow
  const auto push = [&](char c) {
    if (value > last_safe) return false;
    value = value * 10 + static_cast<unsigned>(c - '0');
    return true;
  };
  size_t digits = 0;
  for (; at < text.size() && IsDigit(text[at]); ++at, ++digits) {
    if (!push(text[at])) return Fault::kTooManyDigits;
  }
  int32_t fraction = 0;
  bool too_fine = false;
  if (at < text.size() && text[at] == '.') {
    for (++at; at < text.size() && IsDigit(text[at]); ++at, ++digits) {
      if (fraction == limits.scale) {
        too_fine |= text[at] != '0';
        continue;
      }
      ++fraction;
      if (!push(text[at])) return Fault::kTooManyDigits;
    }
  }
  if (digits == 0 || at != text.size()) return Fault::kMalformed;
  if (too_fine) return Fault::kTooFine;
  for (; fraction < limits.scale; ++fraction) {
    if (!push('0')) return Fault::kTooManyDigits;
  }
  if (value >= limits.bound) return Fault::kTooManyDigits;
  unscaled = negative ? -static_cast<Int128>(value) : static_cast<Int128>(value);
  return Fault::kNone;
}

bool NearestDecimal(std::string_view text, const DecimalLimits& limits, Int128& unscaled) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const UInt128 largest = limits.bound - 1;
  UInt128 value = 0;
  if (text == "Infinity") {
    value = largest;
  } else if (text.empty() || !IsDigit(text[0])) {
    return false;
  } else {
    const size_t point = std::min(text.find('.'), text.size());
    const size_t kept_end = point + 1 + static_cast<size_t>(limits.scale);
    bool beyond = false;
    const auto push = [&](unsigned digit) {
      beyond |= value > largest / 10;
      value = beyond ? largest : value * 10 + digit;
    };
    // Digits up to the scale, with zeros where the text has none.
    for (size_t at = 0; at < kept_end; ++at) {
      if (at == point) continue;
      push(at < text.size() ? static_cast<unsigned>(text[at] - '0') : 0);
    }
    if (kept_end < text.size() && text[kept_end] >= '5') ++value;
    if (beyond || value > largest) value = largest;
  }
  unscaled = negative ? -static_cast<Int128>(value) : static_cast<Int128>(value);
  return true;
}

size_t BinaryNumericTextBound(std::string_view bytes) {
  Header header;
  if (!ReadHeader(bytes, header)) return 0;
  const int32_t integer_groups = std::max(header.weight + 1, 1);
  // Sign, point, and whole groups on both sides of it; "-Infinity" is no longer than 9.
  return std::max<size_t>(9, 2 + kGroupDigits * static_cast<size_t>(integer_groups) + header.dscale + kGroupDigits);
}

Fault FormatBinaryNumeric(std::string_view bytes, char* out, size_t& written) {
  Header header;
  if (!ReadHeader(bytes, header)) return Fault::kMalformed;
  char* const begin = out;
  const auto put = [&](std::string_view text) { out = std::copy(text.begin(), text.end(), out); };
  switch (header.sign) {
    case kPositive:
      break;
    case kNegative:
      *out++ = '-';
      break;
    case kNaN:
      put("NaN");
      break;
    case kPositiveInfinity:
      put("Infinity");
      break;
    case kNegativeInfinity:
      put("-Infinity");
      break;
    default:
      return Fault::kMalformed;
  }
  if (header.sign == kPositive || header.sign == kNegative) {
    const auto group_at = [&](int32_t i) {
      return i >= 0 && i < header.ndigits
                 ? uint32_t{LoadBigEndian<uint16_t>(bytes.data() + kNumericHeaderBytes + 2 * i)}
                 : 0;
    };
    for (int32_t i = 0; i < header.ndigits; ++i) {
      if (group_at(i) >= kGroup) return Fault::kMalformed;
    }
    const auto put_group = [&](uint32_t group, int digits) {
      for (int position = kGroupDigits - 1; digits > 0; --position, --digits) {
        *out++ = static_cast<char>('0' + group / kPowers[position] % 10);
      }
    };
    if (header.weight < 0) {
      *out++ = '0';
    } else {
      bool leading = true;
      for (int32_t i = 0; i <= header.weight; ++i) {
        const uint32_t group = group_at(i);
        for (int position = kGroupDigits - 1; position >= 0; --position) {
          const uint32_t decimal = group / kPowers[position] % 10;
          const bool last = i == header.weight && position == 0;
          if (leading && decimal == 0 && !last) continue;
          leading = false;
          *out++ = static_cast<char>('0' + decimal);
        }
      }
    }
    if (header.dscale > 0) {
      *out++ = '.';
      int32_t remaining = header.dscale;
      for (int32_t i = header.weight + 1; remaining > 0; ++i, remaining -= kGroupDigits) {
        put_group(group_at(i), std::min(remaining, kGroupDigits));
      }
    }
  }
  written = static_cast<size_t>(out - begin);
  return Fault::kNone;
}

}  // namespace firn::encode
