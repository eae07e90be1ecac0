#include "iceberg/row_delta.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "iceberg/manifest_avro.h"
#include "iceberg/manifest_list_avro.h"
#include "testing/memory_file_store.h"

namespace firn::iceberg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr int64_t kNow = 1'700'000'000'000;
const TableIdent kIdent{{"public"}, "orders"};

/// A table in memory, partitioned by a string or uuid, and its commits.
class RowDeltaTest : public ::testing::Test {
 protected:
  RowDeltaTest() { Make(2); }

  void Make(int32_t format_version, Properties properties = {}, TypeId type = TypeId::kString) {
    NewTable table{.schema = {.fields = {{.id = 1, .name = "c", .type = Type::Primitive(type)}}},
                   .spec = {.fields = {{.source_id = 1, .field_id = 1000, .name = "c"}}},
                   .properties = std::move(properties),
                   .location = "memory/t",
                   .format_version = format_version};
    metadata_ = MakeTableMetadata(table, kNow).value();
  }

  static DataFile Data(const std::string& path, int64_t rows = 10, const std::string& partition = "a") {
    return {.file_path = path, .partition = {partition}, .record_count = rows, .file_size_in_bytes = rows * 100};
  }
  static DataFile Deletes(const std::string& path, const std::string& data_file, int64_t rows = 1) {
    DataFile file = Data(path, rows);
    file.content = FileContent::kPositionDeletes;
    file.referenced_data_file = data_file;
    return file;
  }
  static DataFile Vector(const std::string& path, const std::string& data_file, int64_t rows = 1) {
    DataFile file = Deletes(path, data_file, rows);
    file.file_format = "PUFFIN";
    file.content_offset = 4;
    file.content_size_in_bytes = 40;
    return file;
  }

  Result<CommitRequest> Build(const RowDelta& delta) {
    return BuildRowDelta(store_, kIdent, metadata_, delta, cache_, ++now_ms_);
  }

  /// Builds and commits; the snapshot that is current then.
  Snapshot Commit(const RowDelta& delta) {
    auto request = Build(delta);
    EXPECT_TRUE(request.has_value()) << request.error().message();
    if (!request.has_value()) return {};
    EXPECT_TRUE(CheckRequirements(&metadata_, request->requirements).has_value());
    metadata_ = ApplyUpdates(metadata_, "", request->updates, now_ms_).value();
    return *metadata_.CurrentSnapshot();
  }

  /// Another writer's snapshot, which adds data or delete files in one manifest and replaces none.
  void AddElsewhere(const std::vector<DataFile>& files) {
    const bool holds_deletes = files.front().content != FileContent::kData;
    Snapshot snapshot{.snapshot_id = 4711,
                      .parent_snapshot_id = metadata_.current_snapshot_id,
                      .sequence_number = metadata_.last_sequence_number + 1,
                      .timestamp_ms = ++now_ms_,
                      .manifest_list = "memory/t/metadata/elsewhere-list.avro"};
    ManifestWriter writer(metadata_, metadata_.DefaultSpec(), holds_deletes, snapshot.snapshot_id,
                          snapshot.sequence_number);
    for (const DataFile& file : files) {
      ASSERT_TRUE(writer.Add({.snapshot_id = snapshot.snapshot_id, .file = file}));
    }
    WrittenManifest written = std::move(writer).Finish().value();
    written.manifest.manifest_path = "memory/t/metadata/elsewhere.avro";
    ASSERT_TRUE(store_.Write(written.manifest.manifest_path, written.content));
    std::vector<ManifestFile> list = metadata_.CurrentSnapshot() != nullptr ? Manifests() : std::vector<ManifestFile>();
    list.push_back(written.manifest);
    const std::string content = WriteManifestList(metadata_.format_version, snapshot, list).value();
    ASSERT_TRUE(store_.Write(snapshot.manifest_list, content));
    const std::vector<Update> updates{AddSnapshot{snapshot}, SetSnapshotRef{"main", {.snapshot_id = 4711}}};
    metadata_ = ApplyUpdates(metadata_, "", updates, now_ms_).value();
  }

  /// The table as its files have it: nothing comes from the cache that commits use.
  std::vector<LiveDataFile> Plan() {
    ManifestCache cold;
    return PlanFiles(store_, metadata_, metadata_.CurrentSnapshot(), cold).value();
  }

