#include "cli/table_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace firn::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(TableSettings, NamesTheCodecInIcebergsWords) {
  config::Config config;
  config.writer.compression = "none";
  const auto settings = TableSettingsOf(config, {"public", "orders"});
  ASSERT_TRUE(settings.has_value());
  EXPECT_EQ(settings->compression_codec, "uncompressed");
}

TEST(TableSettings, KeepsDeletedRowsOfAMirrorWhereDeletesAreOff) {
  config::Config config;
  EXPECT_EQ(TableSettingsOf(config, {"public", "orders"})->mode, pipeline::ChangeMode::kMirror);
  config.cdc.enable_deletes = false;
  EXPECT_EQ(TableSettingsOf(config, {"public", "orders"})->mode, pipeline::ChangeMode::kSoftDelete);
}

TEST(TableSettings, LetATableHaveAChangeModeOfItsOwn) {
  config::Config config;
  config.cdc.mode = "append";
  config.tables["public.orders"].cdc_mode = "mirror";
  EXPECT_EQ(TableSettingsOf(config, {"public", "orders"})->mode, pipeline::ChangeMode::kMirror);
  EXPECT_EQ(TableSettingsOf(config, {"public", "items"})->mode, pipeline::ChangeMode::kAppend);
}

TEST(TableSettings, RefusesToSwitchDeletesOffWhereDeletedRowsStayAnyway) {
  config::Config config;
  config.cdc.mode = "history";
  EXPECT_EQ(TableSettingsOf(config, {"public", "orders"})->mode, pipeline::ChangeMode::kHistory);
  config.cdc.enable_deletes = false;
  const auto settings = TableSettingsOf(config, {"public", "orders"});
  ASSERT_FALSE(settings.has_value());
  EXPECT_EQ(settings.error().kind(), ErrorKind::kInvalidConfig);
}

TEST(TableSettings, ParsesComputedColumns) {
  config::Config config;
  config.tables["public.orders"].computed = {{"region", "upper(substr(country, 1, 2))"}};
  const auto settings = TableSettingsOf(config, {"public", "orders"});
  ASSERT_TRUE(settings.has_value());
  ASSERT_EQ(settings->computed.size(), 1u);
  EXPECT_EQ(settings->computed[0].name, "region");
  config.tables["public.orders"].computed = {{"region", "upper(country"}};
  EXPECT_EQ(
      TableSettingsOf(config, {"public", "orders"}).error().message(),
      "tables.public.orders.computed: region: 'upper(country', at 14: a comma or a closing parenthesis is missing");
}

TEST(TableSettings, TellsHowATableIsPartitioned) {
  config::Config config;
  EXPECT_FALSE(TableSettingsOf(config, {"public", "orders"})->partition_by.has_value());
  config.tables["public.orders"].partition_by = {"day(created_at)", "bucket(16, customer_id)"};
  const auto settings = TableSettingsOf(config, {"public", "orders"});
  ASSERT_TRUE(settings.has_value());
  ASSERT_EQ(settings->partition_by->size(), 2u);
  EXPECT_EQ(settings->partition_by->at(1).column, "customer_id");
  EXPECT_EQ(settings->partition_by->at(1).transform.parameter, 16);
  config.tables["public.orders"].partition_by = {"days(created_at)"};
  EXPECT_EQ(
      TableSettingsOf(config, {"public", "orders"}).error().message(),
      "tables.public.orders.partition_by: 'days(created_at)': there is no transform 'days'; use year, month, day, "
      "hour, bucket, truncate, or the column alone");
  config.tables["public.orders"].partition_by = std::vector<std::string>();
  EXPECT_TRUE(TableSettingsOf(config, {"public", "orders"})->partition_by->empty());
}

TEST(TableSettings, TellsHowATableIsSorted) {
  config::Config config;
  EXPECT_FALSE(TableSettingsOf(config, {"public", "orders"})->sort_by.has_value());
  config.tables["public.orders"].sort_by = {"region", "created_at desc nulls first"};
  const auto settings = TableSettingsOf(config, {"public", "orders"});
  ASSERT_TRUE(settings.has_value());
  ASSERT_EQ(settings->sort_by->size(), 2u);
  EXPECT_EQ(settings->sort_by->at(1).term.column, "created_at");
  EXPECT_TRUE(settings->sort_by->at(1).descending);
  config.tables["public.orders"].sort_by = {"region nulls"};
  EXPECT_EQ(
      TableSettingsOf(config, {"public", "orders"}).error().message(),
      "tables.public.orders.sort_by: 'region nulls': 'region nulls' is no column's name; one with spaces stands in "
      "double quotes, and behind a column asc or desc, nulls first or nulls last");
  config.tables["public.orders"].sort_by = std::vector<std::string>();
  EXPECT_TRUE(TableSettingsOf(config, {"public", "orders"})->sort_by->empty());
}

config::Config Configured(config::TableConfig table) {
  config::Config config;
  config.tables["public.orders"] = std::move(table);
  return config;
}

