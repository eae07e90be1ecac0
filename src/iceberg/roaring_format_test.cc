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
