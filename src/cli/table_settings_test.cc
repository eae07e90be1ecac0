#include "cli/table_settings.h"

#include <gtest/gtest.h>

namespace firn::cli {
namespace {

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

TEST(TableSettings, RefusesToSwitchDeletesOffWhereDeletedRowsStayAnyway) {
  config::Config config;
  config.cdc.mode = "history";
  EXPECT_EQ(TableSettingsOf(config, {"public", "orders"})->mode, pipeline::ChangeMode::kHistory);
  config.cdc.enable_deletes = false;
  const auto settings = TableSettingsOf(config, {"public", "orders"});
  ASSERT_FALSE(settings.has_value());
  EXPECT_EQ(settings.error().kind(), ErrorKind::kInvalidConfig);
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

}  // namespace
}  // namespace firn::cli
