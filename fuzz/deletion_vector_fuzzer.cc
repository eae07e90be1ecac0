// Any bytes as a deletion vector: as they are, and as the bitmap of one whose length and checksum are right. What is
// read must come back the same when it is written again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "expect.h"
#include "iceberg/deletion_vector.h"

namespace {

using namespace firn;
using namespace firn::iceberg;

std::string BigEndian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift));
  return bytes;
}

/// CRC-32, bit by bit.
uint32_t Checksum(std::string_view bytes) {
  uint32_t crc = ~0U;
  for (const char byte : bytes) {
    crc ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

std::string Framed(std::string_view bitmap) {
  const std::string checked = "\xD1\xD3\x39\x64" + std::string(bitmap);
  return BigEndian(static_cast<uint32_t>(checked.size())) + checked + BigEndian(Checksum(checked));
}

void ReadAndWrite(std::string_view blob) {
  const auto positions = DecodeDeletionVector(blob);
  if (!positions.has_value()) return fuzz::ExpectFaultOfInput(positions.error());
  const std::string written = EncodeDeletionVector(*positions);
  const auto again = DecodeDeletionVector(written);
  fuzz::Expect(again.has_value(), "a vector that firn wrote can be read");
  // By their bytes: the library's == does not end where one half of the positions is empty, which other writers give.
  fuzz::Expect(EncodeDeletionVector(*again) == written, "a vector that firn wrote is the one it was made of");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ReadAndWrite(bytes);
  ReadAndWrite(Framed(bytes));
  return 0;
}
