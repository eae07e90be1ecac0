#include "iceberg/transform.h"

#include <arrow/api.h>
#include <arrow/json/from_string.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <random>

#include "iceberg/civil_date.h"
#include "iceberg/murmur3.h"
#include "iceberg/single_value.h"

namespace firn::iceberg {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;

constexpr int64_t kHour = 3'600'000'000, kDay = 24 * kHour;

Transform Parse(std::string_view text) { return ParseTransform(text).value(); }

std::shared_ptr<arrow::Array> Column(const Type& type, const std::string& json) {
  const Schema schema{.fields = {{.id = 1, .name = "x", .type = type}}};
  return arrow::json::ArrayFromJSONString(ToArrowSchema(schema).value()->field(0)->type(), json).ValueOrDie();
}

/// The one value that a transform makes of a value, both as JSON.
std::string Apply(std::string_view transform, const Type& type, const std::string& json) {
  const auto result = TransformColumn(Parse(transform), type, Column(type, "[" + json + "]"));
  if (!result) return result.error().message();
  EXPECT_TRUE((*result)->ValidateFull().ok());
  return (*result)->GetScalar(0).ValueOrDie()->ToString();
}

int32_t BucketOf(uint32_t hash, int32_t buckets) { return static_cast<int32_t>(hash & 0x7FFFFFFFu) % buckets; }

// Spec: "Appendix B". The buckets are those of its hashes.
TEST(TransformTest, PutsTheSpecsExamplesIntoBuckets) {
  const auto bucket_of = [](int32_t hash) { return fmt::format("{}", BucketOf(static_cast<uint32_t>(hash), 1000)); };
  const auto bucket = [](TypeId type, const std::string& json) {
    return Apply("bucket[1000]", Type::Primitive(type), json);
  };
  EXPECT_EQ(bucket(TypeId::kInt, "34"), bucket_of(2017239379));
  EXPECT_EQ(bucket(TypeId::kLong, "34"), bucket_of(2017239379));
  EXPECT_EQ(Apply("bucket[1000]", Type::Decimal(9, 2), "\"14.20\""), bucket_of(-500754589));
  EXPECT_EQ(bucket(TypeId::kDate, "17486"), bucket_of(-653330422));
  EXPECT_EQ(bucket(TypeId::kTime, "81068000000"), bucket_of(-662762989));
  EXPECT_EQ(bucket(TypeId::kTimestamp, "1510871468000000"), bucket_of(-2047944441));
  EXPECT_EQ(bucket(TypeId::kTimestamp, "1510871468000001"), bucket_of(-1207196810));
  EXPECT_EQ(bucket(TypeId::kTimestampTz, "1510871468000000"), bucket_of(-2047944441));
  EXPECT_EQ(bucket(TypeId::kTimestampNs, "1510871468000001001"), bucket_of(-1207196810));
  EXPECT_EQ(bucket(TypeId::kTimestampTzNs, "1510871468000000000"), bucket_of(-2047944441));
  EXPECT_EQ(bucket(TypeId::kString, "\"iceberg\""), bucket_of(1210000089));

  const auto of_bytes = [](const Type& type, std::shared_ptr<arrow::DataType> arrow_type, const std::string& value) {
    auto builder = arrow::MakeBuilder(std::move(arrow_type)).ValueOrDie();
    const auto scalar = arrow::MakeScalar(builder->type(), arrow::Buffer::FromString(value)).ValueOrDie();
    EXPECT_TRUE(builder->AppendScalar(*scalar).ok());
    const auto result = TransformColumn(Parse("bucket[1000]"), type, builder->Finish().ValueOrDie());
    return result.value()->GetScalar(0).ValueOrDie()->ToString();
  };
  const std::string uuid = "\xF7\x9C\x3E\x09\x67\x7C\x4B\xBD\xA4\x79\x3F\x34\x9C\xB7\x85\xE7"s;
  EXPECT_EQ(of_bytes(Type::Primitive(TypeId::kUuid), arrow::fixed_size_binary(16), uuid), bucket_of(1488055340));
  EXPECT_EQ(of_bytes(Type::Primitive(TypeId::kBinary), arrow::binary(), "\x00\x01\x02\x03"s), bucket_of(-188683207));
  EXPECT_EQ(of_bytes(Type::Fixed(4), arrow::fixed_size_binary(4), "\x00\x01\x02\x03"s), bucket_of(-188683207));
}

// Buckets of a table that Spark wrote with bucket(4, id).
TEST(TransformTest, PutsIdsIntoTheBucketsThatSparkPutsThemInto) {
  const auto buckets = TransformColumn(Parse("bucket[4]"), Type::Primitive(TypeId::kLong),
                                       Column(Type::Primitive(TypeId::kLong),
                                              "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, "
                                              "21, 22, 23, 24, 25, 26, 27, 28, 29, 30]"))
                           .value();
  EXPECT_EQ(buckets->ToString(),
            Column(Type::Primitive(TypeId::kInt),
                   "[0, 0, 3, 2, 3, 1, 3, 3, 3, 0, 3, 0, 1, 1, 0, 2, 3, 0, 2, 3, 1, 1, 1, 0, 3, 2, 0, 1, 0, 3]")
                ->ToString());
}

// Spec: "Truncate Transform Details", and its examples.
TEST(TransformTest, Truncates) {
  const Type integer = Type::Primitive(TypeId::kInt), number = Type::Primitive(TypeId::kLong),
             text = Type::Primitive(TypeId::kString), bytes = Type::Primitive(TypeId::kBinary);
  EXPECT_EQ(Apply("truncate[10]", integer, "1"), "0");
  EXPECT_EQ(Apply("truncate[10]", integer, "-1"), "-10");
  EXPECT_EQ(Apply("truncate[10]", integer, "-10"), "-10");
  EXPECT_EQ(Apply("truncate[10]", number, "1"), "0");
  EXPECT_EQ(Apply("truncate[10]", number, "-1"), "-10");
  EXPECT_EQ(Apply("truncate[7]", number, "9223372036854775807"), "9223372036854775807");
  EXPECT_EQ(Apply("truncate[50]", Type::Decimal(9, 2), "\"10.65\""), "10.50");
  EXPECT_EQ(Apply("truncate[50]", Type::Decimal(9, 2), "\"-0.05\""), "-0.50");
  EXPECT_EQ(Apply("truncate[3]", text, "\"iceberg\""), "ice");
  EXPECT_EQ(Apply("truncate[3]", text, "\"ic\""), "ic");
  EXPECT_EQ(Apply("truncate[2]", text, "\"\u00fcb\u00fc\""), "\u00fcb");
  EXPECT_EQ(Apply("truncate[1]", text, "\"\U0001f9ca!\""), "\U0001f9ca");
  EXPECT_EQ(Apply("truncate[3]", bytes, "\"iceberg\""), "ice");
  EXPECT_EQ(Apply("truncate[3]", text, "null"), "null");
  EXPECT_THAT(Apply("truncate[1000]", Type::Decimal(2, 0), "\"-9\""),
              HasSubstr("truncate(1000) makes -1000 of -9, which decimal(2,0) can't hold"));
}

TEST(TransformTest, CountsFrom1970WithDatesBeforeIt) {
  const Type date = Type::Primitive(TypeId::kDate), tz = Type::Primitive(TypeId::kTimestampTz),
             ns = Type::Primitive(TypeId::kTimestampNs);
  EXPECT_EQ(Apply("year", date, "0"), "0");
  EXPECT_EQ(Apply("year", date, "-1"), "-1");
  EXPECT_EQ(Apply("month", date, "-1"), "-1");
  EXPECT_EQ(Apply("month", date, "17486"), "574");  // 2017-11-16
  EXPECT_EQ(Apply("day", date, "-1"), "1969-12-31");
  EXPECT_EQ(Apply("year", tz, "-1"), "-1");
  EXPECT_EQ(Apply("month", tz, "-1"), "-1");
  EXPECT_EQ(Apply("day", tz, "-1"), "1969-12-31");
  EXPECT_EQ(Apply("hour", tz, "-1"), "-1");
  EXPECT_EQ(Apply("hour", tz, fmt::format("{}", -kHour)), "-1");
  EXPECT_EQ(Apply("hour", tz, fmt::format("{}", -kHour - 1)), "-2");
  EXPECT_EQ(Apply("hour", tz, "1510871468000000"), "419686");
  EXPECT_EQ(Apply("hour", ns, "-1"), "-1");
  EXPECT_EQ(Apply("day", ns, "1510871468000001001"), "2017-11-16");
  EXPECT_EQ(Apply("day", date, "null"), "null");
}

TEST(TransformTest, ReachesToTheEndsOfPostgresTime) {
  const Type date = Type::Primitive(TypeId::kDate), ts = Type::Primitive(TypeId::kTimestamp);
  EXPECT_EQ(Apply("year", date, "2145042905"), "5872927");        // 5874897-12-31
  EXPECT_EQ(Apply("month", date, "-2440588"), "-80186");          // 4714-11-24 BC
  EXPECT_EQ(Apply("year", ts, "9223372036854775807"), "292277");  // 294247-01-10
  EXPECT_THAT(Apply("hour", ts, "9223372036854775807"), HasSubstr("hour can't hold a timestamp in the year 294247"));
}

TEST(TransformTest, AgreesWithTheCalendarOnEveryDay) {
  for (int64_t days = -800'000; days < 800'000; ++days) {
    const std::chrono::year_month_day expected{std::chrono::sys_days{std::chrono::days{days}}};
    const CivilDate date = CivilFromDays(days);
    ASSERT_EQ(date.year, int{expected.year()}) << days;
    ASSERT_EQ(date.month, static_cast<int>(unsigned{expected.month()})) << days;
    ASSERT_EQ(date.day, static_cast<int>(unsigned{expected.day()})) << days;
  }
}

/// What the spec says of one value, as plainly as it can be written.
int64_t Model(const Transform& transform, TypeId source, int64_t value) {
  const bool is_date = source == TypeId::kDate;
  const auto floor = [](int64_t a, int64_t b) { return static_cast<int64_t>(std::floor(static_cast<double>(a) / b)); };
  const int64_t days = is_date ? value : floor(value, kDay);
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{days}}};
  switch (transform.kind) {
    case TransformKind::kBucket:
      return BucketOf(Murmur3(SingleValue(value)), transform.parameter);
    case TransformKind::kTruncate:
      return floor(value, transform.parameter) * transform.parameter;
    case TransformKind::kYear:
      return int{date.year()} - 1970;
    case TransformKind::kMonth:
      return (int{date.year()} - 1970) * 12 + static_cast<int>(unsigned{date.month()}) - 1;
    case TransformKind::kDay:
      return days;
    case TransformKind::kHour:
      return floor(value, kHour);
    default:
      return value;
  }
}

