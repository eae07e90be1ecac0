#include "catalog/commit_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "testing/memory_catalog.h"
#include "testing/results.h"

namespace firn::catalog {
namespace {

using firn::testing::MemoryCatalog;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Value;
using Fault = MemoryCatalog::Fault;

constexpr RetryPolicy kNoDelay{.max_retries = 3, .base_delay = {}, .max_delay = {}};
constexpr Lsn kLsn{0x16B374D8};

iceberg::TableIdent Ident(const std::string& name) { return {{"shop"}, name}; }

LoadedTable MakeTable(MemoryCatalog& catalog, const std::string& name) {
  (void)catalog.EnsureNamespace({"shop"});
  iceberg::NewTable table;
  table.schema.fields = {{.id = 1, .name = "id", .type = iceberg::Type::Primitive(iceberg::TypeId::kLong)}};
  return Value(catalog.CreateTable(Ident(name), table));
}

/// A request as an append makes it, with no files.
iceberg::CommitRequest Append(const LoadedTable& base, const std::string& commit_id) {
  static int64_t next_snapshot_id = 1000;
  const iceberg::TableMetadata& metadata = *base.metadata;
  iceberg::Snapshot snapshot{.snapshot_id = next_snapshot_id++,
                             .parent_snapshot_id = metadata.current_snapshot_id,
                             .sequence_number = metadata.last_sequence_number + 1,
                             .timestamp_ms = metadata.last_updated_ms + 1,
                             .manifest_list = "memory://list",
                             .summary = {{"operation", "append"}, {kCommitIdKey, commit_id}},
                             .schema_id = metadata.current_schema_id};
  return {.table = base.ident,
          .requirements = {iceberg::AssertTableUuid{metadata.table_uuid},
                           iceberg::AssertRefSnapshotId{"main", metadata.current_snapshot_id}},
          .updates = {iceberg::AddSnapshot{snapshot},
                      iceberg::SetSnapshotRef{"main", {.snapshot_id = snapshot.snapshot_id}}}};
}

/// The changes of one commit, and what became of its requests.
struct Changes {
  explicit Changes(std::vector<LoadedTable> bases, std::string id = "commit-1") : commit_id(std::move(id)) {
    for (LoadedTable& base : bases) {
      list.push_back({.base = std::move(base),
                      .build = [this](const LoadedTable& fresh) -> Result<iceberg::CommitRequest> {
                        built.push_back(fresh.ident.name);
                        return Append(fresh, commit_id);
                      },
                      .discard =
                          [this](const LoadedTable& base_of_lost, const iceberg::CommitRequest& lost) {
                            EXPECT_EQ(base_of_lost.ident, lost.table);
                            discarded.push_back(lost.table.name);
                          }});
    }
  }
  Changes(const Changes&) = delete;

