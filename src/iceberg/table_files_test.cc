#include "iceberg/table_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "iceberg/manifest_avro.h"
#include "iceberg/manifest_list_avro.h"
#include "iceberg/reserved_fields.h"
#include "iceberg/table_update.h"
#include "testing/memory_file_store.h"

namespace firn::iceberg {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

/// A table whose manifests are put together by hand, one entry each, at any sequence number.
class TableFilesTest : public ::testing::Test {
 protected:
  TableFilesTest() {
    NewTable table{.schema = {.fields = {{.id = 1, .name = "c", .type = Type::Primitive(TypeId::kString)}}},
                   .spec = {.fields = {{.source_id = 1, .field_id = 1000, .name = "c"}}},
                   .location = "memory/t"};
    metadata_ = MakeTableMetadata(table, 0).value();
    metadata_.partition_specs.push_back({.spec_id = 1});  // Unpartitioned.
  }

  static DataFile Data(const std::string& path, PartitionValues partition = {"a"}) {
    return {.file_path = path, .partition = std::move(partition), .record_count = 1, .file_size_in_bytes = 1};
  }
  static DataFile PositionDeletes(const std::string& path, PartitionValues partition = {"a"}) {
    DataFile file = Data(path, std::move(partition));
    file.content = FileContent::kPositionDeletes;
    return file;
  }
  static DataFile EqualityDeletes(const std::string& path, PartitionValues partition = {"a"}) {
    DataFile file = Data(path, std::move(partition));
    file.content = FileContent::kEqualityDeletes;
    file.equality_ids = {1};
    return file;
  }
  static DataFile Global(DataFile file) {
    file.partition_spec_id = 1;
    file.partition.clear();
    return file;
  }

  void Add(const DataFile& file, int64_t sequence_number, EntryStatus status = EntryStatus::kAdded) {
    const PartitionSpec& spec = *metadata_.FindSpec(file.partition_spec_id);
    ManifestWriter writer(metadata_, spec, file.content != FileContent::kData, sequence_number, sequence_number);
    ASSERT_TRUE(writer.Add({.status = status, .snapshot_id = 1, .file = file}).has_value());
    WrittenManifest written = std::move(writer).Finish().value();
    written.manifest.manifest_path = fmt::format("memory/t/m{}.avro", manifests_.size());
    ASSERT_TRUE(store_.Write(written.manifest.manifest_path, written.content).has_value());
    manifests_.push_back(written.manifest);
  }

  std::vector<LiveDataFile> Plan() {
    snapshot_.manifest_list = fmt::format("memory/t/list{}.avro", ++lists_);
    EXPECT_TRUE(store_.Write(snapshot_.manifest_list, WriteManifestList(2, snapshot_, manifests_).value()).has_value());
    return PlanFiles(store_, metadata_, &snapshot_, cache_).value();
  }

  static std::vector<std::string> Paths(const std::vector<SharedEntry>& entries) {
    std::vector<std::string> paths;
    for (const SharedEntry& entry : entries) paths.push_back(entry->file.file_path);
    return paths;
  }

  testing::MemoryFileStore store_;
  TableMetadata metadata_;
  Snapshot snapshot_{.snapshot_id = 1, .sequence_number = 1};
  std::vector<ManifestFile> manifests_;
  ManifestCache cache_;
  int lists_ = 0;
};

TEST_F(TableFilesTest, PlansNothingForATableWithoutSnapshot) {
  EXPECT_THAT(PlanFiles(store_, metadata_, nullptr, cache_).value(), IsEmpty());
}

TEST_F(TableFilesTest, PlansLiveFilesOnly) {
  Add(Data("live"), 1);
  Add(Data("gone"), 1, EntryStatus::kDeleted);
  const auto files = Plan();
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].entry.file.file_path, "live");
  EXPECT_EQ(files[0].entry.sequence_number, 1);
}

TEST_F(TableFilesTest, AppliesPositionDeletesToDataOfTheirPartitionUpToTheirSequenceNumber) {
  Add(Data("data"), 3);
  Add(PositionDeletes("older"), 2);
  Add(PositionDeletes("same"), 3);
  Add(PositionDeletes("newer"), 4);
  Add(PositionDeletes("elsewhere", {"b"}), 4);
  Add(PositionDeletes("of the null partition", {std::monostate()}), 4);
  EXPECT_THAT(Paths(Plan()[0].position_deletes), UnorderedElementsAre("same", "newer"));
}

