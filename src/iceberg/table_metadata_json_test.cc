#include "iceberg/table_metadata_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "iceberg/compression.h"
#include "iceberg/json_member.h"
#include "iceberg/testdata/testdata.h"

namespace firn::iceberg {
namespace {

using ::testing::HasSubstr;

constexpr char kSmall[] =
    R"({"format-version":2,"table-uuid":"9c12d441-03fe-4693-9a96-a0705ddf69c1","location":"s3://lake/t",)"
    R"("last-sequence-number":34,"last-updated-ms":1602638573590,"last-column-id":1,"current-schema-id":0,)"
    R"("schemas":[{"type":"struct","schema-id":0,"fields":[{"id":1,"name":"x","required":true,"type":"long"}]}],)"
    R"("default-spec-id":0,"partition-specs":[{"spec-id":0,"fields":[]}],"last-partition-id":999,)"
    R"("default-sort-order-id":0,"sort-orders":[{"order-id":0,"fields":[]}],"properties":{"owner":"ann"},)"
    R"("current-snapshot-id":9055729175972070001,"refs":{"main":{"snapshot-id":9055729175972070001,"type":"branch"},)"
    R"("old":{"snapshot-id":3051729675574597004,"type":"tag","max-ref-age-ms":86400000}},)"
    R"("snapshots":[{"sequence-number":0,"snapshot-id":3051729675574597004,"timestamp-ms":1515100955770,)"
    R"("summary":{"operation":"append"},"manifest-list":"s3://lake/a.avro"},)"
    R"({"sequence-number":34,"snapshot-id":9055729175972070001,"parent-snapshot-id":3051729675574597004,)"
    R"("timestamp-ms":1602638573590,"summary":{"operation":"overwrite","firn.lsn":"0/16B3748"},)"
    R"("manifest-list":"s3://lake/b.avro","schema-id":0}],)"
    R"("statistics":[{"snapshot-id":9055729175972070001,"statistics-path":"s3://lake/s.puffin"}],)"
    R"("snapshot-log":[{"timestamp-ms":1515100955770,"snapshot-id":3051729675574597004},)"
    R"({"timestamp-ms":1602638573590,"snapshot-id":9055729175972070001}],)"
    R"("metadata-log":[{"timestamp-ms":1515100000000,"metadata-file":"s3://lake/v1.json"}]})";

/// kSmall with `member` replaced by `value` (JSON), or without it.
std::string With(const char* member, const char* value) {
  Json json = ParseJson(kSmall).value();
  if (value == nullptr) {
    json.erase(member);
  } else {
    json[member] = ParseJson(value).value();
  }
  return DumpJson(json);
}

TEST(TableMetadataJson, WritesTheTextThatItRead) {
  auto metadata = ParseTableMetadata(kSmall);
  ASSERT_TRUE(metadata.has_value()) << metadata.error().message();
  EXPECT_EQ(metadata->current_snapshot_id, 9055729175972070001);
  EXPECT_EQ(metadata->CurrentSnapshot()->parent_snapshot_id, 3051729675574597004);
  EXPECT_EQ(metadata->refs.at("old").max_ref_age_ms, 86400000);
  EXPECT_FALSE(metadata->refs.at("old").is_branch);
  EXPECT_EQ(TableMetadataToText(*metadata), kSmall);
}

TEST(TableMetadataJson, WritesTheTextOfItsJson) {
  TableMetadata metadata = ParseTableMetadata(kSmall).value();
  const auto expect_same = [](const TableMetadata& written) {
    EXPECT_EQ(TableMetadataToText(written), DumpJson(TableMetadataToJson(written)));
  };
  expect_same(TableMetadata());
  for (const char* name : {"types_v2.metadata.json", "defaults_v3.metadata.json"}) {
    expect_same(ParseTableMetadata(ReadTestdata(name)).value());
  }
  const std::vector<std::string> odd_values = {
      "", "]}", "\"\\\"", "a,\n\t\x01\x7f", "żółw 🐢", "\xC3", "\xED\xA0\x80 \xFF", std::string("\0b", 2)};
  for (const std::string& value : odd_values) {
    metadata.properties["p" + value] = value;
    metadata.metadata_log.push_back({.timestamp_ms = -1, .metadata_file = value});
    metadata.snapshot_log.push_back({.timestamp_ms = -7, .snapshot_id = std::numeric_limits<int64_t>::min()});
    metadata.refs["r" + value] = {.snapshot_id = 1};
    metadata.snapshots.push_back({.snapshot_id = std::numeric_limits<int64_t>::max(),
                                  .timestamp_ms = -5,
                                  .manifest_list = value,
                                  .summary = {{"a" + value, value}, {"operation", value}},
                                  .first_row_id = 0,
                                  .added_rows = 9});
    expect_same(metadata);
  }
  metadata.unread_json["statistics"] = "not JSON";
  expect_same(metadata);
  metadata.unread_json["x,\"żółw"] = R"( {"b": [1, 2.50], "a": "}"} )";
  expect_same(metadata);
  metadata.snapshots = {};
  metadata.snapshot_log.clear();
  metadata.metadata_log.clear();
  metadata.unread_json.clear();
  expect_same(metadata);
}

TEST(TableMetadataJson, WritesASnapshotThatTookTheIdOfAnErasedOne) {
  TableMetadata before = ParseTableMetadata(kSmall).value();
  EXPECT_EQ(TableMetadataToText(before), kSmall);
  TableMetadata after = before;
  EXPECT_EQ(&after.snapshots.front(), &before.snapshots.front());  // Shared, as its text is.
  Snapshot changed = before.snapshots.back();
  changed.summary["note"] = "other";
  after.snapshots.EraseIf([&](const Snapshot& snapshot) { return snapshot.snapshot_id == changed.snapshot_id; });
  after.snapshots.push_back(changed);
  EXPECT_NE(after, before);
  EXPECT_THAT(TableMetadataToText(after), HasSubstr("\"note\":\"other\""));
  EXPECT_EQ(TableMetadataToText(after), DumpJson(TableMetadataToJson(after)));
  EXPECT_EQ(TableMetadataToText(before), kSmall);
}

TEST(TableMetadataJson, KeepsAllOfWhatJavaWrote) {
  for (const char* name : {"types_v2.metadata.json", "defaults_v3.metadata.json"}) {
    const std::string text = ReadTestdata(name);
    auto metadata = ParseTableMetadata(text);
    ASSERT_TRUE(metadata.has_value()) << metadata.error().message();
    // Members of a summary have no order.
    EXPECT_EQ(nlohmann::json::parse(TableMetadataToText(*metadata)), nlohmann::json::parse(text)) << name;
    EXPECT_EQ(ParseTableMetadata(TableMetadataToText(*metadata)).value(), *metadata);
  }
}

TEST(TableMetadataJson, ReadsGzippedText) {
  const std::string gzipped = Compress(BlockCodec::kGzip, kSmall).value();
  EXPECT_EQ(ParseTableMetadata(gzipped).value(), ParseTableMetadata(kSmall).value());
  EXPECT_EQ(ParseTableMetadata(gzipped.substr(0, 40)).error().kind(), ErrorKind::kCorrupt);
}

TEST(TableMetadataJson, HasNoSnapshotWhereTheIdIsMinusOneOrNullOrMissing) {
  for (const char* id : {"-1", "null", static_cast<const char*>(nullptr)}) {
    auto metadata = ParseTableMetadata(With("current-snapshot-id", id));
    ASSERT_TRUE(metadata.has_value());
    EXPECT_EQ(metadata->CurrentSnapshot(), nullptr);
  }
}

TEST(TableMetadataJson, MakesTheMainRefOfTheCurrentSnapshotWhereItIsMissing) {
  auto metadata = ParseTableMetadata(With("refs", nullptr));
  EXPECT_EQ(metadata.value().refs.at("main").snapshot_id, 9055729175972070001);
}

TEST(TableMetadataJson, NamesTheMemberThatIsWrong) {
  const struct {
    const char* member;
    const char* value;
    const char* message;
  } cases[] = {
      {"table-uuid", nullptr, "table-uuid: the member is missing"},
      {"last-column-id", "\"7\"", "last-column-id: expected an integer, found string"},
      {"last-sequence-number", "18446744073709551615", "last-sequence-number: the integer is too large"},
      {"last-sequence-number", "9223372036854775807", "last-sequence-number"},
      {"current-schema-id", "3", "current-schema-id: there is no schema 3"},
      {"default-spec-id", "3", "default-spec-id: there is no partition spec 3"},
      {"default-sort-order-id", "3", "default-sort-order-id: there is no sort order 3"},
      {"current-snapshot-id", "5", "current-snapshot-id: there is no snapshot 5"},
      {"properties", "{\"a\":1}", "properties: a: expected a string, found number"},
      {"snapshots", "[{\"snapshot-id\":1}]", "snapshots[0]: timestamp-ms: the member is missing"},
      {"refs", "{\"main\":{\"snapshot-id\":1,\"type\":\"x\"}}", "refs: main: type: \"x\" is neither branch nor tag"},
      {"schemas", "{}", "schemas: expected an array, found object"},
  };
  for (const auto& c : cases) {
    auto metadata = ParseTableMetadata(With(c.member, c.value));
    ASSERT_FALSE(metadata.has_value()) << c.member;
    EXPECT_EQ(metadata.error().kind(), ErrorKind::kCorrupt) << c.member;
    EXPECT_THAT(metadata.error().message(), HasSubstr(c.message));
  }
}

TEST(TableMetadataJson, RefusesVersionsThatItDoesNotWrite) {
  EXPECT_EQ(ParseTableMetadata(With("format-version", "1")).error().kind(), ErrorKind::kUnsupported);
  EXPECT_EQ(ParseTableMetadata(With("format-version", "4")).error().kind(), ErrorKind::kUnsupported);
}

TEST(TableMetadataJson, SurvivesAnyCutAndAnyChangedByte) {
  const std::string text = kSmall;
  for (size_t size = 0; size < text.size(); size += 3) {
    EXPECT_FALSE(ParseTableMetadata(text.substr(0, size)).has_value());
  }
  for (size_t i = 0; i < text.size(); ++i) {
    for (const char c : {'"', ']', '\xFF'}) {
      std::string changed = text;
      changed[i] = c;
      if (auto metadata = ParseTableMetadata(changed)) TableMetadataToText(*metadata);
    }
  }
}

}  // namespace
}  // namespace firn::iceberg
