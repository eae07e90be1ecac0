#include "pipeline/added_columns.h"

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/own_columns.h"

namespace firn::pipeline {
namespace {

using ::testing::HasSubstr;

TableLayout LayoutOfOneColumn() {
  return {.schema = {.fields = {{.id = 1, .name = "k", .type = iceberg::Type::Primitive(iceberg::TypeId::kLong)}}}};
}

std::shared_ptr<arrow::RecordBatch> Rows(const std::vector<int64_t>& keys) {
  arrow::Int64Builder builder;
  EXPECT_TRUE(builder.AppendValues(keys).ok());
  return arrow::RecordBatch::Make(arrow::schema({arrow::field("k", arrow::int64())}), static_cast<int64_t>(keys.size()),
                                  {*builder.Finish()});
}

std::string Text(const arrow::RecordBatch& batch, const char* column, int64_t row) {
  return batch.GetColumnByName(column)->GetScalar(row).ValueOrDie()->ToString();
}

TEST(OwnColumns, TakeIdsBehindTheTablesLastOne) {
  TableLayout layout = LayoutOfOneColumn();
  const std::vector columns = {OwnColumn::kOperation, OwnColumn::kLsn};
  EXPECT_EQ(AddOwnColumns(columns, layout.schema, 7, layout).value(), 9);
  ASSERT_EQ(layout.schema.fields.size(), 3U);
  EXPECT_EQ(layout.schema.fields[1].name, "_firn_op");
  EXPECT_EQ(layout.schema.fields[1].id, 8);
  EXPECT_EQ(layout.schema.fields[2].id, 9);
  EXPECT_EQ(layout.source_fields().size(), 1U);
}

TEST(OwnColumns, KeepTheIdsThatTheTableGivesThem) {
  TableLayout layout = LayoutOfOneColumn();
  iceberg::Schema existing = layout.schema;
  existing.fields.push_back({.id = 5, .name = "other", .type = iceberg::Type::Primitive(iceberg::TypeId::kInt)});
  existing.fields.push_back(FieldOf(OwnColumn::kLsn, layout));
  existing.fields.back().id = 4;
  const std::vector columns = {OwnColumn::kOperation, OwnColumn::kLsn};
  EXPECT_EQ(AddOwnColumns(columns, existing, 5, layout).value(), 6);
  EXPECT_EQ(layout.schema.fields[1].id, 6);
  EXPECT_EQ(layout.schema.fields[2].id, 4);
}

TEST(OwnColumns, RefuseASourceColumnOfTheSameName) {
  TableLayout layout = LayoutOfOneColumn();
  layout.schema.fields[0].name = "_firn_lsn";
  const auto result = AddOwnColumns(std::vector{OwnColumn::kLsn}, layout.schema, 1, layout);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind(), ErrorKind::kSchemaMismatch);
  EXPECT_THAT(result.error().message(), HasSubstr("the source table has a column _firn_lsn"));
}

TEST(OwnColumns, RefuseAnIcebergColumnOfAnotherType) {
  TableLayout layout = LayoutOfOneColumn();
  iceberg::Schema existing = layout.schema;
  existing.fields.push_back({.id = 2, .name = "_firn_lsn", .type = iceberg::Type::Primitive(iceberg::TypeId::kString)});
  const auto result = AddOwnColumns(std::vector{OwnColumn::kLsn}, existing, 2, layout);
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message(), HasSubstr("column _firn_lsn of type string where firn needs an optional long"));
}

TEST(OwnColumns, GiveTheKeyBeforeAChangeTheKeyColumnsAndTheirIds) {
  TableLayout layout = LayoutOfOneColumn();
  layout.key_columns = {0};
  const std::vector columns = {OwnColumn::kBeforeKey};
  TableLayout made = layout;
  EXPECT_EQ(AddOwnColumns(columns, {}, 4, made).value(), 6);
  const iceberg::Schema table = made.schema;
  EXPECT_EQ(table.fields[1].id, 5);
  ASSERT_EQ(table.fields[1].type.fields.size(), 1U);
  EXPECT_EQ(table.fields[1].type.fields[0].id, 6);

  TableLayout found = layout;
  EXPECT_EQ(AddOwnColumns(columns, table, 6, found).value(), 6);
  EXPECT_EQ(found.schema, table);
}

TEST(OwnColumns, KeyColumnsThatComeLaterJoinTheKeyBeforeAChange) {
  TableLayout before = LayoutOfOneColumn();
  before.key_columns = {0};
  const std::vector columns = {OwnColumn::kBeforeKey};
  ASSERT_EQ(AddOwnColumns(columns, {}, 1, before).value(), 3);

  TableLayout layout = LayoutOfOneColumn();
  layout.schema.fields.push_back({.id = 9, .name = "j", .type = iceberg::Type::Primitive(iceberg::TypeId::kInt)});
  layout.key_columns = {1};
  EXPECT_EQ(AddOwnColumns(columns, before.schema, 9, layout).value(), 10);
  const iceberg::Schema table = WithFieldsOf(layout, before.schema);
  ASSERT_EQ(table.fields.size(), 3U);
  EXPECT_EQ(table.fields[1].type.fields.size(), 2U) << "earlier rows still have the other one";
  EXPECT_EQ(table.fields[1].type.fields[1].name, "j");
  EXPECT_EQ(table.fields[1].type.fields[1].id, 10);
  EXPECT_EQ(table.fields[2].name, "j");
}

