#include "iceberg/table_update.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn::iceberg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr int64_t kNowMs = 1'700'000'000'000;

Schema OneColumn() {
  return {.fields = {{.id = 1, .name = "id", .required = true, .type = Type::Primitive(TypeId::kLong)}},
          .identifier_field_ids = {1}};
}

TableMetadata NewMetadata(int32_t format_version = 2) {
  return MakeTableMetadata({.schema = OneColumn(), .location = "s3://lake/t/", .format_version = format_version},
                           kNowMs)
      .value();
}

Snapshot MakeSnapshot(SnapshotId id, int64_t sequence_number, int64_t timestamp_ms = kNowMs + 10) {
  return {.snapshot_id = id, .sequence_number = sequence_number, .timestamp_ms = timestamp_ms, .manifest_list = "m"};
}

/// After appending snapshots 1, 2, … on main, each in a commit of its own.
TableMetadata WithSnapshots(int count) {
  TableMetadata metadata = NewMetadata();
  for (int i = 1; i <= count; ++i) {
    metadata = ApplyUpdates(metadata, fmt::format("s3://lake/{}.json", i),
                            {AddSnapshot{MakeSnapshot(i, i, kNowMs + i)}, SetSnapshotRef{"main", {.snapshot_id = i}}},
                            kNowMs + i)
                   .value();
  }
  return metadata;
}

TEST(MakeTableMetadata, StartsATableWithNothingInIt) {
  const TableMetadata metadata = NewMetadata();
  EXPECT_THAT(metadata.table_uuid, SizeIs(36));
  EXPECT_EQ(metadata.table_uuid[14], '4');
  EXPECT_NE(metadata.table_uuid, NewMetadata().table_uuid);
  EXPECT_EQ(metadata.location, "s3://lake/t");
  EXPECT_EQ(metadata.last_column_id, 1);
  EXPECT_EQ(metadata.last_partition_id, 999);
  EXPECT_EQ(metadata.CurrentSnapshot(), nullptr);
  EXPECT_EQ(metadata.next_row_id, std::nullopt);
  EXPECT_EQ(NewMetadata(3).next_row_id, 0);
}

TEST(MakeTableMetadata, RefusesAnIdentifierThatTheSpecForbids) {
  Schema schema = OneColumn();
  schema.fields[0].type = Type::Primitive(TypeId::kDouble);
  EXPECT_EQ(MakeTableMetadata({.schema = schema}, kNowMs).error().kind(), ErrorKind::kSchemaMismatch);
  schema = OneColumn();
  schema.fields[0].required = false;
  EXPECT_EQ(MakeTableMetadata({.schema = schema}, kNowMs).error().kind(), ErrorKind::kSchemaMismatch);
}

TEST(CheckRequirements, ComparesWithTheTableAsItIs) {
  const TableMetadata metadata = WithSnapshots(2);
  const std::vector<Requirement> good = {
      AssertTableUuid{metadata.table_uuid}, AssertRefSnapshotId{"main", 2}, AssertRefSnapshotId{"other", std::nullopt},
      AssertLastAssignedFieldId{1},         AssertCurrentSchemaId{0},       AssertDefaultSpecId{0}};
  EXPECT_TRUE(CheckRequirements(&metadata, good).has_value());
  EXPECT_TRUE(CheckRequirements(nullptr, {AssertCreate{}}).has_value());

  const std::vector<Requirement> bad = {AssertCreate{},
                                        AssertTableUuid{"other"},
                                        AssertRefSnapshotId{"main", 1},
                                        AssertRefSnapshotId{"main", std::nullopt},
                                        AssertRefSnapshotId{"other", 1},
                                        AssertLastAssignedFieldId{2},
                                        AssertCurrentSchemaId{1},
                                        AssertDefaultSpecId{1}};
  for (const Requirement& requirement : bad) {
    EXPECT_EQ(CheckRequirements(&metadata, {requirement}).error().kind(), ErrorKind::kConflict);
  }
  EXPECT_EQ(CheckRequirements(nullptr, {AssertTableUuid{"x"}}).error().kind(), ErrorKind::kConflict);
  EXPECT_THAT(CheckRequirements(&metadata, {AssertRefSnapshotId{"main", 1}}).error().message(),
              HasSubstr("the ref \"main\" is snapshot 2 where snapshot 1 was expected"));
}

