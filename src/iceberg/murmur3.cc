#include "iceberg/murmur3.h"

#include <bit>
#include <cstddef>
#include <cstring>

namespace firn::iceberg {
namespace {

static_assert(std::endian::native == std::endian::little, "blocks are read as little-endian numbers");

constexpr uint32_t Scramble(uint32_t block) { return std::rotl(block * 0xCC9E2D51u, 15) * 0x1B873593u; }

constexpr uint32_t Mix(uint32_t hash, uint32_t block) {
  return std::rotl(hash ^ Scramble(block), 13) * 5 + 0xE6546B64u;
}

constexpr uint32_t Finish(uint32_t hash, size_t length) {
  hash ^= static_cast<uint32_t>(length);
  hash = (hash ^ hash >> 16) * 0x85EBCA6Bu;
  hash = (hash ^ hash >> 13) * 0xC2B2AE35u;
  return hash ^ hash >> 16;
}

}  // namespace

uint32_t Murmur3(std::string_view bytes) {
  uint32_t hash = 0;
  size_t position = 0;
  for (; position + 4 <= bytes.size(); position += 4) {
    uint32_t block = 0;
    std::memcpy(&block, bytes.data() + position, 4);
    hash = Mix(hash, block);
  }
  uint32_t tail = 0;
  for (size_t i = bytes.size(); i > position; --i) tail = tail << 8 | static_cast<uint8_t>(bytes[i - 1]);
  if (position < bytes.size()) hash ^= Scramble(tail);
  return Finish(hash, bytes.size());
}

uint32_t Murmur3(int64_t value) {
  const auto bits = static_cast<uint64_t>(value);
  return Finish(Mix(Mix(0, static_cast<uint32_t>(bits)), static_cast<uint32_t>(bits >> 32)), 8);
}

}  // namespace firn::iceberg
