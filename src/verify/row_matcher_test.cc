#include "verify/row_matcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verify/bucket_sums.h"

namespace firn::verify {
namespace {

using testing::ElementsAre;

/// A row of key `key`, which is its text as well.
struct TestRow {
  std::string key;
  std::vector<uint64_t> columns;
  int64_t count = 1;
};

template <typename Take>
void Give(const TestRow& row, Take take) {
  take(Row{.key = row.key, .columns = row.columns, .count = row.count, .key_text = [&] {
             return std::vector<std::string>{row.key};
           }});
}

BucketSums SumsOf(const std::vector<TestRow>& rows) {
  BucketSums sums;
  for (const TestRow& row : rows) Give(row, [&](const Row& given) { sums.Add(given); });
  return sums;
}

TEST(BucketSumsTest, AreEqualWhateverTheOrder) {
  const BucketSums one = SumsOf({{"a", {1, 2}}, {"b", {3, 4}}, {"c", {5, 6}}});
  EXPECT_THAT(one.DifferingFrom(SumsOf({{"c", {5, 6}}, {"a", {1, 2}}, {"b", {3, 4}}})), ElementsAre());
  EXPECT_EQ(one.rows(), 3);
}

TEST(BucketSumsTest, DifferInTheBucketOfTheRowThatDiffers) {
  const BucketSums one = SumsOf({{"a", {1, 2}}, {"b", {3, 4}}});
  const size_t bucket = BucketSums::BucketOf("b");
  EXPECT_THAT(one.DifferingFrom(SumsOf({{"a", {1, 2}}, {"b", {3, 5}}})), ElementsAre(bucket));
  EXPECT_THAT(one.DifferingFrom(SumsOf({{"a", {1, 2}}, {"b", {4, 3}}})), ElementsAre(bucket));
  EXPECT_THAT(one.DifferingFrom(SumsOf({{"a", {1, 2}}})), ElementsAre(bucket));
  EXPECT_THAT(one.DifferingFrom(SumsOf({{"a", {1, 2}}, {"b", {3, 4}}, {"b", {3, 4}}})), ElementsAre(bucket));
}

TEST(BucketSumsTest, TakeRowsBack) {
  const BucketSums one = SumsOf({{"a", {1, 2}, 3}, {"b", {3, 4}}, {"a", {1, 2}, -2}});
  EXPECT_THAT(one.DifferingFrom(SumsOf({{"b", {3, 4}}, {"a", {1, 2}}})), ElementsAre());
  EXPECT_EQ(one.rows(), 2);
}

std::vector<Difference> Match(const std::vector<TestRow>& source, const std::vector<TestRow>& table) {
  std::vector<size_t> buckets(BucketSums::kBuckets);
  for (size_t i = 0; i < buckets.size(); ++i) buckets[i] = i;
  RowMatcher matcher(buckets, {"id", "v"});
  for (const TestRow& row : source) Give(row, [&](const Row& given) { matcher.AddSource(given); });
  for (const TestRow& row : table) Give(row, [&](const Row& given) { matcher.AddTable(given); });
  return matcher.Differences();
}

TEST(RowMatcherTest, NamesWhatDiffersAndHow) {
  const auto found = Match({{"a", {1, 1}}, {"b", {2, 2}}, {"c", {3, 3}}, {"d", {4, 4}}},
                           {{"b", {2, 2}}, {"c", {3, 9}}, {"d", {4, 4}, 2}, {"e", {5, 5}}});
  ASSERT_EQ(found.size(), 4u);
  const auto at = [&](size_t i) { return std::tuple(found[i].key.front(), found[i].source_rows, found[i].table_rows); };
  EXPECT_EQ(at(0), std::tuple("a", 1, 0));
  EXPECT_EQ(at(1), std::tuple("c", 1, 1));
  EXPECT_THAT(found[1].columns, ElementsAre("v"));
  EXPECT_EQ(at(2), std::tuple("d", 1, 2));
  EXPECT_THAT(found[2].columns, ElementsAre());
  EXPECT_EQ(at(3), std::tuple("e", 0, 1));
}

TEST(RowMatcherTest, FindsRowsEqualThatWereAddedAndTakenBack) {
  EXPECT_TRUE(Match({{"a", {1, 1}, 2}, {"a", {1, 1}, -1}, {"b", {2, 2}}, {"b", {2, 2}, -1}}, {{"a", {1, 1}}}).empty());
}

TEST(RowMatcherTest, LooksOnlyAtItsBuckets) {
  RowMatcher matcher({BucketSums::BucketOf("a")}, {"id"});
  Give({"a", {1}}, [&](const Row& row) { matcher.AddSource(row); });
  Give({"b", {2}}, [&](const Row& row) { matcher.AddSource(row); });
  ASSERT_NE(BucketSums::BucketOf("a"), BucketSums::BucketOf("b"));
  EXPECT_EQ(matcher.Differences().size(), 1u);
}

}  // namespace
}  // namespace firn::verify
