#include "iceberg/field_values.h"

#include <arrow/scalar.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn::iceberg {
namespace {

using ::testing::HasSubstr;

std::string Text(const Type& type, const char* json) {
  const auto scalar = ScalarFromJson(type, ParseJson(json).value());
  return scalar ? (*scalar)->ToString() : scalar.error().message();
}
std::string Text(TypeId type, const char* json) { return Text(Type::Primitive(type), json); }

TEST(ScalarFromJsonTest, ReadsTheJsonFormOfEachType) {
  EXPECT_EQ(Text(TypeId::kBoolean, "true"), "true");
  EXPECT_EQ(Text(TypeId::kInt, "-2147483648"), "-2147483648");
  EXPECT_EQ(Text(TypeId::kLong, "9223372036854775807"), "9223372036854775807");
  EXPECT_EQ(Text(TypeId::kFloat, "1.5"), "1.5");
  EXPECT_EQ(Text(TypeId::kDouble, "-3"), "-3");
  EXPECT_EQ(Text(Type::Decimal(9, 2), R"("14.20")"), "14.20");
  EXPECT_EQ(Text(Type::Decimal(9, 2), R"("-14.2")"), "-14.20");
  EXPECT_EQ(Text(TypeId::kDate, R"("1969-12-31")"), "1969-12-31");
  EXPECT_EQ(Text(TypeId::kTime, R"("22:31:08.123456")"), "22:31:08.123456");
  EXPECT_EQ(Text(TypeId::kTimestamp, R"("2017-11-16T22:31:08.123456")"), "2017-11-16 22:31:08.123456");
  EXPECT_EQ(Text(TypeId::kTimestampTz, R"("2017-11-16T22:31:08.123456+00:00")"), "2017-11-16 22:31:08.123456Z");
  EXPECT_EQ(Text(TypeId::kTimestampNs, R"("2017-11-16T22:31:08.123456789")"), "2017-11-16 22:31:08.123456789");
  EXPECT_EQ(Text(TypeId::kString, R"("iceberg")"), "iceberg");
  EXPECT_EQ(Text(TypeId::kBinary, R"("0001ff")"), "0001FF");
  EXPECT_EQ(Text(Type::Fixed(2), R"("00ff")"), "00FF");
  EXPECT_EQ(Text(TypeId::kUuid, R"("f79c3e09-677c-4bbd-a479-3f349cb785e7")"), "F79C3E09677C4BBDA4793F349CB785E7");
  EXPECT_EQ(Text(TypeId::kVariant, "null"), "null");
}

TEST(ScalarFromJsonTest, ReadsNestedValues) {
  Field defaulted{.id = 3, .name = "y", .type = Type::Primitive(TypeId::kInt), .initial_default = "8"};
  const Type point = Type::Struct({{.id = 2, .name = "x", .type = Type::Primitive(TypeId::kInt)}, defaulted});
  EXPECT_THAT(Text(point, R"({"2": 1})"), HasSubstr("x:int32 = 1, y:int32 = 8"));
  EXPECT_THAT(Text(point, "{}"), HasSubstr("x:int32 = null, y:int32 = 8"));
  const Type list = Type::List({.id = 2, .type = Type::Primitive(TypeId::kInt)});
  EXPECT_THAT(Text(list, "[1, null]"), HasSubstr("[1, null]"));
  const Type map =
      Type::Map({.id = 2, .type = Type::Primitive(TypeId::kString)}, {.id = 3, .type = Type::Primitive(TypeId::kInt)});
  EXPECT_THAT(Text(map, R"({"keys": ["a", "b"], "values": [1, 2]})"), HasSubstr("\"a\""));
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
  const auto text = [](const Type& type, const Literal& value) {
    return ScalarFromLiteral(type, value).value()->ToString();
  };
  EXPECT_EQ(text(Type::Primitive(TypeId::kLong), int32_t{7}), "7");
  EXPECT_EQ(text(Type::Primitive(TypeId::kDouble), 1.5f), "1.5");
  EXPECT_EQ(text(Type::Primitive(TypeId::kDate), int32_t{1}), "1970-01-02");
  EXPECT_EQ(text(Type::Decimal(9, 2), std::string("\x04\xd2")), "12.34");
  EXPECT_EQ(text(Type::Primitive(TypeId::kString), std::string("x")), "x");
  EXPECT_EQ(text(Type::Primitive(TypeId::kString), std::monostate()), "null");
  EXPECT_EQ(ScalarFromLiteral(Type::Primitive(TypeId::kInt), std::string("x")).error().kind(), ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace firn::iceberg
