#include "iceberg/type.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn::iceberg {
namespace {

using ::testing::HasSubstr;

TEST(ParseType, ReadsWhatToStringPrints) {
  for (const Type& type :
       {Type::Primitive(TypeId::kBoolean), Type::Primitive(TypeId::kLong), Type::Decimal(38, 9), Type::Fixed(16),
        Type::Primitive(TypeId::kTimestampTz), Type::Primitive(TypeId::kVariant),
        Type::List({.type = Type::Primitive(TypeId::kString)}), Type::List({.type = Type::Decimal(10, 2)})}) {
    const auto parsed = ParseType(ToString(type));
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message();
    EXPECT_EQ(*parsed, type);
  }
  EXPECT_EQ(*ParseType("decimal( 5 , 2 )"), Type::Decimal(5, 2));
}

TEST(ParseType, RefusesOtherTexts) {
  for (const char* text : {"", "text", "decimal", "decimal(5)", "decimal(5,2", "fixed[a]", "list<", "list<text>",
                           "list<list<int>>", "map<string, int>"}) {
    EXPECT_EQ(ParseType(text).error().kind(), ErrorKind::kUnsupported) << text;
  }
  for (const char* text : {"decimal(39,2)", "decimal(0,0)", "decimal(5,6)", "decimal(5,-1)", "fixed[-1]"}) {
    EXPECT_EQ(ParseType(text).error().kind(), ErrorKind::kCorrupt) << text;
  }
  EXPECT_THAT(ParseType("decimal(39,2)").error().message(), HasSubstr("the precision must be 1 to 38"));
}

}  // namespace
}  // namespace firn::iceberg
