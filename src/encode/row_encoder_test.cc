#include "encode/row_encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <random>

#include "encode/golden_values.h"

namespace firn::encode {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(RowEncoder, DecodesBooleans) {
  ExpectColumn(Scalar(kBool), {{"t", "01"}, {"f", "00"}}, FromJson(arrow::boolean(), "[true, false]"));
  EXPECT_TRUE((*EncodeColumn(Scalar(kBool), {Text("true"), Text("false")}))
                  ->Equals(FromJson(arrow::boolean(), "[true, false]")));
}

TEST(RowEncoder, DecodesIntegers) {
  ExpectColumn(Scalar(kInt2), {{"-32768", "8000"}, {"32767", "7fff"}}, FromJson(arrow::int32(), "[-32768, 32767]"));
  ExpectColumn(Scalar(kInt4), {{"-2147483648", "80000000"}, {"42", "0000002a"}},
               FromJson(arrow::int32(), "[-2147483648, 42]"));
  ExpectColumn(Scalar(kInt8),
               {{"-9223372036854775808", "8000000000000000"}, {"9223372036854775807", "7fffffffffffffff"}},
               FromJson(arrow::int64(), "[-9223372036854775808, 9223372036854775807]"));
  ExpectColumn(Scalar(kOid), {{"4294967295", "ffffffff"}}, FromJson(arrow::int64(), "[4294967295]"));
}

TEST(RowEncoder, DecodesFloats) {
  ExpectColumn(Scalar(kFloat4),
               {{"1.5", "3fc00000"},
                {"-0", "80000000"},
                {"1e-45", "00000001"},
                {"3.4028235e+38", "7f7fffff"},
                {"NaN", "7fc00000"},
                {"-Infinity", "ff800000"}},
               FromJson(arrow::float32(), "[1.5, -0.0, 1e-45, 3.4028235e+38, NaN, -Inf]"));
  ExpectColumn(Scalar(kFloat8),
               {{"0.1", "3fb999999999999a"},
                {"-1e+308", "ffe1ccf385ebc8a0"},
                {"5e-324", "0000000000000001"},
                {"Infinity", "7ff0000000000000"},
                {"NaN", "7ff8000000000000"}},
               FromJson(arrow::float64(), "[0.1, -1e308, 5e-324, Inf, NaN]"));
}

TEST(RowEncoder, DecodesNumericsOfAPrecisionAsDecimals) {
  ExpectColumn(Scalar(kNumeric, NumericModifier(12, 2)),
               {{"0.00", "0000000000000002"},
                {"1.50", "000200000000000200011388"},
                {"-1.50", "000200004000000200011388"},
                {"12345.67", "0003000100000002000109291a2c"},
                {"-99999999.99", "0003000140000002270f270f26ac"}},
               FromJson(arrow::decimal128(12, 2), R"(["0.00", "1.50", "-1.50", "12345.67", "-99999999.99"])"));
}

TEST(RowEncoder, DecodesOtherNumericsAsTheirText) {
  const std::vector<Golden> golden = {{"1.10", "0002000000000002000103e8"},
                                      {"100000000", "00010002000000000001"},
                                      {"NaN", "00000000c0000000"},
                                      {"-Infinity", "00000000f0000020"}};
  const auto expected = FromJson(arrow::utf8(), R"(["1.10", "100000000", "NaN", "-Infinity"])");
  ExpectColumn(Scalar(kNumeric), golden, expected);
  ExpectColumn(Scalar(kNumeric, NumericModifier(39, 2)), golden, expected);
}

TEST(RowEncoder, DecodesTextAsItStands) {
  ExpectColumn(
      Scalar(kText),
      {{"grüße", "6772c3bcc39f65"}, {"", ""}, {"0123456789abcdefXYZ", "3031323334353637383961626364656658595a"}},
      FromJson(arrow::utf8(), R"(["grüße", "", "0123456789abcdefXYZ"])"));
  ExpectColumn(Scalar(kBpchar, 8), {{"ab  ", "61622020"}}, FromJson(arrow::utf8(), R"(["ab  "])"));
  ExpectColumn(Scalar(kName), {{"pg", "7067"}}, FromJson(arrow::utf8(), R"(["pg"])"));
  ExpectColumn(Enum(), {{"very happy", "76657279206861707079"}}, FromJson(arrow::utf8(), R"(["very happy"])"));
}

TEST(RowEncoder, DecodesCharAsPostgreSQL16PrintsIt) {
  ExpectColumn(Scalar(kChar), {{"a", "61"}, {"", "00"}, {"\\301", "c1"}},
               FromJson(arrow::utf8(), R"(["a", "", "\\301"])"));
  EXPECT_TRUE((*EncodeColumn(Scalar(kChar), {Text("\xc1")}))->Equals(FromJson(arrow::utf8(), R"(["\\301"])")));
}

TEST(RowEncoder, DecodesJsonWithoutJsonbsVersionByte) {
  const auto expected = FromJson(arrow::utf8(), R"(["{\"a\": 1}"])");
  ExpectColumn(Scalar(kJson), {{R"({"a": 1})", "7b2261223a20317d"}}, expected);
  ExpectColumn(Scalar(kJsonb), {{R"({"a": 1})", "017b2261223a20317d"}}, expected);
}

TEST(RowEncoder, DecodesBytea) {
  arrow::BinaryBuilder expected;
  ASSERT_TRUE(expected.Append(std::string("\0\xff\\a", 4)).ok());
  const auto array = expected.Finish().ValueOrDie();
  ExpectColumn(Scalar(kBytea), {{"\\x00ff5c61", "00ff5c61"}}, array);
  ExpectColumn(Scalar(kBytea), {{R"(\000\377\\a)", "00ff5c61"}}, array);  // bytea_output = escape
}

TEST(RowEncoder, DecodesUuids) {
  arrow::FixedSizeBinaryBuilder expected(arrow::fixed_size_binary(16));
  ASSERT_TRUE(expected.Append(FromHex("a0eebc999c0b4ef8bb6d6bb9bd380a11")).ok());
  ExpectColumn(Scalar(kUuid), {{"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc999c0b4ef8bb6d6bb9bd380a11"}},
               expected.Finish().ValueOrDie());
}

TEST(RowEncoder, DecodesDatesAndTimes) {
  ExpectColumn(Scalar(kDate), {{"2024-02-29", "00002279"}, {"0044-03-15 BC", "fff49d7b"}},
               FromJson(arrow::date32(), "[19782, -735160]"));
  ExpectColumn(Scalar(kTime), {{"00:00:00", "0000000000000000"}, {"23:59:59.999999", "000000141dd75fff"}},
               FromJson(arrow::time64(arrow::TimeUnit::MICRO), "[0, 86399999999]"));
  ExpectColumn(Scalar(kTimestamp),
               {{"2024-02-29 23:59:59.5", "0002b58cd35c1ee0"}, {"0044-03-15 12:00:00 BC", "ff1af9e8fb46d000"}},
               FromJson(arrow::timestamp(arrow::TimeUnit::MICRO), "[1709251199500000, -63517780800000000]"));
  ExpectColumn(
      Scalar(kTimestampTz),
      {{"2024-03-01 05:29:59.5+05:30", "0002b58cd35c1ee0"}, {"0044-03-15 17:53:28+05:53:28 BC", "ff1af9e8fb46d000"}},
      FromJson(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), "[1709251199500000, -63517780800000000]"));
}

