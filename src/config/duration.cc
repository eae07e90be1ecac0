#include "config/duration.h"

#include <charconv>
#include <cstdint>

namespace firn::config {
namespace {

constexpr int64_t kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour;
constexpr int64_t kLongest = 365'250 * kDay;

int64_t SecondsOf(char unit) {
  switch (unit) {
    case 's':
      return 1;
    case 'm':
      return kMinute;
    case 'h':
      return kHour;
    case 'd':
      return kDay;
    default:
      return 0;
  }
}

}  // namespace

std::optional<std::chrono::seconds> ParseDuration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const int64_t unit = SecondsOf(text.back());
  text.remove_suffix(1);
  int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (unit == 0 || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (count < 0 || count > kLongest / unit) return std::nullopt;
  return std::chrono::seconds(count * unit);
}

}  // namespace firn::config
