#include "iceberg/row_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "iceberg/parquet_test_fixture.h"

namespace firn::iceberg {
namespace {

std::vector<std::string> KeysOf(const arrow::RecordBatch& rows) {
  const RowKeys made = RowKeys::Make(rows).value();
  std::vector<std::string> keys(static_cast<size_t>(rows.num_rows()));
  for (int64_t i = 0; i < rows.num_rows(); ++i) made.KeyOf(i, keys[static_cast<size_t>(i)]);
  return keys;
}

TEST(RowKeysTest, TellsRowsApartThatDifferInAnyColumn) {
  const Schema schema{.fields = {Column(1, "a", TypeId::kString), Column(2, "b", TypeId::kString),
                                 Column(3, "n", TypeId::kInt), Column(4, "flag", TypeId::kBoolean),
                                 Column(5, "dec", Type::Decimal(20, 2)), Column(6, "fx", Type::Fixed(2))}};
  const auto keys = KeysOf(*Rows(schema, R"([["ab", "c", 1, true, "1.00", "xy"], ["a", "bc", 1, true, "1.00", "xy"],
      ["ab", "c", 2, true, "1.00", "xy"], ["ab", "c", null, true, "1.00", "xy"], ["ab", "c", 1, false, "1.00", "xy"],
      ["ab", "c", 1, true, "1.01", "xy"], ["ab", "c", 1, true, "1.00", "xz"], ["", "abc", 1, true, "1.00", "xy"],
      [null, "abc", 1, true, "1.00", "xy"]])"));
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), keys.size());
}

TEST(RowKeysTest, HasNullsAndNansEqual) {
  const Schema schema{.fields = {Column(1, "f", TypeId::kDouble), Column(2, "s", TypeId::kString)}};
  const auto rows = Rows(schema, "[[NaN, null], [NaN, null], [0, null]]");
  const auto keys = KeysOf(*rows);
  EXPECT_EQ(keys[0], keys[1]);
  EXPECT_NE(keys[0], keys[2]);
  EXPECT_EQ(KeysOf(*rows->Slice(1))[1], keys[2]) << "a slice has the same keys";
}

TEST(RowKeysTest, TakesAFieldOfANullStructForNull) {
  const Schema schema{.fields = {Column(1, "s", Type::Struct({Column(2, "x", TypeId::kInt)}))}};
  const auto keys = KeysOf(*Rows(schema, "[[[1]], [[null]], [null]]"));
  EXPECT_NE(keys[0], keys[1]);
  EXPECT_EQ(keys[1], keys[2]);
}

TEST(RowKeysTest, RefusesColumnsThatHaveNoEquality) {
  const Schema schema{.fields = {Column(1, "l", Type::List(Column(2, "element", TypeId::kInt)))}};
  EXPECT_EQ(RowKeys::Make(*Rows(schema, "[[[1]]]")).error().kind(), ErrorKind::kUnsupported);
}

}  // namespace
}  // namespace firn::iceberg