  /// Each live data file and its delete files.
  std::map<std::string, std::vector<std::string>> Files() {
    std::map<std::string, std::vector<std::string>> files;
    for (const LiveDataFile& file : Plan()) {
      auto& deletes = files[file.entry.file.file_path];
      for (const SharedEntry& entry : file.position_deletes) deletes.push_back(entry->file.file_path);
    }
    return files;
  }

  std::vector<ManifestFile> Manifests() { return ReadManifestList(store_, *metadata_.CurrentSnapshot()).value(); }

  /// The paths of the live files of each manifest of the current snapshot. Their uuids lie within the manifest's bounds
  /// whether these are ordered as bytes or as Java does.
  std::vector<std::vector<std::string>> FilesByManifest() {
    std::vector<std::vector<std::string>> files;
    ManifestCache cold;
    for (const ManifestFile& manifest : Manifests()) {
      std::vector<std::string>& paths = files.emplace_back();
      const auto entries = cold.Read(store_, metadata_, manifest).value();
      for (const ManifestEntry& entry : *entries) {
        if (entry.status == EntryStatus::kDeleted) continue;
        paths.push_back(entry.file.file_path);
        const auto* uuid = std::get_if<std::string>(&entry.file.partition.front());
        if (uuid == nullptr) continue;
        const std::string& least = manifest.partitions.front().lower_bound.value();
        const std::string& greatest = manifest.partitions.front().upper_bound.value();
        EXPECT_LE(least, *uuid);
        EXPECT_LE(*uuid, greatest);
        EXPECT_FALSE(LiteralLess(Type::Primitive(TypeId::kUuid), *uuid, least));
        EXPECT_FALSE(LiteralLess(Type::Primitive(TypeId::kUuid), greatest, *uuid));
      }
    }
    return files;
  }

  /// The entries that the current snapshot's own manifests mark as `status`, by path.
  std::vector<std::string> EntriesOfThisSnapshot(EntryStatus status) {
    std::vector<std::string> paths;
    ManifestCache cold;
    for (const ManifestFile& manifest : Manifests()) {
      if (manifest.added_snapshot_id != metadata_.current_snapshot_id) continue;
      const auto entries = cold.Read(store_, metadata_, manifest).value();
      for (const ManifestEntry& entry : *entries) {
        if (entry.status == status) paths.push_back(entry.file.file_path);
      }
    }
    return paths;
  }

  testing::MemoryFileStore store_;
  TableMetadata metadata_;
  ManifestCache cache_;
  int64_t now_ms_ = kNow;
};

TEST_F(RowDeltaTest, AppendsFiles) {
  const Snapshot snapshot = Commit(
      {.added_data_files = {Data("1"), Data("2", 5, "b")}, .summary = {{"firn.lsn", "0/10"}, {"operation", "no"}}});
  EXPECT_EQ(snapshot.summary, (Properties{{"operation", "append"},
                                          {"firn.lsn", "0/10"},
                                          {"manifests-created", "1"},
                                          {"manifests-kept", "0"},
                                          {"manifests-replaced", "0"},
                                          {"added-data-files", "2"},
                                          {"added-records", "15"},
                                          {"added-files-size", "1500"},
                                          {"changed-partition-count", "2"},
                                          {"total-data-files", "2"},
                                          {"total-records", "15"},
                                          {"total-files-size", "1500"},
                                          {"total-delete-files", "0"},
                                          {"total-position-deletes", "0"},
                                          {"total-equality-deletes", "0"}}));
  EXPECT_EQ(snapshot.sequence_number, 1);
  EXPECT_EQ(snapshot.schema_id, 0);
  EXPECT_GT(snapshot.snapshot_id, 0);
  EXPECT_THAT(snapshot.manifest_list, ::testing::MatchesRegex("memory/t/metadata/snap-[0-9]+-1-[0-9a-f-]+\\.avro"));
  EXPECT_THAT(Manifests()[0].manifest_path, ::testing::MatchesRegex("memory/t/metadata/[0-9a-f-]+-m0\\.avro"));
  EXPECT_EQ(Manifests()[0].partitions[0].upper_bound, "b");
  EXPECT_THAT(Files(), ElementsAre(Pair("1", IsEmpty()), Pair("2", IsEmpty())));

  Commit({.added_data_files = {Data("3")}});
  EXPECT_THAT(Manifests(), SizeIs(2));
  EXPECT_EQ(metadata_.CurrentSnapshot()->summary.at("total-records"), "25");
  EXPECT_EQ(metadata_.CurrentSnapshot()->summary.at("manifests-kept"), "1");
}

