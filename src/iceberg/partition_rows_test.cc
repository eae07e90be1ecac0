#include "iceberg/partition_rows.h"

#include <arrow/builder.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "iceberg/parquet_test_fixture.h"
#include "iceberg/transform.h"

namespace firn::iceberg {
namespace {

using namespace std::string_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Schema kSchema{.fields = {Column(1, "id", TypeId::kLong, true), Column(2, "day", TypeId::kDate),
                                Column(3, "region", TypeId::kString), Column(4, "flag", TypeId::kBoolean),
                                Column(5, "price", Type::Decimal(9, 2)), Column(6, "score", TypeId::kDouble)}};

PartitionField Made(FieldId source, int32_t id, std::string name, std::string_view transform) {
  return {.source_id = source, .field_id = id, .name = std::move(name), .transform = ParseTransform(transform).value()};
}

Partitioner Make(std::vector<PartitionField> fields) {
  return Partitioner::Make(kSchema, {.spec_id = 3, .fields = std::move(fields)}).value();
}

TEST(PartitionRowsTest, DividesByOneField) {
  const auto batch = Rows(kSchema, R"([[1, 0, "eu", true, "1.00", 1], [2, 0, "us", true, "1.00", 1],
                                      [3, 0, null, true, "1.00", 1], [4, 0, "eu", true, "1.00", 1]])");
  const auto partitions = Make({Made(3, 1000, "region", "identity")}).Divide(*batch).value();
  ASSERT_EQ(partitions.size(), 3u);
  EXPECT_THAT(partitions[0].rows, ElementsAre(0, 3));
  EXPECT_THAT(partitions[0].partition, ElementsAre(Literal("eu"s)));
  EXPECT_THAT(partitions[1].rows, ElementsAre(1));
  EXPECT_THAT(partitions[2].rows, ElementsAre(2));
  EXPECT_THAT(partitions[2].partition, ElementsAre(Literal()));
}

TEST(PartitionRowsTest, DividesBySeveralFields) {
  const auto partitioner = Make({Made(2, 1000, "day_month", "month"), Made(4, 1001, "flag", "identity"),
                                 Made(5, 1002, "price_trunc", "truncate[100]")});
  const auto batch = Rows(kSchema, R"([[1, 0, "a", true, "1.50", 1], [2, 30, "b", true, "1.99", 1],
                                      [3, 31, "c", true, "1.50", 1], [4, null, "d", null, null, 1],
                                      [5, 1, "e", true, "2.00", 1]])");
  const auto partitions = partitioner.Divide(*batch).value();
  ASSERT_EQ(partitions.size(), 4u);
  EXPECT_THAT(partitions[0].rows, ElementsAre(0, 1));
  EXPECT_THAT(partitions[1].rows, ElementsAre(2));
  EXPECT_THAT(partitions[1].partition, ElementsAre(Literal(1), Literal(true), Literal("\x64"s)));
  EXPECT_THAT(partitions[2].partition, ElementsAre(Literal(), Literal(), Literal()));
  EXPECT_THAT(partitions[3].rows, ElementsAre(4));
  EXPECT_EQ(partitioner.PathOf(partitions[1].partition), "day_month=1970-02/flag=true/price_trunc=1.00");
  EXPECT_EQ(partitioner.PathOf(partitions[2].partition), "day_month=null/flag=null/price_trunc=null");
}

TEST(PartitionRowsTest, LeavesAnUnpartitionedBatchWhole) {
  const auto batch = Rows(kSchema, R"([[1, 0, "eu", true, "1.00", 1], [2, 0, "us", true, "1.00", 1]])");
  const auto partitions = Make({}).Divide(*batch).value();
  ASSERT_EQ(partitions.size(), 1u);
  EXPECT_THAT(partitions[0].rows, ElementsAre(0, 1));
  EXPECT_THAT(partitions[0].partition, IsEmpty());
  EXPECT_EQ(Make({}).PathOf({}), "");
  EXPECT_THAT(Make({}).Divide(*batch->Slice(0, 0)).value(), IsEmpty());
}

TEST(PartitionRowsTest, PutsEveryNanIntoOnePartition) {
  auto batch = Rows(kSchema, R"([[1, 0, "a", true, "1.00", 0.5], [2, 0, "a", true, "1.00", 0.5]])");
  arrow::DoubleBuilder builder;
  ASSERT_TRUE(builder.Append(std::nan("1")).ok());
  ASSERT_TRUE(builder.Append(-std::nan("2")).ok());
  batch = batch->SetColumn(5, batch->schema()->field(5), builder.Finish().ValueOrDie()).ValueOrDie();
  EXPECT_EQ(Make({Made(6, 1000, "score", "identity")}).Divide(*batch).value().size(), 1u);
}

TEST(PartitionRowsTest, SaysWhichFieldCannotBeMade) {
  const auto refused = [](const PartitionField& field) {
    return Partitioner::Make(kSchema, {.fields = {field}}).error().message();
  };
  EXPECT_THAT(refused(Made(9, 1000, "gone_day", "day")), HasSubstr("\"gone_day\" is made of the column with id 9"));
  EXPECT_THAT(refused(Made(4, 1000, "flag_bucket", "bucket[4]")),
              HasSubstr("\"flag_bucket\": bucket[4] can't be made of column \"flag\" (boolean)"));
}

TEST(PartitionRowsTest, AgreesWithAModelOnRandomBatches) {
  std::mt19937 random(7);
  const std::vector<PartitionField> fields = {
      Made(1, 1000, "id_bucket", "bucket[5]"), Made(2, 1001, "day_year", "year"),
      Made(3, 1002, "region_trunc", "truncate[1]"), Made(6, 1003, "score", "identity")};
  for (int round = 0; round < 30; ++round) {
    std::string json = "[";
    const int rows = static_cast<int>(random() % 400);
    for (int i = 0; i < rows; ++i) {
      const auto maybe = [&](std::string text) { return random() % 5 == 0 ? "null" : text; };
      json += fmt::format("{}[{}, {}, {}, null, null, {}]", i > 0 ? "," : "", random() % 1000,
                          maybe(fmt::format("{}", static_cast<int>(random() % 2000) - 1000)),
                          maybe(fmt::format("\"{}\"", random() % 300)), maybe(fmt::format("{}.5", random() % 3)));
    }
    const auto batch = Rows(kSchema, json + "]");
    std::map<std::string, std::vector<int32_t>> expected;
    for (int row = 0; row < rows; ++row) {
      PartitionValues values;
      for (const PartitionField& field : fields) {
        const int column = field.source_id - 1;
        const Type& type = kSchema.fields[static_cast<size_t>(column)].type;
        const auto one = TransformColumn(field.transform, type, batch->column(column)->Slice(row, 1)).value();
        values.push_back(LiteralAt(ResultType(field.transform, type), *one, 0));
      }
      expected[PartitionKey(0, values)].push_back(row);
    }
    const auto partitions = Make(fields).Divide(*batch).value();
    ASSERT_EQ(partitions.size(), expected.size());
    for (const PartitionRows& partition : partitions) {
      EXPECT_EQ(partition.rows, expected[PartitionKey(0, partition.partition)]);
    }
  }
}

}  // namespace
}  // namespace firn::iceberg
