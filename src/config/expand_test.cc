#include "config/expand.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn::config {
namespace {

using ::testing::HasSubstr;

const Environment kEnvironment = {{"HOST", "db"}, {"EMPTY", ""}, {"NESTED", "${HOST}"}};

std::string Expanded(std::string_view text) { return ExpandVariables(text, kEnvironment).value(); }
std::string Problem(std::string_view text) { return ExpandVariables(text, kEnvironment).error().message(); }

TEST(ExpandVariables, ReplacesVariables) {
  EXPECT_EQ(Expanded("postgresql://${HOST}:5432/${HOST}"), "postgresql://db:5432/db");
  EXPECT_EQ(Expanded("[${EMPTY}]"), "[]");
}

TEST(ExpandVariables, TakesTheDefaultOfAVariableThatIsNotSetOrEmpty) {
  EXPECT_EQ(Expanded("${MISSING:-5432}"), "5432");
  EXPECT_EQ(Expanded("${EMPTY:-5432}"), "5432");
  EXPECT_EQ(Expanded("${HOST:-other}"), "db");
  EXPECT_EQ(Expanded("${MISSING:-}"), "");
}

TEST(ExpandVariables, DoesNotExpandWhatAVariableHolds) { EXPECT_EQ(Expanded("${NESTED}"), "${HOST}"); }

TEST(ExpandVariables, KeepsOtherDollarSigns) {
  EXPECT_EQ(Expanded("$${HOST}"), "${HOST}");
  EXPECT_EQ(Expanded("a$b $$ $"), "a$b $ $");
  EXPECT_EQ(Expanded("$$$$"), "$$");
}

TEST(ExpandVariables, NamesTheVariableThatIsMissing) {
  EXPECT_THAT(Problem("x${MISSING}y"), HasSubstr("MISSING is not set"));
}

TEST(ExpandVariables, RefusesWhatIsNoVariable) {
  EXPECT_THAT(Problem("${HOST"), HasSubstr("without '}'"));
  EXPECT_THAT(Problem("${}"), HasSubstr("name of an environment variable"));
  EXPECT_THAT(Problem("${1A}"), HasSubstr("name of an environment variable"));
  EXPECT_THAT(Problem("${A B}"), HasSubstr("name of an environment variable"));
}

}  // namespace
}  // namespace firn::config