TEST(ApplyUpdates, AddsASnapshotAndMakesItCurrent) {
  const TableMetadata metadata = WithSnapshots(2);
  EXPECT_EQ(metadata.current_snapshot_id, 2);
  EXPECT_EQ(metadata.last_sequence_number, 2);
  EXPECT_EQ(metadata.last_updated_ms, kNowMs + 2);
  EXPECT_THAT(metadata.snapshot_log, ElementsAre(SnapshotLogEntry{kNowMs + 1, 1}, SnapshotLogEntry{kNowMs + 2, 2}));
  EXPECT_THAT(metadata.metadata_log, ElementsAre(MetadataLogEntry{kNowMs, "s3://lake/1.json"},
                                                 MetadataLogEntry{kNowMs + 1, "s3://lake/2.json"}));
}

TEST(ApplyUpdates, NeverLetsTimeRunBackwards) {
  const TableMetadata metadata = WithSnapshots(1);
  EXPECT_EQ(ApplyUpdates(metadata, "x", {SetProperties{{{"a", "b"}}}}, kNowMs - 5000).value().last_updated_ms,
            kNowMs + 1);
}

TEST(ApplyUpdates, KeepsAsManyPreviousVersionsAsThePropertySays) {
  TableMetadata metadata = NewMetadata();
  metadata.properties["write.metadata.previous-versions-max"] = "2";
  for (int i = 1; i <= 4; ++i) metadata = ApplyUpdates(metadata, fmt::format("v{}", i), {}, kNowMs + i).value();
  EXPECT_THAT(metadata.metadata_log,
              ElementsAre(MetadataLogEntry{kNowMs + 2, "v3"}, MetadataLogEntry{kNowMs + 3, "v4"}));
}

TEST(ApplyUpdates, LogsOnlyTheLastOfSeveralSnapshotsOfOneCommit) {
  auto metadata = ApplyUpdates(NewMetadata(), "v1",
                               {AddSnapshot{MakeSnapshot(1, 1)}, SetSnapshotRef{"main", {.snapshot_id = 1}},
                                AddSnapshot{MakeSnapshot(2, 2)}, SetSnapshotRef{"main", {.snapshot_id = 2}}},
                               kNowMs + 10);
  EXPECT_THAT(metadata.value().snapshot_log, ElementsAre(SnapshotLogEntry{kNowMs + 10, 2}));
}

TEST(ApplyUpdates, RefusesSnapshotsThatDoNotFollow) {
  const TableMetadata metadata = WithSnapshots(2);
  EXPECT_EQ(ApplyUpdates(metadata, "", {AddSnapshot{MakeSnapshot(2, 3)}}, kNowMs).error().kind(), ErrorKind::kCorrupt);
  EXPECT_EQ(ApplyUpdates(metadata, "", {AddSnapshot{MakeSnapshot(3, 2)}}, kNowMs).error().kind(), ErrorKind::kCorrupt);
  EXPECT_EQ(ApplyUpdates(metadata, "", {SetSnapshotRef{"main", {.snapshot_id = 9}}}, kNowMs).error().kind(),
            ErrorKind::kCorrupt);
}

TEST(ApplyUpdates, CountsRowIdsInVersion3) {
  const TableMetadata metadata = NewMetadata(3);
  Snapshot snapshot = MakeSnapshot(1, 1);
  EXPECT_EQ(ApplyUpdates(metadata, "", {AddSnapshot{snapshot}}, kNowMs).error().kind(), ErrorKind::kCorrupt);
  snapshot.first_row_id = 0;
  snapshot.added_rows = 25;
  EXPECT_EQ(ApplyUpdates(metadata, "", {AddSnapshot{snapshot}}, kNowMs).value().next_row_id, 25);
}

