#include "observe/log_limiter.h"

#include <gtest/gtest.h>

namespace firn {
namespace {

using namespace std::chrono_literals;

const LogLimiter::TimePoint kStart{1h};

TEST(LogLimiter, LeavesOutLinesOfAMessageThatComesTooOftenAndCountsThem) {
  LogLimiter limiter;
  for (int64_t i = 0; i < LogLimiter::kLinesPerInterval; ++i) EXPECT_EQ(limiter.Admit("committed", kStart), 0);
  EXPECT_EQ(limiter.Admit("committed", kStart), std::nullopt);
  EXPECT_EQ(limiter.Admit("committed", kStart + 9s), std::nullopt);
  EXPECT_EQ(limiter.Admit("committed", kStart + 10s), 2);
  EXPECT_EQ(limiter.Admit("committed", kStart + 10s), 0);
}

TEST(LogLimiter, CountsEachMessageByItself) {
  LogLimiter limiter;
  for (int64_t i = 0; i <= LogLimiter::kLinesPerInterval; ++i) (void)limiter.Admit("committed", kStart);
  EXPECT_EQ(limiter.Admit("stopped", kStart), 0);
}

}  // namespace
}  // namespace firn