TEST_F(RowDeltaTest, AsksForTheTableAndTheSnapshotThatItWasBuiltOn) {
  const CommitRequest request = Build({}).value();
  EXPECT_EQ(request.table, kIdent);
  ASSERT_THAT(request.requirements, SizeIs(2));
  EXPECT_EQ(std::get<AssertTableUuid>(request.requirements[0]).uuid, metadata_.table_uuid);
  EXPECT_EQ(std::get<AssertRefSnapshotId>(request.requirements[1]).snapshot_id, std::nullopt);
  Commit({.added_data_files = {Data("1")}});
  EXPECT_EQ(CheckRequirements(&metadata_, request.requirements).error().kind(), ErrorKind::kConflict);
}

TEST_F(RowDeltaTest, AddsDeletesToDataThatIsThereAndToDataThatComesWithThem) {
  Commit({.added_data_files = {Data("1")}});
  const Snapshot both =
      Commit({.added_data_files = {Data("2")}, .added_delete_files = {Deletes("d1", "1"), Deletes("d2", "2", 3)}});
  EXPECT_EQ(both.summary.at("operation"), "overwrite");
  EXPECT_EQ(both.summary.at("added-position-delete-files"), "2");
  EXPECT_EQ(both.summary.at("added-delete-files"), "2");
  EXPECT_EQ(both.summary.at("added-position-deletes"), "4");
  EXPECT_EQ(both.summary.at("total-delete-files"), "2");
  EXPECT_THAT(Files(), ElementsAre(Pair("1", ElementsAre("d1")), Pair("2", ElementsAre("d2"))));

  const Snapshot deletes = Commit({.added_delete_files = {Deletes("d3", "1", 2)}});
  EXPECT_EQ(deletes.summary.at("operation"), "delete");
}

TEST_F(RowDeltaTest, ReplacesTheDeleteFileOfADataFile) {
  Commit({.added_data_files = {Data("1"), Data("2")},
          .added_delete_files = {Deletes("old", "1", 2), Deletes("other", "2")}});
  const Snapshot snapshot = Commit({.added_delete_files = {Deletes("new", "1", 3)}});
  EXPECT_THAT(Files(), ElementsAre(Pair("1", ElementsAre("new")), Pair("2", ElementsAre("other"))));
  EXPECT_EQ(snapshot.summary.at("removed-delete-files"), "1");
  EXPECT_EQ(snapshot.summary.at("removed-position-deletes"), "2");
  EXPECT_EQ(snapshot.summary.at("total-position-deletes"), "4");
  EXPECT_THAT(EntriesOfThisSnapshot(EntryStatus::kDeleted), ElementsAre("old"));
  EXPECT_THAT(EntriesOfThisSnapshot(EntryStatus::kExisting), ElementsAre("other"));
  EXPECT_THAT(EntriesOfThisSnapshot(EntryStatus::kAdded), ElementsAre("new"));
  // The next commit no longer carries what the last one deleted.
  Commit({.added_delete_files = {Deletes("newer", "1", 4)}});
  EXPECT_THAT(EntriesOfThisSnapshot(EntryStatus::kDeleted), ElementsAre("new"));
}

