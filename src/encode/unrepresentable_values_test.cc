#include "encode/unrepresentable_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "encode/golden_values.h"

namespace firn::encode {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Refused {
  SourceColumn column;
  Golden value;
  std::string shown;
};

TEST(UnrepresentableValues, NamesTableColumnValueAndRemedyOfAValueThatIcebergCannotHold) {
  const SourceColumn decimal = Scalar(kNumeric, NumericModifier(5, 2));
  for (const Refused& refused : std::vector<Refused>{
           {Scalar(kDate), {"infinity", "7fffffff"}, "'infinity'"},
           {Scalar(kDate), {"-infinity", "80000000"}, "'-infinity'"},
           {Scalar(kTimestamp), {"infinity", "7fffffffffffffff"}, "'infinity'"},
           {Scalar(kTimestampTz), {"-infinity", "8000000000000000"}, "'-infinity'"},
           {Scalar(kTimestamp), {"294276-12-31 23:59:59.999999", "7fffff5bb3b29fff"}, "'294276-12-31 23:59:59.999999'"},
           {Scalar(kTime), {"24:00:00", "000000141dd76000"}, "'24:00:00'"},
           {decimal, {"NaN", "00000000c0000000"}, "'NaN'"},
           {decimal, {"-Infinity", "00000000f0000020"}, "'-Infinity'"},
           {decimal, {"12345.67", "0003000100000002000109291a2c"}, "'12345.67'"},
           {decimal, {"0.0001", "0001ffff000000040001"}, "'0.0001'"},
           {ArrayOf(kDate), {"{infinity}", "00000001000000000000043a0000000100000001000000047fffffff"}, "'infinity'"},
       }) {
    const std::string bytes = FromHex(refused.value.binary_hex);
    for (const WireValue& value : {Binary(bytes), Text(refused.value.text)}) {
      const auto array = EncodeColumn(refused.column, {value});
      ASSERT_FALSE(array.has_value()) << refused.value.text;
      EXPECT_EQ(array.error().kind(), ErrorKind::kUnsupported);
      EXPECT_THAT(array.error().message(), AllOf(HasSubstr("table public.t, column c: "), HasSubstr(refused.shown),
                                                 HasSubstr("columns: {c: string}")));
    }
  }
}

TEST(UnrepresentableValues, ShortensLongValuesInErrors) {
  const std::string text(1000, 'x');
  const std::string message = EncodeColumn(Scalar(kInt4), {Text(text)}).error().message();
  EXPECT_THAT(message, HasSubstr("… (1000 bytes)"));
  EXPECT_LT(message.size(), 400u);
}

/// A value that the column can't hold, as `policy` replaces it; and how many of the values were counted.
void ExpectReplaced(const SourceColumn& column, const Golden& golden, ValuePolicy policy,
                    const std::shared_ptr<arrow::Array>& expected, ColumnSettings settings = {}) {
  settings.policy = policy;
  const std::string bytes = FromHex(golden.binary_hex);
  auto encoder = EncoderFor(TableOf({column}), {}, settings);
  for (const WireValue& value : {Binary(bytes), Text(golden.text)}) {
    ASSERT_TRUE(encoder->AppendRow({&value, 1}).has_value());
  }
  const auto encoded = encoder->Finish();
  ASSERT_TRUE(encoded.has_value()) << encoded.error().message();
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(encoded->batch->column(0)->Slice(i, 1)->Equals(*expected))
        << golden.text << ": " << encoded->batch->column(0)->ToString();
  }
  ASSERT_EQ(encoded->replaced.size(), 1u) << golden.text;
  EXPECT_EQ(encoded->replaced[0].column, "c");
  EXPECT_EQ(encoded->replaced[0].policy, policy);
  EXPECT_EQ(encoded->replaced[0].count, 2);
  EXPECT_THAT(encoded->replaced[0].first, HasSubstr("'"));
}

struct Replaced {
  SourceColumn column;
  Golden value;
  std::shared_ptr<arrow::Array> clamped;  ///< Null where there is no nearest value: it is NULL then, too.
};

