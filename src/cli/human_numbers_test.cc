#include "cli/human_numbers.h"

#include <gtest/gtest.h>

#include <limits>

namespace firn::cli {
namespace {

TEST(FormatCount, GroupsThousands) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(1'234'567), "1,234,567");
  EXPECT_EQ(FormatCount(-100), "-100");
  EXPECT_EQ(FormatCount(-100'000), "-100,000");
  EXPECT_EQ(FormatCount(std::numeric_limits<int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(FormatRows, KnowsASingleOne) {
  EXPECT_EQ(FormatRows(0), "0 rows");
  EXPECT_EQ(FormatRows(1), "1 row");
  EXPECT_EQ(FormatRows(1'200'000), "1,200,000 rows");
}

TEST(FormatBytes, TakesTheUnitThatFits) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1024), "1.0 KiB");
  EXPECT_EQ(FormatBytes(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(FormatBytes(1'610'612'736), "1.5 GiB");
  EXPECT_EQ(FormatBytes(std::numeric_limits<int64_t>::max()), "8.0 EiB");
}

TEST(FormatSeconds, TakesTheUnitsThatFit) {
  EXPECT_EQ(FormatSeconds(-1), "0 s");
  EXPECT_EQ(FormatSeconds(0.44), "0.4 s");
  EXPECT_EQ(FormatSeconds(9.96), "10 s");
  EXPECT_EQ(FormatSeconds(59.7), "1 min 0 s");
  EXPECT_EQ(FormatSeconds(125), "2 min 5 s");
  EXPECT_EQ(FormatSeconds(11'400), "3 h 10 min");
  EXPECT_EQ(FormatSeconds(187'200), "2 d 4 h");
  EXPECT_EQ(FormatSeconds(std::numeric_limits<double>::infinity()), "11574074 d 1 h");
  EXPECT_EQ(FormatSeconds(std::numeric_limits<double>::quiet_NaN()), "0 s");
}

}  // namespace
}  // namespace firn::cli
