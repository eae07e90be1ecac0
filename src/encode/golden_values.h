// For the tests of decoders: columns of each type, and values as PostgreSQL sends them in both forms.
#pragma once

#include <arrow/api.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "encode/row_encoder.h"

namespace firn::encode {

inline constexpr TypeOid kBool = 16, kBytea = 17, kChar = 18, kName = 19, kInt8 = 20, kInt2 = 21, kInt4 = 23,
                         kText = 25, kOid = 26, kJson = 114, kFloat4 = 700, kFloat8 = 701, kBpchar = 1042, kDate = 1082,
                         kTime = 1083, kTimestamp = 1114, kTimestampTz = 1184, kInterval = 1186, kNumeric = 1700,
                         kUuid = 2950, kJsonb = 3802, kMood = 16500;

inline SourceColumn Scalar(TypeOid oid, int32_t type_modifier = -1) {
  return {.attnum = 1, .name = "c", .type_oid = oid, .type_modifier = type_modifier, .type_name = "its type"};
}
inline SourceColumn ArrayOf(TypeOid element_oid, int32_t type_modifier = -1) {
  return {.attnum = 1,
          .name = "c",
          .type_oid = 1,
          .type_modifier = type_modifier,
          .type_name = "its type[]",
          .element_oid = element_oid};
}
inline SourceColumn Enum() {
  return {.attnum = 1, .name = "c", .type_oid = kMood, .type_name = "mood", .type_kind = 'e'};
}
inline int32_t NumericModifier(int precision, int scale) { return ((precision << 16) | (scale & 0x7FF)) + 4; }

inline SourceTable TableOf(std::vector<SourceColumn> columns) {
  int16_t attnum = 0;
  for (SourceColumn& column : columns) column.attnum = ++attnum;
  return {.name = {"public", "t"}, .columns = std::move(columns)};
}

inline std::unique_ptr<RowEncoder> EncoderFor(const SourceTable& table, std::vector<int> columns = {},
                                              const ColumnSettings& settings = {}) {
  auto mapping = MapTable(table, settings);
  EXPECT_TRUE(mapping.has_value()) << mapping.error().message();
  auto encoder = RowEncoder::Make(*mapping, std::move(columns));
  EXPECT_TRUE(encoder.has_value()) << encoder.error().message();
  return std::move(*encoder);
}

inline std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

inline WireValue Binary(std::string_view bytes) {
  return {bytes.data(), static_cast<int32_t>(bytes.size()), WireFormat::kBinary};
}
inline WireValue Text(std::string_view text) {
  return {text.data(), static_cast<int32_t>(text.size()), WireFormat::kText};
}
inline WireValue Unchanged() { return {nullptr, 0, WireFormat::kUnchangedToast}; }
inline WireValue Null() { return {}; }

inline std::shared_ptr<arrow::Array> FromJson(const std::shared_ptr<arrow::DataType>& type, const std::string& json) {
  return arrow::json::ArrayFromJSONString(type, json).ValueOrDie();
}

/// The one column of a batch that these values make, or the error of the first that does not.
inline Result<std::shared_ptr<arrow::Array>> EncodeAnything(const SourceColumn& column,
                                                            const std::vector<WireValue>& values,
                                                            const ColumnSettings& settings = {}) {
  auto encoder = EncoderFor(TableOf({column}), {}, settings);
  for (const WireValue& value : values) {
    if (auto status = encoder->AppendRow({&value, 1}); !status) return status.error();
  }
  auto rows = encoder->Finish();
  if (!rows) return rows.error();
  return rows->batch->column(0);
}

/// The same of values whose text is UTF-8.
inline Result<std::shared_ptr<arrow::Array>> EncodeColumn(const SourceColumn& column,
                                                          const std::vector<WireValue>& values,
                                                          const ColumnSettings& settings = {}) {
  auto array = EncodeAnything(column, values, settings);
  if (!array) return array;
  EXPECT_TRUE((*array)->ValidateFull().ok()) << (*array)->ValidateFull();
  return array;
}

/// A value as PostgreSQL 15 gives it in both forms, by the type's output and send functions.
struct Golden {
  std::string text;
  std::string binary_hex;
};

inline void ExpectColumn(const SourceColumn& column, const std::vector<Golden>& golden,
                         const std::shared_ptr<arrow::Array>& expected, const ColumnSettings& settings = {}) {
  std::vector<std::string> bytes;
  for (const Golden& value : golden) bytes.push_back(FromHex(value.binary_hex));
  std::vector<WireValue> values;
  for (size_t i = 0; i < golden.size(); ++i) values.push_back(Binary(bytes[i]));
  for (size_t i = 0; i < golden.size(); ++i) values.push_back(Text(golden[i].text));
  values.push_back(Null());
  const auto array = EncodeColumn(column, values, settings);
  ASSERT_TRUE(array.has_value()) << array.error().message();
  ASSERT_EQ((*array)->length(), 2 * expected->length() + 1);
  const auto options = arrow::EqualOptions::Defaults().nans_equal(true).signed_zeros_equal(false);
  const auto binary = (*array)->Slice(0, expected->length());
  const auto text = (*array)->Slice(expected->length(), expected->length());
  EXPECT_TRUE(binary->Equals(*expected, options))
      << "binary: " << binary->ToString() << " not " << expected->ToString();
  EXPECT_TRUE(text->Equals(*expected, options)) << "text: " << text->ToString() << " not " << expected->ToString();
  EXPECT_TRUE((*array)->IsNull((*array)->length() - 1));
}

inline ColumnSettings Stored(iceberg::Type type) { return {.types = {{"c", std::move(type)}}}; }
inline ColumnSettings StoredAsString() { return Stored(iceberg::Type::Primitive(iceberg::TypeId::kString)); }

}  // namespace firn::encode
