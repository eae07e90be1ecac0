// FoldSoftDelete and FoldHistory against models: a table that takes what they give must hold what the changes say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <tuple>
#include <vector>

#include "pipeline/fold_history.h"
#include "pipeline/fold_soft_delete.h"
#include "pipeline/standing_rows.h"
#include "testing/key_changes.h"

namespace firn::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::KeyChanges;

/// Looks into the keys of `changes`.
FoldedBatch Fold(KeyChanges& changes, ChangeMode mode, RowIdentity identity = RowIdentity::kKey) {
  changes.EncodeKeys();
  const auto fold = mode == ChangeMode::kSoftDelete ? FoldSoftDelete : FoldHistory;
  return fold(changes.batch, changes.all(), identity, changes.row_keys, changes.old_keys, true);
}

RowFacts Made(RowOperation operation, int64_t transaction) {
  return {.operation = operation, .lsn = Lsn{static_cast<uint64_t>(transaction)}, .committed_at_us = transaction};
}
RowFacts Ended(RowFacts facts, int64_t transaction) {
  facts.valid_to_us = transaction;
  return facts;
}
RowFacts DeletedBy(int64_t transaction) {
  RowFacts facts = Made(RowOperation::kDelete, transaction);
  facts.deleted = true;
  return facts;
}

TEST(FoldSoftDelete, KeepsADeletedRowOfTheBatchWithItsLastValues) {
  KeyChanges changes;
  const FoldedBatch folded = Fold(changes.Begin(1).Insert(7).Update(7).Begin(2).Delete(7), ChangeMode::kSoftDelete);
  EXPECT_THAT(folded.live_rows, ElementsAre(1));
  EXPECT_THAT(folded.facts, ElementsAre(DeletedBy(2)));
  EXPECT_THAT(folded.rewritten, IsEmpty());
}

TEST(FoldSoftDelete, RewritesADeletedRowOfTheTable) {
  KeyChanges changes;
  const FoldedBatch folded = Fold(changes.Begin(3).Delete(7), ChangeMode::kSoftDelete);
  EXPECT_THAT(folded.live_rows, IsEmpty());
  EXPECT_THAT(folded.rewritten, ElementsAre(RewrittenRow{.removed = 0, .facts = DeletedBy(3)}));
  EXPECT_THAT(folded.vanished_keys, IsEmpty()) << "the index goes on finding it";
}

TEST(FoldSoftDelete, ANewRowTakesTheDeletedOnesPlace) {
  KeyChanges changes;
  const FoldedBatch folded = Fold(changes.Begin(3).Insert(7), ChangeMode::kSoftDelete);
  EXPECT_THAT(folded.live_rows, ElementsAre(0));
  EXPECT_EQ(folded.removed_keys.size(), 1U);
  EXPECT_THAT(folded.maybe_absent, ElementsAre(true));
  EXPECT_THAT(folded.rewritten, IsEmpty());
}

TEST(FoldSoftDelete, AChangedKeyTakesTheRowAlong) {
  KeyChanges changes;
  const FoldedBatch folded = Fold(changes.Begin(3).Move(7, 8), ChangeMode::kSoftDelete);
  EXPECT_THAT(folded.live_rows, ElementsAre(0));
  EXPECT_THAT(folded.rewritten, IsEmpty());
  ASSERT_EQ(folded.vanished_keys.size(), 1U);
  EXPECT_EQ(testing::DecodeIntegerKey(folded.vanished_keys[0]), 7);
}

TEST(FoldHistory, KeepsEachVersion) {
  KeyChanges changes;
  const FoldedBatch folded =
      Fold(changes.Begin(1).Insert(7).Begin(2).Update(7).Begin(4).Delete(7), ChangeMode::kHistory);
  EXPECT_THAT(folded.live_rows, ElementsAre(0, 1));
  EXPECT_THAT(folded.facts,
              ElementsAre(Ended(Made(RowOperation::kInsert, 1), 2), Ended(Made(RowOperation::kUpdate, 2), 4)));
  EXPECT_THAT(folded.removed_keys, IsEmpty());
}

TEST(FoldHistory, OfOneTransactionsVersionsKeepsTheLast) {
  KeyChanges changes;
  const FoldedBatch folded = Fold(changes.Begin(1).Update(7).Update(7).Insert(9).Delete(9), ChangeMode::kHistory);
  EXPECT_THAT(folded.live_rows, ElementsAre(1));
  EXPECT_THAT(folded.facts, ElementsAre(Made(RowOperation::kUpdate, 1)));
  EXPECT_THAT(folded.rewritten, ElementsAre(RewrittenRow{.removed = 0, .facts = Ended({}, 1)}));
}

