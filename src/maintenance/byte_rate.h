// How fast bytes may go: a token bucket.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace firn::maintenance {

/// Single-threaded.
class ByteRate {
 public:
  using Clock = std::chrono::steady_clock;

  /// 0: no limit.
  explicit ByteRate(int64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}

  /// These bytes went: how long to wait before the next ones. What was not used of the last second may go at once.
  std::chrono::milliseconds Take(int64_t bytes, Clock::time_point now) {
    if (bytes_per_second_ == 0) return std::chrono::milliseconds(0);
    const std::chrono::duration<double> time(static_cast<double>(bytes) / static_cast<double>(bytes_per_second_));
    free_at_ = std::max(free_at_, now - std::chrono::seconds(1)) + std::chrono::duration_cast<Clock::duration>(time);
    return std::max(std::chrono::milliseconds(0), std::chrono::ceil<std::chrono::milliseconds>(free_at_ - now));
  }

 private:
  const int64_t bytes_per_second_;
  Clock::time_point free_at_{};
};

}  // namespace firn::maintenance
