#include "iceberg/roaring_format.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace firn::iceberg {
namespace {

std::string Bytes(RowPositions positions) {
  positions.runOptimize();
  std::string bytes(positions.getSizeInBytes(), '\0');
  positions.write(bytes.data());
  return bytes;
}

RowPositions EveryKindOfContainer() {
  RowPositions positions;
  for (uint64_t i = 0; i < 70'000; i += 1 + i % 2) positions.add(i);
  for (uint64_t i = 200'000; i < 210'000; ++i) positions.add(i);
  for (uint64_t i = 0; i < 50; ++i) positions.add((uint64_t{1} << 33) + i * i);
  return positions;
}

TEST(RoaringFormat, ReadsWhatTheLibraryWrites) {
  EXPECT_EQ(ReadRoaring64(Bytes(EveryKindOfContainer())).value(), EveryKindOfContainer());
  EXPECT_EQ(ReadRoaring64(Bytes({})).value(), RowPositions());
}

TEST(RoaringFormat, RefusesWhatTheLibraryWouldTrust) {
  RowPositions two;
  two.add(uint64_t{1});
  two.add(uint64_t{2});
  const std::string array = Bytes(two);
  std::string unsorted = array;
  std::swap(unsorted[unsorted.size() - 4], unsorted[unsorted.size() - 2]);
  EXPECT_FALSE(ReadRoaring64(unsorted).has_value());
  EXPECT_FALSE(ReadRoaring64(array + '\0').has_value());

  RowPositions odd;  // A bitset, whose cardinality its header states.
  for (uint64_t i = 1; i < 20'000; i += 2) odd.add(i);
  std::string bitset = Bytes(odd);
  bitset.back() = '\x7F';
  EXPECT_FALSE(ReadRoaring64(bitset).has_value());
}

/// The specification allows the form with runs where none is one; its length is then another than the library would
/// write.
TEST(RoaringFormat, ReadsTheFormWithRunsWhereNoneIs) {
  std::string bytes("\x02\0\0\0\0\0\0\0", 8);
  for (const uint8_t key : {0, 5}) {
    bytes += std::string{static_cast<char>(key), 0, 0, 0} + std::string("\x3B\x30\0\0", 4) + '\0';
    bytes += std::string{7, 0, 0, 0, static_cast<char>(key + 1), 0};  // Container 7 has one value.
  }
  RowPositions expected;
  expected.add((uint64_t{7} << 16) + 1);
  expected.add((uint64_t{5} << 32) + (uint64_t{7} << 16) + 6);
  const auto positions = ReadRoaring64(bytes);
  ASSERT_TRUE(positions.has_value()) << positions.error().message();
  EXPECT_EQ(*positions, expected);
}

/// Whatever the bytes: an error, or a bitmap that the library can work with.
TEST(RoaringFormat, SurvivesDamage) {
  std::mt19937 random(3);
  const std::string good = Bytes(EveryKindOfContainer());
  for (int round = 0; round < 3'000; ++round) {
    std::string bytes = good;
    for (int i = 0; i < 3; ++i) bytes[random() % (round % 2 == 0 ? 64 : bytes.size())] = static_cast<char>(random());
    if (round % 5 == 0) bytes.resize(random() % bytes.size());
    const auto positions = ReadRoaring64(bytes);
    if (positions) {
      EXPECT_EQ((*positions | EveryKindOfContainer()).cardinality() > 0, true);
      EXPECT_EQ(positions->getSizeInBytes(), bytes.size());
    }
  }
}

}  // namespace
}  // namespace firn::iceberg
