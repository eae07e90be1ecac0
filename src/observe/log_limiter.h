// Which log lines are written where one message comes again and again: thousands of tables commit every few seconds.
// Pure; single-threaded.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace firn {

class LogLimiter {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr int64_t kLinesPerInterval = 100;
  static constexpr std::chrono::seconds kInterval{10};

  /// Nothing where the line is to be left out; else how many lines of this message were left out before it.
  std::optional<int64_t> Admit(std::string_view message, TimePoint now);

 private:
  struct Count {
    TimePoint since;
    int64_t lines = 0;
    int64_t left_out = 0;
  };
  std::map<std::string, Count, std::less<>> counts_;  ///< By message, of which a program has few.
};

}  // namespace firn
