#include "observe/log_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

namespace firn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// 2026-05-04T10:11:12.345Z
const std::chrono::system_clock::time_point kTime{std::chrono::milliseconds(1'777'889'472'345)};

std::string Text(std::string_view message, const std::vector<LogField>& fields = {}) {
  return FormatTextLine(kTime, LogLevel::kInfo, message, fields, /*colour=*/false);
}
nlohmann::json Json(std::string_view message, const std::vector<LogField>& fields = {}) {
  return nlohmann::json::parse(FormatJsonLine(kTime, LogLevel::kWarn, message, fields));
}

TEST(LogLine, TextHasTimeLevelMessageAndFields) {
  EXPECT_EQ(Text("committed", {{"table", "public.orders"}, {"rows", 1000}, {"whole", true}, {"seconds", 0.5}}),
            "2026-05-04T10:11:12.345Z INFO  committed table=public.orders rows=1000 whole=true seconds=0.5");
}

TEST(LogLine, TextQuotesValuesWithSpacesQuotesOrNothing) {
  EXPECT_EQ(Text("m", {{"a", "two words"}, {"b", "say \"hi\""}, {"c", ""}, {"d", "x=y"}}),
            "2026-05-04T10:11:12.345Z INFO  m a=\"two words\" b=\"say \\\"hi\\\"\" c=\"\" d=\"x=y\"");
}

TEST(LogLine, TextStaysOneLine) {
  EXPECT_EQ(Text("a\nb", {{"k", "c\r\n\x01"}}), "2026-05-04T10:11:12.345Z INFO  a\\nb k=\"c\\r\\n\\x01\"");
}

TEST(LogLine, TextColoursOnlyTheLevel) {
  EXPECT_EQ(FormatTextLine(kTime, LogLevel::kError, "m", {}, /*colour=*/true),
            "2026-05-04T10:11:12.345Z \x1b[31mERROR\x1b[0m m");
}

TEST(LogLine, TimeBeforeTheEpochKeepsItsMilliseconds) {
  EXPECT_EQ(FormatUtcTime(std::chrono::system_clock::time_point{std::chrono::milliseconds(-1)}),
            "1969-12-31T23:59:59.999Z");
}

TEST(LogLine, JsonIsOneObjectWithTypedFields) {
  const std::vector<LogField> fields = {{"table", "public.orders"}, {"rows", 1000}, {"whole", false}};
  EXPECT_EQ(FormatJsonLine(kTime, LogLevel::kWarn, "slow", fields),
            R"({"time":"2026-05-04T10:11:12.345Z","level":"warn","message":"slow","table":"public.orders","rows":1000,)"
            R"("whole":false})");
}

TEST(LogLine, JsonSurvivesBytesThatAreNotUtf8AndNumbersThatAreNotNumbers) {
  const auto line = Json("bad \xff", {{"value", "\xc3("}, {"rate", std::numeric_limits<double>::quiet_NaN()}});
  EXPECT_EQ(line["message"], "bad \xEF\xBF\xBD");
  EXPECT_TRUE(line["rate"].is_null());
}

TEST(LogLine, JsonKeepsItsOwnKeysFromFields) {
  const auto line = Json("m", {{"message", "other"}, {"time", 1}});
  EXPECT_EQ(line["message"], "m");
  EXPECT_EQ(line["message_"], "other");
  EXPECT_EQ(line["time_"], 1);
}

TEST(LogLine, SecretsNeverAppear) {
  const std::vector<LogField> fields = {{"url", "postgresql://firn:hunter2@db/shop"}};
  EXPECT_THAT(Text("connecting with password=hunter2", fields), Not(HasSubstr("hunter2")));
  EXPECT_THAT(Json("connecting with password=hunter2", fields).dump(), Not(HasSubstr("hunter2")));
}

TEST(EraseLines, MovesUpOverEveryLine) {
  EXPECT_EQ(EraseLines(""), "");
  EXPECT_EQ(EraseLines("a\nb\n"), "\x1b[2A\r\x1b[J");
}

}  // namespace
}  // namespace firn
