#include "base/child_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <utility>
#include <vector>

namespace firn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Ran {
  Result<int> code;
  std::vector<std::string> out;
  std::vector<std::string> err;
};

Ran RunShell(const std::string& script, std::map<std::string, std::string> environment = {}) {
  Ran ran;
  ran.code = RunChild({.arguments = {"sh", "-c", script},
                       .environment = std::move(environment),
                       .on_line =
                           [&](OutputStream stream, std::string_view line) {
                             (stream == OutputStream::kStdout ? ran.out : ran.err).emplace_back(line);
                           }},
                      {});
  return ran;
}

TEST(RunChild, GivesLinesOfBothStreamsAndTheExitCode) {
  const Ran ran = RunShell("echo one; echo two >&2; printf three; exit 3");
  EXPECT_EQ(ran.code.value_or(-1), 3);
  EXPECT_THAT(ran.out, ElementsAre("one", "three"));
  EXPECT_THAT(ran.err, ElementsAre("two"));
}

TEST(RunChild, TellsTheSignalThatEndedIt) { EXPECT_EQ(RunShell("kill -KILL $$").code.value_or(-1), 128 + SIGKILL); }

TEST(RunChild, SetsAndTakesAwayVariables) {
  setenv("FIRN_TEST_GONE", "here", 1);
  const Ran ran =
      RunShell("echo \"$FIRN_TEST_SET,$FIRN_TEST_GONE\"", {{"FIRN_TEST_SET", "a b"}, {"FIRN_TEST_GONE", ""}});
  unsetenv("FIRN_TEST_GONE");
  EXPECT_THAT(ran.out, ElementsAre("a b,"));
}

TEST(RunChild, CutsALineThatHasNoEnd) {
  const Ran ran = RunShell("head -c 1500000 /dev/zero | tr '\\0' x");
  ASSERT_EQ(ran.out.size(), 2u);
  EXPECT_EQ(ran.out[0].size(), kChildLineBytesMax);
  EXPECT_EQ(ran.out[0].size() + ran.out[1].size(), 1'500'000u);
}

TEST(RunChild, SaysThatAProgramIsMissing) {
  const auto code = RunChild({.arguments = {"/nowhere/spark-submit"}}, {});
  ASSERT_FALSE(code);
  EXPECT_EQ(code.error().kind(), ErrorKind::kNotFound);
  EXPECT_THAT(code.error().message(), HasSubstr("/nowhere/spark-submit"));
}

TEST(RunChild, AStopEndsTheProgramAndItsChildren) {
  // As firn's signal watch has it: a blocked SIGTERM must not be handed on.
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  std::stop_source stop;
  // The inner shell holds the output open: without its end, RunChild would wait for the sleep.
  const auto code = RunChild({.arguments = {"sh", "-c", "sh -c 'echo up; sleep 1000'; echo never"},
                              .on_line = [&](OutputStream, std::string_view) { stop.request_stop(); }},
                             stop.get_token());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ASSERT_FALSE(code);
  EXPECT_EQ(code.error().kind(), ErrorKind::kCancelled);
}

}  // namespace
}  // namespace firn
