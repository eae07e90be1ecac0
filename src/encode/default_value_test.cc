#include "encode/default_value.h"

#include <gtest/gtest.h>

namespace firn::encode {
namespace {

/// The default's JSON for a column of the type.
std::string Json(TypeOid type, std::string_view text, int32_t modifier = -1) {
  const SourceTable table{
      .name = {"public", "t"},
      .columns = {{.attnum = 1, .name = "c", .type_oid = type, .type_modifier = modifier, .type_name = "its type"}}};
  const auto mapping = MapTable(table).value();
  return DefaultValueJson(table.name, mapping.columns[0], text).value_or("none");
}

TEST(DefaultValue, IsTheSpecsJsonOfEachType) {
  EXPECT_EQ(Json(16, "t"), "true");
  EXPECT_EQ(Json(23, "-7"), "-7");
  EXPECT_EQ(Json(20, "5000000000"), "5000000000");
  EXPECT_EQ(Json(700, "0.1"), "0.1");
  EXPECT_EQ(Json(701, "1.5e+300"), "1.5e+300");
  EXPECT_EQ(Json(1700, "14.2", ((10 << 16) | 2) + 4), "\"14.20\"");
  EXPECT_EQ(Json(25, "it's \"new\"\n"), R"("it's \"new\"\n")");
  EXPECT_EQ(Json(1082, "2017-11-16"), "\"2017-11-16\"");
  EXPECT_EQ(Json(1083, "22:31:08.5"), "\"22:31:08.500000\"");
  EXPECT_EQ(Json(1114, "2017-11-16 22:31:08"), "\"2017-11-16T22:31:08.000000\"");
  EXPECT_EQ(Json(1184, "2017-11-16 22:31:08.25+00"), "\"2017-11-16T22:31:08.250000+00:00\"");
  EXPECT_EQ(Json(2950, "f79c3e09-677c-4bbd-a479-3f349cb785e7"), "\"f79c3e09-677c-4bbd-a479-3f349cb785e7\"");
  EXPECT_EQ(Json(17, "\\x0010ff"), "\"0010ff\"");
}

TEST(DefaultValue, IsNoneForWhatJsonOrTheFieldCantHold) {
  EXPECT_EQ(Json(701, "NaN"), "none");
  EXPECT_EQ(Json(701, "-Infinity"), "none");
  EXPECT_EQ(Json(1114, "infinity"), "none");
  EXPECT_EQ(Json(23, "many"), "none");
  // Readers differ in how they write years that have not four digits.
  EXPECT_EQ(Json(1082, "9999-12-31"), "\"9999-12-31\"");
  EXPECT_EQ(Json(1082, "12024-01-01"), "none");
  EXPECT_EQ(Json(1082, "0001-01-01"), "\"0001-01-01\"");
  EXPECT_EQ(Json(1082, "0044-03-15 BC"), "none");
  EXPECT_EQ(Json(1114, "9999-12-31 23:59:59.999999"), "\"9999-12-31T23:59:59.999999\"");
  EXPECT_EQ(Json(1114, "10000-01-01 00:00:00"), "none");
  EXPECT_EQ(Json(1184, "0044-03-15 00:00:00+00 BC"), "none");
}

}  // namespace
}  // namespace firn::encode
