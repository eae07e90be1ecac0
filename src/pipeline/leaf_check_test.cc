#include "pipeline/leaf_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace firn::pipeline {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// public.p (id, region, v) with the key (id, region)
SourceTable Parted(ReplicaIdentity identity = ReplicaIdentity::kDefault, std::vector<int> key = {0, 1}) {
  return {.oid = {7},
          .name = {"public", "p"},
          .columns = {{.attnum = 1, .name = "id"}, {.attnum = 2, .name = "region"}, {.attnum = 3, .name = "v"}},
          .replica_identity = identity,
          .key_columns = std::move(key)};
}

postgres::LeafIdentity Leaf(ReplicaIdentity identity, std::vector<std::string> columns, std::string name = "pa") {
  return {.table = {7},
          .oid = {8},
          .name = {"public", std::move(name)},
          .identity = identity,
          .columns = std::move(columns)};
}

std::string ProblemOf(const SourceTable& table, const std::vector<postgres::LeafIdentity>& leaves) {
  const auto problem = FindLeafProblem(table, leaves);
  if (!problem) return "none";
  EXPECT_EQ(problem->kind(), ErrorKind::kUnsupported);
  EXPECT_EQ(problem->origin(), ErrorOrigin::kSource);
  return problem->message();
}

TEST(LeafCheckTest, TakesLeavesThatTellTheKey) {
  const std::vector<postgres::LeafIdentity> leaves = {Leaf(ReplicaIdentity::kDefault, {"region", "id"}),
                                                      Leaf(ReplicaIdentity::kIndex, {"v", "region", "id"}),
                                                      Leaf(ReplicaIdentity::kFull, {})};
  EXPECT_EQ(ProblemOf(Parted(), leaves), "none");
  EXPECT_EQ(ProblemOf(Parted(ReplicaIdentity::kFull), leaves), "none");
  EXPECT_EQ(ProblemOf(Parted(ReplicaIdentity::kIndex), leaves), "none");
  EXPECT_THAT(LeafWarning(Parted(), leaves), IsEmpty());
}

TEST(LeafCheckTest, NamesALeafThatDoesNotTellTheKeyAndTheStatementThatMendsIt) {
  const std::string told = ProblemOf(
      Parted(), {Leaf(ReplicaIdentity::kDefault, {"id", "region"}, "pb"), Leaf(ReplicaIdentity::kIndex, {"v"})});
  EXPECT_THAT(told, HasSubstr("table public.p"));
  EXPECT_THAT(told, HasSubstr("public.pa has REPLICA IDENTITY USING INDEX (v)"));
  EXPECT_THAT(told, HasSubstr("run ALTER TABLE \"public\".\"pa\" REPLICA IDENTITY DEFAULT"));
  EXPECT_THAT(told, Not(HasSubstr("pb")));
}

TEST(LeafCheckTest, AsksForFullWhereTheKeyIsNotThePrimaryKey) {
  EXPECT_THAT(
      ProblemOf(Parted(ReplicaIdentity::kIndex, {2}), {Leaf(ReplicaIdentity::kDefault, {"id", "region"})}),
      HasSubstr("has REPLICA IDENTITY DEFAULT (id, region); run ALTER TABLE \"public\".\"pa\" REPLICA IDENTITY FULL"));
}

TEST(LeafCheckTest, WantsWholeRowsWhereThereIsNoKey) {
  const SourceTable table = Parted(ReplicaIdentity::kFull, {});
  EXPECT_THAT(ProblemOf(table, {Leaf(ReplicaIdentity::kDefault, {"id"})}), HasSubstr("REPLICA IDENTITY FULL"));
  EXPECT_EQ(ProblemOf(table, {Leaf(ReplicaIdentity::kFull, {})}), "none");
}

TEST(LeafCheckTest, OnlyWarnsOfLeavesThatPostgresqlRefusesChangesOf) {
  const std::vector<postgres::LeafIdentity> leaves = {Leaf(ReplicaIdentity::kNothing, {}),
                                                      Leaf(ReplicaIdentity::kIndex, {}, "dropped_index")};
  EXPECT_EQ(ProblemOf(Parted(), leaves), "none");
  EXPECT_THAT(LeafWarning(Parted(), leaves), HasSubstr("public.pa, public.dropped_index"));
}

TEST(LeafCheckTest, SaysNothingOfTablesWithoutIdentity) {
  const SourceTable table = Parted(ReplicaIdentity::kDefault, {});
  EXPECT_EQ(ProblemOf(table, {Leaf(ReplicaIdentity::kDefault, {"id"})}), "none");
  EXPECT_THAT(LeafWarning(table, std::vector{Leaf(ReplicaIdentity::kNothing, {})}), IsEmpty());
}

TEST(LeafCheckTest, NamesAFewOfMany) {
  std::vector<postgres::LeafIdentity> leaves;
  for (int i = 0; i < 12; ++i) leaves.push_back(Leaf(ReplicaIdentity::kIndex, {"v"}, "p" + std::to_string(i)));
  const std::string told = ProblemOf(Parted(), leaves);
  EXPECT_THAT(told, HasSubstr("public.p4"));
  EXPECT_THAT(told, Not(HasSubstr("public.p5")));
  EXPECT_THAT(told, HasSubstr("(and 7 more)"));
}

}  // namespace
}  // namespace firn::pipeline
