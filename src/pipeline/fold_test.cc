#include "pipeline/fold.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

#include "testing/key_changes.h"

namespace firn::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::KeyChanges;
using ::testing::UnorderedElementsAre;

/// A folded batch, its keys as numbers again.
struct Folded {
  std::vector<int32_t> live_rows;
  std::vector<int64_t> removed;
  std::vector<int64_t> vanished;
  std::vector<PreviousImage> previous;
};

Folded FoldBatch(KeyChanges changes, RowIdentity identity = RowIdentity::kKey, bool with_previous = false) {
  changes.EncodeKeys();
  const FoldedBatch folded = Fold(changes.batch.changes, identity, changes.row_keys, changes.old_keys, with_previous);
  Folded result{.live_rows = folded.live_rows, .previous = folded.previous};
  for (const auto key : folded.removed_keys) result.removed.push_back(testing::DecodeIntegerKey(key));
  for (const auto key : folded.vanished_keys) result.vanished.push_back(testing::DecodeIntegerKey(key));
  return result;
}

TEST(Fold, KeepsInsertedRows) {
  const Folded folded = FoldBatch(KeyChanges().Insert(1).Insert(2));
  EXPECT_THAT(folded.live_rows, ElementsAre(0, 1));
  EXPECT_THAT(folded.removed, IsEmpty());
}

TEST(Fold, KeepsOnlyTheLastOfManyUpdates) {
  const Folded folded = FoldBatch(KeyChanges().Update(7).Update(7).Update(7));
  EXPECT_THAT(folded.live_rows, ElementsAre(2));
  EXPECT_THAT(folded.removed, ElementsAre(7));
  EXPECT_THAT(folded.vanished, IsEmpty());
}

TEST(Fold, ForgetsARowThatCameAndWent) {
  const Folded folded = FoldBatch(KeyChanges().Insert(1).Update(1).Delete(1));
  EXPECT_THAT(folded.live_rows, IsEmpty());
  EXPECT_THAT(folded.removed, IsEmpty());
  EXPECT_THAT(folded.vanished, IsEmpty());
}

TEST(Fold, RemovesTheOldRowWhenUpdateChangesKey) {
  const Folded folded = FoldBatch(KeyChanges().Move(1, 2));
  EXPECT_THAT(folded.live_rows, ElementsAre(0));
  EXPECT_THAT(folded.removed, ElementsAre(1));
  EXPECT_THAT(folded.vanished, ElementsAre(1));
}

TEST(Fold, DeletesAndInsertsTheSameKey) {
  const Folded folded = FoldBatch(KeyChanges().Delete(1).Insert(1));
  EXPECT_THAT(folded.live_rows, ElementsAre(0));
  EXPECT_THAT(folded.removed, ElementsAre(1));
  EXPECT_THAT(folded.vanished, IsEmpty());
}

TEST(Fold, FindsThePreviousImageInTheBatchOrInTheTable) {
  const Folded folded = FoldBatch(KeyChanges().Update(1).Update(1).Insert(2).Move(2, 3), RowIdentity::kKey, true);
  ASSERT_EQ(folded.previous.size(), 4u);
  EXPECT_EQ(folded.previous[0].removed, 0);
  EXPECT_EQ(folded.previous[1].row, 0);
  EXPECT_EQ(folded.previous[3].row, 2);
}

TEST(Fold, TakesExactlyOneOfSeveralEqualRows) {
  const Folded folded = FoldBatch(KeyChanges().Insert(5).Insert(5).Delete(5), RowIdentity::kWholeRow);
  EXPECT_THAT(folded.live_rows, ElementsAre(0));
  EXPECT_THAT(folded.removed, IsEmpty());
  EXPECT_THAT(FoldBatch(KeyChanges().Delete(5).Delete(5), RowIdentity::kWholeRow).removed, ElementsAre(5, 5));
}

TEST(Fold, KeepsEveryRowOfATableWithoutIdentity) {
  EXPECT_THAT(FoldBatch(KeyChanges().Insert(5).Insert(5), RowIdentity::kAppendOnly).live_rows, ElementsAre(0, 1));
}

/// Random valid histories against a set of keys: the table before, minus removed keys, plus live rows, is the table
/// after.
TEST(Fold, AgreesWithAModelOnRandomHistories) {
  std::mt19937 random(20'240'101);
  for (int round = 0; round < 500; ++round) {
    std::set<int64_t> before, now;
    for (int64_t key = 0; key < 8; ++key) {
      if (random() % 2) before.insert(key);
    }
    now = before;
    KeyChanges batch;
    for (int step = 0; step < 30; ++step) {
      const int64_t key = random() % 8, other = random() % 8;
      if (!now.contains(key)) {
        batch.Insert(key);
        now.insert(key);
      } else if (random() % 3 == 0) {
        batch.Delete(key);
        now.erase(key);
      } else if (key != other && !now.contains(other)) {
        batch.Move(key, other);
        now.erase(key);
        now.insert(other);
      } else {
        batch.Update(key);
      }
    }
    const Folded folded = FoldBatch(batch);
    std::multiset<int64_t> after(before.begin(), before.end());
    for (const int64_t key : folded.removed) ASSERT_EQ(after.erase(key), 1u) << "round " << round;
    for (const int32_t row : folded.live_rows) after.insert(batch.rows[row]);
    ASSERT_EQ(after, std::multiset<int64_t>(now.begin(), now.end())) << "round " << round;
    for (const int64_t key : folded.vanished) ASSERT_TRUE(before.contains(key) && !now.contains(key));
  }
}

}  // namespace
}  // namespace firn::pipeline
