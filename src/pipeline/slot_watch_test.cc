#include "pipeline/slot_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn::pipeline {
namespace {

using ::testing::HasSubstr;

TEST(SlotWarningTest, IsSilentWhileThereIsRoom) {
  EXPECT_EQ(SlotWarning("firn", {.wal_status = "reserved", .retained_bytes = 1'000'000}), "");
  EXPECT_EQ(SlotWarning("firn", {.wal_status = "extended", .safe_bytes = 300, .limit_bytes = 1000}), "");
}

TEST(SlotWarningTest, SaysHowMuchIsLeft) {
  EXPECT_THAT(SlotWarning("firn", {.wal_status = "extended", .safe_bytes = 199, .limit_bytes = 1000}),
              HasSubstr("after 199 more"));
  EXPECT_THAT(SlotWarning("firn", {.wal_status = "unreserved", .safe_bytes = -5, .limit_bytes = 1000}),
              HasSubstr("next checkpoint"));
}

TEST(SlotWarningTest, SaysWhyTheSlotWasLost) {
  EXPECT_EQ(SlotWarning("firn", {.wal_status = "lost", .invalidation_reason = "wal_removed"}),
            "slot 'firn' is lost (wal_removed)");
}

TEST(WaitingWalWatchTest, CountsFromTheLastLookAtWhichNothingWaited) {
  WaitingWalWatch watch;
  WaitingWal waiting = watch.See(Lsn{100}, Lsn{100}, 1'000);
  EXPECT_EQ(waiting.bytes, 0);
  waiting = watch.See(Lsn{100}, Lsn{150}, 6'000);
  EXPECT_EQ(waiting.bytes, 50);
  EXPECT_EQ(waiting.since_ms, 1'000);
  EXPECT_EQ(waiting.server_lsn, "0/96");
  EXPECT_EQ(watch.See(Lsn{100}, Lsn{200}, 11'000).since_ms, 1'000);
  EXPECT_EQ(watch.See(Lsn{150}, Lsn{200}, 16'000).since_ms, 16'000) << "somebody reads";
  EXPECT_EQ(watch.See(Lsn{200}, Lsn{200}, 21'000).bytes, 0);
}

}  // namespace
}  // namespace firn::pipeline
