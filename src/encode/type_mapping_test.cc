#include "encode/type_mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "encode/row_encoder.h"

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

TEST(MapTable, StoresArraysOfTypesThatItKnowsByTheirTextFormAsListsOfTexts) {
  SourceColumn boxes = Column("c", 1020, -1, 603);
  boxes.element_delimiter = ';';
  for (const SourceColumn& source : {Column("c", 1187, -1, 1186), boxes}) {
    const ColumnMapping column = MapOne(source);
    EXPECT_EQ(ToString(column.field.type), "list<string>");
    EXPECT_EQ(column.codec, Codec::kTextArray);
    EXPECT_EQ(column.element_codec, Codec::kTextForm);
    EXPECT_EQ(column.element_delimiter, source.element_delimiter);
    EXPECT_FALSE(column.has_binary_decoder);
  }
}

TEST(MapTable, KnowsArraysOfEnumsAndDomains) {
  SourceColumn moods = Column("c", 16501, -1, 16500);
  moods.element_kind = 'e';
  EXPECT_EQ(ToString(MapOne(moods).field.type), "list<string>");
  EXPECT_EQ(MapOne(moods).codec, Codec::kArray);
  EXPECT_EQ(MapOne(moods).element_oid, 16500u);
  SourceColumn prices = Column("c", 16601, NumericModifier(8, 2), 1700);
  prices.element_domain_oid = 16600;
  EXPECT_EQ(ToString(MapOne(prices).field.type), "list<decimal(8,2)>");
  EXPECT_EQ(MapOne(prices).element_oid, 16600u);
}