TEST(ApplyUpdates, ResolvesMinusOneToWhatWasJustAdded) {
  Schema schema = OneColumn();
  schema.fields.push_back({.id = 2, .name = "v", .type = Type::Primitive(TypeId::kString)});
  const PartitionSpec spec{.fields = {{.source_id = 2, .field_id = 1000, .name = "v"}}};
  const SortOrder order{.fields = {{.source_id = 2}}};
  auto metadata = ApplyUpdates(NewMetadata(), "v1",
                               {AddSchema{schema}, SetCurrentSchema{-1}, AddPartitionSpec{spec}, SetDefaultSpec{-1},
                                AddSortOrder{order}, SetDefaultSortOrder{-1}},
                               kNowMs);
  ASSERT_TRUE(metadata.has_value());
  EXPECT_EQ(metadata->current_schema_id, 1);
  EXPECT_EQ(metadata->last_column_id, 2);
  EXPECT_EQ(metadata->default_spec_id, 1);
  EXPECT_EQ(metadata->last_partition_id, 1000);
  EXPECT_EQ(metadata->default_sort_order_id, 1);
  EXPECT_EQ(ApplyUpdates(NewMetadata(), "", {SetCurrentSchema{-1}}, kNowMs).error().kind(), ErrorKind::kCorrupt);
  EXPECT_EQ(ApplyUpdates(NewMetadata(), "", {SetCurrentSchema{4}}, kNowMs).error().kind(), ErrorKind::kCorrupt);
}

TEST(ApplyUpdates, FindsAnEqualSchemaInsteadOfAddingItAgain) {
  auto metadata = ApplyUpdates(NewMetadata(), "", {AddSchema{OneColumn()}, SetCurrentSchema{-1}}, kNowMs);
  EXPECT_THAT(metadata.value().schemas, SizeIs(1));
  EXPECT_EQ(metadata.value().current_schema_id, 0);
}

TEST(ApplyUpdates, RemovesSnapshotsWithTheirRefsAndTheHistoryBeforeThem) {
  TableMetadata metadata = WithSnapshots(4);
  metadata.refs["tag"] = {.snapshot_id = 2, .is_branch = false};
  auto removed = ApplyUpdates(metadata, "", {RemoveSnapshots{{2}}}, kNowMs).value();
  EXPECT_EQ(removed.FindSnapshot(2), nullptr);
  EXPECT_FALSE(removed.refs.contains("tag"));
  EXPECT_THAT(removed.snapshot_log, ElementsAre(SnapshotLogEntry{kNowMs + 3, 3}, SnapshotLogEntry{kNowMs + 4, 4}));
  EXPECT_EQ(ApplyUpdates(metadata, "", {RemoveSnapshots{{4}}}, kNowMs).error().kind(), ErrorKind::kCorrupt);
}

TEST(ApplyUpdates, RemovesTheStatisticsOfRemovedSnapshots) {
  TableMetadata metadata = WithSnapshots(3);
  metadata.unread_json["statistics"] =
      R"([{"snapshot-id":1,"statistics-path":"a"},{"snapshot-id":3,"statistics-path":"c"}])";
  metadata.unread_json["partition-statistics"] = R"([{"snapshot-id":2,"statistics-path":"b"}])";
  metadata.unread_json["encryption-keys"] = R"([{"snapshot-id":1}])";
  const TableMetadata removed = ApplyUpdates(metadata, "", {RemoveSnapshots{{1, 2}}}, kNowMs).value();
  EXPECT_EQ(removed.unread_json.at("statistics"), R"([{"snapshot-id":3,"statistics-path":"c"}])");
  EXPECT_EQ(removed.unread_json.at("partition-statistics"), "[]");
  EXPECT_EQ(removed.unread_json.at("encryption-keys"), metadata.unread_json.at("encryption-keys"));
  metadata.unread_json["statistics"] = "{}";
  EXPECT_EQ(ApplyUpdates(metadata, "", {RemoveSnapshots{{1}}}, kNowMs).value().unread_json.at("statistics"), "{}");
}

TEST(ApplyUpdates, ChangesPropertiesLocationUuidAndVersion) {
  auto metadata = ApplyUpdates(NewMetadata(), "",
                               {SetProperties{{{"a", "1"}, {"b", "2"}}}, RemoveProperties{{"a", "c"}},
                                SetLocation{"s3://other/"}, AssignUuid{"u"}, UpgradeFormatVersion{3}},
                               kNowMs)
                      .value();
  EXPECT_EQ(metadata.properties, (Properties{{"b", "2"}}));
  EXPECT_EQ(metadata.location, "s3://other");
  EXPECT_EQ(metadata.table_uuid, "u");
  EXPECT_EQ(metadata.next_row_id, 0);
  EXPECT_EQ(ApplyUpdates(metadata, "", {UpgradeFormatVersion{2}}, kNowMs).error().kind(), ErrorKind::kUnsupported);
}

}  // namespace
}  // namespace firn::iceberg
