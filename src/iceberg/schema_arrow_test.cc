#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "iceberg/schema.h"

namespace firn::iceberg {
namespace {

using ::testing::HasSubstr;

TEST(ToArrowSchemaTest, GivesEveryFieldItsIdAndNullability) {
  const Schema schema{
      .fields = {{.id = 1, .name = "id", .required = true, .type = Type::Primitive(TypeId::kLong)},
                 {.id = 2,
                  .name = "tags",
                  .type = Type::List({.id = 3, .name = "element", .type = Type::Primitive(TypeId::kString)})}}};
  const auto arrow_schema = ToArrowSchema(schema).value();
  EXPECT_FALSE(arrow_schema->field(0)->nullable());
  EXPECT_TRUE(arrow_schema->field(1)->nullable());
  EXPECT_EQ(arrow_schema->field(0)->metadata()->Get("PARQUET:field_id").ValueOrDie(), "1");
  const auto element = arrow_schema->field(1)->type()->field(0);
  EXPECT_EQ(element->name(), "element");
  EXPECT_EQ(element->metadata()->Get("PARQUET:field_id").ValueOrDie(), "3");
}

TEST(ToArrowSchemaTest, MapsTimestampsToMicroseconds) {
  const Schema schema{.fields = {{.id = 1, .name = "a", .type = Type::Primitive(TypeId::kTimestamp)},
                                 {.id = 2, .name = "b", .type = Type::Primitive(TypeId::kTimestampTz)}}};
  const auto arrow_schema = ToArrowSchema(schema).value();
  EXPECT_TRUE(arrow_schema->field(0)->type()->Equals(arrow::timestamp(arrow::TimeUnit::MICRO)));
  EXPECT_TRUE(arrow_schema->field(1)->type()->Equals(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")));
}

TEST(ToArrowSchemaTest, NamesTheColumnOfATypeThatItCanNotHold) {
  for (const Type& type : {Type::Fixed(0), Type::Decimal(39, 0)}) {
    const auto result = ToArrowSchema({.fields = {{.id = 1, .name = "odd", .type = type}}});
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().kind(), ErrorKind::kUnsupported);
    EXPECT_THAT(result.error().message(), HasSubstr("column odd"));
  }
}

}  // namespace
}  // namespace firn::iceberg
