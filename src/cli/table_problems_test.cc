#include "cli/table_problems.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Property;

constexpr TypeOid kInt4 = 23, kDate = 1082;

SourceTable Orders() {
  return {.oid = {1},
          .name = {"public", "orders"},
          .columns = {{.attnum = 1, .name = "id", .type_oid = kInt4, .type_name = "integer"},
                      {.attnum = 2, .name = "day", .type_oid = kDate, .type_name = "date"}},
          .key_columns = {0}};
}

auto Says(const std::string& text) { return Property(&Error::message, HasSubstr(text)); }

TEST(NewTableProblems, AreNoneWhereAllFits) {
  pipeline::TableSettings settings;
  settings.partition_by = {pipeline::ParsePartitionTerm("month(day)").value()};
  EXPECT_THAT(NewTableProblems(Orders(), settings), IsEmpty());
}

TEST(NewTableProblems, AreAllTold) {
  pipeline::TableSettings settings;
  settings.columns.column_policies = {{"nix", encode::ValuePolicy::kClamp}, {"day", encode::ValuePolicy::kClamp}};
  settings.columns.types = {{"gone", iceberg::Type::Primitive(iceberg::TypeId::kString)}};
  settings.partition_by = {pipeline::ParsePartitionTerm("day(none)").value(),
                           pipeline::ParsePartitionTerm("month(day)").value(),
                           pipeline::ParsePartitionTerm("hour(day)").value()};
  settings.sort_by = {pipeline::ParseSortTerm("id").value(), pipeline::ParseSortTerm("foo").value()};
  settings.computed = {pipeline::ParseComputedColumn("region", "upper(land)").value()};
  EXPECT_THAT(NewTableProblems(Orders(), settings),
              ElementsAre(Says("\"columns\" names gone"), Says("\"unrepresentable_columns\" names nix"),
                          Says("no column \"land\""), Says("'day(none)'"), Says("'hour(day)'"), Says("'foo'")));
}

TEST(NewTableProblems, OfTheTableItselfAreOne) {
  SourceTable table = Orders();
  table.columns.clear();
  table.key_columns.clear();
  pipeline::TableSettings settings;
  settings.sort_by = {pipeline::ParseSortTerm("foo").value()};
  EXPECT_THAT(NewTableProblems(table, settings), ElementsAre(Says("has no columns")));
}

}  // namespace
}  // namespace firn::cli
