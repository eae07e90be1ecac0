#include "observe/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <thread>

#include "observe/log_limiter.h"
#include "observe/log_pipeline.h"

namespace firn {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

class LogTest : public ::testing::Test {
 protected:
  void SetUp() override { SetUpLogging(LogLevel::kInfo, LogFormat::kText); }

  template <typename Function>
  static std::string Captured(Function&& write) {
    ::testing::internal::CaptureStderr();
    write();
    return ::testing::internal::GetCapturedStderr();
  }
};

TEST_F(LogTest, WritesOneUncolouredTextLineWhenStderrIsNoTerminal) {
  const std::string out = Captured([] { LogInfo("committed", {{"table", "public.orders"}, {"rows", 3}}); });
  EXPECT_THAT(out, AllOf(EndsWith(" INFO  committed table=public.orders rows=3\n"), Not(HasSubstr("\x1b"))));
}

TEST_F(LogTest, LeavesOutWhatIsBelowTheLevel) {
  SetUpLogging(LogLevel::kWarn, LogFormat::kText);
  EXPECT_EQ(Captured([] {
              LogDebug("a");
              LogInfo("b");
            }),
            "");
  EXPECT_THAT(Captured([] { LogWarn("c"); }), EndsWith(" WARN  c\n"));
}

TEST_F(LogTest, WritesJsonWhenAsked) {
  SetUpLogging(LogLevel::kDebug, LogFormat::kJson);
  const auto line = nlohmann::json::parse(Captured([] { LogDebug("started {}", {{"port", uint16_t{9090}}}); }));
  EXPECT_EQ(line["level"], "debug");
  EXPECT_EQ(line["message"], "started {}");
  EXPECT_EQ(line["port"], 9090);
}

TEST_F(LogTest, NamesThePipelineOfTheThreadAndOfThoseThatItMakes) {
  const std::string out = Captured([] {
    {
      const LogPipeline pipeline("shop");
      std::jthread(InLogPipeline([](std::stop_token) { LogInfo("in a thread"); })).join();
      std::jthread(InLogPipeline([] { LogInfo("in another", {{"rows", 3}}); })).join();
    }
    LogInfo("outside");
  });
  EXPECT_THAT(out, AllOf(HasSubstr("in a thread pipeline=shop\n"), HasSubstr("in another pipeline=shop rows=3\n"),
                         EndsWith(" outside\n")));
}

TEST_F(LogTest, EachPipelineHasItsOwnLinesOfAMessageThatComesTooOften) {
  const std::string out = Captured([] {
    for (const char* name : {"shop", "stock"}) {
      const LogPipeline pipeline(name);
      for (int64_t i = 0; i < 2 * LogLimiter::kLinesPerInterval; ++i) LogInfo("of each pipeline");
    }
  });
  EXPECT_EQ(std::ranges::count(out, '\n'), 2 * LogLimiter::kLinesPerInterval);
}

TEST_F(LogTest, LeavesOutLinesOfAMessageThatComesTooOften) {
  const std::string out = Captured([] {
    for (int64_t i = 0; i < 2 * LogLimiter::kLinesPerInterval; ++i) LogInfo("over and over");
    for (int64_t i = 0; i < 2 * LogLimiter::kLinesPerInterval; ++i) LogError("an error, over and over");
  });
  EXPECT_EQ(std::ranges::count(out, '\n'), 3 * LogLimiter::kLinesPerInterval);
}

TEST_F(LogTest, ShowsNoLiveTextWhereStderrIsNoTerminal) {
  EXPECT_FALSE(CanShowLiveText());
  EXPECT_THAT(Captured([] {
                ShowLiveText("50%\n");
                LogInfo("committed");
                ShowLiveText("");
              }),
              AllOf(EndsWith(" INFO  committed\n"), Not(HasSubstr("50%")), Not(HasSubstr("\x1b"))));
}

TEST(LogNames, ParseWhatTheConfigurationAllows) {
  EXPECT_EQ(ParseLogLevel("warn").value(), LogLevel::kWarn);
  EXPECT_EQ(ParseLogFormat("json").value(), LogFormat::kJson);
  EXPECT_EQ(ParseLogLevel("loud").error().kind(), ErrorKind::kInvalidConfig);
  EXPECT_EQ(ParseLogFormat("xml").error().kind(), ErrorKind::kInvalidConfig);
}

}  // namespace
}  // namespace firn
