#include "observe/log_limiter.h"

#include <utility>

namespace firn {

std::optional<int64_t> LogLimiter::Admit(std::string_view message, TimePoint now) {
  auto position = counts_.find(message);
  if (position == counts_.end()) position = counts_.emplace(std::string(message), Count{.since = now}).first;
  Count& count = position->second;
  if (now - count.since >= kInterval) {
    count.since = now;
    count.lines = 0;
  }
  if (count.lines >= kLinesPerInterval) {
    ++count.left_out;
    return std::nullopt;
  }
  ++count.lines;
  return std::exchange(count.left_out, 0);
}

}  // namespace firn
