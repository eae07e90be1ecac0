#include "iceberg/single_value.h"

#include <bit>
#include <cstring>
#include <type_traits>
#include <variant>

namespace firn::iceberg {
namespace {

static_assert(std::endian::native == std::endian::little, "single values are little-endian");

template <typename T>
std::string BytesOf(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

bool IsContinuation(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

/// The number of bytes of the first `code_points` of `value`.
size_t PrefixBytes(std::string_view value, size_t code_points) {
  size_t position = 0;
  while (position < value.size() && code_points > 0) {
    ++position;
    while (position < value.size() && IsContinuation(value[position])) ++position;
    --code_points;
  }
  return position;
}

uint32_t DecodeCodePoint(std::string_view bytes) {
  const auto first = static_cast<uint8_t>(bytes[0]);
  if (bytes.size() == 1) return first;
  uint32_t code_point = first & (0x7Fu >> bytes.size());
  for (const char byte : bytes.substr(1)) code_point = code_point << 6 | (static_cast<uint8_t>(byte) & 0x3Fu);
  return code_point;
}

void AppendCodePoint(uint32_t code_point, std::string& out) {
  const auto tail = [&](int shift) { out.push_back(static_cast<char>(0x80 | (code_point >> shift & 0x3F))); };
  if (code_point < 0x80) {
    out.push_back(static_cast<char>(code_point));
  } else if (code_point < 0x800) {
    out.push_back(static_cast<char>(0xC0 | code_point >> 6));
    tail(0);
  } else if (code_point < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | code_point >> 12));
    tail(6);
    tail(0);
  } else {
    out.push_back(static_cast<char>(0xF0 | code_point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace

std::string SingleValue(bool value) { return std::string(1, value ? '\x01' : '\x00'); }
std::string SingleValue(int32_t value) { return BytesOf(value); }
std::string SingleValue(int64_t value) { return BytesOf(value); }
std::string SingleValue(float value) { return BytesOf(value); }
std::string SingleValue(double value) { return BytesOf(value); }

std::optional<std::string> SingleValue(const Literal& literal) {
  return std::visit(
      [](const auto& value) -> std::optional<std::string> {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return std::nullopt;
        } else if constexpr (std::is_same_v<T, std::string>) {
          return value;
        } else {
          return SingleValue(value);
        }
      },
      literal);
}

std::string_view FewestBytes(std::string_view big_endian) {
  // A leading byte may go while it only repeats the sign of the byte after it.
  while (big_endian.size() > 1) {
    const auto first = static_cast<uint8_t>(big_endian[0]);
    const bool next_is_negative = (static_cast<uint8_t>(big_endian[1]) & 0x80) != 0;
    if (first != (next_is_negative ? 0xFF : 0x00)) break;
    big_endian.remove_prefix(1);
  }
  return big_endian;
}

std::string DecimalSingleValue(std::string_view big_endian) { return std::string(FewestBytes(big_endian)); }

std::string DecimalSingleValue(int64_t unscaled) {
  std::string big_endian(8, '\0');
  for (size_t i = 0; i < 8; ++i) big_endian[i] = static_cast<char>(static_cast<uint64_t>(unscaled) >> (56 - 8 * i));
  return DecimalSingleValue(big_endian);
}

std::string_view PrefixOfString(std::string_view value, size_t code_points) {
  return value.substr(0, PrefixBytes(value, code_points));
}

std::string LowerBoundOfString(std::string_view value, size_t code_points) {
  return std::string(PrefixOfString(value, code_points));
}

std::optional<std::string> UpperBoundOfString(std::string_view value, size_t code_points) {
  const size_t size = PrefixBytes(value, code_points);
  if (size == value.size()) return std::string(value);
  std::string bound(value.substr(0, size));
  while (!bound.empty()) {
    size_t last = bound.size() - 1;
    while (last > 0 && IsContinuation(bound[last])) --last;
    uint32_t next = DecodeCodePoint(std::string_view(bound).substr(last)) + 1;
    if (next == 0xD800) next = 0xE000;  // surrogates are no characters
    bound.resize(last);
    if (next <= 0x10FFFF) {
      AppendCodePoint(next, bound);
      return bound;
    }
  }
  return std::nullopt;
}

std::string LowerBoundOfBinary(std::string_view value, size_t bytes) { return std::string(value.substr(0, bytes)); }

std::optional<std::string> UpperBoundOfBinary(std::string_view value, size_t bytes) {
  if (value.size() <= bytes) return std::string(value);
  std::string bound(value.substr(0, bytes));
  while (!bound.empty()) {
    const auto last = static_cast<uint8_t>(bound.back());
    bound.pop_back();
    if (last != 0xFF) {
      bound.push_back(static_cast<char>(last + 1));
      return bound;
    }
  }
  return std::nullopt;
}

}  // namespace firn::iceberg
