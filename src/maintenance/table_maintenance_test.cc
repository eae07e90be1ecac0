#include "maintenance/table_maintenance.h"

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "base/uuid.h"
#include "catalog/commit_loop.h"
#include "iceberg/reserved_fields.h"
#include "iceberg/row_deletes.h"
#include "iceberg/row_delta.h"
#include "iceberg/table_scan.h"
#include "pipeline/change_mode.h"
#include "pipeline/parked_tables.h"
#include "pipeline/progress.h"
#include "pipeline/source_definition.h"
#include "testing/memory_catalog.h"
#include "testing/memory_file_store.h"
#include "testing/results.h"

namespace firn::maintenance {
namespace {

using iceberg::RowPositions;
using testing::Do;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using testing::Value;

const iceberg::TableIdent kIdent{{"shop"}, "orders"};
const iceberg::Schema kSchema{
    .fields = {{.id = 1, .name = "id", .required = true, .type = iceberg::Type::Primitive(iceberg::TypeId::kLong)},
               {.id = 2, .name = "part", .type = iceberg::Type::Primitive(iceberg::TypeId::kLong)}}};
constexpr int64_t kDayMs = 24LL * 3600 * 1000;

/// A table whose rows are numbers, by format version, with partitions (number % 3) or without.
class TableMaintenanceTest : public ::testing::TestWithParam<std::tuple<int, bool>> {
 protected:
  void SetUp() override {
    const auto [version, partitioned] = GetParam();
    iceberg::NewTable table{.schema = kSchema, .format_version = version};
    if (partitioned) table.spec.fields = {{.source_id = 2, .field_id = 1000, .name = "part"}};
    Do(catalog_.EnsureNamespace(kIdent.namespace_levels));
    Value(catalog_.CreateTable(kIdent, table));
  }

  catalog::LoadedTable Load() { return Value(catalog_.LoadTable(kIdent)); }

