#include "iceberg/variant_shredding.h"

#include <arrow/array.h>
#include <arrow/array/builder_binary.h>
#include <arrow/json/from_string.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "iceberg/schema.h"
#include "iceberg/variant_value.h"

namespace firn::iceberg {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

/// Metadata with these names, in this order.
std::string Metadata(const std::vector<std::string>& names) {
  std::string bytes("\x01", 1);
  bytes.push_back(static_cast<char>(names.size()));
  size_t offset = 0;
  bytes.push_back('\0');
  for (const std::string& name : names) bytes.push_back(static_cast<char>(offset += name.size()));
  for (const std::string& name : names) bytes += name;
  return bytes;
}

std::string Int8(int8_t value) {
  std::string bytes;
  AppendVariantPrimitive(VariantPrimitive::kInt8, std::string(1, static_cast<char>(value)), bytes);
  return bytes;
}
std::string String(const std::string& value) {
  std::string bytes;
  AppendVariantPrimitive(VariantPrimitive::kString, value, bytes);
  return bytes;
}
std::string Object(const std::vector<std::pair<uint32_t, std::string>>& fields) {
  std::string bytes;
  AppendVariantObject(fields, bytes);
  return bytes;
}

std::shared_ptr<arrow::Array> Binary(const std::vector<std::optional<std::string>>& values) {
  arrow::BinaryBuilder builder;
  for (const auto& value : values) EXPECT_TRUE((value ? builder.Append(*value) : builder.AppendNull()).ok());
  return builder.Finish().ValueOrDie();
}

std::shared_ptr<arrow::Array> Struct(std::vector<std::pair<std::string, std::shared_ptr<arrow::Array>>> columns) {
  arrow::ArrayVector arrays;
  std::vector<std::string> names;
  for (auto& [name, array] : columns) {
    names.push_back(name);
    arrays.push_back(array);
  }
  return arrow::StructArray::Make(arrays, names).ValueOrDie();
}

/// The values of a variant column, one each row; empty where the row is null.
Result<std::vector<std::string>> Values(const std::shared_ptr<arrow::Array>& column) {
  const auto type = ToArrowType(Type::Primitive(TypeId::kVariant)).value();
  auto assembled = AssembleVariants(column->data(), type);
  if (!assembled) return assembled.error();
  const auto variants = std::static_pointer_cast<arrow::StructArray>(arrow::MakeArray(*assembled));
  EXPECT_TRUE(variants->ValidateFull().ok()) << variants->ValidateFull();
  std::vector<std::string> values;
  for (int64_t i = 0; i < variants->length(); ++i) {
    const auto& value = static_cast<const arrow::BinaryArray&>(*variants->field(1));
    values.push_back(variants->IsNull(i) ? "" : value.GetString(i));
  }
  return values;
}

TEST(VariantValueTest, ReadsWhatItWrites) {
  std::string array;
  AppendVariantArray({Int8(1), String("x"), String(std::string(100, 'y'))}, array);
  const std::string object = Object({{1, array}, {300, Int8(7)}});
  const auto fields = ObjectFields(object).value();
  ASSERT_THAT(fields, ElementsAre(Pair(1, array), Pair(300, Int8(7))));
  const auto items = ArrayItems(fields[0].second).value();
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(PrimitiveBytes(items[1]).value(), "x");
  EXPECT_EQ(PrimitiveBytes(items[2]).value(), std::string(100, 'y'));
  std::vector<std::string> many(300, Int8(3));
  std::string large;
  AppendVariantArray(many, large);
  EXPECT_EQ(ArrayItems(large).value().size(), 300u);
  const std::string metadata = Metadata({"a", "bc"});  // Names are views into it.
  const auto names = VariantNames::Parse(metadata).value();
  EXPECT_EQ(names[1], "bc");
  EXPECT_EQ(names.Find("bc").value(), 1u);
}

TEST(VariantValueTest, RefusesBytesThatEndEarly) {
  std::string array;
  AppendVariantArray({Int8(1), String("x")}, array);
  const std::string object = Object({{0, array}, {1, Int8(7)}});
  for (size_t size = 0; size < object.size(); ++size) {
    EXPECT_EQ(ObjectFields(std::string_view(object).substr(0, size)).error().kind(), ErrorKind::kCorrupt) << size;
  }
  const std::string metadata = Metadata({"a", "bc"});
  for (size_t size = 0; size < metadata.size(); ++size) {
    EXPECT_EQ(VariantNames::Parse(std::string_view(metadata).substr(0, size)).error().kind(), ErrorKind::kCorrupt);
  }
}

TEST(VariantValueTest, FailsOnNoBytesWhatever) {
  uint32_t state = 1;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes;
    for (int i = 0; i < 12; ++i) bytes.push_back(static_cast<char>((state = state * 1664525 + 1013904223) >> 24));
    (void)ObjectFields(bytes);
    (void)ArrayItems(bytes);
    (void)PrimitiveBytes(bytes);
    (void)VariantNames::Parse(bytes);
  }
}

