#include "base/uuid.h"

#include <fmt/core.h>

#include <cstdint>

#include "base/system_random.h"
#include "base/unix_time.h"

namespace firn {
namespace {

std::string ToText(uint64_t high, uint64_t low, uint64_t version) {
  high = (high & 0xFFFFFFFFFFFF0FFFull) | (version << 12);
  low = (low & 0x3FFFFFFFFFFFFFFFull) | 0x8000000000000000;  // variant 10
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xFFFF, high & 0xFFFF, low >> 48,
                     low & 0xFFFFFFFFFFFFull);
}

}  // namespace

std::string NewUuid() { return ToText(SystemRandom()(), SystemRandom()(), 4); }

std::string NewTimeOrderedUuid() {
  const auto millis = static_cast<uint64_t>(UnixMillisNow());
  return ToText((millis << 16) | (SystemRandom()() & 0xFFFF), SystemRandom()(), 7);
}

}  // namespace firn