TEST(RowEncoder, DecodesArraysAsLists) {
  const auto expect_lists = [](const SourceColumn& column, const std::vector<Golden>& golden,
                               const std::string& expected) {
    const auto mapping = *MapTable(TableOf({column}));
    const auto type = (*iceberg::ToArrowSchema(mapping.schema))->field(0)->type();
    ExpectColumn(column, golden, FromJson(type, expected));
  };
  expect_lists(ArrayOf(kInt4),
               {{"{1,NULL,-3}", "00000001000000010000001700000003000000010000000400000001ffffffff00000004fffffffd"},
                {"{}", "000000000000000000000017"}},
               "[[1, null, -3], []]");
  expect_lists(
      ArrayOf(kText),
      {{R"({a,"b \"c\\",NULL,"NULL","","x,y"})",
        "0000000100000001000000190000000600000001000000016100000005622022635cffffffff000000044e554c4c00000000000000"
        "03782c79"}},
      R"([["a", "b \"c\\", null, "NULL", "", "x,y"]])");
  expect_lists(ArrayOf(kNumeric, NumericModifier(6, 2)),
               {{"{1.50,NULL}", "0000000100000001000006a400000002000000010000000c000200000000000200011388ffffffff"}},
               R"([["1.50", null]])");
  expect_lists(ArrayOf(kBytea), {{R"({"\\x6162"})", "0000000100000000000000110000000100000001000000026162"}},
               R"([["ab"]])");
  expect_lists(ArrayOf(kBool), {{"{t,f}", "000000010000000000000010000000020000000100000001010000000100"}},
               "[[true, false]]");
  expect_lists(ArrayOf(kTimestamp),
               {{R"({"2024-02-29 23:59:59.5"})", "00000001000000000000045a0000000100000001000000080002b58cd35c1ee0"}},
               "[[1709251199500000]]");
  expect_lists(ArrayOf(kJsonb),
               {{R"({"{\"a\": 1}"})", "000000010000000000000eda000000010000000100000009017b2261223a20317d"}},
               R"([["{\"a\": 1}"]])");
}

