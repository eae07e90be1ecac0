#include "cli/human_numbers.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <string_view>

namespace firn::cli {

std::string FormatCount(int64_t count) {
  std::string digits = fmt::to_string(count);
  const size_t first = digits.front() == '-' ? 1 : 0;
  for (size_t end = digits.size(); end > first + 3; end -= 3) digits.insert(end - 3, 1, ',');
  return digits;
}

std::string FormatRows(int64_t rows) { return FormatCount(rows) + (rows == 1 ? " row" : " rows"); }

std::string FormatBytes(int64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string FormatSeconds(double seconds) {
  if (!(seconds > 0)) return "0 s";
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  constexpr double kLongest = 1e12;  // Beyond it a double has no seconds, and an int64_t soon no room.
  const auto whole = static_cast<int64_t>(std::llround(std::fmin(seconds, kLongest)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
  return fmt::format("{} d {} h", whole / 86400, whole % 86400 / 3600);
}

}  // namespace firn::cli
