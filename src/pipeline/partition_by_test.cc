#include "pipeline/partition_by.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "iceberg/table_update.h"

namespace firn::pipeline {
namespace {

using iceberg::TypeId;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

iceberg::Schema Orders() {
  iceberg::Schema schema;
  for (const auto& [name, type] : {std::pair("id", TypeId::kLong), std::pair("created_at", TypeId::kTimestampTz),
                                   std::pair("region", TypeId::kString), std::pair("day", TypeId::kDate),
                                   std::pair("paid", TypeId::kBoolean), std::pair("region_trunc", TypeId::kInt)}) {
    schema.fields.push_back({.id = static_cast<iceberg::FieldId>(schema.fields.size() + 1),
                             .name = name,
                             .type = iceberg::Type::Primitive(type)});
  }
  return schema;
}

std::vector<PartitionTerm> Terms(const std::vector<std::string>& texts) {
  std::vector<PartitionTerm> terms;
  for (const std::string& text : texts) terms.push_back(ParsePartitionTerm(text).value());
  return terms;
}

/// "1000 created_at_day=day(2)"
std::vector<std::string> Text(const iceberg::PartitionSpec& spec) {
  std::vector<std::string> fields;
  for (const iceberg::PartitionField& field : spec.fields) {
    fields.push_back(
        fmt::format("{} {}={}({})", field.field_id, field.name, ToString(field.transform), field.source_id));
  }
  return fields;
}

std::vector<std::string> Made(const std::vector<std::string>& texts) {
  return Text(MakePartitionSpec(Terms(texts), Orders()).value());
}
std::string Refused(const std::vector<std::string>& texts) {
  return MakePartitionSpec(Terms(texts), Orders()).error().message();
}

TEST(PartitionByTest, ReadsTerms) {
  EXPECT_EQ(ParsePartitionTerm("region")->column, "region");
  EXPECT_EQ(ParsePartitionTerm(" identity( region ) ")->column, "region");
  EXPECT_EQ(ToString(ParsePartitionTerm("day(created_at)")->transform), "day");
  const auto bucket = ParsePartitionTerm("bucket(16,id)");
  EXPECT_EQ(ToString(bucket->transform), "bucket[16]");
  EXPECT_EQ(bucket->column, "id");
  EXPECT_EQ(ToString(ParsePartitionTerm("truncate( 4 , region )")->transform), "truncate[4]");
  EXPECT_EQ(ParsePartitionTerm("\"Order Day (UTC)\"")->column, "Order Day (UTC)");
  EXPECT_EQ(ParsePartitionTerm("day(\"a\"\"b)\")")->column, "a\"b)");
  EXPECT_EQ(ParsePartitionTerm("year(a column)")->column, "a column");
}

TEST(PartitionByTest, SaysWhatIsWrongWithATerm) {
  const auto refused = [](std::string_view text) { return ParsePartitionTerm(text).error().message(); };
  EXPECT_THAT(refused("days(ts)"), HasSubstr("there is no transform 'days'; use year, month, day, hour, bucket"));
  EXPECT_THAT(refused("day(ts"), HasSubstr("the closing parenthesis is missing"));
  EXPECT_THAT(refused("day()"), HasSubstr("the column's name is missing"));
  EXPECT_THAT(refused(""), HasSubstr("the column's name is missing"));
  EXPECT_THAT(refused("\"a\"b"), HasSubstr("the quotes around the column's name don't match"));
  for (const char* text :
       {"bucket(id)", "bucket(0, id)", "bucket(-1, id)", "bucket(id, 16)", "bucket(9999999999, id)"}) {
    EXPECT_THAT(refused(text), HasSubstr("bucket takes a number of at least 1 and a column, as in bucket(16")) << text;
  }
}

TEST(PartitionByTest, MakesTheSpecOfANewTable) {
  EXPECT_THAT(Made({"day(created_at)", "bucket(16, id)", "truncate(4, id)", "region"}),
              ElementsAre("1000 created_at_day=day(2)", "1001 id_bucket=bucket[16](1)", "1002 id_trunc=truncate[4](1)",
                          "1003 region=identity(3)"));
  EXPECT_THAT(Made({}), IsEmpty());
}

TEST(PartitionByTest, KeepsNamesApart) {
  // A column has the name already; two buckets of one column would have the same.
  EXPECT_THAT(Made({"truncate(4, region)"}), ElementsAre("1000 region_trunc_4=truncate[4](3)"));
  EXPECT_THAT(Made({"bucket(16, id)", "bucket(4, id)"}),
              ElementsAre("1000 id_bucket=bucket[16](1)", "1001 id_bucket_4=bucket[4](1)"));
}

TEST(PartitionByTest, SaysWhatIsLegalForAColumn) {
  EXPECT_EQ(
      Refused({"hour(day)"}),
      "partition_by 'hour(day)': column \"day\" is stored as date, which allows identity, bucket, year, month, day");
  EXPECT_EQ(Refused({"bucket(4, paid)"}),
            "partition_by 'bucket(4, paid)': column \"paid\" is stored as boolean, which allows identity");
  EXPECT_EQ(Refused({"gone"}), "partition_by 'gone': the table has no column \"gone\"");
  EXPECT_EQ(Refused({"region", "region"}), "partition_by 'region' stands there twice");
  EXPECT_THAT(Refused({"day(created_at)", "hour(created_at)"}), HasSubstr("keep one of them"));
}

class PartitionEvolutionTest : public ::testing::Test {
 protected:
  PartitionEvolutionTest() {
    iceberg::NewTable table{.schema = Orders(), .location = "memory/orders"};
    table.spec = MakePartitionSpec(Terms({"day(created_at)", "bucket(16, id)"}), Orders()).value();
    table_ = iceberg::MakeTableMetadata(table, 1).value();
  }