int64_t NumberAt(const arrow::Array& column, int64_t row) {
  const auto width = static_cast<const arrow::FixedWidthType&>(*column.type()).bit_width();
  return width == 32 ? int64_t{column.data()->GetValues<int32_t>(1)[row]} : column.data()->GetValues<int64_t>(1)[row];
}

TEST(TransformTest, AgreesWithAModelOnRandomColumnsAndTheirSlices) {
  std::mt19937_64 random(20240130);
  for (const TypeId id :
       {TypeId::kInt, TypeId::kLong, TypeId::kDate, TypeId::kTime, TypeId::kTimestamp, TypeId::kTimestampTz}) {
    const Type type = Type::Primitive(id);
    // Doubles in the model hold these exactly; the years are those of std::chrono.
    const int64_t limit = id == TypeId::kDate ? 10'000'000 : id == TypeId::kInt ? INT32_MAX / 2 : int64_t{1} << 52;
    std::uniform_int_distribution<int64_t> values(id == TypeId::kTime ? 0 : -limit,
                                                  id == TypeId::kTime ? kDay - 1 : limit);
    std::string json;
    for (int i = 0; i < 500; ++i) json += fmt::format("{}{}", i > 0 ? "," : "[", values(random));
    for (int i = 0; i < 20; ++i) json += fmt::format(",null,{}", i - 10 < 0 && id == TypeId::kTime ? 0 : i - 10);
    const auto whole = Column(type, json + "]");
    for (const std::string_view text :
         {"identity", "bucket[7]", "bucket[16]", "truncate[1]", "truncate[13]", "year", "month", "day", "hour"}) {
      const Transform transform = Parse(text);
      if (!IsLegal(transform, type)) continue;
      for (const auto& column : {whole, whole->Slice(3), whole->Slice(501, 30), whole->Slice(0, 0)}) {
        const auto result = TransformColumn(transform, type, column).value();
        ASSERT_TRUE(result->ValidateFull().ok());
        ASSERT_EQ(result->length(), column->length());
        for (int64_t row = 0; row < column->length(); ++row) {
          ASSERT_EQ(result->IsNull(row), column->IsNull(row));
          if (column->IsNull(row)) continue;
          ASSERT_EQ(NumberAt(*result, row), Model(transform, id, NumberAt(*column, row)))
              << text << " of " << ToString(type) << " " << NumberAt(*column, row);
        }
      }
    }
  }
}

