// Golden bytes in tests and benchmarks: FromHex("42 0000…") → bytes.
#pragma once

#include <string>
#include <string_view>

namespace firn::postgres {

/// Blanks are skipped; anything else must be pairs of hexadecimal digits.
inline std::string FromHex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  int high = -1;
  for (const char c : hex) {
    if (c == ' ') continue;
    if (high < 0) {
      high = digit(c);
    } else {
      bytes += static_cast<char>(high * 16 + digit(c));
      high = -1;
    }
  }
  return bytes;
}

}  // namespace firn::postgres
