// Random numbers of the operating system.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <limits>

namespace firn {

/// A UniformRandomBitGenerator that needs no seed and costs a system call for each number. Not std::random_device:
/// making one asks the processor what it can, which takes some 30 µs in a virtual machine. Thread-safe.
struct SystemRandom {
  using result_type = uint64_t;
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }

  result_type operator()() const {
    result_type bits;
    if (::getentropy(&bits, sizeof(bits)) != 0) std::abort();  // Only where the kernel has no such call.
    return bits;
  }
};

}  // namespace firn