TEST(VariantShreddingTest, KeepsVariantsThatAreNotShredded) {
  const std::string metadata = Metadata({});
  const auto column = Struct({{"metadata", Binary({metadata, metadata})}, {"value", Binary({Int8(1), String("s")})}});
  EXPECT_THAT(Values(column).value(), ElementsAre(Int8(1), String("s")));
  EXPECT_THAT(Values(column->Slice(1)).value(), ElementsAre(String("s")));
}

TEST(VariantShreddingTest, PutsObjectsTogether) {
  const std::string metadata = Metadata({"b", "a", "c"});
  const auto typed = arrow::json::ArrayFromJSONString(arrow::int8(), "[1, null, null, null]").ValueOrDie();
  const auto a = Struct(
      {{"value", Binary({std::nullopt, String("not an int"), std::nullopt, std::nullopt})}, {"typed_value", typed}});
  auto object = std::static_pointer_cast<arrow::StructArray>(Struct({{"a", a}}));
  // The last row is no object: its typed_value is null.
  auto object_data = object->data()->Copy();
  object_data->buffers[0] = arrow::Buffer::FromString(std::string(1, '\x07'));
  object_data->null_count = 1;
  const auto column = Struct(
      {{"metadata", Binary({metadata, metadata, metadata, metadata})},
       {"value", Binary({Object({{0, Int8(9)}}), std::nullopt, Object({{0, Int8(9)}, {2, Int8(8)}}), String("alone")})},
       {"typed_value", arrow::MakeArray(object_data)}});
  const std::vector<std::string> values = Values(column).value();
  EXPECT_THAT(ObjectFields(values[0]).value(), ElementsAre(Pair(1, Int8(1)), Pair(0, Int8(9))));  // By name: a, b.
  EXPECT_THAT(ObjectFields(values[1]).value(), ElementsAre(Pair(1, String("not an int"))));
  EXPECT_THAT(ObjectFields(values[2]).value(), ElementsAre(Pair(0, Int8(9)), Pair(2, Int8(8))));
  EXPECT_EQ(values[3], String("alone"));
}

TEST(VariantShreddingTest, PutsListsTogether) {
  const std::string metadata = Metadata({});
  const auto items =
      Struct({{"value", Binary({std::nullopt, String("x"), std::nullopt})},
              {"typed_value", arrow::json::ArrayFromJSONString(arrow::int32(), "[7, null, null]").ValueOrDie()}});
  const auto offsets = arrow::json::ArrayFromJSONString(arrow::int32(), "[0, 3, 3]").ValueOrDie();
  const auto list = arrow::ListArray::FromArrays(*offsets, *items).ValueOrDie();
  const auto column = Struct({{"metadata", Binary({metadata, metadata})},
                              {"value", Binary({std::nullopt, std::nullopt})},
                              {"typed_value", list}});
  const std::vector<std::string> values = Values(column).value();
  const auto first = ArrayItems(values[0]).value();
  ASSERT_EQ(first.size(), 3u);
  EXPECT_EQ(PrimitiveOfVariant(first[0]).value(), VariantPrimitive::kInt32);
  EXPECT_EQ(first[1], String("x"));
  EXPECT_EQ(PrimitiveOfVariant(first[2]).value(), VariantPrimitive::kNull);
  EXPECT_EQ(ArrayItems(values[1]).value().size(), 0u);
}