TEST_F(TableFilesTest, AppliesPositionDeletesOfOneDataFileToThatOneOnly) {
  Add(Data("one"), 1);
  Add(Data("two"), 1);
  DataFile referencing = PositionDeletes("referencing");
  referencing.referenced_data_file = "one";
  DataFile bounded = PositionDeletes("bounded");
  bounded.lower_bounds[kDeletePathFieldId] = bounded.upper_bounds[kDeletePathFieldId] = "two";
  DataFile wide = PositionDeletes("wide");
  wide.lower_bounds[kDeletePathFieldId] = "one";
  wide.upper_bounds[kDeletePathFieldId] = "two";
  for (const DataFile& file : {referencing, bounded, wide}) Add(file, 2);
  const auto files = Plan();
  EXPECT_THAT(Paths(files[0].position_deletes), UnorderedElementsAre("referencing", "wide"));
  EXPECT_THAT(Paths(files[1].position_deletes), UnorderedElementsAre("bounded", "wide"));
}

TEST_F(TableFilesTest, AppliesEqualityDeletesToOlderDataOfTheirPartitionOrOfTheTable) {
  Add(Data("data"), 3);
  Add(EqualityDeletes("same"), 3);
  Add(EqualityDeletes("newer"), 4);
  Add(EqualityDeletes("elsewhere", {"b"}), 4);
  Add(Global(EqualityDeletes("global")), 4);
  Add(Global(EqualityDeletes("global, too old")), 3);
  const auto files = Plan();
  EXPECT_THAT(Paths(files[0].equality_deletes), UnorderedElementsAre("newer", "global"));
  EXPECT_THAT(files[0].position_deletes, IsEmpty());
}

TEST_F(TableFilesTest, AppliesEqualityDeletesOfASpecWhoseFieldsWereRemovedToTheWholeTable) {
  metadata_.partition_specs.push_back(
      {.spec_id = 2, .fields = {{.source_id = 1, .field_id = 1000, .name = "c", .transform = {TransformKind::kVoid}}}});
  Add(Data("data"), 1);
  DataFile deletes = EqualityDeletes("of no partition", {std::monostate()});
  deletes.partition_spec_id = 2;
  Add(deletes, 2);
  EXPECT_THAT(Paths(Plan()[0].equality_deletes), ElementsAre("of no partition"));
}

TEST_F(TableFilesTest, PrefersADeletionVectorToPositionDeleteFiles) {
  metadata_.format_version = 3;
  Add(Data("data"), 1);
  Add(PositionDeletes("file"), 2);
  DataFile vector = PositionDeletes("vector");
  vector.file_format = "PUFFIN";
  vector.referenced_data_file = "data";
  Add(vector, 3);
  EXPECT_THAT(Paths(Plan()[0].position_deletes), ElementsAre("vector"));
}

TEST_F(TableFilesTest, ReadsEachManifestOnce) {
  Add(Data("a"), 1);
  Add(Data("b"), 2);
  Plan();
  const int reads = store_.reads();
  PlanFiles(store_, metadata_, &snapshot_, cache_).value();
  EXPECT_EQ(store_.reads(), reads);
}

TEST_F(TableFilesTest, ForgetsTheManifestsUsedLongestAgo) {
  for (const char* path : {"a", "b", "c"}) Add(Data(path), 1);
  ManifestCache small(4);  // Two manifests of one entry.
  const auto read = [&](size_t i) { ASSERT_TRUE(small.Read(store_, metadata_, manifests_[i]).has_value()); };
  read(0);
  read(1);
  read(0);
  read(2);  // 1 goes.
  EXPECT_EQ(store_.reads(), 3);
  read(0);
  read(2);
  EXPECT_EQ(store_.reads(), 3);
  read(1);
  EXPECT_EQ(store_.reads(), 4);
}

TEST_F(TableFilesTest, NamesTheManifestThatIsNone) {
  Add(Data("a"), 1);
  ASSERT_TRUE(store_.Write(manifests_[0].manifest_path, "<html>").has_value());
  auto entries = cache_.Read(store_, metadata_, manifests_[0]);
  EXPECT_EQ(entries.error().kind(), ErrorKind::kCorrupt);
  EXPECT_THAT(entries.error().message(), ::testing::HasSubstr(manifests_[0].manifest_path));
}

}  // namespace
}  // namespace firn::iceberg
