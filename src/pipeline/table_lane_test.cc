#include "pipeline/table_lane.h"

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "testing/type_oids.h"

namespace firn::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kInt4;
using testing::kText;
using ::testing::SizeIs;

/// public.t (id int4 primary key, name text, note text)
SourceTable NamesTable(ReplicaIdentity identity = ReplicaIdentity::kDefault, std::vector<int> key = {0}) {
  return {.oid = {7},
          .name = {"public", "t"},
          .columns = {{.attnum = 1, .name = "id", .type_oid = kInt4, .type_name = "integer"},
                      {.attnum = 2, .name = "name", .type_oid = kText, .type_name = "text"},
                      {.attnum = 3, .name = "note", .type_oid = kText, .type_name = "text"}},
          .replica_identity = identity,
          .key_columns = std::move(key)};
}

class TableLaneTest : public ::testing::Test {
 protected:
  TableLaneTest() { Open(RowIdentity::kKey); }

  void Open(RowIdentity identity) {
    lane_ = TableLane::Make(encode::MapTable(NamesTable()).value(), identity, ChangeMode::kMirror, Lsn{1}).value();
    binding_ = BindColumns(lane_->mapping(), NamesTable().columns, {1, 2, 3});
  }

  /// Values as text; "~" is NULL and "^" a value that was not sent again.
  postgres::Tuple Tuple(const std::vector<std::string>& values) {
    std::vector<WireValue>& tuple = tuples_.emplace_back();
    for (const std::string& value : values) {
      const std::string& kept = texts_.emplace_back(value);
      const WireFormat format = value == "~"   ? WireFormat::kNull
                                : value == "^" ? WireFormat::kUnchangedToast
                                               : WireFormat::kText;
      tuple.push_back({.data = kept.data(), .size = static_cast<int32_t>(kept.size()), .format = format});
    }
    return tuple;
  }

  static std::string Cell(const encode::EncodedRows& rows, int column, int64_t row) {
    return (*rows.batch->column(column)->GetScalar(row))->ToString();
  }

  std::deque<std::string> texts_;
  std::deque<std::vector<WireValue>> tuples_;
  std::unique_ptr<TableLane> lane_;
  RelationBinding binding_;
};

TEST_F(TableLaneTest, GathersChangesInOrder) {
  ASSERT_TRUE(lane_->Insert(binding_, Tuple({"1", "a", "x"})));
  ASSERT_TRUE(lane_->Update(binding_, {.new_row = Tuple({"1", "b", "x"})}));
  ASSERT_TRUE(lane_->Delete(binding_, {.old_row = Tuple({"2", "~", "~"}), .old_is_key = true}));
  EXPECT_FALSE(lane_->empty());
  const TableBatch batch = lane_->Seal().value();
  ASSERT_THAT(batch.changes, SizeIs(3));
  EXPECT_EQ(batch.changes[1].row, 1);
  EXPECT_EQ(batch.changes[1].old, -1);
  EXPECT_EQ(batch.changes[2].old, 0);
  EXPECT_EQ(Cell(batch.rows, 1, 1), "b");
  EXPECT_EQ(batch.old_keys.batch->num_columns(), 1);
  EXPECT_EQ(Cell(batch.old_keys, 0, 0), "2");
  EXPECT_TRUE(lane_->empty());
}

TEST_F(TableLaneTest, KeepsTheOldKeyWhereItChanged) {
  ASSERT_TRUE(lane_->Update(
      binding_, {.old_row = Tuple({"1", "~", "~"}), .old_is_key = true, .new_row = Tuple({"2", "a", "x"})}));
  const TableBatch batch = lane_->Seal().value();
  EXPECT_EQ(batch.changes[0].old, 0);
  EXPECT_EQ(Cell(batch.old_keys, 0, 0), "1");
}

TEST_F(TableLaneTest, NeedsNoOldKeyWhereAWholeOldRowHasTheSame) {
  ASSERT_TRUE(lane_->Update(binding_, {.old_row = Tuple({"1", "a", "x"}), .new_row = Tuple({"1", "b", "x"})}));
  EXPECT_EQ(lane_->Seal()->changes[0].old, -1);
}

TEST_F(TableLaneTest, TakesUnchangedValuesFromAWholeOldRow) {
  ASSERT_TRUE(lane_->Update(binding_, {.old_row = Tuple({"1", "a", "long"}), .new_row = Tuple({"1", "b", "^"})}));
  const TableBatch batch = lane_->Seal().value();
  EXPECT_THAT(batch.rows.unchanged, IsEmpty());
  EXPECT_EQ(Cell(batch.rows, 2, 0), "long");
}

TEST_F(TableLaneTest, NeverTakesAnUnsentColumnOfAKeyTupleForAValue) {
  ASSERT_TRUE(lane_->Update(
      binding_, {.old_row = Tuple({"1", "~", "~"}), .old_is_key = true, .new_row = Tuple({"2", "b", "^"})}));
  const TableBatch batch = lane_->Seal().value();
  ASSERT_THAT(batch.rows.unchanged, SizeIs(1));
  EXPECT_EQ(batch.rows.unchanged[0].column, 2);
}

