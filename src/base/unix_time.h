// The wall clock, for timestamps that others read; durations are measured with std::chrono::steady_clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace firn {

/// Milliseconds since 1970-01-01 00:00 UTC, as Iceberg counts.
inline int64_t UnixMillisNow() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

/// Microseconds since 1970-01-01 00:00 UTC, as Iceberg's timestamps count.
inline int64_t UnixMicrosNow() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

}  // namespace firn