TEST(TransformTest, KnowsWhatIsLegalByTheSpec) {
  const auto legal = [](const Type& type) { return LegalTransforms(type); };
  EXPECT_EQ(legal(Type::Primitive(TypeId::kBoolean)), "identity");
  EXPECT_EQ(legal(Type::Primitive(TypeId::kDouble)), "identity");
  EXPECT_EQ(legal(Type::Primitive(TypeId::kInt)), "identity, bucket, truncate");
  EXPECT_EQ(legal(Type::Decimal(9, 2)), "identity, bucket, truncate");
  EXPECT_EQ(legal(Type::Primitive(TypeId::kString)), "identity, bucket, truncate");
  EXPECT_EQ(legal(Type::Primitive(TypeId::kUuid)), "identity, bucket");
  EXPECT_EQ(legal(Type::Primitive(TypeId::kTime)), "identity, bucket");
  EXPECT_EQ(legal(Type::Primitive(TypeId::kDate)), "identity, bucket, year, month, day");
  EXPECT_EQ(legal(Type::Primitive(TypeId::kTimestampTz)), "identity, bucket, year, month, day, hour");
  EXPECT_EQ(legal(Type::List({.id = 2, .type = Type::Primitive(TypeId::kInt)})), "");
  EXPECT_TRUE(IsLegal(Parse("void"), Type::Primitive(TypeId::kVariant)));
  EXPECT_THAT(Apply("hour", Type::Primitive(TypeId::kDate), "1"), HasSubstr("hour can't be made of a date"));
}

