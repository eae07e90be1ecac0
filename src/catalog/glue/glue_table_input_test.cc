#include "catalog/glue/glue_table_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn::catalog {
namespace {

using iceberg::Type;
using iceberg::TypeId;
using nlohmann::json;
using ::testing::Optional;

iceberg::TableMetadata TwoSchemas() {
  iceberg::TableMetadata metadata;
  metadata.location = "s3://lake/shop.db/orders";
  metadata.schemas = {
      {.schema_id = 0,
       .fields = {{.id = 1, .name = "id", .required = true, .type = Type::Primitive(TypeId::kLong)},
                  {.id = 2, .name = "dropped", .type = Type::Primitive(TypeId::kDate)}}},
      {.schema_id = 1,
       .fields = {{.id = 1, .name = "id", .required = true, .type = Type::Primitive(TypeId::kLong), .doc = "the key"},
                  {.id = 3, .name = "note", .type = Type::Primitive(TypeId::kString)}}}};
  metadata.current_schema_id = 1;
  return metadata;
}

json Column(const std::string& name, const std::string& type, const std::string& id, bool optional, bool current) {
  return {{"Name", name},
          {"Type", type},
          {"Parameters",
           {{"iceberg.field.id", id},
            {"iceberg.field.optional", optional ? "true" : "false"},
            {"iceberg.field.current", current ? "true" : "false"}}}};
}

TEST(GlueTableInputTest, NewTableIsAPointerAndColumns) {
  json id = Column("id", "bigint", "1", false, true);
  id["Comment"] = "the key";
  const json expected = {
      {"Name", "orders"},
      {"TableType", "EXTERNAL_TABLE"},
      {"Parameters", {{"table_type", "ICEBERG"}, {"metadata_location", "s3://lake/m0.json"}}},
      {"StorageDescriptor",
       {{"Location", "s3://lake/shop.db/orders"},
        {"Columns", {id, Column("note", "string", "3", true, true), Column("dropped", "date", "2", true, false)}}}}};
  EXPECT_EQ(MakeTableInput("orders", TwoSchemas(), "s3://lake/m0.json", nullptr), expected);
}

TEST(GlueTableInputTest, ExistingTableKeepsWhatOthersPutThere) {
  const json existing = {
      {"Name", "orders"},
      {"DatabaseName", "shop"},
      {"VersionId", "7"},
      {"Description", "all orders"},
      {"Owner", "sales"},
      {"Parameters", {{"table_type", "ICEBERG"}, {"metadata_location", "s3://lake/m0.json"}, {"team", "sales"}}},
      {"StorageDescriptor",
       {{"Columns", {{{"Name", "note"}, {"Comment", "as typed"}}, {{"Name", "id"}, {"Comment", "an old one"}}}}}}};
  const json input = MakeTableInput("orders", TwoSchemas(), "s3://lake/m1.json", existing);
  EXPECT_EQ(input["Parameters"], (json{{"table_type", "ICEBERG"},
                                       {"metadata_location", "s3://lake/m1.json"},
                                       {"previous_metadata_location", "s3://lake/m0.json"},
                                       {"team", "sales"}}));
  EXPECT_EQ(input["Description"], "all orders");
  EXPECT_EQ(input["Owner"], "sales");
  EXPECT_EQ(input["StorageDescriptor"]["Columns"][0]["Comment"], "the key");
  EXPECT_EQ(input["StorageDescriptor"]["Columns"][1]["Comment"], "as typed");
  EXPECT_FALSE(input.contains("VersionId"));
  EXPECT_FALSE(input.contains("DatabaseName"));
}

TEST(GlueTableInputTest, PropertiesGiveDescriptionAndOtherLocations) {
  iceberg::TableMetadata metadata = TwoSchemas();
  metadata.properties = {{"comment", "mine"}, {"write.data.path", "s3://lake/data"}};
  const json input = MakeTableInput("orders", metadata, "s3://lake/m0.json", {{"Description", "another"}});
  EXPECT_EQ(input["Description"], "mine");
  EXPECT_EQ(input["StorageDescriptor"]["AdditionalLocations"], json::array({"s3://lake/data"}));
}

TEST(GlueTableInputTest, LongCommentsAreCutBetweenCharacters) {
  iceberg::TableMetadata metadata = TwoSchemas();
  metadata.schemas[1].fields[0].doc = std::string(254, 'x') + "ü";
  const json input = MakeTableInput("orders", metadata, "s3://lake/m0.json", nullptr);
  EXPECT_EQ(input["StorageDescriptor"]["Columns"][0]["Comment"], std::string(254, 'x'));
}

TEST(GlueTableInputTest, TypesAreHives) {
  const Type struct_type = Type::Struct({{.id = 5, .name = "a", .type = Type::Primitive(TypeId::kInt)},
                                         {.id = 6, .name = "b", .type = Type::Decimal(10, 2)}});
  EXPECT_EQ(GlueTypeName(Type::Primitive(TypeId::kBoolean)), "boolean");
  EXPECT_EQ(GlueTypeName(Type::Primitive(TypeId::kFloat)), "float");
  EXPECT_EQ(GlueTypeName(Type::Primitive(TypeId::kDouble)), "double");
  EXPECT_EQ(GlueTypeName(Type::Primitive(TypeId::kTime)), "string");
  EXPECT_EQ(GlueTypeName(Type::Primitive(TypeId::kUuid)), "string");
  EXPECT_EQ(GlueTypeName(Type::Primitive(TypeId::kTimestamp)), "timestamp");
  EXPECT_EQ(GlueTypeName(Type::Primitive(TypeId::kTimestampTz)), "timestamp");
  EXPECT_EQ(GlueTypeName(Type::Primitive(TypeId::kTimestampNs)), "timestamp_nano");
  EXPECT_EQ(GlueTypeName(Type::Fixed(4)), "binary");
  EXPECT_EQ(GlueTypeName(Type::Primitive(TypeId::kVariant)), "variant");
  EXPECT_EQ(GlueTypeName(Type::List({.id = 7, .name = "element", .type = struct_type})),
            "array<struct<a:int,b:decimal(10,2)>>");
  EXPECT_EQ(GlueTypeName(Type::Map({.id = 8, .name = "key", .type = Type::Primitive(TypeId::kString)},
                                   {.id = 9, .name = "value", .type = Type::Primitive(TypeId::kDate)})),
            "map<string,date>");
}

TEST(GlueTableInputTest, OnlyIcebergTablesHaveAMetadataLocation) {
  EXPECT_THAT(MetadataLocationOf({{"Parameters", {{"table_type", "iceberg"}, {"metadata_location", "s3://m"}}}}),
              Optional(std::string("s3://m")));
  EXPECT_EQ(MetadataLocationOf({{"Parameters", {{"table_type", "ICEBERG"}}}}), std::nullopt);
  EXPECT_EQ(MetadataLocationOf({{"Parameters", {{"classification", "parquet"}, {"metadata_location", "s3://m"}}}}),
            std::nullopt);
  EXPECT_EQ(MetadataLocationOf({{"Name", "a hive view"}}), std::nullopt);
}

}  // namespace
}  // namespace firn::catalog
