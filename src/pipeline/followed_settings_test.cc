#include "pipeline/followed_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "iceberg/table_update.h"

namespace firn::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;

const iceberg::Type kString = iceberg::Type::Primitive(iceberg::TypeId::kString);

/// A table that had the columns id, region and note, as firn first saw them.
class FollowColumnsTest : public ::testing::Test {
 protected:
  FollowColumnsTest() {
    source_.oid = stored_.oid = {100};
    source_.columns = {{.attnum = 1, .name = "id"}, {.attnum = 2, .name = "region"}, {.attnum = 4, .name = "note"}};
    stored_.columns = {{1, 1}, {2, 2}, {4, 3}};
    table_ =
        iceberg::MakeTableMetadata({.schema = Schema({"id", "region", "note"}), .location = "memory://t"}, 1).value();
    settings_.partition_by = {ParsePartitionTerm("region").value(), ParsePartitionTerm("bucket(4, id)").value(),
                              ParsePartitionTerm("initial").value()};
    settings_.computed = {ParseComputedColumn("initial", "upper(substr(note, 1, 1))").value()};
    settings_.columns.types.emplace("id", kString);
    settings_.columns.column_policies.emplace("region", encode::ValuePolicy::kNull);
  }

  static iceberg::Schema Schema(const std::vector<std::string>& names) {
    iceberg::Schema schema;
    for (const std::string& name : names) {
      const auto id = static_cast<iceberg::FieldId>(schema.fields.size() + 1);
      schema.fields.push_back({.id = id, .name = name, .type = kString});
    }
    return schema;
  }

  SourceColumn& Column(int16_t attnum) { return *std::ranges::find(source_.columns, attnum, &SourceColumn::attnum); }
  void Drop(int16_t attnum) {
    std::erase_if(source_.columns, [&](const SourceColumn& column) { return column.attnum == attnum; });
  }
  /// The Iceberg table has followed the source, and says so.
  void SchemaFollowed(const std::vector<std::string>& names) {
    const std::vector<iceberg::Update> updates = {iceberg::AddSchema{Schema(names)}, iceberg::SetCurrentSchema{-1}};
    table_ = iceberg::ApplyUpdates(table_, "memory://t", updates, 2).value();
  }

  std::vector<std::string> SortTerms() {
    followed_ = FollowColumns(settings_, table_, stored_, source_);
    std::vector<std::string> terms;
    for (const SortTerm& term : *followed_.settings.sort_by) terms.push_back(Written(term));
    return terms;
  }

  std::vector<std::string> Terms() {
    followed_ = FollowColumns(settings_, table_, stored_, source_);
    std::vector<std::string> columns;
    for (const PartitionTerm& term : *followed_.settings.partition_by) columns.push_back(term.column);
    return columns;
  }

  TableSettings settings_;
  iceberg::TableMetadata table_;
  StoredDefinition stored_;
  SourceTable source_;
  FollowedSettings followed_;
};

TEST_F(FollowColumnsTest, LeavesSettingsThatFitAlone) {
  EXPECT_THAT(Terms(), ElementsAre("region", "id", "initial"));
  EXPECT_THAT(followed_.warnings, IsEmpty());
}

TEST_F(FollowColumnsTest, FollowsRenamedColumns) {
  Column(1).name = "key";
  Column(2).name = "area";
  Column(4).name = "remark";
  for (const bool schema_followed : {false, true}) {
    if (schema_followed) SchemaFollowed({"key", "area", "remark"});
    EXPECT_THAT(Terms(), ElementsAre("area", "key", "initial"));
    EXPECT_EQ(followed_.settings.computed[0].expression.arguments[0].arguments[0].name, "remark");
    EXPECT_THAT(followed_.settings.columns.types, ElementsAre(Key("key")));
    EXPECT_THAT(followed_.settings.columns.column_policies, ElementsAre(Key("area")));
    EXPECT_EQ(followed_.warnings.size(), 5U);
    EXPECT_THAT(followed_.warnings.back(), HasSubstr(R"(partition_by names column "id", which is "key" now)"));
  }
}

TEST_F(FollowColumnsTest, TakesANameForTheColumnThatHasItNow) {
  Column(2).name = "area";
  Column(4).name = "region";
  EXPECT_THAT(Terms(), ElementsAre("region", "id", "initial"));
  EXPECT_EQ(followed_.settings.computed[0].expression.arguments[0].arguments[0].name, "region") << "which note was";
}

TEST_F(FollowColumnsTest, ForgetsWhatWasSaidOfColumnsThatAreGone) {
  Drop(2);
  Drop(4);
  for (const bool followed : {false, true}) {
    if (followed) stored_ = {.oid = {100}, .columns = {{1, 1}}, .dropped = {{2, 2}, {4, 3}}};
    EXPECT_THAT(Terms(), ElementsAre("id")) << "the computed column went with the column that it is made of";
    EXPECT_THAT(followed_.settings.computed, IsEmpty());
    EXPECT_THAT(followed_.settings.columns.column_policies, IsEmpty());
    EXPECT_THAT(followed_.warnings.front(), HasSubstr(R"(column "region", which is gone)"));
  }
}

TEST_F(FollowColumnsTest, FollowsTheColumnsOfAnOrder) {
  settings_.sort_by = {ParseSortTerm("region desc").value(), ParseSortTerm("id nulls last").value(),
                       ParseSortTerm("initial").value()};
  EXPECT_THAT(SortTerms(), ElementsAre("region desc", "id nulls last", "initial"));
  Column(2).name = "area";
  EXPECT_THAT(SortTerms(), ElementsAre("area desc", "id nulls last", "initial"));
  EXPECT_THAT(followed_.warnings.back(), HasSubstr(R"(sort_by names column "region", which is "area" now)"));
  Drop(2);
  Drop(4);
  EXPECT_THAT(SortTerms(), ElementsAre("id nulls last"));
  EXPECT_THAT(followed_.warnings.back(), HasSubstr(R"(sort_by names column "region", which is gone)"));
}

TEST_F(FollowColumnsTest, LeavesNamesThatNeverWereForAnError) {
  settings_.partition_by = {ParsePartitionTerm("regoin").value()};
  EXPECT_THAT(Terms(), ElementsAre("regoin"));
  EXPECT_THAT(followed_.warnings, IsEmpty());
}

TEST_F(FollowColumnsTest, DoesNotGoByAttnumInATableThatWasMadeAnew) {
  source_.oid = {200};
  Column(2).name = "area";
  EXPECT_THAT(Terms(), ElementsAre("id", "initial"));
}

}  // namespace
}  // namespace firn::pipeline