TEST(VariantShreddingTest, TellsEachPrimitiveTypeApart) {
  const std::string metadata = Metadata({});
  const std::tuple<std::shared_ptr<arrow::DataType>, const char*, VariantPrimitive> types[] = {
      {arrow::boolean(), "[false]", VariantPrimitive::kFalse},
      {arrow::int16(), "[1]", VariantPrimitive::kInt16},
      {arrow::int64(), "[1]", VariantPrimitive::kInt64},
      {arrow::float32(), "[1]", VariantPrimitive::kFloat},
      {arrow::float64(), "[1]", VariantPrimitive::kDouble},
      {arrow::decimal128(9, 2), R"(["1.25"])", VariantPrimitive::kDecimal4},
      {arrow::decimal128(18, 2), R"(["1.25"])", VariantPrimitive::kDecimal8},
      {arrow::decimal128(38, 2), R"(["1.25"])", VariantPrimitive::kDecimal16},
      {arrow::date32(), "[1]", VariantPrimitive::kDate},
      {arrow::time64(arrow::TimeUnit::MICRO), "[1]", VariantPrimitive::kTime},
      {arrow::timestamp(arrow::TimeUnit::MICRO), "[1]", VariantPrimitive::kTimestamp},
      {arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), "[1]", VariantPrimitive::kTimestampTz},
      {arrow::timestamp(arrow::TimeUnit::NANO), "[1]", VariantPrimitive::kTimestampNs},
      {arrow::timestamp(arrow::TimeUnit::NANO, "UTC"), "[1]", VariantPrimitive::kTimestampTzNs},
      {arrow::binary(), R"(["x"])", VariantPrimitive::kBinary},
      {arrow::fixed_size_binary(16), R"(["0123456789abcdef"])", VariantPrimitive::kUuid},
  };
  for (const auto& [type, json, primitive] : types) {
    const auto typed = arrow::json::ArrayFromJSONString(type, json).ValueOrDie();
    const auto column = Struct({{"metadata", Binary({metadata})}, {"typed_value", typed}});
    EXPECT_EQ(PrimitiveOfVariant(Values(column).value()[0]).value(), primitive) << type->ToString();
  }
}

TEST(VariantShreddingTest, RefusesWhatIsNoVariant) {
  const auto kind = [](const auto& column) { return Values(column).error().kind(); };
  EXPECT_EQ(kind(Binary({"x"})), ErrorKind::kCorrupt);
  EXPECT_EQ(kind(Struct({{"metadata", Binary({"x"})}})), ErrorKind::kCorrupt);
  const auto one = arrow::json::ArrayFromJSONString(arrow::int8(), "[1]").ValueOrDie();
  const auto shredded = [&](std::string metadata, std::optional<std::string> value) {
    return Struct({{"metadata", Binary({std::move(metadata)})},
                   {"value", Binary({std::move(value)})},
                   {"typed_value", Struct({{"a", Struct({{"typed_value", one}})}})}});
  };
  EXPECT_TRUE(Values(shredded(Metadata({"a"}), std::nullopt)).has_value());
  EXPECT_EQ(kind(shredded(Metadata({}), std::nullopt)), ErrorKind::kCorrupt);  // The name is nowhere.
  EXPECT_EQ(kind(shredded(Metadata({"a"}), Int8(1))), ErrorKind::kCorrupt);    // The rest is no object.
  EXPECT_EQ(kind(shredded("", std::nullopt)), ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace firn::iceberg
