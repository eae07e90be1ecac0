// A position in PostgreSQL's write-ahead log (pg_lsn): a byte offset, printed as two hexadecimal halves "16/B374D848".
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "firn/result.h"

namespace firn {

struct Lsn {
  uint64_t value = 0;

  auto operator<=>(const Lsn&) const = default;
  /// PostgreSQL's InvalidXLogRecPtr.
  bool valid() const { return value != 0; }

  static Result<Lsn> Parse(std::string_view text) {
    uint32_t high = 0, low = 0;
    const char* end = text.data() + text.size();
    auto [slash, first_error] = std::from_chars(text.data(), end, high, 16);
    if (first_error == std::errc() && slash != end && *slash == '/') {
      auto [last, second_error] = std::from_chars(slash + 1, end, low, 16);
      if (second_error == std::errc() && last == end) return Lsn{(uint64_t{high} << 32) | low};
    }
    return MakeError(ErrorKind::kCorrupt, "'{}' is not an LSN (expected two hexadecimal numbers, as in 16/B374D848)",
                     text);
  }
};

inline std::string ToString(Lsn lsn) {
  return fmt::format("{:X}/{:X}", static_cast<uint32_t>(lsn.value >> 32), static_cast<uint32_t>(lsn.value));
}

}  // namespace firn

template <>
struct fmt::formatter<firn::Lsn> : fmt::formatter<std::string> {
  auto format(firn::Lsn lsn, fmt::format_context& context) const {
    return fmt::formatter<std::string>::format(firn::ToString(lsn), context);
  }
};
