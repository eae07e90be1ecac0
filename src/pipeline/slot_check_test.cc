#include "pipeline/slot_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace firn::pipeline {
namespace {

using ::testing::HasSubstr;

/// A slot at 100 and a table at 100, in a log that ends at 200.
SlotSituation AllIsWell() {
  return {.name = "firn",
          .slot = postgres::SlotInfo{.name = "firn", .confirmed_flush_lsn = {100}},
          .server_end = {200},
          .table = "public.t",
          .committed = Lsn{100},
          .acknowledged = Lsn{100},
          .acknowledged_file = "/state/acknowledged"};
}

TEST(FindSlotProblemTest, FindsNothingWhereChangesFollow) {
  SlotSituation situation = AllIsWell();
  EXPECT_FALSE(FindSlotProblem(situation));
  situation.slot->confirmed_flush_lsn = {50};  // A crash came before the acknowledgement, or a failover.
  EXPECT_FALSE(FindSlotProblem(situation));
  situation.slot->confirmed_flush_lsn = {150};  // The table was idle.
  situation.acknowledged = Lsn{150};
  EXPECT_FALSE(FindSlotProblem(situation));
  situation.acknowledged.reset();
  EXPECT_FALSE(FindSlotProblem(situation));
}

TEST(FindSlotProblemTest, DoesNotMindWhatIsCopiedAnyway) {
  SlotSituation situation = AllIsWell();
  situation.committed.reset();
  situation.slot.reset();
  EXPECT_FALSE(FindSlotProblem(situation));
}

std::string MessageOf(const SlotSituation& situation) {
  const auto problem = FindSlotProblem(situation);
  if (!problem) return "none";
  EXPECT_EQ(problem->kind(), ErrorKind::kSourceLost);
  return problem->message();
}

TEST(FindSlotProblemTest, TellsASlotThatIsGone) {
  SlotSituation situation = AllIsWell();
  situation.slot.reset();
  EXPECT_THAT(MessageOf(situation),
              HasSubstr("slot 'firn' is gone from PostgreSQL, and with it the changes since 0/64"));
}

TEST(FindSlotProblemTest, TellsASlotThatWasMadeAgain) {
  SlotSituation situation = AllIsWell();
  situation.slot->confirmed_flush_lsn = {101};
  EXPECT_THAT(MessageOf(situation), HasSubstr("firn has confirmed no more than 0/64"));
  EXPECT_THAT(MessageOf(situation), HasSubstr("delete /state/acknowledged"));
}

TEST(FindSlotProblemTest, BelievesATableThatAnotherFirnHasCommittedTo) {
  SlotSituation situation = AllIsWell();
  situation.acknowledged = Lsn{90};
  situation.slot->confirmed_flush_lsn = {150};
  EXPECT_FALSE(FindSlotProblem(situation));
}

/// public.t at 100 on timeline 2.
const std::vector<CommittedTable> kOnTimeline2 = {{.name = "public.t", .lsn = {100}, .timeline = 2}};

std::string MessageOf(int timeline, const std::map<int, Lsn>& left_at) {
  const auto problem = FindTimelineProblem(kOnTimeline2, timeline, left_at);
  if (!problem) return "none";
  EXPECT_EQ(problem->kind(), ErrorKind::kSourceLost);
  EXPECT_EQ(problem->origin(), ErrorOrigin::kSource);
  return problem->message();
}

TEST(FindTimelineProblemTest, FindsNothingWhereTheLogHasWhatWasCommitted) {
  EXPECT_EQ(MessageOf(2, {{1, Lsn{10}}}), "none");
  EXPECT_EQ(MessageOf(3, {{1, Lsn{10}}, {2, Lsn{100}}}), "none");  // It was left just behind the last change.
  EXPECT_EQ(MessageOf(5, {{2, Lsn{101}}, {4, Lsn{200}}}), "none");
}

TEST(FindTimelineProblemTest, TellsAStandbyThatWasPromotedTooEarly) {
  EXPECT_THAT(
      MessageOf(3, {{1, Lsn{10}}, {2, Lsn{99}}}),
      HasSubstr("public.t holds changes up to 0/64 of timeline 2, but the server's log left that timeline at 0/63"));
}

TEST(FindTimelineProblemTest, TellsALogThatWasNeverOnTheTimeline) {
  EXPECT_THAT(MessageOf(1, {}), HasSubstr("which is on timeline 1, was never on that one"));
  EXPECT_THAT(MessageOf(3, {{1, Lsn{10}}}), HasSubstr("which is on timeline 3, was never on that one"));
}

TEST(FindSlotProblemTest, TellsARestoredBackup) {
  SlotSituation situation = AllIsWell();
  situation.server_end = {99};
  EXPECT_THAT(MessageOf(situation), HasSubstr("the server's log ends at 0/63"));
}

}  // namespace
}  // namespace firn::pipeline
