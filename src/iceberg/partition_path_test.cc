#include "iceberg/partition_path.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "iceberg/single_value.h"

namespace firn::iceberg {
namespace {

using namespace std::string_literals;

std::string Human(std::string_view transform, const Type& type, const Literal& value) {
  return HumanValue(ParseTransform(transform).value(), type, value);
}
std::string Human(std::string_view transform, TypeId type, const Literal& value) {
  return Human(transform, Type::Primitive(type), value);
}

TEST(PartitionPathTest, WritesTimesByTheirTransform) {
  EXPECT_EQ(Human("year", TypeId::kDate, 47), "2017");
  EXPECT_EQ(Human("year", TypeId::kDate, -1), "1969");
  EXPECT_EQ(Human("month", TypeId::kDate, 574), "2017-11");
  EXPECT_EQ(Human("month", TypeId::kDate, -1), "1969-12");
  EXPECT_EQ(Human("month", TypeId::kDate, -13), "1968-12");
  EXPECT_EQ(Human("day", TypeId::kTimestampTz, 19'752), "2024-01-30");
  EXPECT_EQ(Human("day", TypeId::kDate, -1), "1969-12-31");
  EXPECT_EQ(Human("hour", TypeId::kTimestampTz, 419'686), "2017-11-16-22");
  EXPECT_EQ(Human("hour", TypeId::kTimestampTz, -1), "1969-12-31-23");
  EXPECT_EQ(Human("day", TypeId::kDate, Literal()), "null");
}

TEST(PartitionPathTest, WritesValuesAsJavaPrintsThem) {
  EXPECT_EQ(Human("identity", TypeId::kBoolean, true), "true");
  EXPECT_EQ(Human("identity", TypeId::kInt, -5), "-5");
  EXPECT_EQ(Human("truncate[10]", TypeId::kLong, int64_t{120}), "120");
  EXPECT_EQ(Human("bucket[16]", TypeId::kString, 7), "7");
  EXPECT_EQ(Human("identity", TypeId::kDouble, 1.0), "1.0");
  EXPECT_EQ(Human("identity", TypeId::kDouble, std::nan("")), "NaN");
  EXPECT_EQ(Human("identity", TypeId::kFloat, -std::numeric_limits<float>::infinity()), "-Infinity");
  EXPECT_EQ(Human("identity", TypeId::kDate, 17'486), "2017-11-16");
  EXPECT_EQ(Human("identity", TypeId::kTime, int64_t{81'068'000'000}), "22:31:08");
  EXPECT_EQ(Human("identity", TypeId::kTime, int64_t{81'060'000'000}), "22:31");
  EXPECT_EQ(Human("identity", TypeId::kTimestamp, int64_t{1'510'871'468'038'194}), "2017-11-16T22:31:08.038194");
  EXPECT_EQ(Human("identity", TypeId::kTimestampTz, int64_t{1'510'871'468'038'000}), "2017-11-16T22:31:08.038Z");
  EXPECT_EQ(Human("identity", TypeId::kTimestamp, int64_t{-1}), "1969-12-31T23:59:59.999999");
  EXPECT_EQ(Human("identity", TypeId::kTimestampNs, int64_t{1}), "1970-01-01T00:00:00.000000001");
  EXPECT_EQ(Human("identity", TypeId::kTimestamp, int64_t{253'402'300'800'000'000}), "+10000-01-01T00:00");
  EXPECT_EQ(Human("identity", Type::Decimal(9, 2), DecimalSingleValue(int64_t{-5})), "-0.05");
  EXPECT_EQ(Human("truncate[50]", Type::Decimal(9, 2), DecimalSingleValue(int64_t{1050})), "10.50");
  EXPECT_EQ(Human("identity", Type::Decimal(9, 0), DecimalSingleValue(int64_t{0})), "0");
  EXPECT_EQ(Human("identity", Type::Decimal(38, 0), std::string(1, '\x80') + std::string(15, '\0')),
            "-170141183460469231731687303715884105728");
  EXPECT_EQ(Human("identity", TypeId::kUuid, "\xF7\x9C\x3E\x09\x67\x7C\x4B\xBD\xA4\x79\x3F\x34\x9C\xB7\x85\xE7"s),
            "f79c3e09-677c-4bbd-a479-3f349cb785e7");
  EXPECT_EQ(Human("identity", TypeId::kBinary, "foobar"s), "Zm9vYmFy");
  EXPECT_EQ(Human("identity", TypeId::kBinary, "fooba"s), "Zm9vYmE=");
  EXPECT_EQ(Human("identity", TypeId::kBinary, "f"s), "Zg==");
  EXPECT_EQ(Human("identity", TypeId::kBinary, ""s), "");
  EXPECT_EQ(Human("identity", TypeId::kString, "grün"s), "grün");
}

TEST(PartitionPathTest, EscapesNamesAndValues) {
  EXPECT_EQ(PartitionFolder("created_at_day", "2024-01-30"), "created_at_day=2024-01-30");
  EXPECT_EQ(PartitionFolder("my col", "a/b=c d%"), "my+col=a%2Fb%3Dc+d%25");
  EXPECT_EQ(PartitionFolder("s", "grün"), "s=gr%C3%BCn");
  EXPECT_EQ(PartitionFolder("s", "../.."), "s=..%2F..");
  EXPECT_EQ(PartitionFolder("s", ""), "s=");
}

TEST(PartitionPathTest, CutsWhatNoFileSystemTakes) {
  EXPECT_EQ(PartitionFolder("s", std::string(300, 'a')), "s=" + std::string(253, 'a'));
  for (size_t plain = 240; plain < 255; ++plain) {
    const std::string folder = PartitionFolder("s", std::string(plain, 'a') + "////////");
    EXPECT_LE(folder.size(), 255u);
    const size_t percent = folder.rfind('%');
    if (percent != std::string::npos) {
      EXPECT_EQ(folder.substr(percent).size(), 3u) << folder;
    }
  }
}

}  // namespace
}  // namespace firn::iceberg
