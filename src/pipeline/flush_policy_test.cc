#include "pipeline/flush_policy.h"

#include <gtest/gtest.h>

namespace firn::pipeline {
namespace {

using std::chrono::milliseconds;

constexpr FlushLimits kLimits{.commit_interval = milliseconds(1000), .memory_bytes = 1000, .write_bytes = 100};
constexpr std::chrono::steady_clock::time_point kStart{};

TEST(FlushPolicy, WaitsWithoutChanges) {
  EXPECT_EQ(DecideFlush(kLimits, {.open_bytes = 5000}, kStart + milliseconds(9999)), FlushDecision::kWait);
}

TEST(FlushPolicy, CommitsWhenTheOldestChangeIsOldEnough) {
  const BufferedState state{.open_bytes = 10, .has_changes = true, .oldest_change = kStart};
  EXPECT_EQ(DecideFlush(kLimits, state, kStart + milliseconds(999)), FlushDecision::kWait);
  EXPECT_EQ(DecideFlush(kLimits, state, kStart + milliseconds(1000)), FlushDecision::kCommit);
}

TEST(FlushPolicy, CommitsOnlyBetweenTransactions) {
  const BufferedState state{
      .open_bytes = 10, .has_changes = true, .oldest_change = kStart, .between_transactions = false};
  EXPECT_EQ(DecideFlush(kLimits, state, kStart + milliseconds(5000)), FlushDecision::kWait);
}

TEST(FlushPolicy, WritesLargeBatchesBeforeTheirCommit) {
  BufferedState state{.open_bytes = 100, .has_changes = true, .oldest_change = kStart};
  EXPECT_EQ(DecideFlush(kLimits, state, kStart), FlushDecision::kWrite);
  state.between_transactions = false;
  EXPECT_EQ(DecideFlush(kLimits, state, kStart + milliseconds(5000)), FlushDecision::kWrite);
}

TEST(FlushPolicy, WritesManyTablesWhenTheirBatchesAreWorthIt) {
  FlushLimits limits = kLimits;
  limits.memory_bytes = 10'000;
  limits.table_write_bytes = 30;
  BufferedState state{.open_bytes = 299, .open_tables = 10, .has_changes = true, .oldest_change = kStart};
  EXPECT_EQ(DecideFlush(limits, state, kStart), FlushDecision::kWait);
  state.open_bytes = 300;
  EXPECT_EQ(DecideFlush(limits, state, kStart), FlushDecision::kWrite);
}

TEST(FlushPolicy, WritesBeforeMemoryIsShort) {
  FlushLimits limits = kLimits;
  limits.write_bytes = 5'000;
  BufferedState state{.open_bytes = 249, .has_changes = true, .oldest_change = kStart};
  EXPECT_EQ(DecideFlush(limits, state, kStart), FlushDecision::kWait);
  state.open_bytes = 250;
  EXPECT_EQ(DecideFlush(limits, state, kStart), FlushDecision::kWrite);
}

TEST(FlushPolicy, WritesAtOnceWhenMemoryIsShort) {
  EXPECT_EQ(DecideFlush(kLimits, {.open_bytes = 500, .has_changes = true, .oldest_change = kStart}, kStart),
            FlushDecision::kWriteNow);
  EXPECT_EQ(
      DecideFlush(kLimits, {.open_bytes = 40, .flushing_bytes = 960, .has_changes = true, .oldest_change = kStart},
                  kStart),
      FlushDecision::kWriteNow);
}

}  // namespace
}  // namespace firn::pipeline
