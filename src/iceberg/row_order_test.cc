#include "iceberg/row_order.h"

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "testing/results.h"

namespace firn::iceberg {
namespace {

using ::testing::ElementsAre;
using testing::Value;

Field FieldToSort(FieldId id, Type type) {
  return {.id = id, .name = "c" + std::to_string(id), .type = std::move(type)};
}

/// The rows of a batch as the order has them.
std::vector<int> InOrder(const RowOrder& order, const arrow::RecordBatch& batch) {
  const SortKeys keys = Value(order.KeysOf(batch));
  EXPECT_EQ(keys.size(), static_cast<size_t>(batch.num_rows()));
  std::vector<int> rows(keys.size());
  std::iota(rows.begin(), rows.end(), 0);
  std::ranges::stable_sort(rows, {}, [&](int row) { return keys[static_cast<size_t>(row)]; });
  return rows;
}

std::shared_ptr<arrow::RecordBatch> BatchToSort(const Schema& schema, arrow::ArrayVector columns) {
  const int64_t rows = columns.front()->length();
  return arrow::RecordBatch::Make(Value(ToArrowSchema(schema)), rows, std::move(columns));
}

/// Checks that values which stand in ascending order are sorted so, whatever the direction and the place of nulls.
void ExpectAscending(const Type& type, const std::shared_ptr<arrow::Array>& values) {
  const Schema schema{.fields = {FieldToSort(1, type)}};
  // A null, the values from behind, a null.
  const auto null = arrow::MakeArrayOfNull(values->type(), 1).ValueOrDie();
  arrow::ArrayVector parts = {null};
  for (int64_t i = values->length(); i > 0; --i) parts.push_back(values->Slice(i - 1, 1));
  parts.push_back(null);
  const auto batch = BatchToSort(schema, {arrow::Concatenate(parts).ValueOrDie()});
  const auto count = static_cast<int>(values->length());
  for (const bool descending : {false, true}) {
    for (const bool nulls_first : {false, true}) {
      const SortOrder order{.order_id = 1,
                            .fields = {{.source_id = 1, .descending = descending, .nulls_first = nulls_first}}};
      ASSERT_TRUE(CanSort(schema, order)) << ToString(type);
      std::vector<int> expected;
      for (int i = 0; i < count; ++i) expected.push_back(descending ? i + 1 : count - i);
      expected.insert(nulls_first ? expected.begin() : expected.end(), {0, count + 1});
      EXPECT_EQ(InOrder(Value(RowOrder::Make(schema, {}, order)), *batch), expected)
          << ToString(type) << (descending ? " desc" : "") << (nulls_first ? " nulls first" : "");
    }
  }
}

template <typename Builder, typename Value_>
std::shared_ptr<arrow::Array> ArrayToSort(const Type& type, const std::vector<Value_>& values) {
  Builder builder(Value(ToArrowType(type)), arrow::default_memory_pool());
  for (const Value_& value : values) EXPECT_TRUE(builder.Append(value).ok());
  return builder.Finish().ValueOrDie();
}

TEST(RowOrderTest, SortsNumbersAndTimes) {
  const auto type = [](TypeId id) { return Type::Primitive(id); };
  const std::vector<int32_t> ints = {std::numeric_limits<int32_t>::min(), -256, -1, 0, 1, 255, 256, 1 << 30};
  const std::vector<int64_t> longs = {std::numeric_limits<int64_t>::min(), -65'536, -1, 0, 1, 4'294'967'296};
  ExpectAscending(type(TypeId::kInt), ArrayToSort<arrow::Int32Builder>(type(TypeId::kInt), ints));
  ExpectAscending(type(TypeId::kDate), ArrayToSort<arrow::Date32Builder>(type(TypeId::kDate), ints));
  ExpectAscending(type(TypeId::kLong), ArrayToSort<arrow::Int64Builder>(type(TypeId::kLong), longs));
  ExpectAscending(type(TypeId::kTime), ArrayToSort<arrow::Time64Builder>(type(TypeId::kTime), longs));
  for (const TypeId id : {TypeId::kTimestamp, TypeId::kTimestampTz, TypeId::kTimestampNs, TypeId::kTimestampTzNs}) {
    ExpectAscending(type(id), ArrayToSort<arrow::TimestampBuilder>(type(id), longs));
  }
  ExpectAscending(type(TypeId::kBoolean),
                  ArrayToSort<arrow::BooleanBuilder>(type(TypeId::kBoolean), std::vector<bool>{false, true}));
}

/// Spec, "Sorting": -NaN < -Infinity < -value < -0 < 0 < value < Infinity < NaN.
TEST(RowOrderTest, SortsFloatsWithNan) {
  const auto values = []<typename T>(T) {
    using Limits = std::numeric_limits<T>;
    return std::vector<T>{-Limits::quiet_NaN(),
                          -Limits::infinity(),
                          -1.5,
                          -Limits::denorm_min(),
                          T{-0.0},
                          T{0.0},
                          Limits::denorm_min(),
                          1.5,
                          Limits::infinity(),
                          Limits::quiet_NaN()};
  };
  ExpectAscending(Type::Primitive(TypeId::kFloat),
                  ArrayToSort<arrow::FloatBuilder>(Type::Primitive(TypeId::kFloat), values(0.0F)));
  ExpectAscending(Type::Primitive(TypeId::kDouble),
                  ArrayToSort<arrow::DoubleBuilder>(Type::Primitive(TypeId::kDouble), values(0.0)));
}

TEST(RowOrderTest, SortsDecimals) {
  std::vector<arrow::Decimal128> values;
  for (const char* text : {"-99999999999999999999999999999999999999", "-18446744073709551617", "-1", "0", "1", "256",
                           "18446744073709551616", "99999999999999999999999999999999999999"}) {
    values.push_back(arrow::Decimal128::FromString(text).ValueOrDie());
  }
  ExpectAscending(Type::Decimal(38, 0), ArrayToSort<arrow::Decimal128Builder>(Type::Decimal(38, 0), values));
}

TEST(RowOrderTest, SortsStringsByTheirBytes) {
  using namespace std::string_view_literals;
  // A value before those that begin with it, a zero byte too; U+FFFD before U+1F600, which UTF-16 has the other way.
  const std::vector<std::string_view> values = {""sv,   "\0"sv, "\0\0"sv, "\0a"sv,    "A"sv,
                                                "Z"sv,  "a"sv,  "a\0"sv,  "a\0b"sv,   "a\x01"sv,
                                                "ab"sv, "b"sv,  "é"sv,    "\uFFFD"sv, "\U0001F600"sv};
  std::vector<std::string_view> sorted = values;
  std::ranges::sort(sorted);
  ExpectAscending(Type::Primitive(TypeId::kString),
                  ArrayToSort<arrow::StringBuilder>(Type::Primitive(TypeId::kString), sorted));
  const std::vector<std::string_view> bytes = {""sv,     "\0"sv,   "\0\xFF"sv, "\x01"sv,    "\x7F"sv,
                                               "\x80"sv, "\xFF"sv, "\xFF\0"sv, "\xFF\xFF"sv};
  ExpectAscending(Type::Primitive(TypeId::kBinary),
                  ArrayToSort<arrow::BinaryBuilder>(Type::Primitive(TypeId::kBinary), bytes));
}

TEST(RowOrderTest, SortsUuidsAsUnsignedBytes) {
  std::vector<std::string> values;
  for (const char first : {'\x00', '\x7F', '\x80', '\xFF'}) values.push_back(first + std::string(15, '\x80'));
  values.push_back(std::string(16, '\xFF'));
  ExpectAscending(Type::Primitive(TypeId::kUuid),
                  ArrayToSort<arrow::FixedSizeBinaryBuilder>(Type::Primitive(TypeId::kUuid), values));
  ExpectAscending(Type::Fixed(16), ArrayToSort<arrow::FixedSizeBinaryBuilder>(Type::Fixed(16), values));
}

class SeveralColumnsTest : public ::testing::Test {
 protected:
  std::vector<int> Rows(const PartitionSpec& spec, const SortOrder& order) {
    return InOrder(Value(RowOrder::Make(schema_, spec, order)), *batch_);
  }