TEST_F(RowDeltaTest, KeepsTheDeleteFilesThatItIsToldTo) {
  Commit({.added_data_files = {Data("1")}, .added_delete_files = {Deletes("large", "1", 100)}});
  Commit({.added_delete_files = {Deletes("small", "1", 1)}, .kept_delete_files = {"large"}});
  EXPECT_THAT(Files(), ElementsAre(Pair("1", UnorderedElementsAre("large", "small"))));
  const Snapshot snapshot = Commit({.added_delete_files = {Deletes("merged", "1", 3)}, .kept_delete_files = {"large"}});
  EXPECT_THAT(Files(), ElementsAre(Pair("1", UnorderedElementsAre("large", "merged"))));
  EXPECT_EQ(snapshot.summary.at("removed-delete-files"), "1");
  EXPECT_EQ(snapshot.summary.at("total-position-deletes"), "103");
  Commit({.removed_data_files = {"1"}});
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(RowDeltaTest, KeepsSequenceNumbersOfWhatItRewrites) {
  Commit({.added_data_files = {Data("1"), Data("2")}});
  Commit({.added_delete_files = {Deletes("d1", "1")}});
  const Snapshot second = *metadata_.CurrentSnapshot();
  Commit({.added_delete_files = {Deletes("d2", "2")}});
  for (const LiveDataFile& file : Plan()) {
    EXPECT_EQ(file.entry.sequence_number, 1);
    const int64_t expected = file.entry.file.file_path == "1" ? 2 : 3;
    EXPECT_EQ(file.position_deletes.at(0)->sequence_number, expected);
    EXPECT_EQ(file.position_deletes.at(0)->file_sequence_number, expected);
    if (expected == 2) {
      EXPECT_EQ(file.position_deletes[0]->snapshot_id, second.snapshot_id);
    }
  }
}

TEST_F(RowDeltaTest, RemovesDataFilesWithTheirDeleteFiles) {
  Commit({.added_data_files = {Data("1"), Data("2")}, .added_delete_files = {Deletes("d1", "1"), Deletes("d2", "2")}});
  Commit({.added_data_files = {Data("3")}});
  const Snapshot snapshot = Commit({.removed_data_files = {"1", "3"}});
  EXPECT_THAT(Files(), ElementsAre(Pair("2", ElementsAre("d2"))));
  EXPECT_EQ(snapshot.summary.at("operation"), "delete");
  EXPECT_EQ(snapshot.summary.at("deleted-data-files"), "2");
  EXPECT_EQ(snapshot.summary.at("deleted-records"), "20");
  EXPECT_EQ(snapshot.summary.at("removed-position-delete-files"), "1");
  EXPECT_EQ(snapshot.summary.at("total-data-files"), "1");
  EXPECT_THAT(EntriesOfThisSnapshot(EntryStatus::kDeleted), UnorderedElementsAre("1", "3", "d1"));
}

TEST_F(RowDeltaTest, DropsManifestsInWhichNothingLives) {
  Commit({.added_data_files = {Data("1")}});
  Commit({.removed_data_files = {"1"}});
  EXPECT_THAT(Manifests(), SizeIs(1));  // It tells what this snapshot deleted.
  EXPECT_EQ(Manifests()[0].min_sequence_number, 2);
  Commit({.summary = {{"firn.lsn", "0/20"}}});
  EXPECT_THAT(Manifests(), IsEmpty());
  EXPECT_THAT(Files(), IsEmpty());
  EXPECT_EQ(metadata_.CurrentSnapshot()->summary.at("operation"), "append");
}

TEST_F(RowDeltaTest, TruncatesAndFillsAgainInOneSnapshot) {
  Commit({.added_data_files = {Data("1"), Data("2")}, .added_delete_files = {Deletes("d1", "1")}});
  DataFile equality = Data("e");
  equality.content = FileContent::kEqualityDeletes;
  equality.equality_ids = {1};
  Commit({.added_delete_files = {equality}});
  const Snapshot before = *metadata_.CurrentSnapshot();
  const Snapshot snapshot = Commit({.added_data_files = {Data("3", 7)}, .truncate = true});
  EXPECT_THAT(Files(), ElementsAre(Pair("3", IsEmpty())));
  EXPECT_EQ(snapshot.summary.at("operation"), "overwrite");
  EXPECT_EQ(snapshot.summary.at("total-records"), "7");
  EXPECT_EQ(snapshot.summary.at("total-delete-files"), "0");
  EXPECT_EQ(snapshot.summary.at("total-equality-deletes"), "0");
  EXPECT_THAT(EntriesOfThisSnapshot(EntryStatus::kDeleted), UnorderedElementsAre("1", "2", "d1", "e"));
  ManifestCache cold;
  EXPECT_THAT(PlanFiles(store_, metadata_, &before, cold).value(), SizeIs(2));  // History stays.
}

TEST_F(RowDeltaTest, ConflictsWhenAFileThatItNeedsIsGone) {
  Commit({.added_data_files = {Data("1")}});
  for (const RowDelta& delta :
       {RowDelta{.added_delete_files = {Deletes("d", "gone")}}, RowDelta{.removed_data_files = {"1", "gone"}},
        RowDelta{.added_delete_files = {Deletes("d", "1")}, .truncate = true}}) {
    auto request = Build(delta);
    ASSERT_FALSE(request.has_value());
    EXPECT_EQ(request.error().kind(), ErrorKind::kConflict);
  }
  // The delete file of a data file is not a data file.
  Commit({.added_delete_files = {Deletes("d1", "1")}});
  EXPECT_EQ(Build({.removed_data_files = {"d1"}}).error().kind(), ErrorKind::kConflict);
}

TEST_F(RowDeltaTest, RefusesDeltasThatContradictThemselves) {
  Commit({.added_data_files = {Data("1")}});
  DataFile unscoped = Deletes("d", "1");
  unscoped.referenced_data_file.reset();
  for (const RowDelta& delta :
       {RowDelta{.added_data_files = {Data("2"), Data("2")}}, RowDelta{.added_data_files = {Deletes("d", "1")}},
        RowDelta{.added_delete_files = {Data("2")}}, RowDelta{.added_delete_files = {unscoped}},
        RowDelta{.added_delete_files = {Deletes("d", "1"), Deletes("e", "1")}},
        RowDelta{.added_delete_files = {Deletes("d", "1")}, .removed_data_files = {"1"}}}) {
    EXPECT_EQ(Build(delta).error().kind(), ErrorKind::kInternal);
  }
  EXPECT_EQ(Build({.added_delete_files = {Vector("v", "1")}}).error().kind(), ErrorKind::kUnsupported);
}

TEST_F(RowDeltaTest, MergesSmallDataManifestsOnceThereAreMany) {
  Make(2, {{"commit.manifest.min-count-to-merge", "5"}});
  for (int i = 1; i <= 4; ++i) Commit({.added_data_files = {Data(fmt::format("{}", i))}});
  EXPECT_THAT(Manifests(), SizeIs(4));
  const Snapshot snapshot = Commit({.added_data_files = {Data("5")}});
  EXPECT_THAT(Manifests(), SizeIs(1));
  EXPECT_EQ(snapshot.summary.at("manifests-replaced"), "4");
  EXPECT_EQ(Manifests()[0].min_sequence_number, 1);
  EXPECT_EQ(Manifests()[0].existing_files_count, 4);
  EXPECT_THAT(Files(), SizeIs(5));
}

TEST_F(RowDeltaTest, KeepsDataManifestsFewHoweverManyCommitsCome) {
  Make(2, {});
  size_t most = 0;
  for (int i = 1; i <= 300; ++i) {
    Commit({.added_data_files = {Data(fmt::format("{}", i))}});
    most = std::max(most, Manifests().size());
  }
  EXPECT_LE(most, 20U);
  EXPECT_THAT(Files(), SizeIs(300));
}

TEST_F(RowDeltaTest, LeavesDataManifestsAloneWhereMergingIsOff) {
  Make(2, {{"commit.manifest.min-count-to-merge", "2"}, {"commit.manifest-merge.enabled", "false"}});
  for (int i = 1; i <= 6; ++i) Commit({.added_data_files = {Data(fmt::format("{}", i))}});
  EXPECT_THAT(Manifests(), SizeIs(6));
}

TEST_F(RowDeltaTest, SplitsManifestsAtTheirTargetSize) {
  Make(2, {{"commit.manifest.target-size-bytes", "20000"}});
  RowDelta delta;
  for (int i = 0; i < 3000; ++i)
    delta.added_data_files.push_back(Data(fmt::format("file-{}-{}", i, i * 7919 % 100'003)));
  Commit(delta);
  EXPECT_GT(Manifests().size(), 1u);
  EXPECT_LE(Manifests().size(), 15u);
  EXPECT_THAT(Files(), SizeIs(3000));
}

TEST_F(RowDeltaTest, KeepsDeleteManifestsFewAndRewritesThemSeldom) {
  constexpr int kFiles = 300;
  RowDelta data;
  for (int i = 0; i < kFiles; ++i) data.added_data_files.push_back(Data(fmt::format("{}", i)));
  Commit(data);
  int64_t rewritten = 0;
  size_t most = 0;
  for (int i = 0; i < kFiles; ++i) {
    Commit({.added_delete_files = {Deletes(fmt::format("d{}", i), fmt::format("{}", i))}});
    const auto manifests = Manifests();
    most = std::max(most, manifests.size() - 1);
    for (const ManifestFile& manifest : manifests) {
      if (manifest.added_snapshot_id == metadata_.current_snapshot_id) rewritten += manifest.existing_files_count;
    }
  }
  EXPECT_LE(most, 10u);              // About the logarithm of the number of deletes.
  EXPECT_LE(rewritten, kFiles * 8);  // The same, for each delete.
  for (const auto& [path, deletes] : Files()) EXPECT_THAT(deletes, ElementsAre("d" + path));
}

TEST_F(RowDeltaTest, ReadsNothingThatItsOwnCommitsWrote) {
  Commit({.added_data_files = {Data("1"), Data("2")}});
  Commit({.added_delete_files = {Deletes("d1", "1")}});
  Commit({.added_delete_files = {Deletes("d2", "1")}, .removed_data_files = {"2"}});
  EXPECT_EQ(store_.reads(), 0);
  EXPECT_THAT(Files(), ElementsAre(Pair("1", ElementsAre("d2"))));
}

TEST_F(RowDeltaTest, CachesWhatAReaderOfTheFilesSees) {
  for (int32_t version : {2, 3}) {
    Make(version);
    Commit({.added_data_files = {Data("1"), Data("2")}});
    Commit({.added_data_files = {Data("3")}, .removed_data_files = {"1"}});
    ManifestCache cold;
    for (const ManifestFile& manifest : Manifests()) {
      EXPECT_EQ(*cache_.Read(store_, metadata_, manifest).value(), *cold.Read(store_, metadata_, manifest).value());
    }
  }
}

TEST_F(RowDeltaTest, NumbersRowsInVersion3) {
  Make(3);
  const Snapshot first = Commit({.added_data_files = {Data("1", 10), Data("2", 5)}});
  EXPECT_EQ(first.first_row_id, 0);
  EXPECT_EQ(first.added_rows, 15);
  const Snapshot second = Commit({.added_data_files = {Data("3", 1)}});
  EXPECT_EQ(second.first_row_id, 15);
  EXPECT_EQ(metadata_.next_row_id, 16);
  // Rewriting its manifest does not change a file's row ids.
  Commit({.removed_data_files = {"1"}});
  std::map<std::string, std::optional<int64_t>> ids;
  for (const LiveDataFile& file : Plan()) ids[file.entry.file.file_path] = file.entry.file.first_row_id;
  EXPECT_THAT(ids, ElementsAre(Pair("2", 10), Pair("3", 15)));
}

TEST_F(RowDeltaTest, CountsDeletionVectorsInVersion3) {
  Make(3);
  Commit({.added_data_files = {Data("1")}});
  Commit({.added_delete_files = {Vector("v1", "1", 2)}});
  const Snapshot snapshot = Commit({.added_delete_files = {Vector("v2", "1", 3)}});
  EXPECT_EQ(snapshot.summary.at("added-dvs"), "1");
  EXPECT_EQ(snapshot.summary.at("removed-dvs"), "1");
  EXPECT_EQ(snapshot.summary.at("added-files-size"), "40");
  EXPECT_FALSE(snapshot.summary.contains("added-position-delete-files"));
  EXPECT_THAT(Files(), ElementsAre(Pair("1", ElementsAre("v2"))));
  EXPECT_EQ(Build({.added_delete_files = {Deletes("d", "1")}}).error().kind(), ErrorKind::kUnsupported);
}

TEST_F(RowDeltaTest, GivesTheRowsOfAnUpgradedTableIds) {
  Commit({.added_data_files = {Data("1", 10), Data("2", 5)}, .added_delete_files = {Deletes("d1", "1", 2)}});
  Commit({.added_data_files = {Data("3", 4)}});
  metadata_ = ApplyUpdates(metadata_, "", {UpgradeFormatVersion{3}}, ++now_ms_).value();
  EXPECT_EQ(metadata_.next_row_id, 0);
  EXPECT_EQ(metadata_.CurrentSnapshot()->first_row_id, std::nullopt);

  const Snapshot first = Commit({.added_data_files = {Data("4", 1)}, .added_delete_files = {Vector("v1", "1", 3)}});
  EXPECT_EQ(first.first_row_id, 0);
  EXPECT_EQ(first.added_rows, 20);
  EXPECT_EQ(metadata_.next_row_id, 20);
  EXPECT_EQ(first.summary.at("added-dvs"), "1");
  EXPECT_EQ(first.summary.at("removed-position-delete-files"), "1");
  EXPECT_EQ(first.summary.at("total-position-deletes"), "3");
  EXPECT_THAT(Files(), ElementsAre(Pair("1", ElementsAre("v1")), Pair("2", IsEmpty()), Pair("3", IsEmpty()),
                                   Pair("4", IsEmpty())));
  const auto ids = [this] {
    std::map<std::string, std::optional<int64_t>> by_path;
    for (const LiveDataFile& file : Plan()) by_path[file.entry.file.file_path] = file.entry.file.first_row_id;
    return by_path;
  };
  const auto assigned = ids();
  std::set<int64_t> starts;
  for (const auto& [path, id] : assigned) {
    ASSERT_TRUE(id.has_value()) << path;
    starts.insert(*id);
  }
  EXPECT_EQ(starts.size(), 4u);
  Commit({.added_delete_files = {Vector("v2", "1", 4)}, .removed_data_files = {"2"}});
  for (const auto& [path, id] : ids()) EXPECT_EQ(id, assigned.at(path)) << path;
}

TEST_F(RowDeltaTest, ReplacesAllDeleteFilesOfADataFileAlone) {
  Commit({.added_data_files = {Data("1"), Data("2")}});
  Commit({.added_delete_files = {Deletes("old", "1")}});
  // Another writer's: a second one for the data file, and one that may be about any file of the partition.
  DataFile wide = Deletes("wide", "1");
  wide.referenced_data_file.reset();
  AddElsewhere({Deletes("second", "1"), wide});
  EXPECT_THAT(Files(), ElementsAre(Pair("1", ElementsAre("old", "second", "wide")), Pair("2", ElementsAre("wide"))));
  Commit({.added_delete_files = {Deletes("new", "1", 4)}});
  EXPECT_THAT(Files(), ElementsAre(Pair("1", ElementsAre("new", "wide")), Pair("2", ElementsAre("wide"))));

  metadata_ = ApplyUpdates(metadata_, "", {UpgradeFormatVersion{3}}, ++now_ms_).value();
  Commit({.added_delete_files = {Vector("v", "1", 5)}});
  EXPECT_THAT(Files(), ElementsAre(Pair("1", ElementsAre("v")), Pair("2", ElementsAre("wide"))));
}

std::string Uuid(uint8_t first, uint8_t ninth) {
  std::string uuid(16, 'x');
  uuid[0] = static_cast<char>(first);
  uuid[8] = static_cast<char>(ninth);
  return uuid;
}

TEST_F(RowDeltaTest, PartsUuidPartitionsByTheirSigns) {
  Make(2, {}, TypeId::kUuid);
  DataFile null = Data("null");
  null.partition = {Literal()};
  Commit({.added_data_files = {Data("a", 1, Uuid(0x10, 0x80)), Data("b", 1, Uuid(0x90, 0x80)),
                               Data("c", 1, Uuid(0x7F, 0xFF)), Data("d", 1, Uuid(0xFF, 0xA0)),
                               Data("e", 1, Uuid(0x10, 0x00)), null}});
  EXPECT_THAT(FilesByManifest(), UnorderedElementsAre(ElementsAre("a", "c"), ElementsAre("b", "d"), ElementsAre("e"),
                                                      ElementsAre("null")));
  DataFile deletes = Deletes("of b", "b");
  deletes.partition = {Uuid(0x90, 0x80)};
  DataFile others = Deletes("of c", "c");
  others.partition = {Uuid(0x7F, 0xFF)};
  Commit({.added_delete_files = {deletes, others}});
  EXPECT_THAT(FilesByManifest(), ::testing::IsSupersetOf({ElementsAre("of b"), ElementsAre("of c")}));
}

TEST_F(RowDeltaTest, MergesTheManifestsOfEachSign) {
  Make(2, {{"commit.manifest.min-count-to-merge", "4"}}, TypeId::kUuid);
  for (int i = 0; i < 40; ++i) {
    Commit({.added_data_files = {Data(fmt::format("{}", i), 1, Uuid(0x10, 0x80)),
                                 Data(fmt::format("-{}", i), 1, Uuid(0x90, 0x80))}});
    EXPECT_LE(FilesByManifest().size(), 16U);
  }
  EXPECT_THAT(Files(), SizeIs(80));
}

TEST_F(RowDeltaTest, PartsAManifestOfAnotherWriterThatMixesSigns) {
  Make(2, {}, TypeId::kUuid);
  AddElsewhere({Data("a", 1, Uuid(0x10, 0x80)), Data("b", 1, Uuid(0x90, 0x80))});
  Commit({.added_data_files = {Data("c", 1, Uuid(0x10, 0x80))}});
  EXPECT_THAT(FilesByManifest(), UnorderedElementsAre(UnorderedElementsAre("a", "c"), ElementsAre("b")));
}

TEST_F(RowDeltaTest, KeepsTheRetentionOfMain) {
  Commit({.added_data_files = {Data("1")}});
  metadata_.refs["main"].max_snapshot_age_ms = 5000;
  Commit({.added_data_files = {Data("2")}});
  EXPECT_EQ(metadata_.refs["main"].max_snapshot_age_ms, 5000);
}

TEST_F(RowDeltaTest, LeavesTotalsUnknownThatTheLastWriterLeftOut) {
  Commit({.added_data_files = {Data("1")}});
  Snapshot last = metadata_.snapshots.back();
  last.summary.erase("total-records");
  metadata_.snapshots = std::vector<Snapshot>{last};
  const Snapshot snapshot = Commit({.added_data_files = {Data("2")}});
  EXPECT_FALSE(snapshot.summary.contains("total-records"));
  EXPECT_EQ(snapshot.summary.at("total-data-files"), "2");
}

TEST_F(RowDeltaTest, RemovesWhatALostAttemptWrote) {
  Commit({.added_data_files = {Data("1")}});
  const size_t files = store_.List("memory/t").value().size();
  const CommitRequest request = Build({.added_delete_files = {Deletes("d", "1")}}).value();
  EXPECT_EQ(store_.List("memory/t").value().size(), files + 2);
  RemoveBuilt(store_, metadata_, request);
  EXPECT_EQ(store_.List("memory/t").value().size(), files);
  EXPECT_THAT(Files(), SizeIs(1));
}

TEST_F(RowDeltaTest, RemovesNothingOfARequestThatIsCommitted) {
  const CommitRequest request = Build({.added_data_files = {Data("1")}}).value();
  metadata_ = ApplyUpdates(metadata_, "", request.updates, now_ms_).value();
  RemoveBuilt(store_, metadata_, request);
  EXPECT_THAT(Files(), SizeIs(1));
}

TEST_F(RowDeltaTest, LeavesNoFilesBehindWhenTheStoreFails) {
  Commit({.added_data_files = {Data("1")}});
  const size_t files = store_.List("memory/t").value().size();
  for (int writes = 0; writes < 3; ++writes) {
    store_.FailWritesAfter(writes);
    auto request = Build({.added_data_files = {Data("2")}, .added_delete_files = {Deletes("d", "1")}});
    EXPECT_EQ(request.error().kind(), ErrorKind::kTransient);
    EXPECT_EQ(store_.List("memory/t").value().size(), files);
  }
  store_.FailWritesAfter(-1);
  Commit({.added_data_files = {Data("2")}});
  EXPECT_THAT(Files(), SizeIs(2));
}

TEST_F(RowDeltaTest, WritesBelowThePathsOfTheTablesProperties) {
  EXPECT_EQ(DataLocation(metadata_, "c=a/1.parquet"), "memory/t/data/c=a/1.parquet");
  EXPECT_EQ(MetadataLocation(metadata_, "x.avro"), "memory/t/metadata/x.avro");
  Make(2, {{"write.data.path", "s3://fast/d/"}, {"write.metadata.path", "s3://slow/m"}});
  EXPECT_EQ(DataLocation(metadata_, "1"), "s3://fast/d/1");
  EXPECT_EQ(MetadataLocation(metadata_, "1"), "s3://slow/m/1");
}

}  // namespace
}  // namespace firn::iceberg
