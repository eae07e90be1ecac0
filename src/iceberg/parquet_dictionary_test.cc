#include "iceberg/parquet_dictionary.h"

#include <arrow/array.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include <string>

namespace firn::iceberg {
namespace {

std::shared_ptr<arrow::Array> Strings(int rows, int different) {
  arrow::StringBuilder builder;
  for (int i = 0; i < rows; ++i) EXPECT_TRUE(builder.Append("value " + std::to_string(i * 7919LL % different)).ok());
  return builder.Finish().ValueOrDie();
}

std::shared_ptr<arrow::Array> Longs(int64_t first, int rows) {
  arrow::Int64Builder builder;
  for (int i = 0; i < rows; ++i) EXPECT_TRUE(builder.Append(first + i).ok());
  return builder.Finish().ValueOrDie();
}

TEST(WorthDictionaryTest, SaysNoForKeys) {
  EXPECT_FALSE(WorthDictionary({Longs(0, 50'000), Longs(50'000, 50'000)}));
  EXPECT_FALSE(WorthDictionary({Strings(20'000, 20'000)}));
  EXPECT_FALSE(WorthDictionary({Longs(0, 3)}));
}

TEST(WorthDictionaryTest, SaysYesForValuesThatComeAgain) {
  EXPECT_TRUE(WorthDictionary({Strings(20'000, 1'000)}));
  EXPECT_TRUE(WorthDictionary({Longs(0, 4'000), Longs(0, 4'000)}));
}

TEST(WorthDictionaryTest, LooksAtTheRowsOfASliceAlone) {
  EXPECT_TRUE(WorthDictionary({Longs(0, 5'000)->Slice(4'000, 100), Longs(0, 5'000)->Slice(4'000, 100)}));
  EXPECT_FALSE(WorthDictionary({Longs(0, 5'000)->Slice(4'000, 100), Longs(0, 5'000)->Slice(4'100, 100)}));
}

TEST(WorthDictionaryTest, SaysYesWhereItCanNotTell) {
  EXPECT_TRUE(WorthDictionary({arrow::json::ArrayFromJSONString(arrow::int64(), "[null, null]").ValueOrDie()}));
  EXPECT_TRUE(
      WorthDictionary({arrow::json::ArrayFromJSONString(arrow::list(arrow::int64()), "[[1], [2]]").ValueOrDie()}));
  EXPECT_TRUE(WorthDictionary({}));
}

}  // namespace
}  // namespace firn::iceberg
