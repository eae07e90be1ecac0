#include "maintenance/upkeep.h"

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <span>
#include <thread>

#include "base/unix_time.h"
#include "base/uuid.h"
#include "iceberg/row_delta.h"
#include "iceberg/table_scan.h"
#include "maintenance/orphan_files.h"
#include "pipeline/progress.h"
#include "testing/memory_catalog.h"
#include "testing/memory_file_store.h"
#include "testing/results.h"

namespace firn::maintenance {
namespace {

using testing::Do;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::Value;

const iceberg::TableIdent kIdent{{"shop"}, "orders"};
const iceberg::Schema kSchema{
    .fields = {{.id = 1, .name = "id", .required = true, .type = iceberg::Type::Primitive(iceberg::TypeId::kLong)}}};
constexpr int64_t kDayMs = 24LL * 3600 * 1000;

class UpkeepTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Do(catalog_.EnsureNamespace(kIdent.namespace_levels));
    Value(catalog_.CreateTable(kIdent, {.schema = kSchema}));
    for (int64_t id = 0; id < 10; ++id) Insert(id);
  }

  catalog::LoadedTable Load() { return Value(catalog_.LoadTable(kIdent)); }

  void Insert(int64_t id) {
    arrow::Int64Builder ids;
    ASSERT_TRUE(ids.Append(id).ok());
    const auto rows = arrow::RecordBatch::Make(Value(iceberg::ToArrowSchema(kSchema)), 1, {ids.Finish().ValueOrDie()});
    const catalog::LoadedTable base = Load();
    auto writer = Value(pipeline::PartitionedWriter::Make(store_, metrics_, base.metadata, kSchema, {}, "t",
                                                          [] { return NewUuid() + ".parquet"; }));
    Value(writer->Write(rows));
    Do(writer->CloseAll());
    iceberg::ManifestCache manifests;
    const auto request = Value(
        iceberg::BuildRowDelta(store_, kIdent, *base.metadata,
                               {.added_data_files = writer->TakeClosed(), .summary = {{pipeline::kLsnKey, "0/1"}}},
                               manifests, now_ms_ += 1'000));
    Value(catalog_.CommitTables(std::span(&request, 1)));
  }

  std::set<int64_t> Rows() {
    const catalog::LoadedTable table = Load();
    iceberg::ManifestCache manifests;
    auto scan =
        Value(iceberg::TableScan::Plan(store_, table.metadata, table.metadata->CurrentSnapshot(), kSchema, manifests));
    files_ = scan.files().size();
    std::set<int64_t> rows;
    for (const iceberg::LiveDataFile& file : scan.files()) {
      auto reader = Value(scan.Open(file));
      while (const auto live = Value(reader->Next())) {
        const auto& ids = static_cast<const arrow::Int64Array&>(*live->rows->column(0));
        for (int64_t i = 0; i < ids.length(); ++i) EXPECT_TRUE(rows.insert(ids.Value(i)).second);
      }
    }
    return rows;
  }

  std::unique_ptr<Upkeep> Start(bool compacts, bool expires) {
    UpkeepOptions options{.compacts = compacts,
                          .expires = expires,
                          .interval = std::chrono::milliseconds(1),
                          .retention = {.max_age_ms = kDayMs}};
    auto upkeep = std::make_unique<Upkeep>(
        MaintenanceContext{.catalog = catalog_, .store = store_, .metrics = metrics_, .retry = {}}, options);
    upkeep->Streams({{kIdent, "public.orders"}});
    return upkeep;
  }

  static std::unique_ptr<pipeline::TableRewrite> WaitFor(Upkeep& upkeep) {
    while (true) {
      if (auto rewrite = upkeep.Take()) return rewrite;
      std::this_thread::yield();
    }
  }

  Result<catalog::LoadedTable> Commit(pipeline::TableRewrite& rewrite) {
    iceberg::ManifestCache manifests;
    const std::string commit_id = NewUuid();
    const auto change = rewrite.MakeChange(Load(), manifests, commit_id);
    auto receipt = catalog::CommitChanges(catalog_, std::span(&change, 1), commit_id, Lsn{}, {}, {});
    if (!receipt) return std::move(receipt).error();
    return receipt->tables().front();
  }

  std::vector<storage::FileInfo> Orphans() {
    return Value(FindOrphans(catalog_, store_, kIdent, {}, {.grace_ms = 0, .now_ms = UnixMillisNow() + kDayMs}));
  }

  testing::MemoryFileStore store_;
  testing::MemoryCatalog catalog_;
  Metrics metrics_;
  int64_t now_ms_ = 1'700'000'000'000;
  size_t files_ = 0;  ///< As of the last Rows.
};

TEST_F(UpkeepTest, OffersRewritesOfSmallFilesForTheNextCommit) {
  const auto rows = Rows();
  auto upkeep = Start(true, false);
  auto rewrite = WaitFor(*upkeep);
  EXPECT_EQ(rewrite->table(), kIdent);
  EXPECT_EQ(upkeep->Take(), nullptr);  // One at a time.
  Insert(100);
  rewrite->Ended(Commit(*rewrite));
  rewrite.reset();
  upkeep.reset();
  std::set<int64_t> expected = rows;
  expected.insert(100);
  EXPECT_EQ(Rows(), expected);
  EXPECT_EQ(files_, 2U);
  EXPECT_THAT(Orphans(), IsEmpty());
  EXPECT_THAT(metrics_.Expose(), HasSubstr("firn_compacted_files_total{table=\"public.orders\"} 10\n"));
}

TEST_F(UpkeepTest, LeavesNothingBehindWhenNobodyTakesWhatItOffers) {
  const auto rows = Rows();
  auto upkeep = Start(true, false);
  WaitFor(*upkeep).reset();         // Nobody tries to commit it: it is offered again,
  auto rewrite = WaitFor(*upkeep);  // and again,
  rewrite->Ended(MakeError(ErrorKind::kConflict, "files are gone"));
  rewrite.reset();
  WaitFor(*upkeep).reset();  // in another plan.
  upkeep.reset();
  EXPECT_EQ(Rows(), rows);
  EXPECT_EQ(files_, 10U);
  EXPECT_THAT(Orphans(), IsEmpty());
}

TEST_F(UpkeepTest, KeepsTheFilesOfACommitThatMayStillCome) {
  auto upkeep = Start(true, false);
  auto rewrite = WaitFor(*upkeep);
  rewrite->Ended(MakeError(ErrorKind::kWriteFailed, "given up after retries"));
  rewrite.reset();
  upkeep.reset();
  EXPECT_THAT(Orphans(), SizeIs(::testing::Ge(1U)));
}

TEST_F(UpkeepTest, CompactsOnRequestWhatWouldNotPayOffByItself) {
  Upkeep upkeep({.catalog = catalog_, .store = store_, .metrics = metrics_, .retry = {}},
                {.compacts = false, .expires = false, .interval = std::chrono::hours(1)});
  EXPECT_EQ(upkeep.Request("public.orders").error().kind(), ErrorKind::kConflict);  // Nothing streams yet.
  upkeep.Streams({{kIdent, "public.orders"}});
  EXPECT_EQ(upkeep.Request("public.others").error().kind(), ErrorKind::kConflict);
  for (const int64_t joined : {10, 2}) {
    const auto rows = Rows();
    Do(upkeep.Request("public.orders"));
    const auto rewrite = WaitFor(upkeep);
    rewrite->Ended(Commit(*rewrite));
    EXPECT_EQ(Rows(), rows);
    EXPECT_EQ(files_, 1U) << "of " << joined;
    Insert(joined);
  }
}

TEST_F(UpkeepTest, CompactsATableOfManyCommitsWithoutWaitingForTheInterval) {
  Upkeep upkeep({.catalog = catalog_, .store = store_, .metrics = metrics_, .retry = {}},
                {.expires = false, .interval = std::chrono::hours(1)});
  upkeep.Streams({{kIdent, "public.orders"}});
  const catalog::LoadedTable table = Load();
  for (int commit = 1; commit < 8; ++commit) upkeep.Committed(std::span(&table, 1));
  EXPECT_EQ(upkeep.Take(), nullptr);
  upkeep.Committed(std::span(&table, 1));
  const auto rewrite = WaitFor(upkeep);
  rewrite->Ended(Commit(*rewrite));
  EXPECT_THAT(Rows(), SizeIs(10));
  EXPECT_EQ(files_, 1U);
}

TEST_F(UpkeepTest, RefusesASecondRequestWhileOneWaits) {
  Upkeep upkeep({.catalog = catalog_, .store = store_, .metrics = metrics_, .retry = {}},
                {.compacts = false, .expires = false, .interval = std::chrono::hours(1)});
  upkeep.Streams({{kIdent, "public.orders"}});
  Do(upkeep.Request("public.orders"));
  const auto rewrite = WaitFor(upkeep);  // The thread is at it until this ends.
  Do(upkeep.Request("public.orders"));
  const Status again = upkeep.Request("public.orders");
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message(), HasSubstr("waits to be compacted already"));
}

TEST_F(UpkeepTest, ExpiresSnapshotsPastTheirRetention) {
  const auto rows = Rows();
  auto upkeep = Start(false, true);
  while (Load().metadata->snapshots.size() > 1) std::this_thread::yield();
  upkeep.reset();
  EXPECT_EQ(Rows(), rows);
  EXPECT_THAT(metrics_.Expose(), HasSubstr("firn_expired_snapshots_total{table=\"public.orders\"} 9\n"));
}

TEST_F(UpkeepTest, LeavesSnapshotsWhoseFilesOthersMayNeed) {
  const auto set = [&](const char* value) {
    const iceberg::CommitRequest request{.table = kIdent, .updates = {iceberg::SetProperties{{{"gc.enabled", value}}}}};
    Value(catalog_.CommitTables(std::span(&request, 1)));
  };
  set("false");
  auto upkeep = Start(true, true);
  // It compacts before it looks at snapshots; the second offer comes after that.
  for (int64_t id = 100; id < 200; id += 50) {
    const auto rewrite = WaitFor(*upkeep);
    rewrite->Ended(Commit(*rewrite));
    for (int64_t next = id; next < id + 10; ++next) Insert(next);
  }
  const size_t kept = Load().metadata->snapshots.size();
  EXPECT_GE(kept, 32U);
  upkeep.reset();
  set("true");
  upkeep = Start(false, true);
  while (Load().metadata->snapshots.size() == kept) std::this_thread::yield();
}

TEST_F(UpkeepTest, ExpiresWhatIsBeyondTheMaximumWhenACommitTellsOfIt) {
  for (int64_t id = 10; id < 110; ++id) Insert(id);
  const auto rows = Rows();
  Upkeep upkeep({.catalog = catalog_, .store = store_, .metrics = metrics_, .retry = {}},
                {.compacts = false,
                 .interval = std::chrono::hours(1),
                 .retention = {.max_age_ms = 100 * 365 * kDayMs, .max_snapshots = 9}});
  upkeep.Streams({{kIdent, "public.orders"}});
  const catalog::LoadedTable crowded = Load();
  upkeep.Committed(std::span(&crowded, 1));
  while (Load().metadata->snapshots.size() > 9) std::this_thread::yield();
  EXPECT_EQ(Rows(), rows);
  EXPECT_EQ(Load().metadata->snapshots.size(), 9U);
}

}  // namespace
}  // namespace firn::maintenance
