#include "encode/type_mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn::encode {
namespace {

using iceberg::Field;
using iceberg::Type;
using iceberg::TypeId;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

SourceColumn Column(std::string name, TypeOid oid, int32_t type_modifier = -1, TypeOid element_oid = 0) {
  return {.name = std::move(name),
          .type_oid = oid,
          .type_modifier = type_modifier,
          .type_name = "its type",
          .element_oid = element_oid};
}

SourceTable TableOf(std::vector<SourceColumn> columns, std::vector<int> key_columns = {}) {
  int16_t attnum = 0;
  for (SourceColumn& column : columns) column.attnum = ++attnum;
  return {.name = {"public", "t"}, .columns = std::move(columns), .key_columns = std::move(key_columns)};
}

int32_t NumericModifier(int precision, int scale) { return ((precision << 16) | (scale & 0x7FF)) + 4; }

ColumnMapping MapOne(SourceColumn column) { return MapTable(TableOf({std::move(column)}))->columns.at(0); }

struct Expected {
  TypeOid oid;
  std::string iceberg_type;
  Codec codec;
  bool has_binary_decoder = true;
};

TEST(MapTable, GivesEachTypeItsIcebergType) {
  for (const Expected& expected : std::vector<Expected>{
           {16, "boolean", Codec::kBool},
           {21, "int", Codec::kInt2},
           {23, "int", Codec::kInt4},
           {20, "long", Codec::kInt8},
           {26, "long", Codec::kOid},
           {700, "float", Codec::kFloat4},
           {701, "double", Codec::kFloat8},
           {1700, "string", Codec::kNumericString},
           {790, "string", Codec::kTextForm, false},  // money
           {25, "string", Codec::kText},
           {1043, "string", Codec::kText},
           {1042, "string", Codec::kText},
           {19, "string", Codec::kText},
           {18, "string", Codec::kChar},
           {142, "string", Codec::kText},  // xml
           {17, "binary", Codec::kBytea},
           {2950, "uuid", Codec::kUuid},
           {1082, "date", Codec::kDate},
           {1083, "time", Codec::kTime},
           {1114, "timestamp", Codec::kTimestamp},
           {1184, "timestamptz", Codec::kTimestampTz},
           {114, "string", Codec::kJson},
           {3802, "string", Codec::kJsonb},
           {1186, "string", Codec::kTextForm, false},   // interval
           {1266, "string", Codec::kTextForm, false},   // timetz
           {869, "string", Codec::kTextForm, false},    // inet
           {3904, "string", Codec::kTextForm, false},   // int4range
           {1560, "string", Codec::kTextForm, false},   // bit
           {99999, "string", Codec::kTextForm, false},  // an extension's
       }) {
    const ColumnMapping column = MapOne(Column("c", expected.oid));
    EXPECT_EQ(ToString(column.field.type), expected.iceberg_type) << expected.oid;
    EXPECT_EQ(column.codec, expected.codec) << expected.oid;
    EXPECT_EQ(column.has_binary_decoder, expected.has_binary_decoder) << expected.oid;
  }
}

TEST(MapTable, StoresNumericsAsDecimalsWhereOneHoldsThem) {
  EXPECT_EQ(MapOne(Column("c", 1700, NumericModifier(10, 2))).field.type, Type::Decimal(10, 2));
  EXPECT_EQ(MapOne(Column("c", 1700, NumericModifier(38, 38))).field.type, Type::Decimal(38, 38));
  EXPECT_EQ(MapOne(Column("c", 1700, NumericModifier(1, 0))).field.type, Type::Decimal(1, 0));
  for (const auto& [precision, scale] : std::vector<std::pair<int, int>>{{39, 0}, {5, -2}, {2, 5}, {1000, 1000}}) {
    const ColumnMapping column = MapOne(Column("c", 1700, NumericModifier(precision, scale)));
    EXPECT_EQ(ToString(column.field.type), "string") << precision << ", " << scale;
    EXPECT_EQ(column.codec, Codec::kNumericString);
    EXPECT_TRUE(column.has_binary_decoder);
  }
}

TEST(MapTable, StoresEnumsAsTheirLabels) {
  SourceColumn mood = Column("c", 16500);
  mood.type_kind = 'e';
  EXPECT_EQ(MapOne(mood).codec, Codec::kText);
  EXPECT_TRUE(MapOne(mood).has_binary_decoder);
}

TEST(MapTable, StoresArraysOfKnownTypesAsLists) {
  const ColumnMapping column = MapOne(Column("c", 1231, NumericModifier(6, 2), 1700));
  EXPECT_EQ(ToString(column.field.type), "list<decimal(6,2)>");
  EXPECT_EQ(column.codec, Codec::kArray);
  EXPECT_EQ(column.element_codec, Codec::kNumericDecimal);
  EXPECT_EQ(column.element_oid, 1700u);
  EXPECT_TRUE(column.has_binary_decoder);
  EXPECT_EQ(ToString(MapOne(Column("c", 1009, -1, 25)).field.type), "list<string>");
}

TEST(MapTable, StoresOtherArraysByTheirTextForm) {
  for (const auto& [oid, element] :
       std::vector<std::pair<TypeOid, TypeOid>>{{1187, 1186},
                                                {16501, 16500},
                                                {1020, 603},
                                                {22, 21},
                                                {30, 26}}) {  // int2vector and oidvector are the last two
    const ColumnMapping column = MapOne(Column("c", oid, -1, element));
    EXPECT_EQ(ToString(column.field.type), "string") << oid;
    EXPECT_EQ(column.codec, Codec::kTextForm) << oid;
    EXPECT_FALSE(column.has_binary_decoder) << oid;
  }
}

TEST(MapTable, NumbersTopLevelFieldsBeforeNestedOnes) {
  const auto mapping = *MapTable(TableOf({Column("a", 1007, -1, 23), Column("b", 23), Column("c", 1009, -1, 25)}));
  EXPECT_EQ(mapping.schema.fields[0].id, 1);
  EXPECT_EQ(mapping.schema.fields[1].id, 2);
  EXPECT_EQ(mapping.schema.fields[2].id, 3);
  EXPECT_EQ(mapping.schema.fields[0].type.fields[0].id, 4);
  EXPECT_EQ(mapping.schema.fields[2].type.fields[0].id, 5);
  EXPECT_EQ(mapping.columns[2].field, mapping.schema.fields[2]);
}

TEST(MapTable, RequiresAndIdentifiesKeyColumnsOnly) {
  auto table = TableOf({Column("a", 23), Column("b", 25), Column("c", 20)}, {2, 0});
  table.columns[1].not_null = true;
  const auto mapping = *MapTable(table);
  EXPECT_TRUE(mapping.schema.fields[0].required);
  EXPECT_FALSE(mapping.schema.fields[1].required);
  EXPECT_TRUE(mapping.schema.fields[2].required);
  EXPECT_THAT(mapping.schema.identifier_field_ids, ElementsAre(3, 1));
  EXPECT_THAT(mapping.key_columns, ElementsAre(2, 0));
}

TEST(MapTable, IdentifiesNothingByAKeyWithAFloatOrAList) {
  for (const SourceColumn& column : {Column("f", 701), Column("f", 700), Column("f", 1007, -1, 23)}) {
    const auto mapping = *MapTable(TableOf({Column("a", 23), column}, {0, 1}));
    EXPECT_THAT(mapping.schema.identifier_field_ids, IsEmpty());
    EXPECT_TRUE(mapping.schema.fields[1].required);
    EXPECT_THAT(mapping.key_columns, ElementsAre(0, 1));
  }
}

TEST(MapTable, StreamsBinaryOnlyWhenEveryColumnIsDecodable) {
  EXPECT_TRUE(MapTable(TableOf({Column("a", 23), Column("b", 1700)}))->StreamsBinary());
  EXPECT_FALSE(MapTable(TableOf({Column("a", 23), Column("b", 1186)}))->StreamsBinary());
}

TEST(MapTable, RefusesATableWithoutColumns) {
  const auto mapping = MapTable(TableOf({}));
  EXPECT_EQ(mapping.error().kind(), ErrorKind::kUnsupported);
  EXPECT_THAT(mapping.error().message(), HasSubstr("public.t has no columns"));
}

TEST(MapTable, StoresAColumnAsTheConfigurationSays) {
  const auto table = TableOf({Column("a", 23), Column("b", 1700), Column("c", 1184), Column("d", 1007, -1, 23)});
  const auto mapping = *MapTable(table, {{"a", Type::Primitive(TypeId::kLong)},
                                         {"b", Type::Decimal(38, 9)},
                                         {"c", Type::Primitive(TypeId::kString)},
                                         {"d", Type::Primitive(TypeId::kString)}});
  EXPECT_EQ(ToString(mapping.columns[0].field.type), "long");
  EXPECT_EQ(mapping.columns[0].codec, Codec::kInt4);
  EXPECT_EQ(ToString(mapping.columns[1].field.type), "decimal(38,9)");
  EXPECT_EQ(mapping.columns[1].codec, Codec::kNumericDecimal);
  EXPECT_EQ(mapping.columns[2].codec, Codec::kTextForm);
  EXPECT_FALSE(mapping.columns[2].has_binary_decoder);
  EXPECT_EQ(mapping.columns[3].codec, Codec::kTextForm);
  EXPECT_EQ(mapping.schema.HighestFieldId(), 4);
}

TEST(MapTable, RefusesAnOverrideThatCannotBe) {
  const auto table = TableOf({Column("a", 25)});
  const auto wrong_type = MapTable(table, {{"a", Type::Primitive(TypeId::kLong)}});
  EXPECT_EQ(wrong_type.error().kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(wrong_type.error().message(), AllOf(HasSubstr("public.t, column a"), HasSubstr("long")));
  const auto wrong_name = MapTable(table, {{"b", Type::Primitive(TypeId::kString)}});
  EXPECT_EQ(wrong_name.error().kind(), ErrorKind::kInvalidConfig);
}

using Attnums = std::vector<std::pair<int16_t, iceberg::FieldId>>;

Field FieldOf(iceberg::FieldId id, std::string name, Type type) {
  return {.id = id, .name = std::move(name), .type = std::move(type)};
}

TEST(MapTableOnto, MatchesColumnsByAttnumWhateverTheirNamesAndOrder) {
  const iceberg::Schema existing{.schema_id = 7,
                                 .fields = {FieldOf(12, "_firn_op", Type::Primitive(TypeId::kString)),
                                            FieldOf(5, "old_name", Type::Primitive(TypeId::kString)),
                                            FieldOf(3, "id", Type::Primitive(TypeId::kInt))},
                                 .identifier_field_ids = {3}};
  auto table = TableOf({Column("id", 23), Column("name", 25)}, {0});
  const auto mapping = MapTableOnto(table, existing, {{2, 5}, {1, 3}});
  ASSERT_TRUE(mapping.has_value()) << mapping.error().message();
  EXPECT_EQ(mapping->columns[0].field.id, 3);
  EXPECT_EQ(mapping->columns[1].field.name, "old_name");
  EXPECT_EQ(mapping->columns[1].source_name, "name");
  EXPECT_EQ(mapping->schema.schema_id, 7);
  ASSERT_EQ(mapping->schema.fields.size(), 2u);
  EXPECT_EQ(mapping->schema.fields[1].id, 5);
  EXPECT_THAT(mapping->schema.identifier_field_ids, ElementsAre(3));
}

TEST(MapTableOnto, TakesItsOwnMappingBack) {
  const auto table = TableOf({Column("a", 1231, NumericModifier(6, 2), 1700), Column("b", 20), Column("c", 1186)}, {1});
  const auto made = *MapTable(table);
  const auto again = MapTableOnto(table, made.schema, {{1, 1}, {2, 2}, {3, 3}});
  ASSERT_TRUE(again.has_value()) << again.error().message();
  EXPECT_EQ(again->schema, made.schema);
  EXPECT_EQ(again->columns[0].element_codec, Codec::kNumericDecimal);
}

TEST(MapTableOnto, TakesAFieldThatIsWiderThanItsColumn) {
  const iceberg::Schema existing{.fields = {FieldOf(1, "a", Type::Primitive(TypeId::kLong)),
                                            FieldOf(2, "b", Type::Decimal(20, 2)),
                                            FieldOf(3, "c", Type::Primitive(TypeId::kDouble))}};
  const auto table = TableOf({Column("a", 21), Column("b", 1700, NumericModifier(10, 2)), Column("c", 700)});
  const auto mapping = MapTableOnto(table, existing, {{1, 1}, {2, 2}, {3, 3}});
  ASSERT_TRUE(mapping.has_value()) << mapping.error().message();
  EXPECT_EQ(mapping->columns[1].field.type, Type::Decimal(20, 2));
}

TEST(MapTableOnto, SaysHowSourceAndTargetDiffer) {
  const iceberg::Schema existing{
      .fields = {FieldOf(1, "a", Type::Primitive(TypeId::kInt)), FieldOf(2, "b", Type::Primitive(TypeId::kString))}};
  const auto message = [&](const SourceTable& table, const Attnums& attnums) {
    const auto mapping = MapTableOnto(table, existing, attnums);
    EXPECT_FALSE(mapping.has_value());
    if (mapping) return std::string();
    EXPECT_EQ(mapping.error().kind(), ErrorKind::kSchemaMismatch);
    return mapping.error().message();
  };
  EXPECT_THAT(message(TableOf({Column("a", 20)}), {{1, 1}}),
              AllOf(HasSubstr("column a"), HasSubstr("stored as long"), HasSubstr("field a (1)"), HasSubstr("is int")));
  EXPECT_THAT(message(TableOf({Column("a", 23), Column("new", 25)}), {{1, 1}}),
              HasSubstr("column new (attnum 2) has no field"));
  EXPECT_THAT(message(TableOf({Column("a", 23)}), {{1, 1}, {2, 2}}),
              HasSubstr("field b (2) of the Iceberg table stands for attnum 2"));
  EXPECT_THAT(message(TableOf({Column("a", 23)}), {{1, 9}}), HasSubstr("give it field 9"));
}

TEST(MapTableOnto, FollowsOverrides) {
  const iceberg::Schema existing{.fields = {FieldOf(1, "a", Type::Primitive(TypeId::kString))}};
  const auto table = TableOf({Column("a", 1114)});
  EXPECT_FALSE(MapTableOnto(table, existing, {{1, 1}}).has_value());
  const auto mapping = MapTableOnto(table, existing, {{1, 1}}, {{"a", Type::Primitive(TypeId::kString)}});
  ASSERT_TRUE(mapping.has_value());
  EXPECT_EQ(mapping->columns[0].codec, Codec::kTextForm);
}

}  // namespace
}  // namespace firn::encode
