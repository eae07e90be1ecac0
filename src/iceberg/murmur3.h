// The hash of the bucket transform: 32-bit Murmur3, x86 variant, seed 0 (spec: "Appendix B: 32-bit Hash Requirements").
#pragma once

#include <cstdint>
#include <string_view>

namespace firn::iceberg {

uint32_t Murmur3(std::string_view bytes);
/// Of a number's 8 bytes, little-endian.
uint32_t Murmur3(int64_t value);

}  // namespace firn::iceberg
