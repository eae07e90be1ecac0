#include "verify/later_changes.h"

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "index/key_codec.h"
#include "testing/results.h"
#include "verify/row_digests.h"
#include "verify/table_rows.h"

namespace firn::verify {
namespace {

using pipeline::ChangeKind;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

/// Rows of a table (k, v), as text: "1=a".
using Rows = std::map<std::string, int64_t>;

std::shared_ptr<arrow::RecordBatch> Batch(const std::vector<std::vector<std::string>>& rows) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (size_t column = 0; column < (rows.empty() ? 2 : rows.front().size()); ++column) {
    arrow::StringBuilder builder;
    for (const auto& row : rows) EXPECT_TRUE(builder.Append(row[column]).ok());
    arrays.push_back(*builder.Finish());
    fields.push_back(arrow::field(column == 0 ? "k" : "v", arrow::utf8()));
  }
  return arrow::RecordBatch::Make(arrow::schema(fields), static_cast<int64_t>(rows.size()), arrays);
}

pipeline::TargetTable Table(pipeline::RowIdentity identity) {
  pipeline::TargetTable target;
  target.mapping.columns.resize(2);
  target.layout.identity = identity;
  if (identity == pipeline::RowIdentity::kKey) target.layout.key_columns = {0};
  if (identity == pipeline::RowIdentity::kWholeRow) target.layout.key_columns = {0, 1};
  return target;
}

/// Applies changes to a snapshot's rows; what comes out must be `expected`, known by its digests.
class LaterChangesTest : public ::testing::Test {
 protected:
  explicit LaterChangesTest(pipeline::RowIdentity identity = pipeline::RowIdentity::kKey)
      : target_(Table(identity)), changes_(target_) {}

  void Insert(const std::string& k, const std::string& v) {
    batch_.changes.push_back({.kind = ChangeKind::kInsert, .row = AddRow({k, v})});
  }
  void Update(const std::string& k, const std::string& v) {
    batch_.changes.push_back({.kind = ChangeKind::kUpdate, .row = AddRow({k, v})});
  }
  /// v is not sent again.
  void Move(const std::string& old_k, const std::string& k) {
    batch_.rows.unchanged.push_back({.row = static_cast<int64_t>(rows_.size()), .column = 1});
    batch_.changes.push_back({.kind = ChangeKind::kUpdate, .row = AddRow({k, ""}), .old = AddOld({old_k})});
  }
  void Replace(const std::vector<std::string>& old, const std::vector<std::string>& row) {
    batch_.changes.push_back({.kind = ChangeKind::kUpdate, .row = AddRow(row), .old = AddOld(old)});
  }
  void Delete(const std::vector<std::string>& old) {
    batch_.changes.push_back({.kind = ChangeKind::kDelete, .old = AddOld(old)});
  }
  /// What follows comes in another batch.
  void Seal() {
    if (!rows_.empty()) batch_.rows.batch = Batch(rows_);
    if (!old_.empty()) batch_.old_keys.batch = Batch(old_);
    firn::testing::Do(changes_.Add(batch_));
    batch_ = {};
    rows_.clear();
    old_.clear();
  }

  Rows Apply(const std::vector<std::vector<std::string>>& snapshot) {
    Seal();
    std::map<uint64_t, std::string> names;
    for (const std::string k : {"1", "2", "3"}) {
      for (const std::string v : {"a", "b", "c"}) {
        const RowDigests digests = firn::testing::Value(RowDigests::Make(*Batch({{k, v}}), 2));
        names.emplace(DigestOf(digests[0]), k + "=" + v);
      }
    }
    Rows rows;
    const RowSink sink = [&](const Row& row) {
      int64_t& count = rows[names.at(DigestOf(row.columns))];
      count += row.count;
    };
    const auto batch = Batch(snapshot);
    firn::testing::Do(verify::GiveRows(*batch, AllOf(snapshot), target_, [&](const Row& row) {
      if (changes_.Keeps(row.key, row.columns)) sink(row);
    }));
    firn::testing::Do(changes_.GiveRows(sink));
    std::erase_if(rows, [](const auto& row) { return row.second == 0; });
    return rows;
  }