TEST(AddedColumns, ALayoutWithoutThemTakesTheRowsAsTheyAre) {
  const auto rows = Rows({1, 2});
  EXPECT_EQ(AddColumns(LayoutOfOneColumn(), rows, {}).value(), rows);
}

TEST(AddedColumns, TellHowEachRowCameToBe) {
  TableLayout layout = LayoutOfOneColumn();
  const std::vector columns = {OwnColumn::kOperation, OwnColumn::kLsn,     OwnColumn::kCommittedAt, OwnColumn::kDeleted,
                               OwnColumn::kValidFrom, OwnColumn::kValidTo, OwnColumn::kCurrent};
  ASSERT_TRUE(AddOwnColumns(columns, layout.schema, 1, layout).has_value());
  const std::vector<RowFacts> facts = {
      {.operation = RowOperation::kInsert, .lsn = Lsn{16}, .committed_at_us = 1'000'000},
      {.operation = RowOperation::kDelete,
       .deleted = true,
       .lsn = Lsn{32},
       .committed_at_us = 2'000'000,
       .valid_to_us = 3'000'000}};
  const auto added = AddColumns(layout, Rows({7, 8}), facts).value();
  ASSERT_TRUE(added->ValidateFull().ok());
  EXPECT_TRUE(added->schema()->Equals(*iceberg::ToArrowSchema(layout.schema).value()));
  EXPECT_EQ(Text(*added, "k", 1), "8");
  EXPECT_EQ(Text(*added, "_firn_op", 0), "insert");
  EXPECT_EQ(Text(*added, "_firn_op", 1), "delete");
  EXPECT_EQ(Text(*added, "_firn_lsn", 1), "32");
  EXPECT_EQ(Text(*added, "_firn_committed_at", 0), "1970-01-01 00:00:01.000000Z");
  EXPECT_EQ(Text(*added, "_firn_deleted", 0), "false");
  EXPECT_EQ(Text(*added, "_firn_deleted", 1), "true");
  EXPECT_EQ(Text(*added, "_firn_valid_from", 1), "1970-01-01 00:00:02.000000Z");
  EXPECT_EQ(Text(*added, "_firn_valid_to", 0), "null");
  EXPECT_EQ(Text(*added, "_firn_valid_to", 1), "1970-01-01 00:00:03.000000Z");
  EXPECT_EQ(Text(*added, "_firn_current", 0), "true");
  EXPECT_EQ(Text(*added, "_firn_current", 1), "false");
}

TEST(AddedColumns, OneFactMayHoldForEveryRow) {
  TableLayout layout = LayoutOfOneColumn();
  ASSERT_TRUE(AddOwnColumns(std::vector{OwnColumn::kOperation}, layout.schema, 1, layout).has_value());
  const RowFacts copied{.operation = RowOperation::kCopy};
  const auto added = AddColumns(layout, Rows({1, 2, 3}), std::span(&copied, 1)).value();
  for (int64_t row = 0; row < 3; ++row) EXPECT_EQ(Text(*added, "_firn_op", row), "copy");
}

TEST(AddedColumns, FactsForOtherRowsAreABug) {
  TableLayout layout = LayoutOfOneColumn();
  ASSERT_TRUE(AddOwnColumns(std::vector{OwnColumn::kOperation}, layout.schema, 1, layout).has_value());
  EXPECT_FALSE(AddColumns(layout, Rows({1, 2, 3}), std::vector<RowFacts>(2)).has_value());
}

TEST(RowFacts, TellTheTransactionOfTheChangeThatBroughtEachRow) {
  TableBatch batch;
  batch.changes = {{.kind = ChangeKind::kInsert, .row = 0},
                   {.kind = ChangeKind::kDelete, .old = 0},
                   {.kind = ChangeKind::kUpdate, .row = 1},
                   {.kind = ChangeKind::kInsert, .row = 2}};
  batch.transactions = {{.first_change = 0, .commit_lsn = Lsn{10}, .committed_at_us = 100},
                        {.first_change = 2, .commit_lsn = Lsn{20}, .committed_at_us = 200},
                        {.first_change = 3, .commit_lsn = Lsn{30}, .committed_at_us = 300}};
  EXPECT_THAT(
      FactsOfRows(batch, std::vector<int32_t>{1, 2}),
      ::testing::ElementsAre(RowFacts{.operation = RowOperation::kUpdate, .lsn = Lsn{20}, .committed_at_us = 200},
                             RowFacts{.operation = RowOperation::kInsert, .lsn = Lsn{30}, .committed_at_us = 300}));
}

}  // namespace
}  // namespace firn::pipeline
