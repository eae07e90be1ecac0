#include "index/table_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "index/rocksdb_database.h"
#include "testing/results.h"
#include "testing/temporary_folder.h"

namespace firn::index {
namespace {

namespace fs = std::filesystem;
using testing::Do;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;
using ::testing::UnorderedElementsAre;
using testing::Value;

constexpr char kBoot[] = "boot-1";
/// As many changes at once become a file.
constexpr size_t kIngested = 1'500;

class TableIndexTest : public ::testing::Test {
 protected:
  TableIndexTest() { Open(); }

  void Open(const std::string& boot_id = kBoot) {
    database_.reset();
    // Small limits, so that tests reach flushed and ingested files and compactions too.
    const DatabaseOptions options{
        .block_cache_bytes = 1 << 20, .write_buffer_bytes = 256 << 10, .ingested_changes_min = kIngested};
    database_ = Value(RocksDbDatabase::Open(folder_.path(), options, boot_id));
  }
  std::unique_ptr<TableIndex> Table(const std::string& id = "t", KeyKind kind = KeyKind::kUnique) {
    return Value(database_->OpenTable(id, kind));
  }
  /// A table that has its first generation and is changing by commit "c0".
  std::unique_ptr<TableIndex> NewTable(const std::string& id = "t", KeyKind kind = KeyKind::kUnique) {
    auto table = Table(id, kind);
    Do(table->Reset("c0"));
    return table;
  }
  static std::vector<std::optional<RowPosition>> Lookup(TableIndex& table, std::vector<std::string_view> keys) {
    return Value(table.Lookup(keys));
  }
  static void Apply(TableIndex& table, std::vector<TableIndex::Change> changes) { Do(table.Apply(changes)); }

