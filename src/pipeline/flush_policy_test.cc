#include "pipeline/flush_policy.h"

#include <gtest/gtest.h>

namespace firn::pipeline {
namespace {

using std::chrono::milliseconds;

constexpr FlushLimits kLimits{.commit_interval = milliseconds(1000), .memory_bytes = 1000};
constexpr std::chrono::steady_clock::time_point kStart{};

TEST(FlushPolicy, WaitsWithoutChanges) {
  EXPECT_EQ(DecideFlush(kLimits, {.open_bytes = 5000}, kStart + milliseconds(9999)), FlushDecision::kWait);
}

TEST(FlushPolicy, CommitsWhenTheOldestChangeIsOldEnough) {
  const BufferedState state{.open_bytes = 10, .has_changes = true, .oldest_change = kStart};
  EXPECT_EQ(DecideFlush(kLimits, state, kStart + milliseconds(999)), FlushDecision::kWait);
  EXPECT_EQ(DecideFlush(kLimits, state, kStart + milliseconds(1000)), FlushDecision::kCommit);
}

TEST(FlushPolicy, SpillsWhenMemoryIsShort) {
  EXPECT_EQ(DecideFlush(kLimits, {.open_bytes = 500, .has_changes = true, .oldest_change = kStart}, kStart),
            FlushDecision::kSpill);
  EXPECT_EQ(
      DecideFlush(kLimits, {.open_bytes = 400, .flushing_bytes = 600, .has_changes = true, .oldest_change = kStart},
                  kStart),
      FlushDecision::kSpill);
}

}  // namespace
}  // namespace firn::pipeline