  const Schema schema_{
      .fields = {FieldToSort(1, Type::Primitive(TypeId::kString)), FieldToSort(2, Type::Primitive(TypeId::kInt))}};
  const std::shared_ptr<arrow::RecordBatch> batch_ = [&] {
    arrow::StringBuilder names;
    EXPECT_TRUE(names.AppendValues({"b", "a", "b", "ab", "a"}).ok());
    arrow::Int32Builder numbers;
    EXPECT_TRUE(numbers.AppendValues({1, 2, 3, 4, 15}).ok());
    return BatchToSort(schema_, {names.Finish().ValueOrDie(), numbers.Finish().ValueOrDie()});
  }();
};

TEST_F(SeveralColumnsTest, ComeOneAfterTheOther) {
  EXPECT_THAT(Rows({}, {.fields = {{.source_id = 1}, {.source_id = 2, .descending = true}}}),
              ElementsAre(4, 1, 3, 2, 0));
  EXPECT_THAT(Rows({}, {.fields = {{.source_id = 1, .descending = true}, {.source_id = 2}}}),
              ElementsAre(0, 2, 3, 1, 4));
}

TEST_F(SeveralColumnsTest, MayBeTransformed) {
  const SortOrder order{.fields = {{.source_id = 2, .transform = {TransformKind::kTruncate, 10}, .descending = true},
                                   {.source_id = 1, .transform = {TransformKind::kTruncate, 1}}}};
  EXPECT_THAT(Rows({}, order), ElementsAre(4, 1, 3, 0, 2));
}

TEST_F(SeveralColumnsTest, FollowPartitions) {
  const PartitionSpec spec{
      .fields = {{.source_id = 1, .field_id = 1000, .name = "c1", .transform = {}},
                 {.source_id = 2, .field_id = 1001, .name = "gone", .transform = {.kind = TransformKind::kVoid}}}};
  EXPECT_THAT(Rows(spec, {.fields = {{.source_id = 2, .descending = true}}}), ElementsAre(4, 1, 3, 2, 0));
}

TEST(RowOrderTest, RefusesWhatHasNoOrder) {
  const Schema schema{.fields = {FieldToSort(1, Type::Primitive(TypeId::kString)),
                                 FieldToSort(2, Type::List(FieldToSort(3, Type::Primitive(TypeId::kInt)))),
                                 FieldToSort(4, Type::Struct({FieldToSort(5, Type::Primitive(TypeId::kInt))}))}};
  for (const SortField& field :
       {SortField{.source_id = 2}, SortField{.source_id = 4}, SortField{.source_id = 5}, SortField{.source_id = 9},
        SortField{.source_id = 1, .transform = {.kind = TransformKind::kDay}}}) {
    const SortOrder order{.order_id = 1, .fields = {field}};
    EXPECT_FALSE(CanSort(schema, order)) << field.source_id;
    EXPECT_EQ(RowOrder::Make(schema, {}, order).error().kind(), ErrorKind::kUnsupported) << field.source_id;
  }
}

}  // namespace
}  // namespace firn::iceberg
