#include "iceberg/manifest_avro.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "iceberg/json_member.h"
#include "iceberg/manifest_list_avro.h"
#include "iceberg/single_value.h"
#include "iceberg/table_update.h"
#include "iceberg/testdata/testdata.h"

namespace firn::iceberg {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr SnapshotId kSnapshot = 77;
constexpr int64_t kSequenceNumber = 9;

/// A table partitioned by the identity of a column of each of `types`.
TableMetadata PartitionedBy(const std::vector<Type>& types, int32_t format_version = 2) {
  NewTable table{.location = "s3://lake/t", .format_version = format_version};
  for (const Type& type : types) {
    const auto id = static_cast<int32_t>(table.schema.fields.size()) + 1;
    table.schema.fields.push_back({.id = id, .name = fmt::format("c{}", id), .type = type});
    table.spec.fields.push_back({.source_id = id, .field_id = 999 + id, .name = fmt::format("p{}", id)});
  }
  return MakeTableMetadata(table, 0).value();
}

DataFile MakeFile(const std::string& path, PartitionValues partition, int64_t rows = 10) {
  return {.file_path = path, .partition = std::move(partition), .record_count = rows, .file_size_in_bytes = rows * 100};
}

ManifestEntry Added(DataFile file) {
  return {.status = EntryStatus::kAdded,
          .snapshot_id = kSnapshot,
          .sequence_number = kSequenceNumber,
          .file_sequence_number = kSequenceNumber,
          .file = std::move(file)};
}

Result<WrittenManifest> Write(const TableMetadata& metadata, const std::vector<ManifestEntry>& entries,
                              bool holds_deletes = false) {
  ManifestWriter writer(metadata, metadata.DefaultSpec(), holds_deletes, kSnapshot, kSequenceNumber);
  for (const ManifestEntry& entry : entries) TRY_VOID(writer.Add(entry));
  TRY(WrittenManifest written, std::move(writer).Finish());
  written.manifest.manifest_path = "s3://lake/t/metadata/m0.avro";
  return written;
}

Result<std::vector<ManifestEntry>> Read(const TableMetadata& metadata, const WrittenManifest& written) {
  return ReadManifest(written.content, written.manifest, PartitionType(metadata, metadata.DefaultSpec()));
}

TEST(ManifestAvro, HasJavasSchema) {
  const Type multi = Type::Struct({{.id = 1000, .name = "ts_day", .type = Type::Primitive(TypeId::kDate)},
                                   {.id = 1001, .name = "id_bucket", .type = Type::Primitive(TypeId::kInt)},
                                   {.id = 1002, .name = "flag", .type = Type::Primitive(TypeId::kBoolean)}});
  EXPECT_EQ(nlohmann::json::parse(ManifestEntryAvroSchema(2, multi)),
            nlohmann::json::parse(ReadTestdata("manifest_v2.avsc")));
  const Type cat = Type::Struct({{.id = 1000, .name = "cat", .type = Type::Primitive(TypeId::kString)}});
  EXPECT_EQ(nlohmann::json::parse(ManifestEntryAvroSchema(3, cat)),
            nlohmann::json::parse(ReadTestdata("manifest_v3.avsc")));
  EXPECT_EQ(nlohmann::json::parse(ManifestFileAvroSchema(2)),
            nlohmann::json::parse(ReadTestdata("manifest_list_v2.avsc")));
  EXPECT_EQ(nlohmann::json::parse(ManifestFileAvroSchema(3)),
            nlohmann::json::parse(ReadTestdata("manifest_list_v3.avsc")));
}

TEST(ManifestAvro, WritesTheTableIntoTheFilesMetadata) {
  const TableMetadata metadata = PartitionedBy({Type::Primitive(TypeId::kInt)});
  auto reader = AvroReader::Open(Write(metadata, {}, true).value().content).value();
  EXPECT_EQ(reader.Metadata("schema"),
            R"({"type":"struct","schema-id":0,"fields":[{"id":1,"name":"c1","required":false,"type":"int"}]})");
  EXPECT_EQ(reader.Metadata("schema-id"), "0");
  EXPECT_EQ(reader.Metadata("partition-spec"),
            R"([{"name":"p1","transform":"identity","source-id":1,"field-id":1000}])");
  EXPECT_EQ(reader.Metadata("partition-spec-id"), "0");
  EXPECT_EQ(reader.Metadata("format-version"), "2");
  EXPECT_EQ(reader.Metadata("content"), "deletes");
}

TEST(ManifestAvro, ReadsEveryFieldThatItWrote) {
  const TableMetadata metadata = PartitionedBy({Type::Primitive(TypeId::kString)}, 3);
  DataFile file = MakeFile("s3://lake/t/data/a.parquet", {"x"});
  file.column_sizes = {{1, 100}, {2, 200}};
  file.value_counts = {{1, 10}};
  file.null_value_counts = {{1, 0}};
  file.nan_value_counts = {{2, 3}};
  file.lower_bounds = {{1, std::string("\0\x01", 2)}};
  file.upper_bounds = {{1, "zz"}};
  file.split_offsets = {4, 100'000'000'000};
  file.sort_order_id = 0;
  file.first_row_id = 12;
  DataFile vector = MakeFile("s3://lake/t/data/b.puffin", {std::monostate()});
  vector.content = FileContent::kPositionDeletes;
  vector.file_format = "PUFFIN";
  vector.referenced_data_file = "s3://lake/t/data/a.parquet";
  vector.content_offset = 4;
  vector.content_size_in_bytes = 44;
  DataFile equality = MakeFile("s3://lake/t/data/c.parquet", {"y"});
  equality.content = FileContent::kEqualityDeletes;
  equality.equality_ids = {1, 2};

  const std::vector<ManifestEntry> data = {Added(file)};
  EXPECT_EQ(Read(metadata, Write(metadata, data).value()).value(), data);
  const std::vector<ManifestEntry> deletes = {Added(vector), Added(equality)};
  EXPECT_EQ(Read(metadata, Write(metadata, deletes, true).value()).value(), deletes);
}

TEST(ManifestAvro, KeepsPartitionValuesOfEveryType) {
  const std::vector<std::pair<Type, Literal>> values = {
      {Type::Primitive(TypeId::kBoolean), true},
      {Type::Primitive(TypeId::kInt), -5},
      {Type::Primitive(TypeId::kLong), int64_t{1} << 40},
      {Type::Primitive(TypeId::kFloat), 1.5f},
      {Type::Primitive(TypeId::kDouble), -2.5},
      {Type::Primitive(TypeId::kDate), 19'000},
      {Type::Primitive(TypeId::kTime), int64_t{86'399'999'999}},
      {Type::Primitive(TypeId::kTimestamp), int64_t{-1}},
      {Type::Primitive(TypeId::kTimestampTz), int64_t{1'700'000'000'000'000}},
      {Type::Primitive(TypeId::kString), "grün"},
      {Type::Primitive(TypeId::kUuid),
       std::string("\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\xFF", 16)},
      {Type::Primitive(TypeId::kUuid), std::string(16, 'u')},
      {Type::Fixed(3), std::string("a\0b", 3)},
      {Type::Primitive(TypeId::kBinary), std::string("\xFF", 1)},
      {Type::Decimal(9, 2), DecimalSingleValue(int64_t{-12345})},
      {Type::Decimal(9, 2), DecimalSingleValue(int64_t{0})},
      {Type::Decimal(38, 0), DecimalSingleValue(int64_t{1} << 62)},
  };
  std::vector<Type> types;
  PartitionValues partition, nulls;
  for (const auto& [type, value] : values) {
    types.push_back(type);
    partition.push_back(value);
    nulls.push_back(std::monostate());
  }
  const TableMetadata metadata = PartitionedBy(types);
  const std::vector<ManifestEntry> entries = {Added(MakeFile("a", partition)), Added(MakeFile("b", nulls))};
  const WrittenManifest written = Write(metadata, entries).value();
  EXPECT_EQ(Read(metadata, written).value(), entries);
  for (size_t i = 0; i < values.size(); ++i) {
    const ManifestFile::FieldSummary& summary = written.manifest.partitions[i];
    EXPECT_TRUE(summary.contains_null);
    EXPECT_EQ(summary.lower_bound, SingleValue(values[i].second)) << i;
    EXPECT_EQ(summary.upper_bound, SingleValue(values[i].second)) << i;
  }
}

TEST(ManifestAvro, SummarizesPartitionsInTheOrderOfTheirType) {
  const TableMetadata metadata = PartitionedBy({Type::Decimal(9, 0), Type::Primitive(TypeId::kDouble)});
  std::vector<ManifestEntry> entries;
  for (int64_t unscaled : {3, -200, 150, -4, 0}) {
    entries.push_back(Added(MakeFile(fmt::format("{}", unscaled), {DecimalSingleValue(unscaled), std::nan("")})));
  }
  entries.push_back(Added(MakeFile("x", {DecimalSingleValue(int64_t{7}), 2.0})));
  const ManifestFile manifest = Write(metadata, entries).value().manifest;
  EXPECT_EQ(manifest.partitions[0].lower_bound, DecimalSingleValue(int64_t{-200}));
  EXPECT_EQ(manifest.partitions[0].upper_bound, DecimalSingleValue(int64_t{150}));
  EXPECT_FALSE(manifest.partitions[0].contains_null);
  EXPECT_EQ(manifest.partitions[0].contains_nan, false);
  EXPECT_EQ(manifest.partitions[1].contains_nan, true);
  EXPECT_EQ(manifest.partitions[1].lower_bound, SingleValue(2.0));
}

TEST(ManifestAvro, SummarizesUuidsInJavasOrder) {
  const TableMetadata metadata = PartitionedBy({Type::Primitive(TypeId::kUuid)});
  const std::string least = "\x80" + std::string(15, '\0');
  const std::string less = std::string(8, '\0') + "\x80" + std::string(7, '\0');
  const std::string more = std::string(16, '\0');
  const std::string greatest = "\x7F" + std::string(15, '\xFF');
  std::vector<ManifestEntry> entries;
  for (const std::string& uuid : {more, greatest, least, less}) entries.push_back(Added(MakeFile("a", {uuid})));
  const ManifestFile manifest = Write(metadata, entries).value().manifest;
  EXPECT_EQ(manifest.partitions[0].lower_bound, least);
  EXPECT_EQ(manifest.partitions[0].upper_bound, greatest);
  EXPECT_TRUE(LiteralLess(Type::Primitive(TypeId::kUuid), less, more));
}

TEST(ManifestAvro, SummarizesZerosOfBothSigns) {
  const TableMetadata metadata = PartitionedBy({Type::Primitive(TypeId::kDouble)});
  const ManifestFile manifest =
      Write(metadata, {Added(MakeFile("a", {0.0})), Added(MakeFile("b", {-0.0}))}).value().manifest;
  EXPECT_EQ(manifest.partitions[0].lower_bound, SingleValue(-0.0));
  EXPECT_EQ(manifest.partitions[0].upper_bound, SingleValue(0.0));
}

TEST(ManifestAvro, SummarizesValuesFromBeforeAndAfterTheirTypeBecameWider) {
  const TableMetadata metadata = PartitionedBy({Type::Primitive(TypeId::kLong), Type::Primitive(TypeId::kDouble)});
  const ManifestFile manifest =
      Write(metadata, {Added(MakeFile("a", {5, 2.5F})), Added(MakeFile("b", {int64_t{3}, 1.5}))}).value().manifest;
  EXPECT_EQ(manifest.partitions[0].lower_bound, SingleValue(int64_t{3}));
  EXPECT_EQ(manifest.partitions[0].upper_bound, SingleValue(int64_t{5}));
  EXPECT_EQ(manifest.partitions[1].lower_bound, SingleValue(1.5));
  EXPECT_EQ(manifest.partitions[1].upper_bound, SingleValue(2.5));
}

TEST(ManifestAvro, RefusesAPartitionValueOfAnotherType) {
  const TableMetadata metadata = PartitionedBy({Type::Primitive(TypeId::kInt)});
  for (const PartitionValues& partition :
       {PartitionValues{"text"}, PartitionValues{int64_t{5}}, PartitionValues{}, PartitionValues{1, 2}}) {
    EXPECT_EQ(Write(metadata, {Added(MakeFile("a", partition))}).error().kind(), ErrorKind::kInternal);
  }
}

TEST(ManifestAvro, EscapesPartitionNamesThatAvroDoesNotTake) {
  NewTable table{.schema = {.fields = {{.id = 1, .name = "9 lives", .type = Type::Primitive(TypeId::kInt)}}},
                 .spec = {.fields = {{.source_id = 1, .field_id = 1000, .name = "9 lives"}}}};
  const TableMetadata metadata = MakeTableMetadata(table, 0).value();
  const std::string text = ManifestEntryAvroSchema(2, PartitionType(metadata, metadata.DefaultSpec()));
  EXPECT_NE(text.find(R"("name":"_9_x20lives")"), std::string::npos);
  EXPECT_NE(text.find(R"("iceberg-field-name":"9 lives")"), std::string::npos);
  const std::vector<ManifestEntry> entries = {Added(MakeFile("a", {3}))};
  EXPECT_EQ(Read(metadata, Write(metadata, entries).value()).value(), entries);
}

TEST(ManifestAvro, InheritsTheSequenceNumberThatItsListGivesToAddedEntries) {
  const TableMetadata metadata = PartitionedBy({});
  ManifestEntry existing = Added(MakeFile("old", {}));
  existing.status = EntryStatus::kExisting;
  existing.snapshot_id = 5;
  existing.sequence_number = 3;
  existing.file_sequence_number = 4;
  ManifestEntry deleted = existing;
  deleted.status = EntryStatus::kDeleted;
  deleted.snapshot_id = kSnapshot;
  deleted.sequence_number = 1;
  deleted.file.file_path = "gone";
  WrittenManifest written = Write(metadata, {existing, deleted, Added(MakeFile("new", {}))}).value();
  EXPECT_EQ(written.manifest.min_sequence_number, 3);  // Of live entries only.
  EXPECT_EQ(written.manifest.added_files_count, 1);
  EXPECT_EQ(written.manifest.existing_files_count, 1);
  EXPECT_EQ(written.manifest.deleted_files_count, 1);
  EXPECT_EQ(written.manifest.deleted_rows_count, 10);

  written.manifest.sequence_number = 12;  // As if the commit had been numbered again.
  const auto entries = Read(metadata, written).value();
  ASSERT_THAT(entries, SizeIs(3));
  EXPECT_EQ(entries[0], existing);
  EXPECT_EQ(entries[1], deleted);
  EXPECT_EQ(entries[2].sequence_number, 12);
  EXPECT_EQ(entries[2].file_sequence_number, 12);
}

TEST(ManifestAvro, InheritsRowIdsInFileOrder) {
  const TableMetadata metadata = PartitionedBy({}, 3);
  ManifestEntry with_id = Added(MakeFile("b", {}));
  with_id.file.first_row_id = 7;
  WrittenManifest written =
      Write(metadata, {Added(MakeFile("a", {}, 10)), with_id, Added(MakeFile("c", {}, 5))}).value();
  written.manifest.first_row_id = 1000;
  const auto entries = Read(metadata, written).value();
  EXPECT_EQ(entries[0].file.first_row_id, 1000);
  EXPECT_EQ(entries[1].file.first_row_id, 7);
  EXPECT_EQ(entries[2].file.first_row_id, 1010);
}

/// As another writer might: other order, fields that firn doesn't know, the union's branches the other way round, int
/// where firn writes long.
TEST(ManifestAvro, ReadsAnotherWritersFieldOrder) {
  constexpr char kOther[] =
      R"({"type":"record","name":"e","fields":[)"
      R"({"name":"file","field-id":2,"type":{"type":"record","name":"f","fields":[)"
      R"({"name":"rows","field-id":103,"type":"int"},)"
      R"({"name":"mystery","type":{"type":"map","values":"double"}},)"
      R"({"name":"path","field-id":100,"type":"string"},)"
      R"({"name":"format","field-id":101,"type":"string"},)"
      R"({"name":"parts","field-id":102,"type":{"type":"record","name":"p","fields":[)"
      R"({"name":"unknown","field-id":1009,"type":["null","string"]},{"name":"p1","field-id":1000,"type":["int","null"]}]}},)"
      R"({"name":"size","field-id":104,"type":"long"}]}},)"
      R"({"name":"seq","field-id":3,"type":["long","null"]},{"name":"status","field-id":0,"type":"int"}]})";
  AvroEncoder encoder;
  encoder.Long(10);  // rows
  encoder.Long(1);   // mystery
  encoder.Bytes("k");
  encoder.Double(1);
  encoder.Long(0);
  encoder.Bytes("s3://lake/x.parquet");
  encoder.Bytes("parquet");
  encoder.NotNull();
  encoder.Bytes("?");
  encoder.Long(0);  // p1: the int branch
  encoder.Long(-3);
  encoder.Long(1000);  // size
  encoder.Long(1);     // seq: null
  encoder.Long(1);     // status
  AvroWriter writer(kOther, {}, BlockCodec::kNone);
  ASSERT_TRUE(writer.Append(encoder.bytes()).has_value());
  const std::string content = std::move(writer).Finish().value();
  const TableMetadata metadata = PartitionedBy({Type::Primitive(TypeId::kInt)});
  ManifestFile manifest{.sequence_number = 4, .added_snapshot_id = 6};
  const auto entries = ReadManifest(content, manifest, PartitionType(metadata, metadata.DefaultSpec())).value();
  EXPECT_THAT(entries, ElementsAre(ManifestEntry{.status = EntryStatus::kAdded,
                                                 .snapshot_id = 6,
                                                 .sequence_number = 4,
                                                 .file_sequence_number = 4,
                                                 .file = MakeFile("s3://lake/x.parquet", {-3})}));
}

TEST(ManifestAvro, SurvivesChangedBytes) {
  const TableMetadata metadata = PartitionedBy({Type::Primitive(TypeId::kString), Type::Decimal(20, 2)}, 3);
  DataFile file = MakeFile("s3://lake/t/data/a.parquet", {"x", DecimalSingleValue(int64_t{-5})});
  file.column_sizes = {{1, 100}, {2, 200}};
  file.lower_bounds = {{1, "a"}};
  file.split_offsets = {4};
  const WrittenManifest written = Write(metadata, {Added(file), Added(file)}).value();
  ManifestFile manifest = written.manifest;
  manifest.first_row_id = 5;
  // The one block again with codec null, so that changes reach the decoder of entries.
  std::string plain = written.content;
  const std::string sync = plain.substr(plain.size() - 16);
  const size_t header_size = plain.find(sync) + sync.size();
  AvroDecoder block(std::string_view(plain).substr(header_size));
  const AvroType number{.kind = AvroKind::kLong}, bytes{.kind = AvroKind::kBytes};
  ASSERT_EQ(block.Long(number), 2);
  const std::string records = Decompress(BlockCodec::kDeflate, block.Bytes(bytes), 1 << 20).value();
  AvroEncoder again;
  again.Long(2);
  again.Bytes(records);
  again.Fixed(sync);
  plain = plain.substr(0, header_size) + again.bytes();
  plain.replace(plain.find("avro.codec"), 18,
                "avro.codeX\x0E"
                "deflate");
  const Type partition_type = PartitionType(metadata, metadata.DefaultSpec());
  ASSERT_TRUE(ReadManifest(plain, manifest, partition_type).has_value());
  std::mt19937 random(3);
  for (int i = 0; i < 1500; ++i) {
    std::string changed = plain;
    for (size_t n = 1 + random() % 3; n > 0; --n) {
      changed[header_size + random() % (changed.size() - header_size)] = static_cast<char>(random());
    }
    (void)ReadManifest(changed, manifest, partition_type);
  }
}

TEST(ManifestListAvro, ReadsEveryFieldThatItWrote) {
  ManifestFile manifest{.manifest_path = "s3://lake/m.avro",
                        .manifest_length = 12345,
                        .partition_spec_id = 2,
                        .holds_deletes = true,
                        .sequence_number = 5,
                        .min_sequence_number = 3,
                        .added_snapshot_id = 8'000'000'000'000'000'000,
                        .added_files_count = 1,
                        .existing_files_count = 2,
                        .deleted_files_count = 3,
                        .added_rows_count = 10,
                        .existing_rows_count = 20,
                        .deleted_rows_count = 30,
                        .partitions = {{.contains_null = true, .contains_nan = false, .lower_bound = "a"}, {}}};
  const Snapshot snapshot{.snapshot_id = 4, .parent_snapshot_id = 3, .sequence_number = 5, .first_row_id = 100};
  EXPECT_THAT(ReadManifestListFile(WriteManifestList(2, snapshot, {manifest, manifest}).value()).value(),
              ElementsAre(manifest, manifest));
  manifest.first_row_id = 100;
  const std::string v3 = WriteManifestList(3, snapshot, {manifest}).value();
  EXPECT_THAT(ReadManifestListFile(v3).value(), ElementsAre(manifest));
  auto reader = AvroReader::Open(v3).value();
  EXPECT_EQ(reader.Metadata("snapshot-id"), "4");
  EXPECT_EQ(reader.Metadata("parent-snapshot-id"), "3");
  EXPECT_EQ(reader.Metadata("sequence-number"), "5");
  EXPECT_EQ(reader.Metadata("format-version"), "3");
  EXPECT_EQ(reader.Metadata("first-row-id"), "100");
}

}  // namespace
}  // namespace firn::iceberg
