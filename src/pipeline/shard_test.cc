#include "pipeline/shard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace firn::pipeline {
namespace {

TEST(Takes, ExactlyOneShardTakesATable) {
  for (const int count : {1, 2, 3, 8}) {
    std::vector<int> tables(static_cast<size_t>(count));
    for (int i = 0; i < 1000; ++i) {
      const TableName table{"public", "t" + std::to_string(i)};
      int takers = 0;
      for (int number = 1; number <= count; ++number) {
        if (!Takes({number, count}, table)) continue;
        ++takers;
        ++tables[static_cast<size_t>(number - 1)];
      }
      EXPECT_EQ(takers, 1) << table.name;
    }
    // None is left with few.
    for (const int of_shard : tables) EXPECT_GT(of_shard, 1000 / count / 2);
  }
}

TEST(Takes, ATableStaysWhereItIs) {
  // A change of these numbers moves tables between the shards of a new version.
  std::vector<int> shards;
  for (const char* name : {"orders", "customers", "items", "zürich"}) {
    for (int number = 1; number <= 4; ++number) {
      if (Takes({number, 4}, {"public", name})) shards.push_back(number);
    }
  }
  EXPECT_THAT(shards, ::testing::ElementsAre(3, 3, 1, 4));
}

}  // namespace
}  // namespace firn::pipeline