TEST(MapTable, StoresVectorsByTheirTextForm) {
  for (const auto& [oid, element] : std::vector<std::pair<TypeOid, TypeOid>>{{22, 21}, {30, 26}}) {
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
  EXPECT_THAT(mapping.schema.identifier_field_ids, ElementsAre(1, 3)) << "a set, whatever the key's order";
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

Type Primitive(TypeId id) { return Type::Primitive(id); }

TEST(MapTable, StoresAColumnAsTheConfigurationSays) {
  const auto table = TableOf({Column("a", 23), Column("b", 1700), Column("c", 1184), Column("d", 1007, -1, 23),
                              Column("e", 1186), Column("f", 3802), Column("g", 1231, -1, 1700)});
  const auto mapping = *MapTable(table, {.types = {{"a", Primitive(TypeId::kLong)},
                                                   {"b", Type::Decimal(38, 9)},
                                                   {"c", Primitive(TypeId::kString)},
                                                   {"d", Primitive(TypeId::kString)},
                                                   {"e", Primitive(TypeId::kString)},
                                                   {"f", Primitive(TypeId::kVariant)},
                                                   {"g", Type::List({.type = Type::Decimal(38, 9)})}}});
  EXPECT_EQ(ToString(mapping.columns[0].field.type), "long");
  EXPECT_EQ(mapping.columns[0].codec, Codec::kInt4);
  EXPECT_EQ(ToString(mapping.columns[1].field.type), "decimal(38,9)");
  EXPECT_EQ(mapping.columns[1].codec, Codec::kNumericDecimal);
  EXPECT_EQ(mapping.columns[2].codec, Codec::kTimestampTz);
  EXPECT_TRUE(mapping.columns[2].has_binary_decoder);
  EXPECT_EQ(mapping.columns[3].codec, Codec::kArray);
  EXPECT_FALSE(mapping.columns[4].has_binary_decoder);
  EXPECT_EQ(ToString(mapping.columns[5].field.type), "variant");
  EXPECT_EQ(ToString(mapping.columns[6].field.type), "list<decimal(38,9)>");
  EXPECT_EQ(mapping.columns[6].element_codec, Codec::kNumericDecimal);
  EXPECT_EQ(mapping.schema.HighestFieldId(), 8);
}

TEST(MapTable, RefusesAnOverrideThatCannotBe) {
  const auto table = TableOf({Column("a", 25), Column("j", 199, -1, 114)});
  const auto wrong_type = MapTable(table, {.types = {{"a", Primitive(TypeId::kLong)}}});
  EXPECT_EQ(wrong_type.error().kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(wrong_type.error().message(),
              AllOf(HasSubstr("public.t, column a"), HasSubstr("long"), HasSubstr("stored as string)")));
  const auto variants = MapTable(table, {.types = {{"j", Type::List({.type = Primitive(TypeId::kVariant)})}}});
  EXPECT_EQ(variants.error().kind(), ErrorKind::kInvalidConfig);
  const auto wrong_name = MapTable(table, {.types = {{"b", Primitive(TypeId::kString)}}});
  EXPECT_EQ(wrong_name.error().kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(wrong_name.error().message(), HasSubstr("\"columns\" names b"));
}

TEST(MapTable, GivesColumnsTheirPolicies) {
  const auto table = TableOf({Column("id", 1114), Column("a", 1082), Column("b", 25), Column("c", 1082)}, {0});
  const auto mapping =
      *MapTable(table, {.policy = ValuePolicy::kClamp, .column_policies = {{"c", ValuePolicy::kNull}}});
  EXPECT_EQ(mapping.columns[0].policy, ValuePolicy::kError);  // a key: its rows would become one
  EXPECT_EQ(mapping.columns[1].policy, ValuePolicy::kClamp);
  EXPECT_EQ(mapping.columns[2].policy, ValuePolicy::kError);  // has no such values
  EXPECT_EQ(mapping.columns[3].policy, ValuePolicy::kNull);
}

TEST(MapTable, StoresColumnsThatMayMeetOtherValuesAsStringsByPolicy) {
  const auto table = TableOf({Column("id", 1114), Column("a", 1007, -1, 23), Column("b", 23), Column("c", 1082),
                              Column("d", 1700, NumericModifier(5, 2))},
                             {0});
  const auto mapping = *MapTable(table, {.types = {{"c", Primitive(TypeId::kDate)}}, .policy = ValuePolicy::kString});
  EXPECT_EQ(ToString(mapping.columns[0].field.type), "string");
  EXPECT_EQ(ToString(mapping.columns[1].field.type), "string");
  EXPECT_EQ(ToString(mapping.columns[2].field.type), "int");
  EXPECT_EQ(ToString(mapping.columns[3].field.type), "date");  // named
  EXPECT_EQ(ToString(mapping.columns[4].field.type), "string");
}

TEST(MapTable, RefusesAPolicyThatCannotBe) {
  const auto table = TableOf({Column("id", 1114), Column("a", 1082)}, {0});
  for (const ValuePolicy policy : {ValuePolicy::kClamp, ValuePolicy::kNull}) {
    const auto merged = MapTable(table, {.column_policies = {{"id", policy}}});
    EXPECT_EQ(merged.error().kind(), ErrorKind::kInvalidConfig);
    EXPECT_THAT(merged.error().message(), AllOf(HasSubstr("public.t, column id"), HasSubstr("keys differ")));
  }
  const auto contradiction =
      MapTable(table, {.types = {{"a", Primitive(TypeId::kDate)}}, .column_policies = {{"a", ValuePolicy::kString}}});
  EXPECT_THAT(contradiction.error().message(), HasSubstr("remove one of them"));
  const auto wrong_name = MapTable(table, {.column_policies = {{"b", ValuePolicy::kNull}}});
  EXPECT_THAT(wrong_name.error().message(), HasSubstr("\"unrepresentable_columns\" names b"));
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

TEST(MapTableOnto, StoresAnyColumnInAStringThatIsThere) {
  const iceberg::Schema existing{.fields = {FieldOf(1, "a", Primitive(TypeId::kString))}};
  for (const SourceColumn& column : {Column("a", 1114), Column("a", 1007, -1, 23), Column("a", 1187, -1, 1186),
                                     Column("a", 20), Column("a", 17), Column("a", 1700, NumericModifier(5, 2))}) {
    const auto mapping = MapTableOnto(TableOf({column}), existing, {{1, 1}});
    ASSERT_TRUE(mapping.has_value()) << mapping.error().message();
    EXPECT_TRUE(RowEncoder::Make(*mapping).has_value()) << column.type_oid;
  }
}

TEST(MapTableOnto, FollowsSettings) {
  const iceberg::Schema existing{
      .fields = {FieldOf(1, "a", Type::Decimal(38, 9)), FieldOf(2, "b", Primitive(TypeId::kDate))}};
  const auto table = TableOf({Column("a", 1700), Column("b", 1082)});
  const Attnums attnums = {{1, 1}, {2, 2}};
  EXPECT_FALSE(MapTableOnto(table, existing, attnums).has_value());
  const ColumnSettings decimal = {.types = {{"a", Type::Decimal(38, 9)}}, .policy = ValuePolicy::kNull};
  const auto mapping = MapTableOnto(table, existing, attnums, decimal);
  ASSERT_TRUE(mapping.has_value()) << mapping.error().message();
  EXPECT_EQ(mapping->columns[0].codec, Codec::kNumericDecimal);
  EXPECT_EQ(mapping->columns[0].policy, ValuePolicy::kNull);
  // A table that was made before has the types it was made with, unless the column is named.
  const iceberg::Schema strings{
      .fields = {FieldOf(1, "a", Primitive(TypeId::kString)), FieldOf(2, "b", Primitive(TypeId::kDate))}};
  EXPECT_TRUE(MapTableOnto(table, strings, attnums, {.policy = ValuePolicy::kString}).has_value());
  EXPECT_FALSE(MapTableOnto(table, strings, attnums, decimal).has_value());
  EXPECT_FALSE(MapTableOnto(table, strings, attnums, {.column_policies = {{"b", ValuePolicy::kString}}}).has_value());
}

TEST(MapTableOnto, DecodesEveryTypeIntoAWiderOne) {
  const auto decodes = [](const SourceColumn& column, const Type& type) {
    const iceberg::Schema existing{.fields = {FieldOf(1, "a", type)}};
    const auto mapping = MapTableOnto(TableOf({column}), existing, {{1, 1}});
    return mapping.has_value() && RowEncoder::Make(*mapping).has_value();
  };
  EXPECT_TRUE(decodes(Column("a", 21), Primitive(TypeId::kInt)));
  EXPECT_TRUE(decodes(Column("a", 23), Primitive(TypeId::kLong)));
  EXPECT_TRUE(decodes(Column("a", 700), Primitive(TypeId::kDouble)));
  EXPECT_TRUE(decodes(Column("a", 1700, NumericModifier(10, 2)), Type::Decimal(20, 4)));
  EXPECT_FALSE(decodes(Column("a", 1700, NumericModifier(10, 2)), Type::Decimal(11, 4)));
  EXPECT_TRUE(decodes(Column("a", 1007, -1, 23), Type::List({.type = Primitive(TypeId::kLong)})));
  EXPECT_TRUE(decodes(Column("a", 1007, -1, 23), Type::List({.type = Primitive(TypeId::kString)})));
  EXPECT_TRUE(decodes(Column("a", 3802), Primitive(TypeId::kVariant)));
  EXPECT_FALSE(decodes(Column("a", 25), Primitive(TypeId::kVariant)));
  EXPECT_FALSE(decodes(Column("a", 701), Primitive(TypeId::kFloat)));
}

}  // namespace
}  // namespace firn::encode
