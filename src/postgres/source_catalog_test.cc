#include "postgres/source_catalog.h"

#include <gtest/gtest.h>

namespace firn::postgres {
namespace {

bool Match(const std::string& schema, const std::string& name, const std::vector<std::string>& patterns) {
  return MatchesPatterns({schema, name}, patterns);
}

TEST(MatchesPatternsTest, TakesEveryTableWithoutPatterns) { EXPECT_TRUE(Match("any", "table", {})); }

TEST(MatchesPatternsTest, TakesNamesAsTheyAre) {
  EXPECT_TRUE(Match("Shop", "Order Items", {"Shop.Order Items"}));
  EXPECT_FALSE(Match("shop", "order items", {"Shop.Order Items"}));
  EXPECT_FALSE(Match("Shop", "Order Items 2", {"Shop.Order Items"}));
}

TEST(MatchesPatternsTest, MeansSchemaPublicWithoutADot) {
  EXPECT_TRUE(Match("public", "orders", {"orders"}));
  EXPECT_FALSE(Match("shop", "orders", {"orders"}));
  EXPECT_TRUE(Match("public", "orders", {"*"}));
  EXPECT_FALSE(Match("shop", "orders", {"*"}));
}

TEST(MatchesPatternsTest, KnowsStarAndQuestionMark) {
  EXPECT_TRUE(Match("public", "audit_log", {"public.audit_*"}));
  EXPECT_TRUE(Match("public", "audit_", {"public.audit_*"}));
  EXPECT_FALSE(Match("public", "audit", {"public.audit_*"}));
  EXPECT_TRUE(Match("public", "aXbYb", {"public.a*b"}));
  EXPECT_FALSE(Match("public", "aXbYc", {"public.a*b"}));
  EXPECT_TRUE(Match("public", "t1", {"public.t?"}));
  EXPECT_FALSE(Match("public", "t", {"public.t?"}));
  EXPECT_TRUE(Match("public", "tä", {"public.t?"}));
  EXPECT_TRUE(Match("tenant_7", "orders", {"tenant_*.orders"}));
  EXPECT_TRUE(Match("any", "thing", {"*.*"}));
}

TEST(MatchesPatternsTest, KeepsWildcardsOnOneSideOfTheDot) { EXPECT_FALSE(Match("a", "b.c", {"a.b"})); }

TEST(MatchesPatternsTest, TakesTheFirstDotAsTheSeparator) { EXPECT_TRUE(Match("a", "b.c", {"a.b.c"})); }

TEST(MatchesPatternsTest, TakesQuotedPartsLiterally) {
  EXPECT_TRUE(Match("my.schema", "t", {"\"my.schema\".t"}));
  EXPECT_TRUE(Match("public", "a*", {"\"a*\""}));
  EXPECT_FALSE(Match("public", "ab", {"\"a*\""}));
  EXPECT_TRUE(Match("public", "a\"b", {"\"a\"\"b\""}));
}

TEST(MatchesPatternsTest, LetsLaterPatternsWin) {
  const std::vector<std::string> patterns = {"public.*", "!public.audit_*", "public.audit_keep"};
  EXPECT_TRUE(Match("public", "orders", patterns));
  EXPECT_FALSE(Match("public", "audit_log", patterns));
  EXPECT_TRUE(Match("public", "audit_keep", patterns));
  EXPECT_FALSE(Match("shop", "orders", patterns));
}

TEST(MatchesPatternsTest, StartsFromAllTablesWhereTheFirstPatternTakesSomeOut) {
  EXPECT_TRUE(Match("shop", "orders", {"!public.audit_*"}));
  EXPECT_FALSE(Match("public", "audit_log", {"!public.audit_*"}));
}

TEST(MatchesPatternsTest, IsNotSlowedByManyStars) {
  EXPECT_FALSE(Match("public", std::string(5000, 'a'), {"*a*a*a*a*a*a*a*a*a*a*a*a*b"}));
}

}  // namespace
}  // namespace firn::postgres
