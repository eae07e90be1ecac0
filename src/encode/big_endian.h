// Integers in network byte order, at any address.
#pragma once

#include <bit>
#include <cstring>

namespace firn::encode {

template <typename T>
T LoadBigEndian(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(value));
  if constexpr (sizeof(T) > 1 && std::endian::native == std::endian::little) value = std::byteswap(value);
  return value;
}

}  // namespace firn::encode
