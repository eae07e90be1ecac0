#include "maintenance/byte_rate.h"

#include <gtest/gtest.h>

namespace firn::maintenance {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ByteRate, AllowsABurstOfASecondAndThenTheRate) {
  ByteRate rate(1'000);
  ByteRate::Clock::time_point now(seconds(100));
  EXPECT_EQ(rate.Take(1'000, now), milliseconds(0));
  EXPECT_EQ(rate.Take(500, now), milliseconds(500));
  now += milliseconds(500);
  EXPECT_EQ(rate.Take(2'000, now), milliseconds(2'000));
  now += seconds(60);  // What was not used for longer is lost.
  EXPECT_EQ(rate.Take(1'000, now), milliseconds(0));
  EXPECT_EQ(rate.Take(1, now), milliseconds(1));
}

TEST(ByteRate, HasNoLimitWhereNoneIsSet) {
  ByteRate rate(0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(rate.Take(int64_t{1} << 40, ByteRate::Clock::time_point()), milliseconds(0));
}

}  // namespace
}  // namespace firn::maintenance
