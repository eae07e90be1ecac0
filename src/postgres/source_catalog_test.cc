#include "postgres/source_catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "postgres/fake_server.h"

namespace firn::postgres {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

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

/// Of timeline 3, from a server whose history file is `content`.
Result<std::map<int, Lsn>> HistoryOf(const std::string& content) {
  FakeServer server({.answers = {{"TIMELINE_HISTORY 3", Rows({{"00000003.history", content}})}}});
  auto connection = Connection::Open({.url = server.Url(), .replication = true});
  if (!connection.has_value()) return connection.error();
  return ReadTimelineHistory(*connection, 3);
}

TEST(ReadTimelineHistoryTest, TellsWhereEachTimelineWasLeft) {
  const auto left_at =
      HistoryOf("1\t0/3000148\tno recovery target specified\n\n# by hand\n2\t1F/A0\tbefore 2026-01-01\n");
  ASSERT_TRUE(left_at.has_value()) << left_at.error().message();
  EXPECT_THAT(*left_at, ElementsAre(Pair(1, Lsn{0x3000148}), Pair(2, Lsn{0x1F000000A0})));
  EXPECT_THAT(HistoryOf("2 0/5").value(), ElementsAre(Pair(2, Lsn{5})));
}

TEST(ReadTimelineHistoryTest, RefusesWhatIsNone) {
  for (const char* content : {"1\n", "1\tthere\n", "1\t\n"}) {
    const auto left_at = HistoryOf(content);
    ASSERT_FALSE(left_at.has_value()) << content;
    EXPECT_EQ(left_at.error().kind(), ErrorKind::kCorrupt);
    EXPECT_THAT(left_at.error().message(), HasSubstr("reading the history of timeline 3"));
  }
}

TEST(ReadTimelineHistoryTest, AsksForNoneOfTheFirst) {
  FakeServer server({});
  auto connection = Connection::Open({.url = server.Url(), .replication = true});
  ASSERT_TRUE(connection.has_value());
  EXPECT_THAT(ReadTimelineHistory(*connection, 1).value(), IsEmpty());
}

}  // namespace
}  // namespace firn::postgres
