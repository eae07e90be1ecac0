#include "catalog/rest/rest_json.h"

#include <gmock/gmock.h>

namespace firn::catalog::rest {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Text(const iceberg::Requirement& requirement) { return RequirementToJson(requirement).dump(); }
std::string Text(const iceberg::Update& update) { return UpdateToJson(update).dump(); }

template <typename T>
ErrorKind KindOf(const Result<T>& result) {
  return result.has_value() ? ErrorKind::kInternal : result.error().kind();
}

iceberg::NewTable SomeTable() {
  iceberg::NewTable table;
  table.schema.fields = {
      {.id = 1, .name = "id", .required = true, .type = iceberg::Type::Primitive(iceberg::TypeId::kLong)},
      {.id = 2, .name = "note", .type = iceberg::Type::Primitive(iceberg::TypeId::kString)}};
  return table;
}

TEST(RestJson, RequirementsAreTheSpecs) {
  EXPECT_EQ(Text(iceberg::AssertCreate{}), R"({"type":"assert-create"})");
  EXPECT_EQ(Text(iceberg::AssertTableUuid{"u"}), R"({"type":"assert-table-uuid","uuid":"u"})");
  EXPECT_EQ(Text(iceberg::AssertRefSnapshotId{"main", 7}),
            R"({"type":"assert-ref-snapshot-id","ref":"main","snapshot-id":7})");
  EXPECT_EQ(Text(iceberg::AssertRefSnapshotId{"main", std::nullopt}),
            R"({"type":"assert-ref-snapshot-id","ref":"main","snapshot-id":null})");
  EXPECT_EQ(Text(iceberg::AssertLastAssignedFieldId{3}),
            R"({"type":"assert-last-assigned-field-id","last-assigned-field-id":3})");
  EXPECT_EQ(Text(iceberg::AssertCurrentSchemaId{1}), R"({"type":"assert-current-schema-id","current-schema-id":1})");
  EXPECT_EQ(Text(iceberg::AssertLastAssignedPartitionId{1001}),
            R"({"type":"assert-last-assigned-partition-id","last-assigned-partition-id":1001})");
  EXPECT_EQ(Text(iceberg::AssertDefaultSpecId{0}), R"({"type":"assert-default-spec-id","default-spec-id":0})");
}

TEST(RestJson, UpdatesAreTheSpecs) {
  EXPECT_EQ(Text(iceberg::UpgradeFormatVersion{3}), R"({"action":"upgrade-format-version","format-version":3})");
  EXPECT_THAT(Text(iceberg::AddSchema{SomeTable().schema}),
              AllOf(HasSubstr(R"("action":"add-schema")"), HasSubstr(R"("last-column-id":2)")));
  EXPECT_EQ(Text(iceberg::SetCurrentSchema{-1}), R"({"action":"set-current-schema","schema-id":-1})");
  EXPECT_THAT(Text(iceberg::AddPartitionSpec{}), HasSubstr(R"("action":"add-spec","spec":{)"));
  EXPECT_EQ(Text(iceberg::SetDefaultSpec{-1}), R"({"action":"set-default-spec","spec-id":-1})");
  EXPECT_THAT(Text(iceberg::AddSortOrder{}), HasSubstr(R"("action":"add-sort-order","sort-order":{)"));
  EXPECT_EQ(Text(iceberg::SetDefaultSortOrder{0}), R"({"action":"set-default-sort-order","sort-order-id":0})");
  EXPECT_THAT(Text(iceberg::AddSnapshot{{.snapshot_id = 5, .sequence_number = 2, .manifest_list = "m", .summary = {}}}),
              AllOf(HasSubstr(R"("action":"add-snapshot","snapshot":{"sequence-number":2,"snapshot-id":5)")));
  EXPECT_EQ(Text(iceberg::SetSnapshotRef{"main", {.snapshot_id = 5}}),
            R"({"action":"set-snapshot-ref","ref-name":"main","snapshot-id":5,"type":"branch"})");
  EXPECT_EQ(Text(iceberg::RemoveSnapshots{{1, 2}}), R"({"action":"remove-snapshots","snapshot-ids":[1,2]})");
  EXPECT_EQ(Text(iceberg::RemoveSnapshotRef{"old"}), R"({"action":"remove-snapshot-ref","ref-name":"old"})");
  EXPECT_EQ(Text(iceberg::SetLocation{"s3://b"}), R"({"action":"set-location","location":"s3://b"})");
  EXPECT_EQ(Text(iceberg::SetProperties{{{"a", "b"}}}), R"({"action":"set-properties","updates":{"a":"b"}})");
  EXPECT_EQ(Text(iceberg::RemoveProperties{{"a"}}), R"({"action":"remove-properties","removals":["a"]})");
}

TEST(RestJson, WhatIsAddedHasTheNextIdOrThatOfItsLike) {
  const auto base = iceberg::MakeTableMetadata(SomeTable(), 1);
  ASSERT_TRUE(base.has_value());
  iceberg::Schema other = SomeTable().schema;
  other.fields.pop_back();
  const auto updates = WithIdsOfAdded({iceberg::AddSchema{SomeTable().schema}, iceberg::AddSchema{other},
                                       iceberg::AddPartitionSpec{{.fields = {{.source_id = 1, .field_id = 1000}}}},
                                       iceberg::AddSortOrder{{.fields = {{.source_id = 1}}}}, iceberg::AddSortOrder{}},
                                      *base);
  EXPECT_EQ(std::get<iceberg::AddSchema>(updates[0]).schema.schema_id, 0);
  EXPECT_EQ(std::get<iceberg::AddSchema>(updates[1]).schema.schema_id, 1);
  EXPECT_EQ(std::get<iceberg::AddPartitionSpec>(updates[2]).spec.spec_id, 1);
  EXPECT_EQ(std::get<iceberg::AddSortOrder>(updates[3]).order.order_id, 1);
  EXPECT_EQ(std::get<iceberg::AddSortOrder>(updates[4]).order.order_id, 0);
}

TEST(RestJson, WhatTheTableHadBeforeIsTakenAgainByItsId) {
  const auto made = iceberg::MakeTableMetadata(SomeTable(), 1);
  ASSERT_TRUE(made.has_value());
  const iceberg::Schema first = made->CurrentSchema();
  iceberg::Schema renamed = first;
  renamed.fields[0].name = "other";
  const iceberg::PartitionSpec spec{.fields = {{.source_id = 1, .field_id = 1000, .name = "p"}}};
  const iceberg::SortOrder order{.fields = {{.source_id = 1}}};
  const auto both = [](const iceberg::Schema& schema, const iceberg::PartitionSpec& partitions,
                       const iceberg::SortOrder& sorted) -> std::vector<iceberg::Update> {
    return {iceberg::AddSchema{schema},  iceberg::SetCurrentSchema{-1}, iceberg::AddPartitionSpec{partitions},
            iceberg::SetDefaultSpec{-1}, iceberg::AddSortOrder{sorted}, iceberg::SetDefaultSortOrder{-1}};
  };
  const auto ids_of = [](const std::vector<iceberg::Update>& updates) {
    return std::vector{std::get<iceberg::SetCurrentSchema>(updates[1]).schema_id,
                       std::get<iceberg::SetDefaultSpec>(updates[3]).spec_id,
                       std::get<iceberg::SetDefaultSortOrder>(updates[5]).order_id};
  };
  EXPECT_THAT(ids_of(WithIdsOfAdded(both(renamed, spec, order), *made)), ElementsAre(-1, -1, -1));
  const auto changed = iceberg::ApplyUpdates(*made, "", both(renamed, spec, order), 2);
  ASSERT_TRUE(changed.has_value());
  EXPECT_THAT(ids_of(WithIdsOfAdded(both(first, {}, order), *changed)), ElementsAre(0, 0, 1));
}

TEST(RestJson, TheLastColumnIdNeverGoesBack) {
  auto base = iceberg::MakeTableMetadata(SomeTable(), 1);
  ASSERT_TRUE(base.has_value());
  base->last_column_id = 7;
  const iceberg::CommitRequest request{.table = {{"shop"}, "orders"},
                                       .updates = {iceberg::AddSchema{base->CurrentSchema()}}};
  EXPECT_EQ(CommitRequestToJson(request, &*base).at("updates").at(0).at("last-column-id"), 7);
  EXPECT_EQ(CommitRequestToJson(request, nullptr).at("updates").at(0).at("last-column-id"),
            base->CurrentSchema().HighestFieldId());
}

TEST(RestJson, NewTablesNameTheirFormatVersion) {
  const Json json = NewTableToJson("orders", SomeTable(), false);
  EXPECT_EQ(json.at("name"), "orders");
  EXPECT_EQ(json.at("stage-create"), false);
  EXPECT_EQ(json.at("properties").dump(), R"({"format-version":"2"})");
  EXPECT_FALSE(json.contains("location"));
}

TEST(RestJson, KnowsTheIdsThatServersGive) {
  iceberg::NewTable table = SomeTable();
  EXPECT_TRUE(HasIdsAsServersGiveThem(table));
  table.schema.fields[1].id = 3;
  EXPECT_FALSE(HasIdsAsServersGiveThem(table));
  table = SomeTable();
  table.spec.fields = {{.source_id = 1, .field_id = 1001, .name = "p", .transform = {}}};
  EXPECT_FALSE(HasIdsAsServersGiveThem(table));
}

TEST(RestJson, ReadsTheServersConfiguration) {
  const auto answer = ReadCatalogConfig(R"({"defaults": {"a": "1", "b": null}, "overrides": {"c": true},
    "endpoints": ["GET /v1/x"], "idempotency-key-lifetime": "PT1H"})");
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->defaults, (Settings{{"a", "1"}}));
  EXPECT_EQ(answer->overrides, (Settings{{"c", "true"}}));
  EXPECT_TRUE(answer->endpoints->contains("GET /v1/x"));
  EXPECT_TRUE(answer->takes_idempotency_keys);
  EXPECT_EQ(ReadCatalogConfig("{}")->endpoints, std::nullopt);
}

