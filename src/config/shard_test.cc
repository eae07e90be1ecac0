#include "config/shard.h"

#include <gtest/gtest.h>

namespace firn::config {
namespace {

TEST(ParseShard, TakesANumberOfACount) {
  const auto shard = ParseShard("2/4");
  ASSERT_TRUE(shard);
  EXPECT_EQ(shard->number, 2);
  EXPECT_EQ(shard->count, 4);
  EXPECT_TRUE(ParseShard("1/1"));
  EXPECT_TRUE(ParseShard("1024/1024"));
}

TEST(ParseShard, RefusesWhatNamesNoShard) {
  for (const char* text : {"", "2", "/", "2/", "/4", "0/4", "5/4", "-1/4", "2/4 ", " 2/4", "2/4/8", "1/1025", "a/b",
                           "1/99999999999999999999"}) {
    EXPECT_FALSE(ParseShard(text)) << text;
  }
}

}  // namespace
}  // namespace firn::config