  /// The default spec after a start with this partition_by.
  std::vector<std::string> Evolve(const std::vector<std::string>& texts) {
    const auto spec = EvolvePartitionSpec(Terms(texts), Orders(), table_).value();
    if (spec) {
      table_ =
          iceberg::ApplyUpdates(table_, "", {iceberg::AddPartitionSpec{*spec}, iceberg::SetDefaultSpec{-1}}, 1).value();
    }
    EXPECT_EQ(EvolvePartitionSpec(Terms(texts), Orders(), table_).value(), std::nullopt);
    return Text(table_.DefaultSpec());
  }

  iceberg::TableMetadata table_;
};

TEST_F(PartitionEvolutionTest, LeavesATableThatIsAsItShouldBe) {
  Evolve({"bucket(16, id)", "day(created_at)"});
  EXPECT_EQ(table_.partition_specs.size(), 1u);
}

TEST_F(PartitionEvolutionTest, KeepsTheIdsOfFieldsThatStay) {
  EXPECT_THAT(Evolve({"hour(created_at)", "bucket(16, id)"}),
              ElementsAre("1002 created_at_hour=hour(2)", "1001 id_bucket=bucket[16](1)"));
  EXPECT_EQ(table_.default_spec_id, 1);
  EXPECT_THAT(Evolve({"bucket(16, id)", "bucket(32, id)"}),
              ElementsAre("1001 id_bucket=bucket[16](1)", "1003 id_bucket_32=bucket[32](1)"));
}

TEST_F(PartitionEvolutionTest, TakesUpAFieldThatTheTableHadBefore) {
  EXPECT_THAT(Evolve({}), IsEmpty());
  EXPECT_EQ(table_.default_spec_id, 1);
  EXPECT_THAT(Evolve({"day(created_at)", "region"}),
              ElementsAre("1000 created_at_day=day(2)", "1002 region=identity(3)"));
  EXPECT_EQ(table_.default_spec_id, 2);
  Evolve({"day(created_at)", "bucket(16, id)"});
  EXPECT_EQ(table_.default_spec_id, 0);  // The first spec again.
}

}  // namespace
}  // namespace firn::pipeline
