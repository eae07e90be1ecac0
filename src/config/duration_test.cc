#include "config/duration.h"

#include <gtest/gtest.h>

namespace firn::config {
namespace {

using std::chrono::seconds;

TEST(Duration, IsANumberAndAUnit) {
  EXPECT_EQ(ParseDuration("0s"), seconds(0));
  EXPECT_EQ(ParseDuration("90s"), seconds(90));
  EXPECT_EQ(ParseDuration("30m"), seconds(1'800));
  EXPECT_EQ(ParseDuration("12h"), seconds(43'200));
  EXPECT_EQ(ParseDuration("7d"), seconds(604'800));
}

TEST(Duration, IsNothingElse) {
  for (const char* text : {"", "d", "7", "-1d", "7 d", "7days", "1.5h", "99999999999d", "9223372036854775807s"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace firn::config
