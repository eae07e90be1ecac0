#include "cli/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace firn::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CompletionTest : public ::testing::Test {
 protected:
  CompletionTest() {
    CLI::App* run = app_.add_subcommand("run", "It's running");
    run->add_option("--config", text_, "A file")->type_name("FILE");
    run->add_option("--tables", text_, "Patterns");
    run->add_flag("--once", once_, "Once");
    run->add_option("--engine", text_, "Who")->check(CLI::IsMember({"firn", "spark"}));
    run->add_option("task", text_, "What")->type_name("TASK:{all,some}");
    app_.add_subcommand("config", "Files")->add_subcommand("example", "One");
  }

  std::string Script(const std::string& shell) { return CompletionScript(app_, shell).value(); }

  CLI::App app_{"Program"};
  std::string text_;
  bool once_ = false;
};

TEST_F(CompletionTest, BashOffersTheWordsOfEachCommand) {
  const std::string script = Script("bash");
  EXPECT_THAT(script, HasSubstr("    '') mapfile -t COMPREPLY < <(compgen -W 'run config --help -h'"));
  EXPECT_THAT(
      script,
      HasSubstr(
          "    'run') mapfile -t COMPREPLY < <(compgen -W 'all some --help -h --config --tables --once --engine'"));
  EXPECT_THAT(script, HasSubstr("    'config example') "));
}

TEST_F(CompletionTest, BashCompletesPathsOnlyWhereOneIsTaken) {
  const std::string script = Script("bash");
  EXPECT_THAT(script, HasSubstr("    --config) compopt -o filenames"));
  EXPECT_THAT(script, HasSubstr("    --tables) return ;;"));
  EXPECT_THAT(script, Not(HasSubstr("--once)")));
}

TEST_F(CompletionTest, OffersTheValuesThatAnOptionMayHave) {
  EXPECT_THAT(Script("bash"), HasSubstr("    --engine) mapfile -t COMPREPLY < <(compgen -W 'firn spark' --"));
  EXPECT_THAT(Script("zsh"), HasSubstr("    --engine) compadd firn spark; return ;;"));
  EXPECT_THAT(Script("zsh"), HasSubstr("'run') candidates=( 'all' 'some' '--help:"));
  EXPECT_THAT(Script("fish"), HasSubstr("-n '__fish_seen_subcommand_from run' -l engine -x -a 'firn spark' -d 'Who'"));
  EXPECT_THAT(Script("fish"), HasSubstr("-n '__fish_seen_subcommand_from run' -a 'all some'\n"));
}

TEST_F(CompletionTest, ZshQuotesDescriptions) { EXPECT_THAT(Script("zsh"), HasSubstr("'run:It'\\''s running'")); }

TEST_F(CompletionTest, FishOffersOptionsUnderTheirCommand) {
  const std::string script = Script("fish");
  EXPECT_THAT(script, HasSubstr("-n '__fish_seen_subcommand_from run' -l config -r -F -d 'A file'\n"));
  EXPECT_THAT(script, HasSubstr("-n '__fish_seen_subcommand_from config; and not __fish_seen_subcommand_from example' "
                                "-a example"));
}

TEST_F(CompletionTest, RefusesOtherShells) {
  const auto script = CompletionScript(app_, "tcsh");
  ASSERT_FALSE(script.has_value());
  EXPECT_EQ(script.error().kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(script.error().message(), HasSubstr("bash, zsh and fish"));
}

}  // namespace
}  // namespace firn::cli