TEST(RestJson, ReadsPages) {
  const auto page = ReadTables(R"({"identifiers": [{"namespace": ["a", "b"], "name": "t"}], "next-page-token": "x"})");
  ASSERT_TRUE(page.has_value());
  EXPECT_THAT(page->items, ElementsAre(iceberg::TableIdent{{"a", "b"}, "t"}));
  EXPECT_EQ(page->next_page_token, "x");
  EXPECT_EQ(ReadNamespaces(R"({"namespaces": [["a"]], "next-page-token": null})")->next_page_token, "");
}

TEST(RestJson, ReadsErrorsOfBothForms) {
  EXPECT_EQ(ReadError(R"({"error": {"message": "m", "type": "T", "code": 404}})")->type, "T");
  EXPECT_FALSE(ReadError("<html>").has_value());
  EXPECT_EQ(ReadTokenError(R"({"error": "invalid_client", "error_description": "d"})"), "invalid_client: d");
  EXPECT_EQ(ReadTokenError(R"({"error": {"message": "m", "type": "T"}})"), "m");
  EXPECT_EQ(ReadTokenError("no"), "");
}

TEST(RestJson, WhatIsNoAnswerIsCorrupt) {
  for (const std::string text : {"", "null", "[]", "{", R"({"metadata": 1})", R"({"identifiers": [1]})",
                                 R"({"namespaces": [[1]]})", R"({"defaults": 1})", R"({"access_token": 1})"}) {
    EXPECT_EQ(KindOf(ReadTable(text)), ErrorKind::kCorrupt) << text;
    EXPECT_EQ(KindOf(ReadToken(text)), ErrorKind::kCorrupt) << text;
  }
  EXPECT_EQ(KindOf(ReadTables(R"({"identifiers": [1]})")), ErrorKind::kCorrupt);
  EXPECT_EQ(KindOf(ReadNamespaces(R"({"namespaces": [[1]]})")), ErrorKind::kCorrupt);
  EXPECT_EQ(KindOf(ReadCatalogConfig(R"({"defaults": 1})")), ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace firn::catalog::rest