TEST_F(TableLaneTest, ForgetsWhatCameBeforeATruncate) {
  ASSERT_TRUE(lane_->Insert(binding_, Tuple({"1", "a", "x"})));
  ASSERT_TRUE(lane_->Truncate());
  EXPECT_FALSE(lane_->empty());
  ASSERT_TRUE(lane_->Insert(binding_, Tuple({"2", "b", "y"})));
  const TableBatch batch = lane_->Seal().value();
  EXPECT_TRUE(batch.truncate_first);
  ASSERT_THAT(batch.changes, SizeIs(1));
  EXPECT_EQ(Cell(batch.rows, 0, 0), "2");
  EXPECT_FALSE(lane_->Seal()->truncate_first);
}

TEST_F(TableLaneTest, LeavesOutColumnsThatTheTableNoLongerHas) {
  const RelationBinding binding = BindColumns(lane_->mapping(), NamesTable().columns, {1, 0, 2, 3, 0});
  ASSERT_TRUE(lane_->Insert(binding, Tuple({"1", "gone", "a", "x", "gone, too"})));
  const TableBatch batch = lane_->Seal().value();
  EXPECT_EQ(batch.rows.batch->num_columns(), 3);
  EXPECT_EQ(Cell(batch.rows, 1, 0), "a");
  EXPECT_EQ(Cell(batch.rows, 2, 0), "x");
}

TEST_F(TableLaneTest, GivesColumnsThatWereAddedLaterTheirMissingValue) {
  std::vector<SourceColumn> source = NamesTable().columns;
  source[2].missing_value = "as yet unsaid";
  const RelationBinding older = BindColumns(lane_->mapping(), source, {1});
  ASSERT_TRUE(lane_->Insert(older, Tuple({"1"})));
  ASSERT_TRUE(lane_->Update(older, {.old_row = Tuple({"1"}), .old_is_key = true, .new_row = Tuple({"2"})}));
  ASSERT_TRUE(lane_->Insert(binding_, Tuple({"3", "c", "z"})));
  const TableBatch batch = lane_->Seal().value();
  EXPECT_EQ(Cell(batch.rows, 1, 0), "null");
  EXPECT_EQ(Cell(batch.rows, 2, 1), "as yet unsaid");
  EXPECT_EQ(Cell(batch.rows, 2, 2), "z");
}

TEST_F(TableLaneTest, RefusesAnUpdateOfATableWithoutIdentity) {
  Open(RowIdentity::kAppendOnly);
  const Status status = lane_->Update(binding_, {.new_row = Tuple({"1", "b", "x"})});
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(status.error().message(), HasSubstr("REPLICA IDENTITY FULL"));
}

TEST_F(TableLaneTest, NeedsTheWholeOldRowOfATableWithoutKey) {
  Open(RowIdentity::kWholeRow);
  EXPECT_FALSE(lane_->Update(binding_, {.new_row = Tuple({"1", "b", "x"})}).has_value());
  EXPECT_FALSE(lane_->Delete(binding_, {.old_row = Tuple({"1", "~", "~"}), .old_is_key = true}).has_value());
  Open(RowIdentity::kWholeRow);
  ASSERT_TRUE(lane_->Delete(binding_, {.old_row = Tuple({"1", "b", "~"})}));
  EXPECT_EQ(lane_->Seal()->old_keys.batch->num_columns(), 3);
}

TEST_F(TableLaneTest, RefusesAnOldRowThatDoesNotTellTheKey) {
  const Status deleted = lane_->Delete(binding_, {.old_row = Tuple({"~", "a", "~"}), .old_is_key = true});
  ASSERT_FALSE(deleted.has_value());
  EXPECT_EQ(deleted.error().kind(), ErrorKind::kUnsupported);
  EXPECT_THAT(deleted.error().message(), HasSubstr("a DELETE did not tell the old value of key column id"));
  const Status updated = lane_->Update(
      binding_, {.old_row = Tuple({"~", "a", "~"}), .old_is_key = true, .new_row = Tuple({"1", "b", "x"})});
  ASSERT_FALSE(updated.has_value());
  EXPECT_THAT(updated.error().message(), HasSubstr("an UPDATE did not tell the old value of key column id"));
}

TEST_F(TableLaneTest, NeverTakesALeftOutColumnOfAnOldRowForAValue) {
  // The table has REPLICA IDENTITY FULL and the row's partition has its primary key.
  ASSERT_TRUE(lane_->Update(binding_, {.old_row = Tuple({"1", "~", "~"}), .new_row = Tuple({"2", "b", "^"})}));
  const TableBatch batch = lane_->Seal().value();
  ASSERT_THAT(batch.rows.unchanged, SizeIs(1));
  EXPECT_EQ(batch.rows.unchanged[0].column, 2);
  Open(RowIdentity::kWholeRow);
  const Status status = lane_->Update(binding_, {.old_row = Tuple({"1", "~", "~"}), .new_row = Tuple({"2", "b", "^"})});
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(status.error().message(), HasSubstr("without the whole old row"));
}

TEST_F(TableLaneTest, RefusesATupleOfAnotherWidth) {
  EXPECT_EQ(lane_->Insert(binding_, Tuple({"1", "a"})).error().kind(), ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace firn::pipeline