TEST(RowEncoder, RefusesArraysThatNoListHolds) {
  const std::string matrix = FromHex(
      "0000000200000000000000170000000200000001000000020000000100000004000000010000000400000002000000040000000300000004"
      "00"
      "000004");
  const std::string from_zero = FromHex("000000010000000000000017000000020000000000000004000000070000000400000008");
  for (const WireValue& value : {Binary(matrix), Text("{{1,2},{3,4}}")}) {
    const auto array = EncodeColumn(ArrayOf(kInt4), {value});
    ASSERT_FALSE(array.has_value());
    EXPECT_EQ(array.error().kind(), ErrorKind::kUnsupported);
    EXPECT_THAT(array.error().message(), AllOf(HasSubstr("public.t, column c"), HasSubstr("more than one dimension"),
                                               HasSubstr("columns: {c: string}")));
  }
  for (const WireValue& value : {Binary(from_zero), Text("[0:1]={7,8}")}) {
    const auto array = EncodeColumn(ArrayOf(kInt4), {value});
    ASSERT_FALSE(array.has_value());
    EXPECT_EQ(array.error().kind(), ErrorKind::kUnsupported);
    EXPECT_THAT(array.error().message(), HasSubstr("does not start at index 1"));
  }
}

TEST(RowEncoder, StoresOtherTypesByTheirTextForm) {
  const auto array = EncodeColumn(Scalar(kInterval), {Text("1 day"), Binary("2 days"), Null()});  // COPY of "c"::text
  ASSERT_TRUE(array.has_value());
  EXPECT_TRUE((*array)->Equals(FromJson(arrow::utf8(), R"(["1 day", "2 days", null])")));
  const std::string interval = FromHex("00000000000000000000000100000000");
  const auto wrong = EncodeColumn(Scalar(kInterval), {Binary(interval)});
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().kind(), ErrorKind::kUnsupported);
  EXPECT_THAT(wrong.error().message(), HasSubstr("binary 'false'"));
}

TEST(RowEncoder, StoresColumnsAsTheConfigurationSays) {
  ExpectColumn(Scalar(kInt4), {{"42", "0000002a"}}, FromJson(arrow::int64(), "[42]"),
               Stored(iceberg::Type::Primitive(iceberg::TypeId::kLong)));
  ExpectColumn(Scalar(kFloat4), {{"1.5", "3fc00000"}}, FromJson(arrow::float64(), "[1.5]"),
               Stored(iceberg::Type::Primitive(iceberg::TypeId::kDouble)));
  ExpectColumn(Scalar(kNumeric), {{"1.5", "000200000000000100011388"}},
               FromJson(arrow::decimal128(38, 9), R"(["1.500000000"])"), Stored(iceberg::Type::Decimal(38, 9)));
  ExpectColumn(ArrayOf(kNumeric),
               {{"{1.5}", "0000000100000000000006a400000001000000010000000c000200000000000100011388"}},
               FromJson(arrow::list(arrow::field("element", arrow::decimal128(38, 9))), R"([["1.500000000"]])"),
               Stored(iceberg::Type::List({.type = iceberg::Type::Decimal(38, 9)})));
}

