// How often and how fast to try again. A value: the loop that sleeps belongs to the caller.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

#include "firn/result.h"

namespace firn {

struct RetryPolicy {
  int max_retries = 10;
  std::chrono::milliseconds base_delay{200};
  std::chrono::milliseconds max_delay{30'000};

  static bool IsRetryable(const Error& error) {
    return error.kind() == ErrorKind::kTransient || error.kind() == ErrorKind::kConflict;
  }

  /// The pause before retry number `retry` (0 is the first): exponential, at most max_delay, with jitter in [½, 1].
  template <typename Generator>
  std::chrono::milliseconds Delay(int retry, Generator& random) const {
    const int64_t capped = DelayMax(retry);
    return std::chrono::milliseconds(std::uniform_int_distribution<int64_t>(capped / 2, capped)(random));
  }

  /// All pauses together, without jitter: how long something may be down that is then waited for.
  std::chrono::milliseconds TotalDelay() const {
    int64_t total = 0;
    for (int retry = 0; retry < max_retries; ++retry) total += DelayMax(retry);
    return std::chrono::milliseconds(total);
  }

  /// The same after `error`: not before the time that the other side asked for, within a bound.
  template <typename Generator>
  std::chrono::milliseconds Delay(const Error& error, int retry, Generator& random) const {
    constexpr std::chrono::milliseconds kRetryAfterMax{5 * 60 * 1000};
    return std::max(Delay(retry, random), std::min(error.retry_after(), kRetryAfterMax));
  }

 private:
  int64_t DelayMax(int retry) const {
    return std::min<int64_t>(base_delay.count() << std::min(retry, 20), max_delay.count());
  }
};

}  // namespace firn