  std::string commit_id;
  std::vector<TableChange> list;
  std::vector<std::string> built;
  std::vector<std::string> discarded;
};

Result<CommitReceipt> Commit(MemoryCatalog& catalog, const Changes& changes, const RetryPolicy& retry = kNoDelay,
                             std::stop_token stop = {}) {
  return CommitChanges(catalog, changes.list, changes.commit_id, kLsn, retry, stop);
}

/// How many snapshots of the table carry the commit id.
int Snapshots(MemoryCatalog& catalog, const std::string& name, const std::string& commit_id = "commit-1") {
  const LoadedTable table = Value(catalog.LoadTable(Ident(name)));
  return static_cast<int>(std::ranges::count_if(table.metadata->snapshots, [&](const iceberg::Snapshot& snapshot) {
    return snapshot.summary.at(kCommitIdKey) == commit_id;
  }));
}

/// Another writer's commit, past the fault list.
void CommitByAnother(MemoryCatalog& catalog, const std::string& name) {
  const auto request = Append(Value(catalog.LoadTable(Ident(name))), "another's");
  Value(catalog.CommitTables(std::vector{request}));
}

TEST(CommitLoopTest, NoChangesGiveAReceiptAtOnce) {
  MemoryCatalog catalog;
  const CommitReceipt receipt = Value(CommitChanges(catalog, {}, "commit-1", kLsn, kNoDelay, {}));
  EXPECT_EQ(receipt.lsn(), kLsn);
  EXPECT_TRUE(receipt.tables().empty());
  EXPECT_EQ(catalog.commits(), 0);
}

TEST(CommitLoopTest, FirstAttemptIsBuiltOnTheGivenBaseWithoutLoading) {
  MemoryCatalog catalog;
  Changes changes({MakeTable(catalog, "a"), MakeTable(catalog, "b")});
  const CommitReceipt receipt = Value(Commit(catalog, changes));
  EXPECT_EQ(receipt.lsn(), kLsn);
  EXPECT_EQ(receipt.attempts(), 1);
  ASSERT_EQ(receipt.tables().size(), 2u);
  EXPECT_EQ(receipt.tables()[1].ident, Ident("b"));
  EXPECT_EQ(receipt.tables()[1].metadata->snapshots.size(), 1u);
  EXPECT_EQ(catalog.loads(), 0);
  EXPECT_EQ(catalog.commits(), 1);
  EXPECT_TRUE(changes.discarded.empty());
}

TEST(CommitLoopTest, ConflictIsBuiltAgainOnFreshMetadata) {
  MemoryCatalog catalog;
  Changes changes({MakeTable(catalog, "a")});
  CommitByAnother(catalog, "a");
  const CommitReceipt receipt = Value(Commit(catalog, changes));
  EXPECT_EQ(receipt.attempts(), 2);
  EXPECT_EQ(receipt.tables()[0].metadata->snapshots.size(), 2u);
  EXPECT_THAT(changes.built, ElementsAre("a", "a"));
  EXPECT_THAT(changes.discarded, ElementsAre("a"));
}

TEST(CommitLoopTest, ConflictOfOneTableTakesTheOthersOfTheTransactionAlong) {
  MemoryCatalog catalog;
  Changes changes({MakeTable(catalog, "a"), MakeTable(catalog, "b")});
  CommitByAnother(catalog, "b");
  Value(Commit(catalog, changes));
  EXPECT_EQ(Snapshots(catalog, "a"), 1);
  EXPECT_EQ(Snapshots(catalog, "b"), 1);
  EXPECT_THAT(changes.discarded, ElementsAre("a", "b"));
}

TEST(CommitLoopTest, TransientFailureSendsTheSameRequestAgain) {
  MemoryCatalog catalog;
  Changes changes({MakeTable(catalog, "a")});
  catalog.FailCommits({Fault::kTransient, Fault::kTransient});
  const CommitReceipt receipt = Value(Commit(catalog, changes));
  EXPECT_EQ(receipt.attempts(), 3);
  EXPECT_THAT(changes.built, ElementsAre("a"));
  EXPECT_EQ(catalog.loads(), 0);
}

TEST(CommitLoopTest, UnknownButCommittedGivesExactlyOneSnapshot) {
  MemoryCatalog catalog;
  Changes changes({MakeTable(catalog, "a"), MakeTable(catalog, "b")});
  catalog.FailCommits({Fault::kUnknownCommitted});
  const CommitReceipt receipt = Value(Commit(catalog, changes));
  EXPECT_EQ(receipt.attempts(), 1);
  EXPECT_EQ(receipt.tables()[0].metadata->snapshots.size(), 1u);
  EXPECT_EQ(Snapshots(catalog, "a"), 1);
  EXPECT_EQ(Snapshots(catalog, "b"), 1);
  EXPECT_TRUE(changes.discarded.empty());
}

TEST(CommitLoopTest, UnknownAndLostIsSentAgain) {
  MemoryCatalog catalog;
  Changes changes({MakeTable(catalog, "a")});
  catalog.FailCommits({Fault::kUnknownNotCommitted});
  const CommitReceipt receipt = Value(Commit(catalog, changes));
  EXPECT_EQ(receipt.attempts(), 2);
  EXPECT_EQ(Snapshots(catalog, "a"), 1);
  EXPECT_THAT(changes.built, ElementsAre("a")) << "the same request is safe to send twice";
}

TEST(CommitLoopTest, UnknownThatArrivesLateIsNotCommittedTwice) {
  MemoryCatalog catalog;
  Changes changes({MakeTable(catalog, "a")});
  catalog.FailCommits({Fault::kUnknownNotCommitted});
  iceberg::CommitRequest late;
  int calls = 0;
  catalog.OnCommit([&](std::span<const iceberg::CommitRequest> requests) {
    ++calls;
    if (calls == 1) late = requests[0];
    // The first attempt reaches the catalog just before the second.
    if (calls == 2) Value(catalog.CommitTables(std::vector{late}));
  });
  Value(Commit(catalog, changes));
  EXPECT_EQ(Snapshots(catalog, "a"), 1);
  EXPECT_TRUE(changes.discarded.empty());
}

TEST(CommitLoopTest, UnknownIsFoundBehindAnothersLaterCommit) {
  MemoryCatalog catalog;
  Changes changes({MakeTable(catalog, "a")});
  catalog.FailCommits({Fault::kUnknownCommitted});
  catalog.FailLoads(1);  // The look right after it fails; meanwhile another commits.
  int commits = 0;
  catalog.OnCommit([&](auto) { ++commits; });
  const CommitReceipt receipt = Value(Commit(catalog, changes));
  EXPECT_EQ(commits, 1);
  EXPECT_EQ(Snapshots(catalog, "a"), 1);
}

TEST(CommitLoopTest, RequestWithAnUnknownOutcomeIsNeverDiscarded) {
  MemoryCatalog catalog;
  Changes changes({MakeTable(catalog, "a")});
  catalog.FailCommits({Fault::kUnknownNotCommitted, Fault::kPermission});
  const auto receipt = Commit(catalog, changes);
  ASSERT_FALSE(receipt.has_value());
  EXPECT_EQ(receipt.error().kind(), ErrorKind::kPermission);
  EXPECT_TRUE(changes.discarded.empty());
}

TEST(CommitLoopTest, ARefusalOfACommitThatIsInFindsIt) {
  MemoryCatalog catalog;
  Changes changes({MakeTable(catalog, "a")});
  catalog.FailCommits({Fault::kConflictCommitted});
  Value(Commit(catalog, changes));
  EXPECT_EQ(catalog.commits(), 1);
  EXPECT_TRUE(changes.discarded.empty()) << "its files are the table's";
}

TEST(CommitLoopTest, ARefusedCommitIsKeptWhereNobodyCanLook) {
  MemoryCatalog catalog;
  Changes changes({MakeTable(catalog, "a")});
  catalog.FailCommits({Fault::kConflictCommitted});
  catalog.FailLoads(10);
  EXPECT_FALSE(Commit(catalog, changes).has_value());
  EXPECT_TRUE(changes.discarded.empty());
}

TEST(CommitLoopTest, OtherErrorsEndItAtOnce) {
  MemoryCatalog catalog;
  Changes changes({MakeTable(catalog, "a")});
  catalog.FailCommits({Fault::kPermission});
  const auto receipt = Commit(catalog, changes);
  ASSERT_FALSE(receipt.has_value());
  EXPECT_EQ(receipt.error().kind(), ErrorKind::kPermission);
  EXPECT_EQ(catalog.commits(), 1);
  EXPECT_THAT(changes.discarded, ElementsAre("a"));
}

TEST(CommitLoopTest, ErrorOfBuildEndsItWhateverItsKind) {
  for (const ErrorKind kind : {ErrorKind::kConflict, ErrorKind::kTransient, ErrorKind::kCorrupt}) {
    MemoryCatalog catalog;
    Changes changes({MakeTable(catalog, "a"), MakeTable(catalog, "b")});
    changes.list[1].build = [&](const LoadedTable&) { return MakeError(kind, "no"); };
    const auto receipt = Commit(catalog, changes);
    ASSERT_FALSE(receipt.has_value());
    EXPECT_EQ(receipt.error().kind(), kind);
    EXPECT_EQ(catalog.commits(), 0);
    EXPECT_THAT(changes.discarded, ElementsAre("a"));
  }
}

TEST(CommitLoopTest, GivesUpAfterItsRetries) {
  MemoryCatalog catalog;
  Changes changes({MakeTable(catalog, "a")});
  catalog.FailCommits(std::vector(10, Fault::kTransient));
  const auto receipt = Commit(catalog, changes);
  ASSERT_FALSE(receipt.has_value());
  EXPECT_EQ(receipt.error().kind(), ErrorKind::kWriteFailed);
  EXPECT_THAT(receipt.error().message(), HasSubstr("shop.a failed after 3 retries: the catalog can't be reached"));
  EXPECT_EQ(catalog.commits(), 4);
  EXPECT_THAT(changes.discarded, ElementsAre("a"));
}

TEST(CommitLoopTest, CountsItsRetries) {
  MemoryCatalog catalog;
  Changes changes({MakeTable(catalog, "a")});
  catalog.FailCommits({Fault::kConflict, Fault::kTransient, Fault::kUnknownCommitted});
  Metrics metrics;
  Value(CommitChanges(catalog, changes.list, changes.commit_id, kLsn, kNoDelay, {}, &metrics));
  EXPECT_THAT(metrics.Expose(), HasSubstr("firn_retries_total{what=\"catalog_commit\"} 2\n"))
      << "a commit that was in after all was not tried again";
}

TEST(CommitLoopTest, FailingLoadsCountAsRetries) {
  MemoryCatalog catalog;
  Changes changes({MakeTable(catalog, "a")});
  catalog.FailCommits({Fault::kConflict});
  catalog.FailLoads(10);
  const auto receipt = Commit(catalog, changes);
  ASSERT_FALSE(receipt.has_value());
  EXPECT_EQ(receipt.error().kind(), ErrorKind::kWriteFailed);
  EXPECT_EQ(catalog.loads(), 4) << "one at once, and one for each retry";
}

TEST(CommitLoopTest, TableDroppedMeanwhileEndsIt) {
  MemoryCatalog catalog;
  Changes changes({MakeTable(catalog, "a")});
  catalog.FailCommits({Fault::kConflict});
  (void)catalog.DropTable(Ident("a"));
  const auto receipt = Commit(catalog, changes);
  ASSERT_FALSE(receipt.has_value());
  EXPECT_EQ(receipt.error().kind(), ErrorKind::kTableNotFound);
}

TEST(CommitLoopTest, StopEndsTheWaitForARetry) {
  MemoryCatalog catalog;
  Changes changes({MakeTable(catalog, "a")});
  catalog.FailCommits({Fault::kTransient});
  std::stop_source stop;
  catalog.OnCommit([&](auto) { stop.request_stop(); });
  const RetryPolicy patient{.base_delay = std::chrono::hours(1), .max_delay = std::chrono::hours(1)};
  const auto receipt = Commit(catalog, changes, patient, stop.get_token());
  ASSERT_FALSE(receipt.has_value());
  EXPECT_EQ(receipt.error().kind(), ErrorKind::kCancelled);
  EXPECT_THAT(changes.discarded, ElementsAre("a"));
}

TEST(CommitLoopTest, StopDoesNotKeepAnUnknownOutcomeFromBeingFound) {
  MemoryCatalog catalog;
  Changes changes({MakeTable(catalog, "a")});
  catalog.FailCommits({Fault::kUnknownCommitted});
  std::stop_source stop;
  stop.request_stop();
  Value(Commit(catalog, changes, kNoDelay, stop.get_token()));
}

TEST(CommitLoopTest, OneByOneCommitsInOrderAndRepeatsNoTable) {
  MemoryCatalog catalog(/*commits_tables_together=*/false);
  Changes changes({MakeTable(catalog, "a"), MakeTable(catalog, "b"), MakeTable(catalog, "c")});
  catalog.FailCommits({Fault::kNone, Fault::kConflict, Fault::kUnknownCommitted});
  const CommitReceipt receipt = Value(Commit(catalog, changes));
  EXPECT_EQ(receipt.attempts(), 2);
  EXPECT_THAT(changes.built, ElementsAre("a", "b", "b", "c"));
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(Snapshots(catalog, name), 1);
  EXPECT_EQ(receipt.tables()[1].ident, Ident("b"));
}

TEST(CommitLoopTest, OneByOneLeavesEarlierTablesCommittedAndASecondCallSkipsThem) {
  MemoryCatalog catalog(/*commits_tables_together=*/false);
  Changes changes({MakeTable(catalog, "a"), MakeTable(catalog, "b")});
  catalog.FailCommits({Fault::kNone, Fault::kPermission});
  ASSERT_FALSE(Commit(catalog, changes).has_value());
  EXPECT_EQ(Snapshots(catalog, "a"), 1);
  EXPECT_EQ(Snapshots(catalog, "b"), 0);

  Changes again({Value(catalog.LoadTable(Ident("a"))), Value(catalog.LoadTable(Ident("b")))});
  Value(Commit(catalog, again));
  EXPECT_THAT(again.built, ElementsAre("b"));
  EXPECT_EQ(Snapshots(catalog, "a"), 1);
  EXPECT_EQ(Snapshots(catalog, "b"), 1);
}

}  // namespace
}  // namespace firn::catalog