  LaterChanges& changes() { return changes_; }

 private:
  static std::vector<int64_t> AllOf(const std::vector<std::vector<std::string>>& rows) {
    std::vector<int64_t> all;
    for (size_t i = 0; i < rows.size(); ++i) all.push_back(static_cast<int64_t>(i));
    return all;
  }
  int32_t AddRow(std::vector<std::string> row) {
    rows_.push_back(std::move(row));
    return static_cast<int32_t>(rows_.size() - 1);
  }
  int32_t AddOld(std::vector<std::string> old) {
    old_.push_back(std::move(old));
    return static_cast<int32_t>(old_.size() - 1);
  }

  pipeline::TargetTable target_;
  LaterChanges changes_;
  pipeline::TableBatch batch_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::vector<std::string>> old_;
};

class WholeRowChangesTest : public LaterChangesTest {
 protected:
  WholeRowChangesTest() : LaterChangesTest(pipeline::RowIdentity::kWholeRow) {}
};

TEST_F(LaterChangesTest, LeaveTheSnapshotAsItIsWhereNothingChanged) {
  EXPECT_THAT(Apply({{"1", "a"}, {"2", "b"}}), UnorderedElementsAre(Pair("1=a", 1), Pair("2=b", 1)));
  EXPECT_TRUE(changes().empty());
}

TEST_F(LaterChangesTest, ReplaceAddAndTakeAwayRows) {
  Update("1", "b");
  Delete({"2"});
  Insert("3", "c");
  EXPECT_THAT(Apply({{"1", "a"}, {"2", "b"}}), UnorderedElementsAre(Pair("1=b", 1), Pair("3=c", 1)));
}

TEST_F(LaterChangesTest, TheLastOneOfAKeyHolds) {
  Insert("1", "a");
  Update("1", "b");
  Delete({"1"});
  Seal();
  Insert("1", "c");
  EXPECT_THAT(Apply({}), UnorderedElementsAre(Pair("1=c", 1)));
}

TEST_F(LaterChangesTest, TakeUnsentValuesFromTheSnapshot) {
  Move("1", "2");
  Seal();
  Move("2", "3");
  EXPECT_THAT(Apply({{"1", "a"}}), UnorderedElementsAre(Pair("3=a", 1)));
}

TEST_F(LaterChangesTest, TakeUnsentValuesFromAnEarlierChange) {
  Update("1", "b");
  Seal();
  Move("1", "2");
  EXPECT_THAT(Apply({{"1", "a"}}), UnorderedElementsAre(Pair("2=b", 1)));
}

TEST_F(LaterChangesTest, ARowThatTakesTheKeyOfOneThatMovedHasItsOwnValues) {
  Move("1", "2");
  Insert("1", "c");
  EXPECT_THAT(Apply({{"1", "a"}}), UnorderedElementsAre(Pair("1=c", 1), Pair("2=a", 1)));
}

TEST_F(LaterChangesTest, ValuesThatNobodyHasAreAnError) {
  Move("1", "2");
  Seal();
  const Status given = changes().GiveRows([](const Row&) {});
  ASSERT_FALSE(given);
  EXPECT_EQ(given.error().kind(), ErrorKind::kInternal);
}

TEST_F(WholeRowChangesTest, CountEqualRows) {
  Delete({"1", "a"});
  Replace({"1", "a"}, {"2", "b"});
  Seal();
  Insert("2", "b");
  Insert("3", "c");
  Delete({"3", "c"});
  EXPECT_THAT(Apply({{"1", "a"}, {"1", "a"}, {"1", "a"}}), UnorderedElementsAre(Pair("1=a", 1), Pair("2=b", 2)));
}

}  // namespace
}  // namespace firn::verify