TEST(FoldHistory, AChangedKeyEndsTheOldOnesVersion) {
  KeyChanges changes;
  const FoldedBatch folded = Fold(changes.Begin(5).Move(7, 8), ChangeMode::kHistory);
  EXPECT_THAT(folded.live_rows, ElementsAre(0));
  EXPECT_THAT(folded.rewritten, ElementsAre(RewrittenRow{.removed = 0, .facts = Ended({}, 5)}));
  ASSERT_EQ(folded.vanished_keys.size(), 1U);
  EXPECT_EQ(testing::DecodeIntegerKey(folded.vanished_keys[0]), 7);
}

/// A table as the writer keeps it: rows with facts, found by an index.
struct StoredTable {
  struct Row {
    int64_t key;
    int64_t value;  ///< Tells the change that wrote it.
    RowFacts facts;
    bool operator==(const Row&) const = default;
    auto Order() const { return std::tuple(key, value, facts.committed_at_us, facts.valid_to_us, facts.deleted); }
  };
  std::map<int64_t, Row> rows;               ///< By place.
  std::multimap<int64_t, int64_t> found_by;  ///< key → place
  int64_t next_place = 0;

  void Put(ChangeMode mode, RowIdentity identity, Row row) {
    const bool is_found = Stands(row.facts) || (mode == ChangeMode::kSoftDelete && identity == RowIdentity::kKey);
    if (is_found) found_by.emplace(row.key, next_place);
    rows.emplace(next_place++, row);
  }

  void Take(const KeyChanges& changes, const FoldedBatch& folded, ChangeMode mode, RowIdentity identity,
            int64_t first_value) {
    std::vector<std::optional<Row>> removed;
    for (size_t i = 0; i < folded.removed_keys.size(); ++i) {
      const auto found = found_by.find(testing::DecodeIntegerKey(folded.removed_keys[i]));
      if (found == found_by.end()) {
        EXPECT_TRUE(folded.maybe_absent.at(i));
        removed.emplace_back();
        continue;
      }
      removed.emplace_back(rows.at(found->second));
      rows.erase(found->second);
      found_by.erase(found);
    }
    for (size_t i = 0; i < folded.live_rows.size(); ++i) {
      const int32_t row = folded.live_rows[i];
      Put(mode, identity, {.key = changes.rows[row], .value = first_value + row, .facts = folded.facts[i]});
    }
    for (const RewrittenRow& rewritten : folded.rewritten) {
      Row row = removed.at(rewritten.removed).value();
      if (mode == ChangeMode::kHistory) {
        if (row.facts.committed_at_us == rewritten.facts.valid_to_us) continue;
        row.facts.valid_to_us = rewritten.facts.valid_to_us;
      } else {
        row.facts = rewritten.facts;
      }
      Put(mode, identity, row);
    }
    for (const std::string_view key : folded.vanished_keys)
      EXPECT_FALSE(found_by.contains(testing::DecodeIntegerKey(key)));
  }

  std::vector<Row> Sorted() const {
    std::vector<Row> sorted;
    for (const auto& [place, row] : rows) sorted.push_back(row);
    std::ranges::sort(sorted, {}, &Row::Order);
    return sorted;
  }
};

/// What the table must hold: each change applied by itself, as the documentation tells it.
struct Model {
  ChangeMode mode;
  std::map<int64_t, StoredTable::Row> current;
  std::map<int64_t, StoredTable::Row> deleted;  ///< Soft delete: by key.
  std::vector<StoredTable::Row> ended;          ///< History.

  void End(int64_t key, int64_t transaction) {
    StoredTable::Row row = current.at(key);
    current.erase(key);
    if (mode == ChangeMode::kSoftDelete || row.facts.committed_at_us == transaction) return;
    row.facts.valid_to_us = transaction;
    ended.push_back(row);
  }
  void Put(int64_t key, int64_t value, RowOperation operation, int64_t transaction) {
    deleted.erase(key);
    current[key] = {.key = key, .value = value, .facts = Made(operation, transaction)};
  }
  void Delete(int64_t key, int64_t transaction) {
    StoredTable::Row row = current.at(key);
    End(key, transaction);
    if (mode != ChangeMode::kSoftDelete) return;
    row.facts = DeletedBy(transaction);
    deleted[key] = row;
  }
  std::vector<StoredTable::Row> Sorted() const {
    std::vector<StoredTable::Row> sorted = ended;
    for (const auto& [key, row] : current) sorted.push_back(row);
    for (const auto& [key, row] : deleted) sorted.push_back(row);
    std::ranges::sort(sorted, {}, &StoredTable::Row::Order);
    return sorted;
  }
};