TEST(RowEncoder, StoresAnyColumnAsItsTextWhereAsked) {
  for (const auto& [column, golden] : std::vector<std::pair<SourceColumn, Golden>>{
           {Scalar(kBool), {"t", "01"}},
           {Scalar(kInt8), {"-9223372036854775808", "8000000000000000"}},
           {Scalar(kFloat8), {"1e+15", "430c6bf526340000"}},
           {Scalar(kNumeric, NumericModifier(4, 1)), {"1.5", "000200000000000100011388"}},
           {Scalar(kDate), {"infinity", "7fffffff"}},
           {Scalar(kTimestampTz), {"2024-02-29 23:59:59.5+00", "0002b58cd35c1ee0"}},
           {Scalar(kUuid), {"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc999c0b4ef8bb6d6bb9bd380a11"}},
           {ArrayOf(kInt4),
            {"[0:1]={7,8}", "000000010000000000000017000000020000000000000004000000070000000400000008"}},
       }) {
    arrow::StringBuilder expected;
    ASSERT_TRUE(expected.Append(golden.text).ok());
    ExpectColumn(column, {golden}, expected.Finish().ValueOrDie(), StoredAsString());
  }
}

TEST(RowEncoder, StoresArraysOfTextFormsAsLists) {
  SourceColumn column = ArrayOf(kInterval);
  const auto list = arrow::list(arrow::field("element", arrow::utf8()));
  // COPY sends the text in a binary field, the stream as text.
  const auto array = EncodeColumn(column, {Binary("{P1D,NULL,\"P1Y 2\"}"), Text("{}"), Null()});
  ASSERT_TRUE(array.has_value()) << array.error().message();
  EXPECT_TRUE((*array)->Equals(FromJson(list, R"([["P1D", null, "P1Y 2"], [], null])")));
  column.element_delimiter = ';';
  EXPECT_TRUE((*EncodeColumn(column, {Text("{(1,1),(0,0);NULL}")}))
                  ->Equals(FromJson(list, R"json([["(1,1),(0,0)", null]])json")));
  const std::string own_form = FromHex("0000000100000000000004a2");
  EXPECT_THAT(EncodeColumn(column, {Binary(own_form)}).error().message(), HasSubstr("binary 'false'"));
}

TEST(RowEncoder, StoresArraysOfEnumsAndDomains) {
  SourceColumn moods = ArrayOf(kMood);
  moods.element_kind = 'e';
  const auto list = [](const std::shared_ptr<arrow::DataType>& type) {
    return arrow::list(arrow::field("element", type));
  };
  ExpectColumn(
      moods,
      {{R"({sad,"so so",NULL})", "00000001000000010000407400000003000000010000000373616400000005736f20736fffffffff"}},
      FromJson(list(arrow::utf8()), R"([["sad", "so so", null]])"));
  SourceColumn domains = ArrayOf(kInt4);
  domains.element_domain_oid = 0x4001;
  ExpectColumn(domains, {{"{1,2}", "000000010000000000004001000000020000000100000004000000010000000400000002"}},
               FromJson(list(arrow::int32()), "[[1, 2]]"));
}

