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

}  // namespace
}  // namespace firn::cli
