#include "base/uuid.h"

#include <fmt/core.h>

#include <cstdint>
#include <random>

namespace firn {

std::string NewUuid() {
  thread_local std::random_device device;
  auto next = [] { return (uint64_t{device()} << 32) | device(); };
  const uint64_t high = (next() & 0xFFFFFFFFFFFF0FFFull) | 0x4000;             // version 4
  const uint64_t low = (next() & 0x3FFFFFFFFFFFFFFFull) | 0x8000000000000000;  // variant 10
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xFFFF, high & 0xFFFF, low >> 48,
                     low & 0xFFFFFFFFFFFFull);
}

}  // namespace firn