TEST(TableSettings, ReadsTypesAndPoliciesOfColumns) {
  config::Config config = Configured({.columns = {{"amount", "decimal(38,9)"}, {"tags", "list<string>"}},
                                      .unrepresentable = "null",
                                      .unrepresentable_columns = {{"valid_to", "clamp"}}});
  config.destination.unrepresentable = "string";
  const auto orders = TableSettingsOf(config, {"public", "orders"});
  ASSERT_TRUE(orders.has_value()) << orders.error().message();
  EXPECT_EQ(orders->columns.types.at("amount"), iceberg::Type::Decimal(38, 9));
  EXPECT_EQ(ToString(orders->columns.types.at("tags")), "list<string>");
  EXPECT_EQ(orders->columns.policy, encode::ValuePolicy::kNull);
  EXPECT_EQ(orders->columns.column_policies.at("valid_to"), encode::ValuePolicy::kClamp);
  const auto others = TableSettingsOf(config, {"public", "others"});
  EXPECT_EQ(others->columns.policy, encode::ValuePolicy::kString);
  EXPECT_TRUE(others->columns.types.empty());
}

TEST(TableSettings, NamesTheKeyOfAValueThatCannotBe) {
  const auto message = [](config::TableConfig table) {
    const auto settings = TableSettingsOf(Configured(std::move(table)), {"public", "orders"});
    EXPECT_EQ(settings.error().kind(), ErrorKind::kInvalidConfig);
    return settings.error().message();
  };
  EXPECT_THAT(message({.columns = {{"amount", "decimal(99,9)"}}}),
              HasSubstr("tables.public.orders.columns: amount: type \"decimal(99,9)\""));
  EXPECT_THAT(message({.columns = {{"doc", "variant"}}}), HasSubstr("needs destination.format_version: 3"));
  EXPECT_THAT(message({.unrepresentable_columns = {{"valid_to", "none"}}}),
              HasSubstr("tables.public.orders.unrepresentable_columns: valid_to: 'none' is not a policy"));
}

TEST(TableSettings, DeletesByPlaceUnlessAskedToDeleteByKey) {
  config::Config config;
  config.destination.format_version = 3;
  EXPECT_EQ(TableSettingsOf(config, {"public", "orders"})->format_version, 3);
  EXPECT_EQ(TableSettingsOf(config, {"public", "orders"})->deletes, pipeline::DeleteForm::kPosition);
  config.destination.deletes = "vector";
  EXPECT_EQ(TableSettingsOf(config, {"public", "orders"})->deletes, pipeline::DeleteForm::kPosition);
  config.destination.deletes = "equality";
  EXPECT_EQ(TableSettingsOf(config, {"public", "orders"})->deletes, pipeline::DeleteForm::kEquality);
}

TEST(CheckTableSettings, TellsAllThatIsWrongWithItsPlace) {
  config::Config config;
  EXPECT_TRUE(CheckTableSettings(config).has_value());
  config::TableConfig& table = config.tables["public.orders"];
  table.partition_by = {"days(d)", "id"};
  table.sort_by = {"d last"};
  table.columns = {{"amount", "money"}};
  config.origins = {{"tables.public.orders.partition_by", "firn.yaml:7"},
                    {"tables.public.orders.columns", "FIRN_TABLES"}};
  const Status checked = CheckTableSettings(config);
  ASSERT_FALSE(checked.has_value());
  EXPECT_EQ(checked.error().kind(), ErrorKind::kInvalidConfig);
  const std::string& message = checked.error().message();
  EXPECT_THAT(message, HasSubstr("firn.yaml:7: tables.public.orders.partition_by: 'days(d)'"));
  EXPECT_THAT(message, HasSubstr("\ntables.public.orders.sort_by: 'd last'"));
  EXPECT_THAT(message, HasSubstr("FIRN_TABLES: tables.public.orders.columns: amount: "));
  EXPECT_EQ(std::ranges::count(message, '\n'), 2);
}

TEST(UnusedTableSettings, NamesTablesThatAreNotReplicated) {
  config::Config config;
  config.tables["public.ordres"].cdc_mode = "append";
  config.tables["public.items"].cdc_mode = "append";
  config.origins = {{"tables.public.ordres.cdc_mode", "firn.yaml:9"}};
  const std::vector<SourceTable> tables = {{.name = {"public", "orders"}}, {.name = {"public", "items"}}};
  EXPECT_THAT(UnusedTableSettings(config, {}, tables),
              ElementsAre("firn.yaml:9: tables.public.ordres: the pipeline replicates no table of this name (did you "
                          "mean 'public.orders'?); these settings have no effect"));
}

TEST(UnusedTableSettings, LeaveOtherShardsTablesAlone) {
  config::Config config;
  config.tables["public.gone"].cdc_mode = "append";
  const int warned = static_cast<int>(UnusedTableSettings(config, {.number = 1, .count = 2}, {}).size()) +
                     static_cast<int>(UnusedTableSettings(config, {.number = 2, .count = 2}, {}).size());
  EXPECT_EQ(warned, 1) << "the shard that would take it";
}

}  // namespace
}  // namespace firn::cli
