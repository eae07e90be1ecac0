#include "iceberg/field_values.h"

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/json/from_string.h>
#include <arrow/scalar.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn::iceberg {
namespace {

/// Is the scalar the value that Arrow reads from its own JSON?
::testing::AssertionResult Is(const Type& type, const Result<std::shared_ptr<arrow::Scalar>>& scalar,
                              const std::string& arrow_json) {
  if (!scalar.has_value()) return ::testing::AssertionFailure() << scalar.error().message();
  const auto expected =
      arrow::json::ArrayFromJSONString(ToArrowType(type).value(), "[" + arrow_json + "]").ValueOrDie();
  const auto actual = arrow::MakeArrayFromScalar(**scalar, 1).ValueOrDie();
  if (actual->Equals(expected) && actual->ValidateFull().ok()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << actual->ToString() << " against " << expected->ToString();
}

::testing::AssertionResult Reads(const Type& type, const char* json, const std::string& arrow_json) {
  return Is(type, ScalarFromJson(type, ParseJson(json).value()), arrow_json);
}
::testing::AssertionResult Reads(TypeId type, const char* json, const std::string& arrow_json) {
  return Reads(Type::Primitive(type), json, arrow_json);
}

TEST(ScalarFromJsonTest, ReadsTheJsonFormOfEachType) {
  EXPECT_TRUE(Reads(TypeId::kBoolean, "true", "true"));
  EXPECT_TRUE(Reads(TypeId::kInt, "-2147483648", "-2147483648"));
  EXPECT_TRUE(Reads(TypeId::kLong, "9223372036854775807", "9223372036854775807"));
  EXPECT_TRUE(Reads(TypeId::kFloat, "1.5", "1.5"));
  EXPECT_TRUE(Reads(TypeId::kDouble, "-3", "-3"));
  EXPECT_TRUE(Reads(Type::Decimal(9, 2), R"("14.20")", R"("14.20")"));
  EXPECT_TRUE(Reads(Type::Decimal(9, 2), R"("-14.2")", R"("-14.20")"));
  EXPECT_TRUE(Reads(TypeId::kDate, R"("1969-12-31")", "-1"));
  EXPECT_TRUE(Reads(TypeId::kTime, R"("22:31:08.123456")", "81068123456"));
  EXPECT_TRUE(Reads(TypeId::kTimestamp, R"("2017-11-16T22:31:08.123456")", "1510871468123456"));
  EXPECT_TRUE(Reads(TypeId::kTimestampTz, R"("2017-11-16T22:31:08.123456+00:00")", "1510871468123456"));
  EXPECT_TRUE(Reads(TypeId::kTimestampNs, R"("2017-11-16T22:31:08.123456789")", "1510871468123456789"));
  EXPECT_TRUE(Reads(TypeId::kString, R"("iceberg")", R"("iceberg")"));
  EXPECT_TRUE(Reads(TypeId::kBinary, R"("41427a")", R"("ABz")"));
  EXPECT_TRUE(Reads(Type::Fixed(2), R"("4142")", R"("AB")"));
  EXPECT_TRUE(Reads(TypeId::kUuid, R"("30313233-3435-3637-3839-616263646566")", R"("0123456789abcdef")"));
  EXPECT_TRUE(Reads(TypeId::kVariant, "null", "null"));
}

TEST(ScalarFromJsonTest, ReadsNestedValues) {
  Field defaulted{.id = 3, .name = "y", .type = Type::Primitive(TypeId::kInt), .initial_default = "8"};
  const Type point = Type::Struct({{.id = 2, .name = "x", .type = Type::Primitive(TypeId::kInt)}, defaulted});
  EXPECT_TRUE(Reads(point, R"({"2": 1})", "[1, 8]"));
  EXPECT_TRUE(Reads(point, "{}", "[null, 8]"));
  const Type list = Type::List({.id = 2, .type = Type::Primitive(TypeId::kInt)});
  EXPECT_TRUE(Reads(list, "[1, null]", "[1, null]"));
  const Type map =
      Type::Map({.id = 2, .type = Type::Primitive(TypeId::kString)}, {.id = 3, .type = Type::Primitive(TypeId::kInt)});
  EXPECT_TRUE(Reads(map, R"({"keys": ["a", "b"], "values": [1, null]})", R"([["a", 1], ["b", null]])"));
}

TEST(ScalarFromJsonTest, RefusesWhatTheTypeCanNotHold) {
  const std::pair<Type, const char*> values[] = {
      {Type::Primitive(TypeId::kInt), "2147483648"},
      {Type::Primitive(TypeId::kInt), "1.5"},
      {Type::Decimal(4, 2), R"("123.45")"},
      {Type::Decimal(4, 2), R"("1.234")"},
      {Type::Primitive(TypeId::kDate), R"("yesterday")"},
      {Type::Primitive(TypeId::kTimestampTz), R"("2017-11-16T22:31:08")"},
      {Type::Primitive(TypeId::kTimestampTz), R"("2017-11-16T22:31:08+02:00")"},
      {Type::Primitive(TypeId::kBinary), R"("0g")"},
      {Type::Primitive(TypeId::kBinary), R"("000")"},
      {Type::Fixed(2), R"("00")"},
      {Type::Primitive(TypeId::kUuid), R"("f79c")"},
      {Type::Primitive(TypeId::kVariant), "1"},
      {Type::List({.id = 2, .type = Type::Primitive(TypeId::kInt)}), R"({"a": 1})"},
  };
  for (const auto& [type, json] : values) {
    const auto scalar = ScalarFromJson(type, ParseJson(json).value());
    ASSERT_FALSE(scalar.has_value()) << json;
    EXPECT_EQ(scalar.error().kind(), ErrorKind::kCorrupt) << json;
  }
}

TEST(ScalarFromLiteralTest, WidensPartitionValuesFromBeforeAPromotion) {
  const auto is = [](const Type& type, const Literal& value, const std::string& arrow_json) {
    return Is(type, ScalarFromLiteral(type, value), arrow_json);
  };
  EXPECT_TRUE(is(Type::Primitive(TypeId::kLong), int32_t{7}, "7"));
  EXPECT_TRUE(is(Type::Primitive(TypeId::kDouble), 1.5f, "1.5"));
  EXPECT_TRUE(is(Type::Primitive(TypeId::kDate), int32_t{1}, "1"));
  EXPECT_TRUE(is(Type::Decimal(9, 2), std::string("\x04\xd2"), R"("12.34")"));
  EXPECT_TRUE(is(Type::Primitive(TypeId::kString), std::string("x"), R"("x")"));
  EXPECT_TRUE(is(Type::Primitive(TypeId::kString), std::monostate(), "null"));
  EXPECT_EQ(ScalarFromLiteral(Type::Primitive(TypeId::kInt), std::string("x")).error().kind(), ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace firn::iceberg