TEST(RowEncoder, StoresJsonAsVariantWhereAsked) {
  const auto variant =
      arrow::struct_({arrow::field("metadata", arrow::binary(), false), arrow::field("value", arrow::binary(), false)});
  const ColumnSettings as_variant = Stored(iceberg::Type::Primitive(iceberg::TypeId::kVariant));
  for (const auto& [oid, prefix] : std::vector<std::pair<TypeOid, std::string>>{{kJson, ""}, {kJsonb, "\1"}}) {
    const std::string binary = prefix + R"({"a": 1})";
    const auto array = EncodeColumn(Scalar(oid), {Binary(binary), Text(R"({"a": 1})"), Null()}, as_variant);
    ASSERT_TRUE(array.has_value()) << array.error().message();
    EXPECT_TRUE((*array)->type()->Equals(variant));
    const auto& values = static_cast<const arrow::StructArray&>(**array);
    const auto& metadata = static_cast<const arrow::BinaryArray&>(*values.field(0));
    const auto& value = static_cast<const arrow::BinaryArray&>(*values.field(1));
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(metadata.GetView(i), FromHex("010100"
                                             "0161"));
      EXPECT_EQ(value.GetView(i), FromHex("02010000020c01"));
    }
    EXPECT_TRUE(values.IsNull(2));
    EXPECT_EQ(EncodeColumn(Scalar(oid), {Text("[1e400]")}, as_variant).error().kind(), ErrorKind::kUnsupported);
  }
}

TEST(RowEncoder, CallsMalformedBytesCorrupt) {
  const std::string three(3, '\0');
  for (TypeOid oid : {kBool, kInt2, kInt4, kInt8, kOid, kFloat4, kFloat8, kNumeric, kUuid, kDate, kTime, kTimestamp,
                      kTimestampTz, kJsonb}) {
    for (const WireValue& value : {Binary(three), Text("?")}) {
      if (value.format == WireFormat::kText && (oid == kNumeric || oid == kJsonb)) continue;  // any text goes
      const auto array = EncodeColumn(Scalar(oid), {value});
      ASSERT_FALSE(array.has_value()) << oid;
      EXPECT_EQ(array.error().kind(), ErrorKind::kCorrupt);
      EXPECT_THAT(array.error().message(), HasSubstr("table public.t, column c: "));
    }
  }
  for (const char* text : {"\\x0", "\\x0g", "\\8", "\\12", "a\\"}) {
    EXPECT_EQ(EncodeColumn(Scalar(kBytea), {Text(text)}).error().kind(), ErrorKind::kCorrupt) << text;
  }
  EXPECT_EQ(EncodeColumn(Scalar(kUuid), {Text("a0eebc99-9c0b-4ef8-bb6d+6bb9bd380a11")}).error().kind(),
            ErrorKind::kCorrupt);
}

TEST(RowEncoder, WantsAsManyValuesAsColumns) {
  auto encoder = EncoderFor(TableOf({Scalar(kInt4), Scalar(kInt4)}));
  const WireValue one[] = {Text("1")};
  const auto status = encoder->AppendRow(one);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().kind(), ErrorKind::kCorrupt);
  EXPECT_THAT(status.error().message(), HasSubstr("a row of 1 values arrived where 2 columns are expected"));
}

TEST(RowEncoder, GivesTheFirstErrorUntilFinishAndIsNewAfterwards) {
  auto encoder = EncoderFor(TableOf({Scalar(kInt4)}));
  const WireValue good[] = {Text("7")};
  const WireValue bad[] = {Text("seven")};
  ASSERT_TRUE(encoder->AppendRow(good).has_value());
  auto first = encoder->AppendRow(bad);
  while (first) first = encoder->AppendRow(good);  // until the chunk is full
  EXPECT_EQ(encoder->AppendRow(good).error().message(), first.error().message());
  EXPECT_EQ(encoder->Finish().error().message(), first.error().message());
  EXPECT_EQ(encoder->rows(), 0);
  ASSERT_TRUE(encoder->AppendRow(good).has_value());
  EXPECT_TRUE(encoder->Finish()->batch->column(0)->Equals(FromJson(arrow::int32(), "[7]")));
}