  void Commit(iceberg::RowDelta delta) {
    const std::string commit_id = NewUuid();
    delta.summary = {{catalog::kCommitIdKey, commit_id}, {pipeline::kLsnKey, "0/1"}};
    const catalog::LoadedTable base = Load();
    const auto request =
        Value(iceberg::BuildRowDelta(store_, kIdent, *base.metadata, delta, manifests_, now_ms_ += 1'000));
    Value(catalog_.CommitTables(std::span(&request, 1)));
  }

  void Insert(int64_t first, int64_t count) {
    std::vector<int64_t> numbers(static_cast<size_t>(count));
    std::iota(numbers.begin(), numbers.end(), first);
    Insert(numbers);
  }
  void Insert(const std::vector<int64_t>& numbers) {
    arrow::Int64Builder ids;
    arrow::Int64Builder parts;
    for (const int64_t id : numbers) {
      ASSERT_TRUE(ids.Append(id).ok());
      ASSERT_TRUE(parts.Append(id % 3).ok());
    }
    const int64_t count = std::ssize(numbers);
    const auto rows = arrow::RecordBatch::Make(Value(iceberg::ToArrowSchema(kSchema)), count,
                                               {ids.Finish().ValueOrDie(), parts.Finish().ValueOrDie()});
    auto writer = Value(pipeline::PartitionedWriter::Make(store_, metrics_, Load().metadata, kSchema, {}, "t",
                                                          [] { return NewUuid() + ".parquet"; }));
    Value(writer->Write(rows));
    Do(writer->CloseAll());
    Commit({.added_data_files = writer->TakeClosed()});
  }

  /// Deletes the rows by place, beside those that are deleted already.
  void Delete(const std::set<int64_t>& ids) {
    const catalog::LoadedTable table = Load();
    auto scan =
        Value(iceberg::TableScan::Plan(store_, table.metadata, table.metadata->CurrentSnapshot(), kSchema, manifests_));
    iceberg::DeletedRows deleted_rows(store_);
    iceberg::RowDelta delta;
    for (const iceberg::LiveDataFile& file : scan.files()) {
      RowPositions positions = Value(deleted_rows.Of(*table.metadata, file));
      const uint64_t before = positions.cardinality();
      auto reader = Value(scan.Open(file));
      while (const auto live = Value(reader->Next())) {
        const auto& column = static_cast<const arrow::Int64Array&>(*live->rows->column(0));
        for (int64_t i = 0; i < column.length(); ++i) {
          if (ids.contains(column.Value(i))) positions.add(static_cast<uint64_t>(live->positions[i]));
        }
      }
      if (positions.cardinality() == before) continue;
      const auto name = [&](std::string_view ending) {
        return iceberg::DataLocation(*table.metadata, NewUuid() + std::string(ending));
      };
      delta.added_delete_files.push_back(Value(iceberg::WriteRowDeletes(
          store_, std::get<0>(GetParam()), name, file.entry.file, positions, iceberg::Compression::kZstd)));
    }
    Commit(std::move(delta));
  }

  /// Each row's number, with its lineage where the table has it.
  std::map<int64_t, std::pair<int64_t, int64_t>> Rows() { return RowsAt(Load(), Load().metadata->CurrentSnapshot()); }
  std::map<int64_t, std::pair<int64_t, int64_t>> RowsAt(const catalog::LoadedTable& table,
                                                        const iceberg::Snapshot* snapshot) {
    const bool has_lineage = std::get<0>(GetParam()) >= 3;
    iceberg::Schema projection = kSchema;
    if (has_lineage) {
      projection.fields.push_back(iceberg::RowIdField());
      projection.fields.push_back(iceberg::LastUpdatedField());
    }
    iceberg::ManifestCache manifests;
    auto scan = Value(iceberg::TableScan::Plan(store_, table.metadata, snapshot, projection, manifests));
    std::map<int64_t, std::pair<int64_t, int64_t>> rows;
    for (const iceberg::LiveDataFile& file : scan.files()) {
      auto reader = Value(scan.Open(file));
      while (const auto live = Value(reader->Next())) {
        const auto number = [&](int column, int64_t i) {
          return static_cast<const arrow::Int64Array&>(*live->rows->column(column)).Value(i);
        };
        for (int64_t i = 0; i < live->rows->num_rows(); ++i) {
          const auto lineage = has_lineage ? std::pair(number(2, i), number(3, i)) : std::pair<int64_t, int64_t>();
          EXPECT_TRUE(rows.emplace(number(0, i), lineage).second) << "row " << number(0, i) << " is there twice";
        }
      }
    }
    return rows;
  }

  std::vector<iceberg::LiveDataFile> Files() {
    const catalog::LoadedTable table = Load();
    iceberg::ManifestCache manifests;
    return Value(iceberg::PlanFiles(store_, *table.metadata, table.metadata->CurrentSnapshot(), manifests));
  }

  Result<CompactReport> Compact() { return CompactTable(context_, kIdent, {}, {}, {}); }

  /// By number, descending.
  void SetOrder() {
    const iceberg::CommitRequest request{
        .table = kIdent,
        .updates = {iceberg::AddSortOrder{{.fields = {{.source_id = 1, .descending = true, .nulls_first = false}}}},
                    iceberg::SetDefaultSortOrder{-1}}};
    Value(catalog_.CommitTables(std::span(&request, 1)));
  }

  /// The numbers of a file's rows, those deleted too.
  std::vector<int64_t> NumbersIn(const iceberg::DataFile& file) {
    std::vector<int64_t> numbers;
    auto reader = Value(iceberg::OpenDataFile(store_, *Load().metadata, file, {.fields = {kSchema.fields[0]}}));
    while (const auto batch = Value(reader->Next())) {
      const auto& column = static_cast<const arrow::Int64Array&>(*batch->column(0));
      numbers.insert(numbers.end(), column.raw_values(), column.raw_values() + column.length());
    }
    return numbers;
  }

  /// Each file that is not of a later commit is in order and says so, and no two of a partition overlap.
  void ExpectSorted(const std::set<int64_t>& later = {}) {
    std::map<std::string, std::vector<std::pair<int64_t, int64_t>>> ranges;
    for (const iceberg::LiveDataFile& live : Files()) {
      const iceberg::DataFile& file = live.entry.file;
      if (later.contains(NumbersIn(file).front())) continue;
      EXPECT_EQ(file.sort_order_id, 1);
      const std::vector<int64_t> numbers = NumbersIn(file);
      EXPECT_TRUE(std::ranges::is_sorted(numbers, std::greater()));
      ranges[iceberg::PartitionKey(file.partition_spec_id, file.partition)].emplace_back(numbers.back(),
                                                                                         numbers.front());
    }
    for (auto& [partition, of_files] : ranges) {
      std::ranges::sort(of_files);
      for (size_t i = 1; i < of_files.size(); ++i) EXPECT_LT(of_files[i - 1].second, of_files[i].first);
    }
  }

  size_t FilesPerPartition() const { return std::get<1>(GetParam()) ? 3 : 1; }

  /// Ten commits of rows, of which some are deleted.
  void Fill() {
    for (int64_t i = 0; i < 10; ++i) Insert(i * 30, 30);
    Delete({0, 31, 62, 93, 94, 95, 299});
    Delete({1, 32, 298});
  }

  testing::MemoryFileStore store_;
  testing::MemoryCatalog catalog_;
  Metrics metrics_;
  MaintenanceContext context_{
      .catalog = catalog_, .store = store_, .metrics = metrics_, .retry = {.base_delay = std::chrono::milliseconds(1)}};
  iceberg::ManifestCache manifests_;
  int64_t now_ms_ = 1'700'000'000'000;
};

TEST_P(TableMaintenanceTest, CompactsToOneFileOfTheSameRows) {
  Fill();
  const auto before = Rows();
  ASSERT_THAT(before, SizeIs(290));
  const CompactReport report = Value(Compact());
  EXPECT_EQ(Rows(), before);
  EXPECT_THAT(Files(), SizeIs(FilesPerPartition()));
  for (const iceberg::LiveDataFile& file : Files()) EXPECT_THAT(file.position_deletes, IsEmpty());
  EXPECT_EQ(report.before.data_files, static_cast<int64_t>(10 * FilesPerPartition()));
  EXPECT_GT(report.before.delete_files, 0);
  EXPECT_EQ(report.after.data_files, static_cast<int64_t>(FilesPerPartition()));
  EXPECT_EQ(report.after.delete_files, 0);
  EXPECT_LT(report.after.bytes, report.before.bytes);
  EXPECT_EQ(Load().metadata->CurrentSnapshot()->summary.at("operation"), "replace");

  const CompactReport again = Value(Compact());
  EXPECT_EQ(again.groups, 0);
}

TEST_P(TableMaintenanceTest, CarriesDeletesOverThatCameMeanwhile) {
  Fill();
  auto expected = Rows();
  bool armed = true;
  catalog_.OnCommit([&](std::span<const iceberg::CommitRequest>) {
    if (!std::exchange(armed, false)) return;
    Delete({2, 96, 150, 297});
    Insert(1'000, 3);
  });
  Value(Compact());
  catalog_.OnCommit({});
  for (const int64_t id : {2, 96, 150, 297}) expected.erase(id);
  auto rows = Rows();
  for (int64_t id = 1'000; id < 1'003; ++id) EXPECT_EQ(rows.erase(id), 1U);
  EXPECT_EQ(rows, expected);
}

TEST_P(TableMaintenanceTest, SortsRowsWhereTheTableHasAnOrder) {
  SetOrder();
  Fill();
  for (const iceberg::LiveDataFile& file : Files()) EXPECT_EQ(file.entry.file.sort_order_id, 0);
  const auto before = Rows();
  const CompactReport report = Value(Compact());
  EXPECT_EQ(report.sorted_by, "id desc");
  EXPECT_EQ(Rows(), before);
  EXPECT_THAT(Files(), SizeIs(FilesPerPartition()));
  ExpectSorted();
  EXPECT_EQ(Value(Compact()).groups, 0);

  // New rows alone don't make it worth to sort large files again; and whatever is written again is sorted.
  Insert(2'000, 30);
  Value(Compact());
  EXPECT_THAT(Rows(), SizeIs(320));
  ExpectSorted();
}

TEST_P(TableMaintenanceTest, SortsRowsAcrossFilesInLittleMemory) {
  SetOrder();
  std::vector<int64_t> numbers(6'000);
  std::iota(numbers.begin(), numbers.end(), 0);
  std::mt19937 dice(3);
  std::ranges::shuffle(numbers, dice);
  for (size_t i = 0; i < numbers.size(); i += 200) Insert({numbers.begin() + i, numbers.begin() + i + 200});
  Delete({5, 77, 1'000, 1'001, 5'999});
  auto expected = Rows();
  bool armed = true;
  catalog_.OnCommit([&](std::span<const iceberg::CommitRequest>) {
    if (!std::exchange(armed, false)) return;
    Delete({6, 1'002, 3'000, 5'998});
    Insert(9'000, 3);
  });
  pipeline::DataFileOptions files;
  files.memory = std::make_shared<pipeline::RowMemory>(16 << 10);
  Value(CompactTable(context_, kIdent, {.target_file_size_bytes = 4 << 10}, files, {}));
  catalog_.OnCommit({});
  for (const int64_t id : {6, 1'002, 3'000, 5'998}) expected.erase(id);
  auto rows = Rows();
  for (int64_t id = 9'000; id < 9'003; ++id) EXPECT_EQ(rows.erase(id), 1U);
  EXPECT_EQ(rows, expected);
  EXPECT_GE(Files().size(), FilesPerPartition() + 2);
  ExpectSorted({9'000, 9'001, 9'002});
}

TEST_P(TableMaintenanceTest, LeavesTheRowsOfATableOfChangesInTheirOrder) {
  SetOrder();
  const iceberg::CommitRequest request{
      .table = kIdent,
      .updates = {iceberg::SetProperties{
          {{pipeline::kChangeModeProperty, std::string(ToString(pipeline::ChangeMode::kAppend))}}}}};
  Value(catalog_.CommitTables(std::span(&request, 1)));
  Fill();
  EXPECT_EQ(Value(Compact()).sorted_by, "");
  for (const iceberg::LiveDataFile& file : Files()) {
    EXPECT_EQ(file.entry.file.sort_order_id, 0);
    EXPECT_TRUE(std::ranges::is_sorted(NumbersIn(file.entry.file)));
  }
}

TEST_P(TableMaintenanceTest, LeavesOutFilesOfWhichEveryRowWentMeanwhile) {
  Insert(0, 3);
  Insert(3, 3);
  bool armed = true;
  catalog_.OnCommit([&](std::span<const iceberg::CommitRequest>) {
    if (std::exchange(armed, false)) Delete({0, 1, 2, 3, 4, 5});
  });
  Value(Compact());
  catalog_.OnCommit({});
  EXPECT_THAT(Rows(), IsEmpty());
  EXPECT_EQ(Load().metadata->CurrentSnapshot()->summary.at("operation"), "replace");
}

TEST_P(TableMaintenanceTest, PlansAnewWhenTheFilesAreGone) {
  Fill();
  bool armed = true;
  catalog_.OnCommit([&](std::span<const iceberg::CommitRequest>) {
    if (!std::exchange(armed, false)) return;
    Commit({.truncate = true});
    Insert(5'000, 4);
    Insert(5'004, 4);
  });
  Value(Compact());
  catalog_.OnCommit({});
  const auto rows = Rows();
  EXPECT_THAT(rows, SizeIs(8));
  EXPECT_EQ(rows.begin()->first, 5'000);
  EXPECT_THAT(Files(), SizeIs(FilesPerPartition()));
}

TEST_P(TableMaintenanceTest, WhatAStopLeavesIsOrphansAtMost) {
  Fill();
  const auto before = Rows();
  std::stop_source stop;
  stop.request_stop();
  const auto compacted = CompactTable(context_, kIdent, {}, {}, stop.get_token());
  ASSERT_FALSE(compacted.has_value());
  EXPECT_EQ(compacted.error().kind(), ErrorKind::kCancelled);
  EXPECT_EQ(Rows(), before);
  EXPECT_THAT(Value(FindOrphans(catalog_, store_, kIdent, {}, {.grace_ms = 0, .now_ms = UnixMillisNow() + kDayMs})),
              IsEmpty());
}

TEST_P(TableMaintenanceTest, ExpiresSnapshotsAndTheirFilesOnly) {
  Fill();
  const catalog::LoadedTable old = Load();
  Value(Compact());
  const auto rows = Rows();
  const size_t files = Value(store_.List(Load().metadata->location)).size();
  // All but the current one, and the one that holds firn's progress.
  const int64_t later = UnixMillisNow() + 10 * kDayMs;
  SnapshotFiles kept_files;
  const ExpireReport report = Value(ExpireSnapshots(context_, kIdent, {.max_age_ms = kDayMs}, later, kept_files, {}));
  EXPECT_EQ(report.snapshots, static_cast<int64_t>(old.metadata->snapshots.size()) - 1);
  EXPECT_GT(report.files, 0);
  EXPECT_EQ(Value(store_.List(Load().metadata->location)).size(), files - static_cast<size_t>(report.files));
  EXPECT_EQ(Rows(), rows);
  for (const iceberg::Snapshot& kept : Load().metadata->snapshots) EXPECT_THAT(RowsAt(Load(), &kept), SizeIs(290));
  EXPECT_TRUE(Value(pipeline::ReadProgress(*Load().metadata)).has_value());
  EXPECT_EQ(Value(ExpireSnapshots(context_, kIdent, {.max_age_ms = kDayMs}, later, kept_files, {})).snapshots, 0);
}

TEST_P(TableMaintenanceTest, ExpiresNothingOfATableWhoseFilesOthersMayNeed) {
  Fill();
  const iceberg::CommitRequest request{.table = kIdent, .updates = {iceberg::SetProperties{{{"gc.enabled", "false"}}}}};
  Value(catalog_.CommitTables(std::span(&request, 1)));
  Value(Compact());
  const size_t snapshots = Load().metadata->snapshots.size();
  const size_t files = Value(store_.List(Load().metadata->location)).size();
  SnapshotFiles kept_files;
  const auto expired =
      ExpireSnapshots(context_, kIdent, {.max_age_ms = kDayMs}, UnixMillisNow() + 10 * kDayMs, kept_files, {});
  ASSERT_FALSE(expired);
  EXPECT_EQ(expired.error().kind(), ErrorKind::kUnsupported);
  EXPECT_THAT(expired.error().message(), ::testing::HasSubstr("gc.enabled"));
  EXPECT_EQ(Load().metadata->snapshots.size(), snapshots);
  EXPECT_EQ(Value(store_.List(Load().metadata->location)).size(), files);
}

TEST_P(TableMaintenanceTest, ExpiresAgainAndAgainWithWhatItRemembers) {
  Fill();
  SnapshotFiles kept_files;
  for (int round = 0; round < 6; ++round) {
    Insert(20'000 + round * 100, 10);
    if (round == 3) Commit({.truncate = true});
    Delete({20'000 + round * 100});
    Insert(30'000 + round * 100, 10);
    if (round % 2 == 0) Value(Compact());
    const auto rows = Rows();
    const Retention retention{.max_age_ms = 1'000 * kDayMs, .max_snapshots = 4};
    EXPECT_GT(Value(ExpireSnapshots(context_, kIdent, retention, UnixMillisNow(), kept_files, {})).files, 0);
    EXPECT_EQ(Rows(), rows);
    const catalog::LoadedTable table = Load();
    for (const iceberg::Snapshot& kept : table.metadata->snapshots) RowsAt(table, &kept);
    EXPECT_THAT(Value(FindOrphans(catalog_, store_, kIdent, {}, {.grace_ms = 0, .now_ms = UnixMillisNow() + kDayMs})),
                IsEmpty());
    SnapshotFiles anew;
    Do(anew.Follow(store_, *table.metadata));
    EXPECT_EQ(kept_files.files(), anew.files());
  }
}

TEST_P(TableMaintenanceTest, KeepsTheFilesOfTags) {
  Fill();
  const auto before = Rows();
  const catalog::LoadedTable tagged = Load();
  const iceberg::CommitRequest tag{
      .table = kIdent,
      .updates = {iceberg::SetSnapshotRef{"audit",
                                          {.snapshot_id = *tagged.metadata->current_snapshot_id, .is_branch = false}}}};
  Value(catalog_.CommitTables(std::span(&tag, 1)));
  Commit({.truncate = true});
  Insert(9'000, 1);
  SnapshotFiles kept_files;
  Value(ExpireSnapshots(context_, kIdent, {.max_age_ms = kDayMs}, UnixMillisNow() + 10 * kDayMs, kept_files, {}));
  const catalog::LoadedTable table = Load();
  const iceberg::Snapshot* audit = table.metadata->FindSnapshot(table.metadata->refs.at("audit").snapshot_id);
  ASSERT_NE(audit, nullptr);
  EXPECT_EQ(RowsAt(table, audit), before);
}

TEST_P(TableMaintenanceTest, FindsOrphansAndNothingThatASnapshotNeeds) {
  Fill();
  Value(Compact());
  const std::string orphan = Load().metadata->location + "/data/left-behind.parquet";
  Do(store_.Write(orphan, "x"));
  const int64_t now = UnixMillisNow();
  EXPECT_THAT(Value(FindOrphans(catalog_, store_, kIdent, {}, {.now_ms = now})), IsEmpty());  // Too young.
  const auto found = Value(FindOrphans(catalog_, store_, kIdent, {}, {.now_ms = now + 4 * kDayMs}));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].location, orphan);
  Do(DeleteFiles(store_, found, {}));
  const catalog::LoadedTable table = Load();
  for (const iceberg::Snapshot& snapshot : table.metadata->snapshots) RowsAt(table, &snapshot);
}

TEST_P(TableMaintenanceTest, LeavesTheDataFilesOfATableThatIsToBeCopied) {
  const auto set = [&](iceberg::Update update) {
    const iceberg::CommitRequest request{.table = kIdent, .updates = {std::move(update)}};
    Value(catalog_.CommitTables(std::span(&request, 1)));
  };
  set(iceberg::SetProperties{{{pipeline::kSourceTableProperty, "public.orders"}}});
  const std::string data = Load().metadata->location + "/data/part-of-a-copy.parquet";
  const std::string metadata = Load().metadata->location + "/metadata/left-behind.avro";
  Do(store_.Write(data, "x"));
  Do(store_.Write(metadata, "x"));
  const auto find = [&] {
    std::vector<std::string> locations;
    for (const auto& file : Value(FindOrphans(catalog_, store_, kIdent, {}, {.now_ms = UnixMillisNow() + 4 * kDayMs})))
      locations.push_back(file.location);
    return locations;
  };
  EXPECT_THAT(find(), ElementsAre(metadata));  // Its first copy is not committed.
  Insert(0, 10);
  EXPECT_THAT(find(), UnorderedElementsAre(data, metadata));
  set(iceberg::SetProperties{{{pipeline::kParkedProperty, "it was altered"}}});
  EXPECT_THAT(find(), ElementsAre(metadata));
  set(iceberg::RemoveProperties{{pipeline::kParkedProperty}});
  EXPECT_THAT(find(), UnorderedElementsAre(data, metadata));
}

TEST_P(TableMaintenanceTest, RefusesToLookForOrphansAroundAnotherTable) {
  iceberg::NewTable inner{.schema = kSchema, .location = Load().metadata->location + "/data/inner"};
  const catalog::LoadedTable other = Value(catalog_.CreateTable({{"shop"}, "inner"}, inner));
  const auto found = FindOrphans(catalog_, store_, kIdent, {Load(), other}, {.now_ms = UnixMillisNow()});
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().kind(), ErrorKind::kUnsupported);
}

INSTANTIATE_TEST_SUITE_P(Tables, TableMaintenanceTest, ::testing::Combine(::testing::Values(2, 3), ::testing::Bool()),
                         [](const auto& tested) {
                           return "V" + std::to_string(std::get<0>(tested.param)) +
                                  (std::get<1>(tested.param) ? "Partitioned" : "");
                         });

}  // namespace
}  // namespace firn::maintenance
