#include "pipeline/fold.h"

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

namespace firn::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

/// Keys of a batch with one int64 column.
index::EncodedKeys Keys(const std::vector<int64_t>& values) {
  arrow::Int64Builder builder;
  EXPECT_TRUE(builder.AppendValues(values).ok());
  const auto batch = arrow::RecordBatch::Make(arrow::schema({arrow::field("k", arrow::int64())}),
                                              static_cast<int64_t>(values.size()), {*builder.Finish()});
  auto keys = index::EncodeKeys(*batch, {0});
  EXPECT_TRUE(keys.has_value());
  return std::move(*keys);
}

/// Changes of a table with int64 keys, as a lane gathers them.
struct Batch {
  std::vector<Change> changes;
  std::vector<int64_t> rows;
  std::vector<int64_t> old;

  Batch& Insert(int64_t key) {
    changes.push_back({.kind = ChangeKind::kInsert, .row = AddRow(key)});
    return *this;
  }
  Batch& Update(int64_t key) {
    changes.push_back({.kind = ChangeKind::kUpdate, .row = AddRow(key)});
    return *this;
  }
  Batch& Update(int64_t old_key, int64_t key) {
    changes.push_back({.kind = ChangeKind::kUpdate, .row = AddRow(key), .old = AddOld(old_key)});
    return *this;
  }
  Batch& Delete(int64_t key) {
    changes.push_back({.kind = ChangeKind::kDelete, .old = AddOld(key)});
    return *this;
  }
  int32_t AddRow(int64_t key) { return rows.push_back(key), static_cast<int32_t>(rows.size() - 1); }
  int32_t AddOld(int64_t key) { return old.push_back(key), static_cast<int32_t>(old.size() - 1); }
};

/// A folded batch, its keys as numbers again.
struct Folded {
  std::vector<int32_t> live_rows;
  std::vector<int64_t> removed;
  std::vector<int64_t> vanished;
  std::vector<PreviousImage> previous;
};

Folded FoldBatch(const Batch& batch, RowIdentity identity = RowIdentity::kKey, bool with_previous = false) {
  const index::EncodedKeys rows = Keys(batch.rows), old = Keys(batch.old);
  std::map<std::string, int64_t> numbers;
  for (size_t i = 0; i < batch.rows.size(); ++i) numbers[std::string(rows[i])] = batch.rows[i];
  for (size_t i = 0; i < batch.old.size(); ++i) numbers[std::string(old[i])] = batch.old[i];
  const FoldedBatch folded = Fold(batch.changes, identity, rows, old, with_previous);
  Folded result{.live_rows = folded.live_rows, .previous = folded.previous};
  for (const auto key : folded.removed_keys) result.removed.push_back(numbers.at(std::string(key)));
  for (const auto key : folded.vanished_keys) result.vanished.push_back(numbers.at(std::string(key)));
  return result;
}

TEST(Fold, KeepsInsertedRows) {
  const Folded folded = FoldBatch(Batch().Insert(1).Insert(2));
  EXPECT_THAT(folded.live_rows, ElementsAre(0, 1));
  EXPECT_THAT(folded.removed, IsEmpty());
}

TEST(Fold, KeepsOnlyTheLastOfManyUpdates) {
  const Folded folded = FoldBatch(Batch().Update(7).Update(7).Update(7));
  EXPECT_THAT(folded.live_rows, ElementsAre(2));
  EXPECT_THAT(folded.removed, ElementsAre(7));
  EXPECT_THAT(folded.vanished, IsEmpty());
}

TEST(Fold, ForgetsARowThatCameAndWent) {
  const Folded folded = FoldBatch(Batch().Insert(1).Update(1).Delete(1));
  EXPECT_THAT(folded.live_rows, IsEmpty());
  EXPECT_THAT(folded.removed, IsEmpty());
  EXPECT_THAT(folded.vanished, IsEmpty());
}

TEST(Fold, RemovesTheOldRowWhenUpdateChangesKey) {
  const Folded folded = FoldBatch(Batch().Update(1, 2));
  EXPECT_THAT(folded.live_rows, ElementsAre(0));
  EXPECT_THAT(folded.removed, ElementsAre(1));
  EXPECT_THAT(folded.vanished, ElementsAre(1));
}

TEST(Fold, DeletesAndInsertsTheSameKey) {
  const Folded folded = FoldBatch(Batch().Delete(1).Insert(1));
  EXPECT_THAT(folded.live_rows, ElementsAre(0));
  EXPECT_THAT(folded.removed, ElementsAre(1));
  EXPECT_THAT(folded.vanished, IsEmpty());
}

TEST(Fold, FindsThePreviousImageInTheBatchOrInTheTable) {
  const Folded folded = FoldBatch(Batch().Update(1).Update(1).Insert(2).Update(2, 3), RowIdentity::kKey, true);
  ASSERT_EQ(folded.previous.size(), 4u);
  EXPECT_EQ(folded.previous[0].removed, 0);
  EXPECT_EQ(folded.previous[1].row, 0);
  EXPECT_EQ(folded.previous[3].row, 2);
}

TEST(Fold, TakesExactlyOneOfSeveralEqualRows) {
  const Folded folded = FoldBatch(Batch().Insert(5).Insert(5).Delete(5), RowIdentity::kWholeRow);
  EXPECT_THAT(folded.live_rows, ElementsAre(0));
  EXPECT_THAT(folded.removed, IsEmpty());
  EXPECT_THAT(FoldBatch(Batch().Delete(5).Delete(5), RowIdentity::kWholeRow).removed, ElementsAre(5, 5));
}

TEST(Fold, KeepsEveryRowOfATableWithoutIdentity) {
  EXPECT_THAT(FoldBatch(Batch().Insert(5).Insert(5), RowIdentity::kAppendOnly).live_rows, ElementsAre(0, 1));
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
    Batch batch;
    for (int step = 0; step < 30; ++step) {
      const int64_t key = random() % 8, other = random() % 8;
      if (!now.contains(key)) {
        batch.Insert(key);
        now.insert(key);
      } else if (random() % 3 == 0) {
        batch.Delete(key);
        now.erase(key);
      } else if (key != other && !now.contains(other)) {
        batch.Update(key, other);
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
