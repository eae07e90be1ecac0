#include "pipeline/table_copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn::pipeline {
namespace {

using postgres::BlockRange;
using ::testing::ElementsAre;
using ::testing::Pair;

std::vector<std::pair<int64_t, int64_t>> Plan(int64_t pages, RangeSizes sizes,
                                              const std::vector<BlockRange>& read = {}) {
  TargetTable target;
  target.source.pages = pages;
  std::vector<std::pair<int64_t, int64_t>> ranges;
  for (const auto& request : PlanCopy(target, sizes, read)) {
    const BlockRange blocks = request.blocks.value_or(BlockRange{.first = -1});
    ranges.emplace_back(blocks.first, blocks.last.value_or(-1));
  }
  return ranges;
}

TEST(PlanCopy, ReadsASmallTableAsAWhole) {
  EXPECT_THAT(Plan(100, {}), ElementsAre(Pair(-1, -1)));
  EXPECT_THAT(Plan(100, {.blocks_max = 100, .parts_of_rest = 4}), ElementsAre(Pair(-1, -1)));
}

TEST(PlanCopy, ReadsALargeOneInRanges) {
  EXPECT_THAT(Plan(100, {.blocks_max = 40}), ElementsAre(Pair(0, 40), Pair(40, 80), Pair(80, -1)));
  EXPECT_THAT(Plan(100, {.blocks_max = 40, .parts_of_rest = 8}), ElementsAre(Pair(0, 40), Pair(40, 80), Pair(80, -1)));
}

TEST(PlanCopy, ReadsSmallerRangesTowardsTheEnd) {
  constexpr int64_t kMin = kRangeBlocksMin;
  EXPECT_THAT(Plan(16 * kMin, {.blocks_max = 5 * kMin, .parts_of_rest = 2}),
              ElementsAre(Pair(0, 5 * kMin), Pair(5 * kMin, 10 * kMin), Pair(10 * kMin, 13 * kMin),
                          Pair(13 * kMin, 29 * kMin / 2), Pair(29 * kMin / 2, 31 * kMin / 2), Pair(31 * kMin / 2, -1)));
}

TEST(PlanCopy, LeavesOutWhatWasRead) {
  EXPECT_THAT(Plan(100, {.blocks_max = 40}, {{0, 30}, {50, 80}}), ElementsAre(Pair(30, 50), Pair(80, -1)));
  // Blocks that came since are read; where all were, nothing that is there.
  EXPECT_THAT(Plan(100, {.blocks_max = 40}, {{0, 120}}), ElementsAre(Pair(120, -1)));
  EXPECT_THAT(Plan(100, {.blocks_max = 40}, {BlockRange{.first = 0}}), ElementsAre(Pair(0, 0)));
}

}  // namespace
}  // namespace firn::pipeline
