#include "iceberg/schema_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "iceberg/json_member.h"

namespace firn::iceberg {
namespace {

using ::testing::HasSubstr;

Json Parse(std::string_view text) { return ParseJson(text).value(); }

TEST(TypeJson, ReadsAndWritesEveryPrimitive) {
  for (const char* text :
       {"boolean", "int", "long", "float", "double", "decimal(9, 2)", "date", "time", "timestamp", "timestamptz",
        "timestamp_ns", "timestamptz_ns", "string", "uuid", "fixed[16]", "binary", "variant", "unknown"}) {
    auto type = TypeFromJson(Json(text));
    ASSERT_TRUE(type.has_value()) << text;
    EXPECT_EQ(TypeToJson(*type), Json(text));
  }
}

TEST(TypeJson, TakesDecimalsWithAnySpacing) {
  EXPECT_EQ(TypeFromJson(Json("decimal(38,10)")).value(), Type::Decimal(38, 10));
  EXPECT_EQ(TypeFromJson(Json("decimal( 38 , 10 )")).value(), Type::Decimal(38, 10));
}

TEST(TypeJson, KeepsTheParametersOfGeospatialTypes) {
  for (const char* text : {"geometry", "geometry(srid:4326)", "geography(OGC:CRS84, spherical)"}) {
    EXPECT_EQ(ToString(TypeFromJson(Json(text)).value()), text);
  }
}

TEST(TypeJson, RefusesWhatNoTypeIs) {
  for (const char* text : {"decimal(39, 2)", "decimal(4, 5)", "decimal(0, 0)", "fixed[-1]"}) {
    EXPECT_EQ(TypeFromJson(Json(text)).error().kind(), ErrorKind::kCorrupt) << text;
  }
  for (const char* text : {"decimal(4)", "decimal(4, 1", "fixed[x]", "geometry(", "", "decimal(99999999999, 2)"}) {
    EXPECT_EQ(TypeFromJson(Json(text)).error().kind(), ErrorKind::kUnsupported) << text;
  }
  EXPECT_EQ(TypeFromJson(Json(7)).error().kind(), ErrorKind::kCorrupt);
}

TEST(SchemaJson, KeepsNestedTypesAndIdentifiersAsJavaWritesThem) {
  const char* text =
      R"({"type":"struct","schema-id":3,"identifier-field-ids":[1],"fields":[)"
      R"({"id":1,"name":"id","required":true,"type":"long","doc":"the key"},)"
      R"({"id":2,"name":"tags","required":false,"type":{"type":"list","element-id":4,"element":"string","element-required":true}},)"
      R"({"id":3,"name":"m","required":false,"type":{"type":"map","key-id":5,"key":"string","value-id":6,)"
      R"("value":{"type":"struct","fields":[{"id":7,"name":"x","required":false,"type":"int"}]},"value-required":false}},)"
      R"({"id":8,"name":"d","required":false,"type":"int","initial-default":42,"write-default":43}]})";
  auto schema = SchemaFromJson(Parse(text));
  ASSERT_TRUE(schema.has_value()) << schema.error().message();
  EXPECT_EQ(schema->HighestFieldId(), 8);
  EXPECT_EQ(schema->FindNestedField(7)->name, "x");
  EXPECT_EQ(schema->FindField(7), nullptr);
  EXPECT_EQ(schema->fields[3].initial_default, "42");
  EXPECT_EQ(DumpJson(SchemaToJson(*schema)), text);
}

TEST(SchemaJson, NamesTheMemberThatIsWrong) {
  auto missing = SchemaFromJson(Parse(R"({"type":"struct","fields":[{"id":1,"name":"a","type":"int"}]})"));
  EXPECT_EQ(missing.error().kind(), ErrorKind::kCorrupt);
  EXPECT_THAT(missing.error().message(), HasSubstr("fields[0]: required: the member is missing"));
  auto wrong = SchemaFromJson(Parse(R"({"fields":[{"id":1.5,"name":"a","required":true,"type":"int"}]})"));
  EXPECT_THAT(wrong.error().message(), HasSubstr("fields[0]: id: expected an integer"));
}

TEST(SchemaJson, RefusesAnIdThatIsUsedTwiceAndAnIdentifierThatIsMissing) {
  auto twice = SchemaFromJson(Parse(R"({"fields":[{"id":1,"name":"a","required":true,"type":"int"},)"
                                    R"({"id":1,"name":"b","required":true,"type":"int"}]})"));
  EXPECT_THAT(twice.error().message(), HasSubstr("field id 1 is used twice"));
  auto identifier = SchemaFromJson(Parse(R"({"identifier-field-ids":[9],"fields":[]})"));
  EXPECT_THAT(identifier.error().message(), HasSubstr("there is no field 9"));
}

TEST(PartitionSpecJson, KeepsEachTransform) {
  const char* text = R"({"spec-id":1,"fields":[{"name":"day","transform":"day","source-id":2,"field-id":1000},)"
                     R"({"name":"b","transform":"bucket[16]","source-id":1,"field-id":1001},)"
                     R"({"name":"t","transform":"truncate[4]","source-id":3,"field-id":1002},)"
                     R"({"name":"gone","transform":"void","source-id":4,"field-id":1003}]})";
  auto spec = PartitionSpecFromJson(Parse(text));
  ASSERT_TRUE(spec.has_value()) << spec.error().message();
  EXPECT_EQ(spec->fields[1].transform, (Transform{TransformKind::kBucket, 16}));
  EXPECT_EQ(DumpJson(PartitionSpecToJson(*spec)), text);
}

TEST(PartitionSpecJson, ReadsTheSourceOfV3sLists) {
  auto one = PartitionSpecFromJson(
      Parse(R"({"spec-id":0,"fields":[{"name":"a","transform":"identity","source-ids":[5],"field-id":1000}]})"));
  EXPECT_EQ(one.value().fields[0].source_id, 5);
  auto two = PartitionSpecFromJson(
      Parse(R"({"spec-id":0,"fields":[{"name":"a","transform":"bucket[2]","source-ids":[5,6],"field-id":1000}]})"));
  EXPECT_EQ(two.error().kind(), ErrorKind::kUnsupported);
}

TEST(SortOrderJson, KeepsDirectionAndNulls) {
  const char* text =
      R"({"order-id":1,"fields":[{"transform":"identity","source-id":1,"direction":"desc","null-order":"nulls-last"}]})";
  auto order = SortOrderFromJson(Parse(text));
  ASSERT_TRUE(order.has_value());
  EXPECT_TRUE(order->fields[0].descending);
  EXPECT_FALSE(order->fields[0].nulls_first);
  EXPECT_EQ(DumpJson(SortOrderToJson(*order)), text);
}

TEST(ParseTransform, RefusesBadParametersAndUnknownNames) {
  for (const char* text : {"bucket[]", "bucket[0]", "bucket[-3]", "truncate[4x]", "bucket[99999999999]"}) {
    EXPECT_EQ(ParseTransform(text).error().kind(), ErrorKind::kCorrupt) << text;
  }
  for (const char* text : {"", "bucket", "zorder", "bucket[4"}) {
    EXPECT_EQ(ParseTransform(text).error().kind(), ErrorKind::kUnsupported) << text;
  }
}

TEST(ParseJson, RefusesWhatNestsTooDeepAndWhatIsNotJson) {
  EXPECT_EQ(ParseJson(std::string(100'000, '[')).error().kind(), ErrorKind::kCorrupt);
  EXPECT_EQ(ParseJson("{\"a\":").error().kind(), ErrorKind::kCorrupt);
  EXPECT_EQ(ParseJson("").error().kind(), ErrorKind::kCorrupt);
  EXPECT_TRUE(ParseJson("\"[[[\\\"[[[\"").has_value());
}

}  // namespace
}  // namespace firn::iceberg