class FoldModes : public ::testing::TestWithParam<ChangeMode> {};

/// Batches end anywhere, in the middle of transactions too.
TEST_P(FoldModes, AgreeWithAModelWhateverTheBatches) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    auto pick = [&](int64_t below) { return static_cast<int64_t>(random() % static_cast<uint64_t>(below)); };
    Model model{.mode = GetParam()};
    StoredTable table;
    int64_t transaction = 1;
    int64_t value = 0;
    for (int batch = 0; batch < 6; ++batch) {
      KeyChanges changes;
      const int64_t first_value = value;
      changes.Begin(transaction);
      for (int64_t change = pick(25); change >= 0; --change) {
        if (pick(3) == 0) changes.Begin(++transaction);
        const int64_t key = pick(6);
        const int64_t other = pick(6);
        if (!model.current.contains(key)) {
          changes.Insert(key);
          model.Put(key, value++, RowOperation::kInsert, transaction);
        } else if (pick(3) == 0) {
          changes.Delete(key);
          model.Delete(key, transaction);
        } else if (!model.current.contains(other)) {
          changes.Move(key, other);
          model.End(key, transaction);
          model.Put(other, value++, RowOperation::kUpdate, transaction);
        } else {
          changes.Update(key);
          model.End(key, transaction);
          model.Put(key, value++, RowOperation::kUpdate, transaction);
        }
      }
      const FoldedBatch folded = Fold(changes, GetParam());
      table.Take(changes, folded, GetParam(), RowIdentity::kKey, first_value);
      transaction += pick(2);
      ASSERT_EQ(table.Sorted(), model.Sorted()) << "seed " << seed << ", batch " << batch;
    }
  }
}

/// Equal rows are interchangeable: at each moment as many of them are valid as the source had.
TEST_P(FoldModes, AgreeWithAModelOfRowsWithoutAKey) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    auto pick = [&](int64_t below) { return static_cast<int64_t>(random() % static_cast<uint64_t>(below)); };
    std::map<int64_t, int64_t> count;                     // row → how often the source has it
    std::map<int64_t, std::map<int64_t, int64_t>> after;  // transaction → the counts after it
    int64_t deleted = 0;
    StoredTable table;
    int64_t transaction = 1;
    for (int batch = 0; batch < 5; ++batch) {
      KeyChanges changes;
      changes.Begin(transaction);
      for (int64_t change = pick(20); change >= 0; --change) {
        if (pick(3) == 0) changes.Begin(++transaction);
        const int64_t row = pick(4);
        const int64_t other = pick(4);
        if (count[row] == 0 || pick(3) == 0) {
          changes.Insert(row);
          ++count[row];
        } else if (pick(2) == 0) {
          changes.Delete(row);
          --count[row];
          ++deleted;
        } else {
          changes.Move(row, other);
          --count[row];
          ++count[other];
        }
        after[transaction] = count;
      }
      table.Take(changes, Fold(changes, GetParam(), RowIdentity::kWholeRow), GetParam(), RowIdentity::kWholeRow, 0);
      ++transaction;
    }
    int64_t marked = 0;
    std::map<int64_t, int64_t> standing;
    for (const auto& [place, row] : table.rows) {
      marked += row.facts.deleted ? 1 : 0;
      if (Stands(row.facts)) ++standing[row.key];
    }
    std::erase_if(count, [](const auto& entry) { return entry.second == 0; });
    ASSERT_EQ(standing, count) << "seed " << seed;
    if (GetParam() == ChangeMode::kSoftDelete) {
      ASSERT_EQ(marked, deleted) << "seed " << seed;
      continue;
    }
    for (auto& [moment, expected] : after) {
      std::map<int64_t, int64_t> valid;
      for (const auto& [place, row] : table.rows) {
        const bool has_ended = row.facts.valid_to_us && *row.facts.valid_to_us <= moment;
        if (row.facts.committed_at_us <= moment && !has_ended) ++valid[row.key];
      }
      std::erase_if(expected, [](const auto& entry) { return entry.second == 0; });
      ASSERT_EQ(valid, expected) << "seed " << seed << ", after transaction " << moment;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, FoldModes, ::testing::Values(ChangeMode::kSoftDelete, ChangeMode::kHistory),
                         [](const auto& mode) {
                           return mode.param == ChangeMode::kHistory ? "History" : "SoftDelete";
                         });

}  // namespace
}  // namespace firn::pipeline
