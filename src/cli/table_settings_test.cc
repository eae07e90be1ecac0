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

}  // namespace
}  // namespace firn::cli