TEST(RowEncoder, MarksUnchangedValuesByRowAndColumn) {
  const auto table = TableOf({Scalar(kInt4), Scalar(kText), Scalar(kText)});
  auto encoder = EncoderFor(table);
  const WireValue rows[][3] = {
      {Text("1"), Text("a"), Text("b")}, {Text("2"), Unchanged(), Null()}, {Text("3"), Text("c"), Unchanged()}};
  for (const auto& row : rows) ASSERT_TRUE(encoder->AppendRow(row).has_value());
  const auto encoded = encoder->Finish();
  ASSERT_EQ(encoded->unchanged.size(), 2u);
  EXPECT_EQ(encoded->unchanged[0].row, 1);
  EXPECT_EQ(encoded->unchanged[0].column, 1);
  EXPECT_EQ(encoded->unchanged[1].row, 2);
  EXPECT_EQ(encoded->unchanged[1].column, 2);
  EXPECT_TRUE(encoded->batch->column(1)->Equals(FromJson(arrow::utf8(), R"(["a", null, "c"])")));
  EXPECT_TRUE(encoded->batch->column(2)->Equals(FromJson(arrow::utf8(), R"(["b", null, null])")));
}

TEST(RowEncoder, EncodesSomeOfTheColumnsInTheOrderGiven) {
  auto table = TableOf({Scalar(kInt4), Scalar(kText), Scalar(kInt8)});
  table.columns[1].name = "name";
  table.columns[2].name = "big";
  table.key_columns = {0};
  auto encoder = EncoderFor(table, {2, 1});
  const WireValue row[] = {Text("5"), Unchanged()};
  ASSERT_TRUE(encoder->AppendRow(row).has_value());
  const auto encoded = encoder->Finish();
  EXPECT_THAT(encoded->batch->schema()->field_names(), ElementsAre("big", "name"));
  EXPECT_EQ(encoded->unchanged.at(0).column, 1);
  const auto mapping = *MapTable(table);
  EXPECT_EQ(RowEncoder::Make(mapping, {3}).error().kind(), ErrorKind::kInternal);
}

TEST(RowEncoder, MakesAllColumnsNullable) {
  auto table = TableOf({Scalar(kInt4)});
  table.key_columns = {0};
  auto encoder = EncoderFor(table);
  const WireValue row[] = {Null()};
  ASSERT_TRUE(encoder->AppendRow(row).has_value());
  const auto encoded = encoder->Finish();
  EXPECT_TRUE(encoded->batch->schema()->field(0)->nullable());
  EXPECT_TRUE(encoded->batch->ValidateFull().ok());
  EXPECT_NE(encoded->batch->schema()->field(0)->metadata(), nullptr);  // the field id
}

TEST(RowEncoder, GivesAnEmptyBatchForNoRows) {
  auto encoder = EncoderFor(TableOf({Scalar(kInt4), Scalar(kText), ArrayOf(kText), Scalar(kBool), Scalar(kBytea)}));
  const auto encoded = encoder->Finish();
  ASSERT_TRUE(encoded.has_value());
  EXPECT_EQ(encoded->batch->num_rows(), 0);
  EXPECT_TRUE(encoded->batch->ValidateFull().ok());
}

/// Many rows of a table, with values of all sizes, so that chunks end in every way: by rows, by bytes, by a large
/// value.
class LongBatch {
 public:
  explicit LongBatch(uint32_t seed) : random_(seed) {}

  void Append(RowEncoder& encoder) {
    const auto row = static_cast<int64_t>(numbers_.size());
    const unsigned kind = random_() % 1000;
    size_t size = random_() % 40;
    if (kind < 2) size = 64 * 1024 + random_() % 1000;
    if (kind >= 2 && kind < 20) size = random_() % 60'000;
    std::string text(size, static_cast<char>('a' + row % 26));
    const std::string number = std::to_string(row);
    const bool null = random_() % 5 == 0;
    const WireValue values[] = {Text(number), null ? Null() : Binary(text)};
    ASSERT_TRUE(encoder.AppendRow(values).has_value());
    numbers_.push_back(row);
    texts_.push_back(null ? std::nullopt : std::optional(std::move(text)));
  }

