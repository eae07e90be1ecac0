#include "iceberg/row_bytes.h"

#include <gtest/gtest.h>

#include "iceberg/parquet_test_fixture.h"

namespace firn::iceberg {
namespace {

TEST(RowBytes, CountsEachTypesValues) {
  const Schema schema{
      .fields = {Column(1, "i", TypeId::kInt), Column(2, "b", TypeId::kBoolean), Column(3, "s", TypeId::kString),
                 Column(4, "l", Type::List(Column(5, "element", TypeId::kString))),
                 Column(6, "m", Type::Map(Column(7, "key", TypeId::kString, true), Column(8, "value", TypeId::kInt))),
                 Column(9, "t", Type::Struct({Column(10, "x", TypeId::kLong), Column(11, "y", TypeId::kString)}))}};
  const auto rows = Rows(schema, R"([
      [1, true, "abc", ["a", "bc"], [["k", 1], ["l", 2]], [1, "four"]],
      [2, false, "", [], [], [2, ""]],
      [null, null, null, null, null, null]])");
  // Offsets have 4 bytes; a list has its elements', too.
  EXPECT_EQ(RowBytes(*rows, 0), 4 + 1 + (4 + 3) + (4 + 4 + 1 + 4 + 2) + (4 + 2 * (4 + 1 + 4)) + (8 + 4 + 4));
  EXPECT_EQ(RowBytes(*rows, 1), 4 + 1 + 4 + 4 + 4 + (8 + 4));
  EXPECT_EQ(RowBytes(*rows->Slice(1), 0), RowBytes(*rows, 1));
  EXPECT_EQ(RowBytes(*rows->Slice(1), 1), RowBytes(*rows, 2));
  EXPECT_EQ(ValueBytes(*rows->column_data(2), 0), 7);
}

TEST(RowBytes, OfASliceOfAListAreThoseOfItsRows) {
  const Schema schema{.fields = {Column(1, "l", Type::List(Column(2, "element", TypeId::kInt)))}};
  const auto rows = Rows(schema, "[[[1, 2, 3]], [[4]], [[5, 6]]]");
  EXPECT_EQ(RowBytes(*rows->Slice(1, 1), 0), 4 + 4);
  EXPECT_EQ(RowBytes(*rows->Slice(2, 1), 0), 4 + 8);
}

}  // namespace
}  // namespace firn::iceberg
