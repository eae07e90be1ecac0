#include "config/suggestion.h"

#include <gtest/gtest.h>

#include <vector>

namespace firn::config {
namespace {

TEST(EditDistance, CountsInsertedDeletedReplacedAndSwappedLetters) {
  EXPECT_EQ(EditDistance("source", "source"), 0U);
  EXPECT_EQ(EditDistance("sorce", "source"), 1U);
  EXPECT_EQ(EditDistance("soource", "source"), 1U);
  EXPECT_EQ(EditDistance("sourze", "source"), 1U);
  EXPECT_EQ(EditDistance("osurce", "source"), 1U);
  EXPECT_EQ(EditDistance("", "abc"), 3U);
  EXPECT_EQ(EditDistance("abc", ""), 3U);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3U);
}

TEST(Suggest, FindsTheNearestName) {
  const std::vector<std::string> known = {"slot", "source", "storage"};
  EXPECT_EQ(Suggest("sorce", known), "source");
  EXPECT_EQ(Suggest("slto", known), "slot");
}

TEST(Suggest, IsSilentWhenNothingIsNear) {
  const std::vector<std::string> known = {"slot", "source"};
  EXPECT_EQ(Suggest("writer", known), std::nullopt);
  EXPECT_EQ(Suggest("x", {}), std::nullopt);
  EXPECT_EQ(Suggest("4", std::vector<std::string>{"2", "3"}), std::nullopt);
}

}  // namespace
}  // namespace firn::config