  const testing::TemporaryFolder folder_;
  std::unique_ptr<Database> database_;
};

TEST_F(TableIndexTest, NewTableIsAbsent) {
  auto table = Table();
  EXPECT_EQ(table->state().snapshot_id, std::nullopt);
  EXPECT_EQ(table->state().changing_commit_id, std::nullopt);
  EXPECT_THAT(Lookup(*table, {"a"}), ElementsAre(std::nullopt));
}

TEST_F(TableIndexTest, ResetBeginAndCompleteMoveTheState) {
  auto table = Table();
  Do(table->Reset("c1"));
  EXPECT_THAT(table->state().changing_commit_id, Optional(std::string("c1")));
  EXPECT_EQ(table->state().snapshot_id, std::nullopt);
  Do(table->Complete(-7));
  EXPECT_THAT(table->state().snapshot_id, Optional(-7));
  EXPECT_EQ(table->state().changing_commit_id, std::nullopt);
  Do(table->Begin("c2"));
  Do(table->Begin("c2"));
  EXPECT_THAT(table->state().changing_commit_id, Optional(std::string("c2")));
  Do(table->Complete(INT64_MAX));
  EXPECT_THAT(table->state().snapshot_id, Optional(INT64_MAX));
}

TEST_F(TableIndexTest, IsWholeUntilMoreOfTheCommitComes) {
  auto table = NewTable();
  EXPECT_FALSE(table->state().is_whole);
  Apply(*table, {{.key = "a", .put = RowPosition{0, 1}}});
  Do(table->MarkWhole());
  Do(table->MarkWhole());
  EXPECT_EQ(table->Apply({}).error().kind(), ErrorKind::kInternal);
  table.reset();
  Open();
  table = Table();
  EXPECT_TRUE(table->state().is_whole);
  EXPECT_THAT(table->state().changing_commit_id, Optional(std::string("c0")));
  Do(table->Begin("c0"));
  EXPECT_FALSE(table->state().is_whole);
  Apply(*table, {{.key = "b", .put = RowPosition{0, 2}}});
  Do(table->MarkWhole());
  Do(table->Complete(1));
  EXPECT_FALSE(table->state().is_whole);
  EXPECT_EQ(table->MarkWhole().error().kind(), ErrorKind::kInternal);
  table.reset();
  Open();
  table = Table();
  EXPECT_THAT(table->state().snapshot_id, Optional(1));
  EXPECT_THAT(Lookup(*table, {"a", "b"}), ElementsAre(RowPosition{0, 1}, RowPosition{0, 2}));
}

TEST_F(TableIndexTest, RefusesStepsOutOfOrder) {
  auto table = Table();
  EXPECT_EQ(table->Begin("c1").error().kind(), ErrorKind::kInternal);
  EXPECT_EQ(table->MarkWhole().error().kind(), ErrorKind::kInternal);
  EXPECT_EQ(table->Complete(1).error().kind(), ErrorKind::kInternal);
  EXPECT_EQ(table->Apply({}).error().kind(), ErrorKind::kInternal);
  EXPECT_EQ(table->Load({}).error().kind(), ErrorKind::kInternal);
  EXPECT_EQ(table->AddFile("f").error().kind(), ErrorKind::kInternal);
  Do(table->Reset("c1"));
  EXPECT_EQ(table->Begin("c2").error().kind(), ErrorKind::kInternal);
  Do(table->Complete(1));
  EXPECT_EQ(table->Apply({}).error().kind(), ErrorKind::kInternal);
}

TEST_F(TableIndexTest, CleanStateAndRowsSurviveReopening) {
  auto table = NewTable();
  const uint32_t file = Value(table->AddFile("file:///lake/t/data/1.parquet"));
  Do(table->Load({{"a", {file, 1}}}));
  Apply(*table, {{.key = "b", .put = RowPosition{file, 2}}});
  Do(table->Complete(42));
  table.reset();
  Open();
  table = Table();
  EXPECT_THAT(table->state().snapshot_id, Optional(42));
  EXPECT_THAT(Lookup(*table, {"b", "a", "c"}), ElementsAre(RowPosition{file, 2}, RowPosition{file, 1}, std::nullopt));
  EXPECT_EQ(Value(table->FileLocation(file)), "file:///lake/t/data/1.parquet");
}

TEST_F(TableIndexTest, TableLeftChangingSaysSoAfterTheProcessDied) {
  auto table = NewTable();
  Do(table->Complete(1));
  Do(table->Begin("c2"));
  Apply(*table, {{.key = "b", .put = RowPosition{0, 2}}});
  table.reset();
  Open();
  table = Table();
  EXPECT_THAT(table->state().changing_commit_id, Optional(std::string("c2")));
  EXPECT_THAT(Lookup(*table, {"b"}), ElementsAre(RowPosition{0, 2}));
  Do(table->Complete(2));
  EXPECT_THAT(table->state().snapshot_id, Optional(2));
}

TEST_F(TableIndexTest, TableLeftChangingIsAbsentAfterTheMachineBootedAgain) {
  auto clean = NewTable("clean");
  Do(clean->Complete(1));
  auto changing = NewTable("changing");
  Apply(*changing, {{.key = "b", .put = RowPosition{0, 2}}});
  clean.reset();
  changing.reset();
  Open("boot-2");
  EXPECT_THAT(Table("clean")->state().snapshot_id, Optional(1));
  changing = Table("changing");
  EXPECT_EQ(changing->state().changing_commit_id, std::nullopt);
  Do(changing->Reset("c1"));
  EXPECT_THAT(Lookup(*changing, {"b"}), ElementsAre(std::nullopt));
}

TEST_F(TableIndexTest, UnknownBootIdTrustsNoTableLeftChanging) {
  auto table = NewTable();
  table.reset();
  Open("");
  NewTable();
  Open("");
  EXPECT_EQ(Table()->state().changing_commit_id, std::nullopt);
}

TEST_F(TableIndexTest, ResetForgetsRowsAndFiles) {
  auto table = NewTable();
  EXPECT_EQ(Value(table->AddFile("x")), 0u);
  EXPECT_EQ(Value(table->AddFile("y")), 1u);
  Do(table->Load({{"a", {0, 1}}}));
  Apply(*table, {{.key = "b", .put = RowPosition{1, 2}}});
  Do(table->Reset("c1"));
  EXPECT_THAT(Lookup(*table, {"a", "b"}), ElementsAre(std::nullopt, std::nullopt));
  EXPECT_EQ(table->FileLocation(1).error().kind(), ErrorKind::kCorrupt);
  EXPECT_EQ(Value(table->AddFile("y")), 0u);
  Do(table->Load({{"a", {0, 9}}}));
  EXPECT_THAT(Lookup(*table, {"a", "b"}), ElementsAre(RowPosition{0, 9}, std::nullopt));
}

TEST_F(TableIndexTest, TablesDoNotSeeEachOther) {
  auto one = NewTable("one");
  auto two = NewTable("two");
  auto rows = NewTable("rows", KeyKind::kDuplicates);
  Do(one->Load({{"k", {0, 1}}}));
  Do(two->Load({{"k", {0, 2}}}));
  Do(rows->Load({{"k", {0, 3}}}));
  Do(one->Reset("c1"));
  EXPECT_THAT(Lookup(*one, {"k"}), ElementsAre(std::nullopt));
  EXPECT_THAT(Lookup(*two, {"k"}), ElementsAre(RowPosition{0, 2}));
  EXPECT_THAT(Lookup(*rows, {"k"}), ElementsAre(RowPosition{0, 3}));
  two.reset();
  Do(database_->DropTable("two"));
  Do(database_->DropTable("never made"));
  EXPECT_THAT(Lookup(*rows, {"k"}), ElementsAre(RowPosition{0, 3}));
  EXPECT_EQ(Table("two")->state().changing_commit_id, std::nullopt);
}

TEST_F(TableIndexTest, GenerationsDoNotMixAfterReopening) {
  auto table = NewTable("last");
  Do(table->Load({{"k", {0, 1}}}));
  table.reset();
  Do(database_->DropTable("last"));
  Open();
  table = NewTable("next", KeyKind::kUnique);
  EXPECT_THAT(Lookup(*table, {"k"}), ElementsAre(std::nullopt));
  Do(table->Load({{"k", {5, 5}}}));
  auto other = NewTable("other");
  EXPECT_THAT(Lookup(*other, {"k"}), ElementsAre(std::nullopt));
  EXPECT_THAT(Lookup(*table, {"k"}), ElementsAre(RowPosition{5, 5}));
}

TEST_F(TableIndexTest, TableThatLosesItsKeyStartsAbsent) {
  auto table = NewTable();
  Do(table->Complete(1));
  table.reset();
  table = Table("t", KeyKind::kDuplicates);
  EXPECT_EQ(table->state().snapshot_id, std::nullopt);
}

TEST_F(TableIndexTest, FilesKeepTheirNumbers) {
  auto table = NewTable();
  EXPECT_EQ(Value(table->AddFile("a")), 0u);
  EXPECT_EQ(Value(table->AddFile("b")), 1u);
  EXPECT_EQ(Value(table->AddFile("a")), 0u);
  table.reset();
  Open();
  table = Table();
  EXPECT_EQ(Value(table->AddFile("b")), 1u);
  EXPECT_EQ(Value(table->AddFile("c")), 2u);
  EXPECT_EQ(Value(table->FileLocation(0)), "a");
  EXPECT_EQ(table->FileLocation(3).error().kind(), ErrorKind::kCorrupt);
}

TEST_F(TableIndexTest, LaterChangeOfAKeyWins) {
  auto table = NewTable();
  Do(table->Load({{"a", {0, 0}}, {"b", {0, 1}}, {"c", {0, 2}}}));
  Apply(*table, {{.key = "a", .erase = RowPosition{0, 0}},
                 {.key = "b", .erase = RowPosition{0, 1}, .put = RowPosition{1, 0}},
                 {.key = "c", .erase = RowPosition{0, 2}},
                 {.key = "c", .put = RowPosition{1, 1}},
                 {.key = "d", .put = RowPosition{1, 2}},
                 {.key = "d", .erase = RowPosition{1, 2}}});
  EXPECT_THAT(Lookup(*table, {"a", "b", "c", "d"}),
              ElementsAre(std::nullopt, RowPosition{1, 0}, RowPosition{1, 1}, std::nullopt));
}

TEST_F(TableIndexTest, LaterChangeOfAKeyWinsAmongManyToo) {
  auto table = NewTable();
  std::vector<std::string> keys;
  std::vector<TableIndex::Change> changes;
  for (size_t i = 0; i < kIngested; ++i) keys.push_back(std::to_string(i));
  for (uint32_t i = 0; i < kIngested; ++i) changes.push_back({.key = keys[i], .put = RowPosition{0, i}});
  Apply(*table, changes);
  for (TableIndex::Change& change : changes) change.put->file = 1;
  changes.push_back({.key = "7", .erase = RowPosition{1, 7}});
  changes.push_back({.key = "8", .erase = RowPosition{1, 8}});
  changes.push_back({.key = "8", .put = RowPosition{2, 0}});
  Apply(*table, changes);
  EXPECT_THAT(Lookup(*table, {"6", "7", "8"}), ElementsAre(RowPosition{1, 6}, std::nullopt, RowPosition{2, 0}));
  Apply(*table, {{.key = "6", .erase = RowPosition{1, 6}}, {.key = "9", .put = RowPosition{3, 0}}});
  EXPECT_THAT(Lookup(*table, {"6", "9"}), ElementsAre(std::nullopt, RowPosition{3, 0}));
  Apply(*table, changes);  // Over what the memtable holds.
  EXPECT_THAT(Lookup(*table, {"6", "9"}), ElementsAre(RowPosition{1, 6}, RowPosition{1, 9}));
}

TEST_F(TableIndexTest, ManyChangesLeftByAMachineThatWentDownAreAbsent) {
  auto table = NewTable();
  Do(table->Complete(1));
  Do(table->Begin("c2"));
  std::vector<std::string> keys;
  std::vector<TableIndex::Change> changes;
  for (size_t i = 0; i < kIngested; ++i) keys.push_back(std::to_string(i));
  for (uint32_t i = 0; i < kIngested; ++i) changes.push_back({.key = keys[i], .put = RowPosition{0, i}});
  Apply(*table, changes);
  table.reset();
  Open("boot-2");
  table = Table();
  EXPECT_EQ(table->state().snapshot_id, std::nullopt);
  EXPECT_EQ(table->state().changing_commit_id, std::nullopt);
}

TEST_F(TableIndexTest, OneKeyAskedTwiceAnswersTwice) {
  auto table = NewTable();
  Do(table->Load({{"a", {0, 7}}}));
  EXPECT_THAT(Lookup(*table, {"a", "x", "a"}), ElementsAre(RowPosition{0, 7}, std::nullopt, RowPosition{0, 7}));
}

TEST_F(TableIndexTest, KeysThatArePrefixesOfEachOtherAreDifferentKeys) {
  for (const KeyKind kind : {KeyKind::kUnique, KeyKind::kDuplicates}) {
    auto table = NewTable("t", kind);
    const std::string zeros(20, '\0');
    const std::string ones(20, '\xff');
    std::vector<TableIndex::Entry> entries;
    std::vector<std::string_view> keys;
    for (uint32_t size = 0; size <= 20; ++size) {
      keys.push_back(std::string_view(zeros).substr(0, size));
      if (size > 0) keys.push_back(std::string_view(ones).substr(0, size));
    }
    for (uint32_t i = 0; i < keys.size(); ++i) entries.push_back({keys[i], {1, i}});
    std::shuffle(entries.begin(), entries.end(), std::mt19937(1));
    Do(table->Load(entries));
    const auto found = Lookup(*table, keys);
    for (uint32_t i = 0; i < keys.size(); ++i) EXPECT_EQ(found[i], (RowPosition{1, i})) << i;
    Do(table->Complete(1));
  }
}

TEST_F(TableIndexTest, EqualRowsAreDifferentEntries) {
  auto table = NewTable("t", KeyKind::kDuplicates);
  Do(table->Load({{"a", {0, 1}}, {"a", {0, 0}}, {"ab", {0, 3}}}));
  Apply(*table, {{.key = "a", .put = RowPosition{1, 0}}});
  auto found = Lookup(*table, {"a", "ab", "a", "a", "a", "b"});
  EXPECT_EQ(found[1], (RowPosition{0, 3}));
  EXPECT_EQ(found[5], std::nullopt);
  EXPECT_THAT((std::vector{found[0], found[2], found[3], found[4]}),
              UnorderedElementsAre(RowPosition{0, 0}, RowPosition{0, 1}, RowPosition{1, 0}, std::nullopt));
  Apply(*table, {{.key = "a", .erase = RowPosition{0, 1}}});
  found = Lookup(*table, {"a", "a", "a"});
  EXPECT_THAT(found, UnorderedElementsAre(RowPosition{0, 0}, RowPosition{1, 0}, std::nullopt));
}

TEST_F(TableIndexTest, LoadRefusesTwoRowsWithOneUniqueKey) {
  auto table = NewTable();
  const Status loaded = table->Load({{"a", {0, 1}}, {"b", {0, 2}}, {"a", {0, 3}}});
  ASSERT_FALSE(loaded.has_value());
  EXPECT_THAT(loaded.error().message(), HasSubstr("two rows with one key"));
}

TEST_F(TableIndexTest, LoadOfNothingIsNothing) { Do(NewTable()->Load({})); }

TEST_F(TableIndexTest, LoadLeavesNoFilesBehind) {
  auto table = NewTable();
  Do(table->Load({{"a", {0, 1}}}));
  EXPECT_FALSE(table->Load({{"b", {0, 1}}, {"b", {0, 2}}}).has_value());
  EXPECT_TRUE(fs::is_empty(folder_ / "load"));
}

TEST_F(TableIndexTest, UniqueIndexAgreesWithAMapOverRandomChanges) {
  std::mt19937 random(11);
  std::map<std::string, RowPosition> model;
  auto table = NewTable();
  uint32_t row = 0;
  int operations = 0;
  for (int round = 0; operations < 100'000; ++round) {
    const std::string commit = "c" + std::to_string(round);
    if (round > 0) Do(table->Begin(commit));
    std::vector<std::string> keys;
    for (int i = 0; i < 2'000; ++i) {
      keys.push_back(std::to_string(random() % 20'000));
      if (random() % 4 == 0) keys.back().append(300, 'x');
    }
    const auto found = Lookup(*table, std::vector<std::string_view>(keys.begin(), keys.end()));
    std::vector<TableIndex::Change> changes;
    std::vector<TableIndex::Entry> entries;
    std::set<std::string> in_run;
    const bool load = round % 3 == 0;
    for (size_t i = 0; i < keys.size(); ++i, ++operations) {
      const auto known = model.find(keys[i]);
      if (in_run.contains(keys[i])) continue;
      ASSERT_EQ(found[i], known == model.end() ? std::nullopt : std::optional(known->second)) << keys[i];
      in_run.insert(keys[i]);
      const RowPosition next{static_cast<uint32_t>(round), row++};
      if (known == model.end()) {
        if (load) {
          entries.push_back({keys[i], next});
        } else {
          changes.push_back({.key = keys[i], .put = next});
        }
        model[keys[i]] = next;
      } else if (random() % 3 == 0) {
        changes.push_back({.key = keys[i], .erase = known->second});
        model.erase(known);
      } else {
        changes.push_back({.key = keys[i], .erase = known->second, .put = next});
        known->second = next;
      }
    }
    std::shuffle(entries.begin(), entries.end(), random);
    Do(table->Load(std::move(entries)));
    Apply(*table, std::move(changes));
    Do(table->Complete(round));
    if (round % 10 == 9) {
      table.reset();
      Open();
      table = Table();
    }
  }
  EXPECT_GT(model.size(), 5'000u);
}

TEST_F(TableIndexTest, DuplicatesIndexAgreesWithAMultimapOverRandomChanges) {
  std::mt19937 random(12);
  std::map<std::string, std::set<std::pair<uint32_t, uint32_t>>> model;
  auto table = NewTable("t", KeyKind::kDuplicates);
  uint32_t row = 0;
  int operations = 0;
  for (int round = 0; operations < 100'000; ++round) {
    if (round > 0) Do(table->Begin("c" + std::to_string(round)));
    std::vector<std::string> keys;
    for (int i = 0; i < 2'000; ++i) keys.push_back(std::to_string(random() % 3'000));
    const auto found = Lookup(*table, std::vector<std::string_view>(keys.begin(), keys.end()));
    std::map<std::string, std::set<std::pair<uint32_t, uint32_t>>> given;
    std::map<std::string, size_t> asked;
    for (size_t i = 0; i < keys.size(); ++i) {
      ++asked[keys[i]];
      if (!found[i].has_value()) continue;
      ASSERT_TRUE(given[keys[i]].emplace(found[i]->file, found[i]->row).second) << "one row given twice";
      ASSERT_TRUE(model[keys[i]].contains({found[i]->file, found[i]->row}));
    }
    for (const auto& [key, count] : asked) ASSERT_EQ(given[key].size(), std::min(count, model[key].size())) << key;

    std::vector<TableIndex::Change> changes;
    std::vector<TableIndex::Entry> entries;
    for (size_t i = 0; i < keys.size(); ++i, ++operations) {
      const RowPosition next{static_cast<uint32_t>(round), row++};
      if (found[i].has_value() && random() % 2 == 0) {
        changes.push_back({.key = keys[i], .erase = found[i]});
        model[keys[i]].erase({found[i]->file, found[i]->row});
      } else if (round % 3 == 0) {
        entries.push_back({keys[i], next});
        model[keys[i]].emplace(next.file, next.row);
      } else {
        changes.push_back({.key = keys[i], .put = next});
        model[keys[i]].emplace(next.file, next.row);
      }
    }
    std::shuffle(entries.begin(), entries.end(), random);
    Do(table->Load(std::move(entries)));
    Apply(*table, std::move(changes));
    Do(table->Complete(round));
  }
}

TEST_F(TableIndexTest, SecondProcessIsRefused) {
  const auto second = Database::Open(folder_.path());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().kind(), ErrorKind::kConflict);
  EXPECT_THAT(second.error().message(), HasSubstr("another firn uses"));
}

TEST_F(TableIndexTest, DamagedDatabaseIsMadeAnew) {
  auto table = NewTable();
  Do(table->Complete(1));
  table.reset();
  database_.reset();
  std::ofstream(folder_ / "CURRENT") << "MANIFEST-nonsense\n";
  Open();
  EXPECT_EQ(Table()->state().snapshot_id, std::nullopt);
  Do(NewTable()->Complete(2));
}

TEST_F(TableIndexTest, DamageFoundInUseIsAnErrorThatHealsAtTheNextStart) {
  auto table = NewTable();
  std::vector<std::string> keys;
  for (int i = 0; i < 20'000; ++i) keys.push_back(std::to_string(i));
  std::vector<TableIndex::Entry> entries;
  for (uint32_t i = 0; i < keys.size(); ++i) entries.push_back({keys[i], {0, i}});
  Do(table->Load(entries));
  Do(table->Complete(1));
  table.reset();
  database_.reset();
  for (const auto& file : fs::directory_iterator(folder_.path())) {
    if (file.path().extension() != ".sst") continue;
    std::fstream sst(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    sst.seekp(static_cast<std::streamoff>(file.file_size() / 3));  // Beyond the first block, which opening may read.
    sst << std::string(200, '!');
  }
  Open();
  table = Table();
  EXPECT_THAT(table->state().snapshot_id, Optional(1));
  const auto found = table->Lookup(std::vector<std::string_view>(keys.begin(), keys.end()));
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().kind(), ErrorKind::kCorrupt);
  table.reset();
  Open();
  EXPECT_EQ(Table()->state().snapshot_id, std::nullopt);
}

TEST_F(TableIndexTest, AFolderThatCannotBeMadeIsAClearError) {
  std::ofstream(folder_ / "file") << "";
  const auto opened = Database::Open(folder_ / "file/index");
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error().message(), HasSubstr("state_dir"));
}

TEST_F(TableIndexTest, AThousandTablesShareOneDatabase) {
  std::vector<std::unique_ptr<TableIndex>> tables;
  for (uint32_t i = 0; i < 1'000; ++i) {
    tables.push_back(Table("table-" + std::to_string(i), i % 2 == 0 ? KeyKind::kUnique : KeyKind::kDuplicates));
    Do(tables.back()->Reset("c"));
    Apply(*tables.back(), {{.key = "k", .put = RowPosition{0, i}}});
    Do(tables.back()->Complete(i));
  }
  tables.clear();
  Open();
  for (uint32_t i = 0; i < 1'000; i += 37) {
    auto table = Table("table-" + std::to_string(i), i % 2 == 0 ? KeyKind::kUnique : KeyKind::kDuplicates);
    EXPECT_THAT(table->state().snapshot_id, Optional(i));
    EXPECT_THAT(Lookup(*table, {"k"}), ElementsAre(RowPosition{0, i}));
  }
}

TEST_F(TableIndexTest, NamesTheTablesThatThereAre) {
  EXPECT_THAT(Value(database_->TableIds()), ::testing::IsEmpty());
  (void)Table("absent");
  Do(NewTable("b 1:int")->Complete(7));
  (void)NewTable("a", KeyKind::kDuplicates);
  EXPECT_THAT(Value(database_->TableIds()), UnorderedElementsAre("a", "b 1:int"));
  Do(database_->DropTable("a"));
  Open();
  EXPECT_THAT(Value(database_->TableIds()), ElementsAre("b 1:int"));
}

TEST_F(TableIndexTest, DroppingALargeTableGivesItsDiskSpaceBack) {
  auto table = NewTable();
  std::vector<std::string> keys;
  std::mt19937_64 random(3);
  for (int i = 0; i < 100'000; ++i) keys.push_back(std::to_string(random()) + std::to_string(random()));
  std::vector<TableIndex::Entry> entries;
  for (uint32_t i = 0; i < keys.size(); ++i) entries.push_back({keys[i], {0, i}});
  Do(table->Load(entries));
  const auto size = [&] {
    uintmax_t bytes = 0;
    for (const auto& file : fs::directory_iterator(folder_.path())) {
      if (file.path().extension() == ".sst") bytes += file.file_size();
    }
    return bytes;
  };
  EXPECT_GT(size(), 1u << 20);
  Do(table->Reset("c1"));
  table.reset();
  Open();
  EXPECT_LT(size(), 100u << 10);
}

}  // namespace
}  // namespace firn::index