TEST(TransformTest, GivesNullForVoidAndLooksIntoDictionaries) {
  EXPECT_EQ(Apply("void", Type::Primitive(TypeId::kInt), "5"), "null");
  const auto indices = arrow::json::ArrayFromJSONString(arrow::int32(), "[1, null, 0]").ValueOrDie();
  const auto dictionary = Column(Type::Primitive(TypeId::kString), R"(["iceberg", "ice"])");
  const auto encoded =
      arrow::DictionaryArray::FromArrays(arrow::dictionary(arrow::int32(), arrow::utf8()), indices, dictionary)
          .ValueOrDie();
  const auto result = TransformColumn(Parse("truncate[2]"), Type::Primitive(TypeId::kString), encoded).value();
  EXPECT_TRUE(result->Equals(Column(Type::Primitive(TypeId::kString), R"(["ic", null, "ic"])")));
}

TEST(TransformTest, GivesLiteralsAsPartitionTuplesHoldThem) {
  const auto literal = [](const Type& type, const std::string& json) {
    return LiteralAt(type, *Column(type, "[" + json + "]"), 0);
  };
  EXPECT_EQ(literal(Type::Primitive(TypeId::kInt), "null"), Literal());
  EXPECT_EQ(literal(Type::Primitive(TypeId::kBoolean), "true"), Literal(true));
  EXPECT_EQ(literal(Type::Primitive(TypeId::kDate), "5"), Literal(int32_t{5}));
  EXPECT_EQ(literal(Type::Primitive(TypeId::kTimestamp), "5"), Literal(int64_t{5}));
  EXPECT_EQ(literal(Type::Primitive(TypeId::kFloat), "1.5"), Literal(1.5f));
  EXPECT_EQ(literal(Type::Decimal(9, 2), "\"-1.29\""), Literal("\xFF\x7F"s));
  EXPECT_EQ(literal(Type::Primitive(TypeId::kString), "\"eu\""), Literal("eu"s));
}

}  // namespace
}  // namespace firn::iceberg
