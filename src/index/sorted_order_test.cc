#include "index/sorted_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace firn::index {
namespace {

using ::testing::ElementsAre;

std::vector<uint32_t> Order(const std::vector<std::string>& keys) {
  const auto at = [&](size_t i) -> std::string_view { return keys[i]; };
  const size_t shared = SharedPrefix(keys.size(), at);
  return SortedOrder(
      keys.size(), [&](size_t i) { return LeadingBytes(at(i).substr(shared)); },
      [&](size_t i, size_t j) { return keys[i] < keys[j]; });
}

TEST(SortedOrderTest, SortsBytesAsUnsigned) { EXPECT_THAT(Order({"\xff", "a", "\x01"}), ElementsAre(2, 1, 0)); }

TEST(SortedOrderTest, LooksBeyondTheFirstEightBytes) {
  EXPECT_THAT(Order({"aaaaaaaaab", "aaaaaaaaaa", "b"}), ElementsAre(1, 0, 2));
}

TEST(SortedOrderTest, TellsAMissingByteFromAZero) {
  EXPECT_THAT(Order({std::string("a\0", 2), "a", ""}), ElementsAre(2, 1, 0));
}

TEST(SortedOrderTest, SharedPrefixIsThatOfAllKeys) {
  const std::vector<std::string> keys = {"tenant-1/a", "tenant-1/b", "tenant-2"};
  EXPECT_EQ(SharedPrefix(keys.size(), [&](size_t i) -> std::string_view { return keys[i]; }), 7u);
}

TEST(SortedOrderTest, AgreesWithSortOnRandomKeys) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> keys(random() % 50);
    const std::string prefix(random() % 12, 'p');
    for (std::string& key : keys) {
      key = prefix;
      for (size_t n = random() % 12; n > 0; --n) key.push_back(static_cast<char>(random() % 3));
    }
    std::vector<std::string> sorted = keys;
    std::sort(sorted.begin(), sorted.end());
    const auto order = Order(keys);
    ASSERT_EQ(order.size(), keys.size());
    for (size_t i = 0; i < order.size(); ++i) ASSERT_EQ(keys[order[i]], sorted[i]);
  }
}

}  // namespace
}  // namespace firn::index
