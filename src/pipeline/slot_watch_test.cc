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

}  // namespace
}  // namespace firn::pipeline
