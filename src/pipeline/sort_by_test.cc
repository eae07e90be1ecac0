#include "pipeline/sort_by.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "iceberg/table_update.h"

namespace firn::pipeline {
namespace {

using iceberg::Type;
using iceberg::TypeId;
using ::testing::HasSubstr;

iceberg::Schema SortableOrders() {
  iceberg::Schema schema;
  for (const auto& [name, type] :
       {std::pair("id", Type::Primitive(TypeId::kLong)), std::pair("created_at", Type::Primitive(TypeId::kTimestampTz)),
        std::pair("region", Type::Primitive(TypeId::kString)),
        std::pair("tags", Type::List({.id = 10, .name = "element", .type = Type::Primitive(TypeId::kString)}))}) {
    schema.fields.push_back(
        {.id = static_cast<iceberg::FieldId>(schema.fields.size() + 1), .name = name, .type = type});
  }
  return schema;
}

std::vector<SortTerm> SortTermsOf(const std::vector<std::string>& texts) {
  std::vector<SortTerm> terms;
  terms.reserve(texts.size());
  for (const std::string& text : texts) terms.push_back(ParseSortTerm(text).value());
  return terms;
}

std::string ReadSortTerm(const std::string& text) {
  const auto term = ParseSortTerm(text);
  return term ? Written(*term) : term.error().message();
}

std::string RefusedOrder(const std::vector<std::string>& texts) {
  return MakeSortOrder(SortTermsOf(texts), SortableOrders()).error().message();
}

TEST(SortByTest, ReadsTerms) {
  EXPECT_EQ(ReadSortTerm("region"), "region");
  EXPECT_EQ(ReadSortTerm(" region  asc "), "region");
  EXPECT_EQ(ReadSortTerm("region ASC NULLS FIRST"), "region");
  EXPECT_EQ(ReadSortTerm("region nulls last"), "region nulls last");
  EXPECT_EQ(ReadSortTerm("created_at desc"), "created_at desc");
  EXPECT_EQ(ReadSortTerm("created_at Desc  Nulls  Last"), "created_at desc");
  EXPECT_EQ(ReadSortTerm("created_at desc nulls first"), "created_at desc nulls first");
  EXPECT_EQ(ReadSortTerm("day(created_at) desc"), "day(created_at) desc");
  EXPECT_EQ(ReadSortTerm("bucket( 16 , id ) nulls last"), "bucket(16, id) nulls last");
  // Words that are columns' names.
  EXPECT_EQ(ParseSortTerm("desc desc")->term.column, "desc");
  EXPECT_EQ(ParseSortTerm("first")->term.column, "first");
  EXPECT_EQ(ParseSortTerm("\"sorted desc\"")->term.column, "sorted desc");
  EXPECT_FALSE(ParseSortTerm("\"sorted desc\"")->descending);
  EXPECT_TRUE(ParseSortTerm("\"a (b)\" desc")->descending);
}

TEST(SortByTest, SaysWhatIsWrongWithATerm) {
  EXPECT_THAT(ReadSortTerm("region last"), HasSubstr("write `nulls first` or `nulls last`"));
  EXPECT_THAT(ReadSortTerm("region descending"), HasSubstr("'region descending' is no column's name"));
  EXPECT_THAT(ReadSortTerm("region nulls last desc"), HasSubstr("'region nulls last' is no column's name"));
  EXPECT_THAT(ReadSortTerm(""), HasSubstr("the column's name is missing"));
  EXPECT_THAT(ReadSortTerm("days(created_at) desc"), HasSubstr("there is no transform 'days'"));
  EXPECT_THAT(RefusedOrder({"size"}), HasSubstr("sort_by 'size': the table has no column \"size\""));
  EXPECT_THAT(RefusedOrder({"day(region) desc"}),
              HasSubstr("sort_by 'day(region) desc': column \"region\" is stored as string, which allows identity"));
  EXPECT_THAT(RefusedOrder({"tags"}), HasSubstr("stored as list<string>, which has no order and no partitions"));
  EXPECT_THAT(RefusedOrder({"region", "id", "region desc"}), HasSubstr("sort_by 'region' stands there twice"));
}

TEST(SortByTest, RefusesATableOfChanges) {
  EXPECT_TRUE(CheckSortBy(SortTermsOf({"region"}), ChangeMode::kMirror).has_value());
  EXPECT_TRUE(CheckSortBy(SortTermsOf({"region"}), ChangeMode::kHistory).has_value());
  EXPECT_TRUE(CheckSortBy({}, ChangeMode::kAppend).has_value());
  EXPECT_EQ(CheckSortBy(SortTermsOf({"region"}), ChangeMode::kAppend).error().kind(), ErrorKind::kInvalidConfig);
}

TEST(SortByTest, MakesTheOrderOfANewTable) {
  const auto order =
      MakeSortOrder(SortTermsOf({"region nulls last", "day(created_at) desc"}), SortableOrders()).value();
  EXPECT_EQ(order.order_id, 1);
  ASSERT_EQ(order.fields.size(), 2U);
  EXPECT_EQ(order.fields[0], (iceberg::SortField{.source_id = 3, .nulls_first = false}));
  EXPECT_EQ(order.fields[1], (iceberg::SortField{.source_id = 2,
                                                 .transform = {.kind = iceberg::TransformKind::kDay},
                                                 .descending = true,
                                                 .nulls_first = false}));
  EXPECT_EQ(MakeSortOrder({}, SortableOrders()).value(), iceberg::SortOrder{});
}

TEST(SortByTest, ChangesATablesOrderOnlyWhereItIsAnother) {
  iceberg::TableMetadata table =
      iceberg::MakeTableMetadata({.schema = SortableOrders(),
                                  .sort_order = MakeSortOrder(SortTermsOf({"region"}), SortableOrders()).value(),
                                  .location = "memory://t"},
                                 1)
          .value();
  const auto follow = [&](const std::vector<std::string>& terms) -> std::optional<int32_t> {
    const auto order = EvolveSortOrder(SortTermsOf(terms), SortableOrders(), table).value();
    if (!order) return std::nullopt;
    const auto is_known = [&](const iceberg::SortOrder& known) { return known == *order; };
    const bool known = std::ranges::any_of(table.sort_orders, is_known);
    std::vector<iceberg::Update> updates;
    if (!known) updates.emplace_back(iceberg::AddSortOrder{*order});
    updates.emplace_back(iceberg::SetDefaultSortOrder{known ? order->order_id : -1});
    table = iceberg::ApplyUpdates(table, "", updates, 2).value();
    EXPECT_EQ(table.default_sort_order_id, order->order_id);
    return table.default_sort_order_id;
  };
  EXPECT_EQ(follow({"region"}), std::nullopt);
  EXPECT_EQ(follow({"region asc nulls first"}), std::nullopt);
  EXPECT_EQ(follow({"region desc"}), 2);
  EXPECT_EQ(follow({}), 0);  // An order that the table has not had: it began with order 1.
  EXPECT_EQ(follow({}), std::nullopt);
  EXPECT_EQ(follow({"id", "region"}), 3);
  EXPECT_EQ(follow({"region"}), 1);
  EXPECT_EQ(follow({}), 0);
  EXPECT_EQ(table.sort_orders.size(), 4U);
}

}  // namespace
}  // namespace firn::pipeline
