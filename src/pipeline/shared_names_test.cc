#include "pipeline/shared_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/memory_catalog.h"
#include "testing/type_oids.h"

namespace firn::pipeline {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

SourceTable Named(uint32_t oid, const std::string& schema, const std::string& name) {
  return {.oid = {oid},
          .name = {schema, name},
          .columns = {{.attnum = 1, .name = "id", .type_oid = testing::kInt4, .type_name = "integer"}}};
}

class SharedNamesTest : public ::testing::Test {
 protected:
  std::map<TableOid, Error> Problems(TableOid copied = {}) {
    return FindNameProblems(catalog_, tables_, naming_, [&](TableOid oid) { return oid == copied; }).value();
  }
  /// The OIDs of those that can't have their table.
  std::vector<uint32_t> Barred(TableOid copied = {}) {
    std::vector<uint32_t> oids;
    for (const auto& [oid, problem] : Problems(copied)) oids.push_back(oid.value);
    return oids;
  }

  testing::MemoryCatalog catalog_;
  TargetNaming naming_{.name_space = "lake"};
  std::vector<SourceTable> tables_ = {Named(2, "b", "t"), Named(1, "a", "t"), Named(3, "a", "o")};
};

TEST_F(SharedNamesTest, GivesTheNameToTheFirstTableWhereThereIsNoIcebergTable) {
  EXPECT_THAT(Barred(), ElementsAre(2));
}

TEST_F(SharedNamesTest, GivesTheNameToTheTableThatTheIcebergTableWasMadeFor) {
  ASSERT_TRUE(CreateTargetTable(catalog_, tables_[0], naming_, {}).has_value());
  EXPECT_THAT(Barred(), ElementsAre(1));
  EXPECT_THAT(Barred(/*copied=*/{1}), ElementsAre(1));
}

TEST_F(SharedNamesTest, GivesTheNameToATableThatIsBeingCopied) { EXPECT_THAT(Barred(/*copied=*/{2}), ElementsAre(1)); }

TEST_F(SharedNamesTest, GivesTheNameToTheFirstTableWhereTheIcebergTableIsOfOneThatIsGone) {
  ASSERT_TRUE(CreateTargetTable(catalog_, Named(9, "a", "t"), naming_, {}).has_value());
  EXPECT_THAT(Barred(), ElementsAre(2));
}

TEST_F(SharedNamesTest, SaysWhichTablesAndWhatHelps) {
  const auto problems = Problems();
  const Error& problem = problems.at({2});
  EXPECT_EQ(problem.kind(), ErrorKind::kAlreadyExists);
  EXPECT_THAT(problem.message(),
              AllOf(HasSubstr("table b.t can't be replicated beside table a.t"), HasSubstr("Iceberg table lake.t;"),
                    HasSubstr("destination.namespace"), HasSubstr("table_prefix: \"{schema}_\"")));
}

TEST_F(SharedNamesTest, FindsNoneWhereTheSchemaIsInTheName) {
  naming_.table_prefix = "x_{schema}_";
  EXPECT_THAT(Barred(), IsEmpty());
  EXPECT_EQ(ToString(naming_.IdentOf({"a", "t"})), "lake.x_a_t");
  naming_ = {};
  EXPECT_THAT(Barred(), IsEmpty());
  EXPECT_EQ(catalog_.loads(), 0);
}

}  // namespace
}  // namespace firn::pipeline
