#include "pipeline/expression.h"

#include <arrow/api.h>
#include <arrow/json/from_string.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn::pipeline {
namespace {

using iceberg::TypeId;
using ::testing::HasSubstr;

const iceberg::Schema kSchema = [] {
  iceberg::Schema schema;
  for (const auto& [name, type] : {std::pair("country", iceberg::Type::Primitive(TypeId::kString)),
                                   std::pair("Odd \"name\"", iceberg::Type::Primitive(TypeId::kString)),
                                   std::pair("n", iceberg::Type::Primitive(TypeId::kInt)),
                                   std::pair("big", iceberg::Type::Primitive(TypeId::kLong)),
                                   std::pair("day", iceberg::Type::Primitive(TypeId::kDate)),
                                   std::pair("at", iceberg::Type::Primitive(TypeId::kTimestampTz)),
                                   std::pair("price", iceberg::Type::Decimal(9, 2)),
                                   std::pair("flag", iceberg::Type::Primitive(TypeId::kBoolean))}) {
    schema.fields.push_back(
        {.id = static_cast<iceberg::FieldId>(schema.fields.size() + 1), .name = name, .type = type});
  }
  return schema;
}();

const std::string kRow = R"(["Grünland-West-1", "odd", -7, 5000000000, -1, -1, "-12.50", true])";
const std::string kNulls = "[null, null, null, null, null, null, null, null]";

Result<BoundExpression> Bind(const std::string& text) {
  auto parsed = ParseExpression(text);
  if (!parsed) return std::move(parsed).error();
  return BindExpression(*parsed, kSchema);
}

/// The expression's value for one row, as text.
std::string Value(const std::string& text, const std::string& row = kRow) {
  const auto bound = Bind(text);
  if (!bound) return bound.error().message();
  const auto rows = arrow::json::ArrayFromJSONString(arrow::struct_(iceberg::ToArrowSchema(kSchema).value()->fields()),
                                                     "[" + row + "]")
                        .ValueOrDie();
  const auto column = bound->evaluate(*arrow::RecordBatch::FromStructArray(rows).ValueOrDie());
  if (!column) return column.error().message();
  const iceberg::Schema one{.fields = {{.id = 1, .name = "x", .type = bound->type}}};
  EXPECT_TRUE((*column)->type()->Equals(iceberg::ToArrowSchema(one).value()->field(0)->type())) << text;
  EXPECT_EQ((*column)->length(), 1);
  return (*column)->GetScalar(0).ValueOrDie()->ToString();
}

TEST(ExpressionTest, WorksOnText) {
  EXPECT_EQ(Value("country"), "Grünland-West-1");
  EXPECT_EQ(Value("\"Odd \"\"name\"\"\""), "odd");
  EXPECT_EQ(Value("upper(substr(country, 1, 3))"), "GRÜ");
  EXPECT_EQ(Value("UPPER ( country )"), "GRÜNLAND-WEST-1");
  EXPECT_EQ(Value("lower('ÄB')"), "äb");
  EXPECT_EQ(Value("length(country)"), "15");
  EXPECT_EQ(Value("trim('  a b ')"), "a b");
  EXPECT_EQ(Value("replace(country, '-', '/')"), "Grünland/West/1");
  EXPECT_EQ(Value("concat(country, ':', 'it''s')"), "Grünland-West-1:it's");
  EXPECT_EQ(Value("concat(country, ':', 'x')", kNulls), ":x");
  EXPECT_EQ(Value("coalesce(country, 'none')", kNulls), "none");
  EXPECT_EQ(Value("coalesce(country, 'none')"), "Grünland-West-1");
}

TEST(ExpressionTest, CutsAsPostgresDoes) {
  EXPECT_EQ(Value("substr('abcdef', 3)"), "cdef");
  EXPECT_EQ(Value("substr('abcdef', 2, 3)"), "bcd");
  EXPECT_EQ(Value("substr('abcdef', -1, 4)"), "ab");
  EXPECT_EQ(Value("substr('abcdef', -5, 2)"), "");
  EXPECT_EQ(Value("substr('abcdef', 9)"), "");
  EXPECT_EQ(Value("split_part(country, '-', 2)"), "West");
  EXPECT_EQ(Value("split_part(country, '-', -1)"), "1");
  EXPECT_EQ(Value("split_part(country, '-', 4)"), "");
  EXPECT_EQ(Value("split_part('a||b||', '||', 2)"), "b");
  EXPECT_EQ(Value("split_part('a||b||', '||', 3)"), "");
}

TEST(ExpressionTest, WorksOnTimes) {
  EXPECT_EQ(Value("year(day)"), "1969");
  EXPECT_EQ(Value("month(day)"), "12");
  EXPECT_EQ(Value("day(at)"), "31");
  EXPECT_EQ(Value("hour(at)"), "23");
  EXPECT_EQ(Value("year(day)", kNulls), "null");
}

TEST(ExpressionTest, WorksOnNumbers) {
  EXPECT_EQ(Value("mod(n, 4)"), "-3");
  EXPECT_EQ(Value("mod(big, 7)"), "2");
  EXPECT_EQ(Value("bucket(16, 'iceberg')"), "9");  // 1210000089 % 16
  EXPECT_EQ(Value("bucket(16, n)", kNulls), "null");
  EXPECT_EQ(Value("42"), "42");
  EXPECT_EQ(Value("-42"), "-42");
}

TEST(ExpressionTest, Casts) {
  EXPECT_EQ(Value("cast(n as string)"), "-7");
  EXPECT_EQ(Value("cast(price AS STRING)"), "-12.50");
  EXPECT_EQ(Value("cast(day as string)"), "1969-12-31");
  EXPECT_EQ(Value("cast(flag as string)"), "true");
  EXPECT_EQ(Value("cast(split_part(country, '-', 3) as int)"), "1");
  EXPECT_EQ(Value("cast(' +12 ' as long)"), "12");
  EXPECT_EQ(Value("cast(country as int)"), "null");
  EXPECT_EQ(Value("cast(big as int)"), "null");
  EXPECT_EQ(Value("cast(n as long)"), "-7");
}

TEST(ExpressionTest, SaysWhereATextIsWrong) {
  EXPECT_EQ(Value("upper(substr(country, 1, 2)"),
            "'upper(substr(country, 1, 2)', at 28: a comma or a closing parenthesis is missing");
  EXPECT_EQ(Value("country country"), "'country country', at 9: the expression has ended, but there is more");
  EXPECT_EQ(Value("lower(+)"), "'lower(+)', at 7: '+' starts neither a column, nor a literal, nor a function");
  EXPECT_THAT(Value("'abc"), HasSubstr("at 5: the closing quote is missing"));
  EXPECT_THAT(Value(""), HasSubstr("at 1: a column, a literal or a function is missing"));
  EXPECT_THAT(Value("1.5"), HasSubstr("a number must be an integer"));
  EXPECT_THAT(Value("cast(n to int)"), HasSubstr("write cast(… as string)"));
  EXPECT_THAT(Value(std::string(200, '(')), HasSubstr("starts neither"));
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += "lower(";
  EXPECT_THAT(Value(deep), HasSubstr("nested too deeply"));
}

TEST(ExpressionTest, ChecksTypes) {
  EXPECT_THAT(Value("uper(country)"), HasSubstr("at 1: there is no function 'uper'; there are lower, upper"));
  EXPECT_EQ(Value("lower(region)"), "at 7: the table has no column \"region\"");
  EXPECT_EQ(Value("lower(n)"), "at 7: lower: takes a string here, not a int; write cast(… as string)");
  EXPECT_EQ(Value("substr(country)"), "at 1: write substr(text, start) or substr(text, start, length)");
  EXPECT_EQ(Value("substr(country, n)"), "at 17: substr: takes a number here, -2147483648 or more");
  EXPECT_EQ(Value("substr(country, 1, -1)"), "at 20: substr: takes a number here, 0 or more");
  EXPECT_EQ(Value("split_part(country, '', 1)"), "at 21: split_part: the delimiter is empty");
  EXPECT_EQ(Value("split_part(country, '-', 0)"), "at 26: split_part: parts count from 1, or from -1 at the end");
  EXPECT_EQ(Value("coalesce(country, n)"),
            "at 19: coalesce: its arguments are of one type: this is a int, the first one a string");
  EXPECT_EQ(Value("hour(day)"), "at 6: hour: a date has none");
  EXPECT_EQ(Value("bucket(4, flag)"), "at 11: bucket: a boolean has no buckets");
  EXPECT_EQ(Value("cast(n as double)"), "at 11: cast: casts are to int, long or string, not to 'double'");
  EXPECT_EQ(Value("cast(day as int)"), "at 6: cast: a date can't become a number");
}

}  // namespace
}  // namespace firn::pipeline