  void ExpectIn(const arrow::RecordBatch& batch) const {
    ASSERT_TRUE(batch.ValidateFull().ok());
    ASSERT_EQ(batch.num_rows(), static_cast<int64_t>(numbers_.size()));
    const auto& numbers = static_cast<const arrow::Int64Array&>(*batch.column(0));
    const auto& texts = static_cast<const arrow::StringArray&>(*batch.column(1));
    int64_t nulls = 0;
    for (int64_t row = 0; row < batch.num_rows(); ++row) {
      ASSERT_EQ(numbers.Value(row), row);
      const auto& text = texts_[static_cast<size_t>(row)];
      ASSERT_EQ(texts.IsNull(row), !text.has_value()) << row;
      nulls += text ? 0 : 1;
      ASSERT_EQ(texts.GetView(row), text.value_or("")) << row;
    }
    EXPECT_EQ(texts.null_count(), nulls);
  }

 private:
  std::mt19937 random_;
  std::vector<int64_t> numbers_;
  std::vector<std::optional<std::string>> texts_;
};

TEST(RowEncoder, KeepsEveryRowOfLongBatchesThroughSeveralFinishes) {
  auto encoder = EncoderFor(TableOf({Scalar(kInt8), Scalar(kText)}));
  for (uint32_t seed = 1; seed <= 3; ++seed) {
    LongBatch expected(seed);
    for (int i = 0; i < 6000; ++i) expected.Append(*encoder);
    EXPECT_EQ(encoder->rows(), 6000);
    const auto encoded = encoder->Finish();
    ASSERT_TRUE(encoded.has_value()) << encoded.error().message();
    expected.ExpectIn(*encoded->batch);
  }
}

TEST(RowEncoder, CountsItsMemory) {
  auto encoder = EncoderFor(TableOf({Scalar(kInt8), Scalar(kText)}));
  EXPECT_LT(encoder->bytes(), 1000u);
  const std::string text(1000, 'x');
  const WireValue row[] = {Text("1"), Text(text)};
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(encoder->AppendRow(row).has_value());
  EXPECT_GE(encoder->bytes(), 10'000'000u);
  EXPECT_LE(encoder->bytes(), 25'000'000u);
  ASSERT_TRUE(encoder->Finish().has_value());
  EXPECT_LT(encoder->bytes(), 1000u);
}

// Bytes of any kind must give a value or an error, and never read past their end (the sanitizers watch).
TEST(RowEncoder, SurvivesRandomBytes) {
  std::mt19937 random(7);
  const std::string_view alphabet = "0123456789-:. {}\",\\NaULinfity+BCtxe[]=";
  std::vector<SourceColumn> columns = {Enum(),
                                       Scalar(kNumeric, NumericModifier(38, 10)),
                                       ArrayOf(kNumeric),
                                       ArrayOf(kText),
                                       ArrayOf(kBytea),
                                       ArrayOf(kTimestampTz)};
  for (TypeOid oid : {kBool, kBytea, kChar, kInt8, kInt2, kInt4, kOid, kJsonb, kFloat4, kFloat8, kDate, kTime,
                      kTimestamp, kTimestampTz, kInterval, kNumeric, kUuid}) {
    columns.push_back(Scalar(oid));
  }
  int values = 0;
  for (const SourceColumn& column : columns) {
    for (int i = 0; i < 2000; ++i) {
      std::vector<char> bytes(random() % 40);  // of its exact size, so that a read past the end is seen
      const bool text = random() % 2 == 0;
      for (char& byte : bytes)
        byte = text ? alphabet[random() % alphabet.size()] : static_cast<char>(random() % 3 ? random() % 4 : random());
      if (text && bytes.size() > 2 && column.element_oid != 0 && random() % 2 == 0) {
        bytes.front() = '{';
        bytes.back() = '}';
      }
      const std::string_view view(bytes.data(), bytes.size());
      auto array = EncodeAnything(column, {text ? Text(view) : Binary(view)});
      if (!array) continue;
      EXPECT_TRUE((*array)->Validate().ok()) << (*array)->Validate();
      ++values;
    }
  }
  EXPECT_GT(values, 1000);
}

}  // namespace
}  // namespace firn::encode