TEST(UnrepresentableValues, ReplacesValuesThatIcebergCannotHoldAsThePolicySays) {
  const SourceColumn decimal = Scalar(kNumeric, NumericModifier(5, 2));
  const auto timestamps = arrow::timestamp(arrow::TimeUnit::MICRO);
  const auto decimals = arrow::decimal128(5, 2);
  const auto ints = arrow::list(arrow::field("element", arrow::int32()));
  for (const Replaced& replaced : std::vector<Replaced>{
           {Scalar(kDate), {"infinity", "7fffffff"}, FromJson(arrow::date32(), "[2145042905]")},
           {Scalar(kDate), {"-infinity", "80000000"}, FromJson(arrow::date32(), "[-2440588]")},
           {Scalar(kTimestamp), {"infinity", "7fffffffffffffff"}, FromJson(timestamps, "[9223372036854775807]")},
           {Scalar(kTimestamp), {"-infinity", "8000000000000000"}, FromJson(timestamps, "[-210866803200000000]")},
           {Scalar(kTimestamp),
            {"294276-12-31 23:59:59.999999", "7fffff5bb3b29fff"},
            FromJson(timestamps, "[9223372036854775807]")},
           {Scalar(kTime),
            {"24:00:00", "000000141dd76000"},
            FromJson(arrow::time64(arrow::TimeUnit::MICRO), "[86399999999]")},
           {decimal, {"NaN", "00000000c0000000"}, nullptr},
           {decimal, {"-Infinity", "00000000f0000020"}, FromJson(decimals, R"(["-999.99"])")},
           {decimal, {"12345.67", "0003000100000002000109291a2c"}, FromJson(decimals, R"(["999.99"])")},
           {decimal,
            {"1.005",
             "00020000000000030001"
             "0032"},
            FromJson(decimals, R"(["1.01"])")},
           {decimal, {"-0.0001", "0001ffff400000040001"}, FromJson(decimals, R"(["0.00"])")},
           {ArrayOf(kInt4),
            {"[0:1]={7,8}", "000000010000000000000017000000020000000000000004000000070000000400000008"},
            FromJson(ints, "[[7, 8]]")},
           {ArrayOf(kInt4),
            {"{{1,2},{3,4}}",
             "000000020000000000000017000000020000000100000002000000010000000400000001000000040000000200000004000000030"
             "0"
             "00000400000004"},
            nullptr},
       }) {
    const std::shared_ptr<arrow::Array> null = arrow::MakeArrayOfNull(replaced.clamped ? replaced.clamped->type()
                                                                      : replaced.column.element_oid ? ints
                                                                                                    : decimals,
                                                                      1)
                                                   .ValueOrDie();
    ExpectReplaced(replaced.column, replaced.value, ValuePolicy::kNull, null);
    ExpectReplaced(replaced.column, replaced.value, ValuePolicy::kClamp, replaced.clamped ? replaced.clamped : null);
  }
}

TEST(UnrepresentableValues, ReplacesElementsOfArraysOneByOne) {
  const auto dates = arrow::list(arrow::field("element", arrow::date32()));
  const Golden golden = {"{infinity}", "00000001000000000000043a0000000100000001000000047fffffff"};
  ExpectReplaced(ArrayOf(kDate), golden, ValuePolicy::kNull, FromJson(dates, "[[null]]"));
  ExpectReplaced(ArrayOf(kDate), golden, ValuePolicy::kClamp, FromJson(dates, "[[2145042905]]"));
}

TEST(UnrepresentableValues, CallsMalformedBytesCorruptWhateverThePolicy) {
  const ColumnSettings null = {.policy = ValuePolicy::kNull};
  EXPECT_EQ(EncodeColumn(Scalar(kDate), {Text("2024-13-01")}, null).error().kind(), ErrorKind::kCorrupt);
  EXPECT_EQ(EncodeColumn(ArrayOf(kInt4), {Text("{1")}, null).error().kind(), ErrorKind::kCorrupt);
}

TEST(UnrepresentableValues, StoresColumnsThatMayMeetSuchValuesAsStringsByPolicy) {
  const ColumnSettings string = {.policy = ValuePolicy::kString};
  for (const auto& [column, golden] : std::vector<std::pair<SourceColumn, Golden>>{
           {Scalar(kDate), {"infinity", "7fffffff"}},
           {Scalar(kTime), {"24:00:00", "000000141dd76000"}},
           {Scalar(kNumeric, NumericModifier(5, 2)), {"NaN", "00000000c0000000"}},
           {ArrayOf(kInt4),
            {"{{1,2},{3,4}}",
             "000000020000000000000017000000020000000100000002000000010000000400000001000000040000000200000004000000030"
             "0"
             "00000400000004"}},
       }) {
    arrow::StringBuilder expected;
    ASSERT_TRUE(expected.Append(golden.text).ok());
    ExpectColumn(column, {golden}, expected.Finish().ValueOrDie(), string);
  }
}

}  // namespace
}  // namespace firn::encode
