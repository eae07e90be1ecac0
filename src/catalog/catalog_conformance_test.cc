#include "catalog/catalog_conformance.h"

#include <gmock/gmock.h>

#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include "catalog/commit_loop.h"
#include "testing/faulty_catalog.h"
#include "testing/results.h"

namespace firn::catalog {
namespace {

using iceberg::CommitRequest;
using iceberg::TableIdent;
using testing::Do;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using testing::Value;

template <typename T>
ErrorKind KindOf(const Result<T>& result) {
  if (result.has_value()) throw std::runtime_error("it went well");
  return result.error().kind();
}

iceberg::NewTable SomeTable() {
  iceberg::NewTable table;
  table.schema.fields = {
      {.id = 1, .name = "id", .required = true, .type = iceberg::Type::Primitive(iceberg::TypeId::kLong)},
      {.id = 2, .name = "note", .type = iceberg::Type::Primitive(iceberg::TypeId::kString)}};
  table.schema.identifier_field_ids = {1};
  table.properties = {{"owner", "firn"}};
  return table;
}

LoadedTable MakeTable(Catalog& catalog, const std::string& name = "orders") {
  Do(catalog.EnsureNamespace({"shop"}));
  return Value(catalog.CreateTable({{"shop"}, name}, SomeTable()));
}

CommitRequest SetProperty(const LoadedTable& base, const std::string& key, const std::string& value) {
  return {.table = base.ident,
          .requirements = {iceberg::AssertTableUuid{base.metadata->table_uuid}},
          .updates = {iceberg::SetProperties{{{key, value}}}}};
}

CommitRequest AppendSnapshot(const LoadedTable& base, iceberg::SnapshotId id) {
  const iceberg::Snapshot snapshot{.snapshot_id = id,
                                   .parent_snapshot_id = base.metadata->current_snapshot_id,
                                   .sequence_number = base.metadata->last_sequence_number + 1,
                                   .timestamp_ms = base.metadata->last_updated_ms + 1,
                                   .manifest_list = base.metadata->location + "/metadata/snap.avro",
                                   .summary = {{"operation", "append"}},
                                   .schema_id = base.metadata->current_schema_id};
  return {.table = base.ident,
          .requirements = {iceberg::AssertRefSnapshotId{"main", base.metadata->current_snapshot_id}},
          .updates = {iceberg::AddSnapshot{snapshot}, iceberg::SetSnapshotRef{"main", {.snapshot_id = id}}}};
}

std::vector<LoadedTable> Commit(Catalog& catalog, std::vector<CommitRequest> requests) {
  return Value(catalog.CommitTables(requests));
}

TEST_P(CatalogConformanceTest, CreatedTableLoadsAsItWasMade) {
  const LoadedTable made = MakeTable(catalog());
  EXPECT_EQ(made.ident, (TableIdent{{"shop"}, "orders"}));
  EXPECT_FALSE(made.metadata_location.empty());
  EXPECT_FALSE(made.metadata->table_uuid.empty());
  EXPECT_FALSE(made.metadata->location.empty());
  EXPECT_EQ(made.metadata->CurrentSchema().fields, SomeTable().schema.fields);
  EXPECT_EQ(made.metadata->CurrentSnapshot(), nullptr);

  for (Catalog* client : {&catalog(), &other_client()}) {
    const LoadedTable loaded = Value(client->LoadTable(made.ident));
    EXPECT_EQ(loaded.ident, made.ident);
    EXPECT_EQ(loaded.metadata_location, made.metadata_location);
    EXPECT_EQ(*loaded.metadata, *made.metadata);
  }
}

TEST_P(CatalogConformanceTest, RenamedTableKeepsItsMetadata) {
  const LoadedTable made = MakeTable(catalog());
  const TableIdent new_name{Below("archive", "old"), "orders_2024"};
  Do(catalog().EnsureNamespace(new_name.namespace_levels));
  Do(catalog().RenameTable(made.ident, new_name));
  for (Catalog* client : {&catalog(), &other_client()}) {
    EXPECT_EQ(KindOf(client->LoadTable(made.ident)), ErrorKind::kTableNotFound);
    const LoadedTable renamed = Value(client->LoadTable(new_name));
    EXPECT_EQ(renamed.metadata_location, made.metadata_location);
    EXPECT_EQ(*renamed.metadata, *made.metadata);
  }
  EXPECT_THAT(Value(catalog().ListTables({"shop"})), IsEmpty());
  EXPECT_THAT(Value(catalog().ListTables(new_name.namespace_levels)), ElementsAre(new_name));
  // It goes on under the new name, and a new table may take the old one, with files of its own.
  const LoadedTable renamed = Value(catalog().LoadTable(new_name));
  const LoadedTable changed = Commit(catalog(), {SetProperty(renamed, "color", "red")}).front();
  EXPECT_EQ(changed.metadata->properties.at("color"), "red");
  const LoadedTable next = MakeTable(catalog());
  EXPECT_NE(next.metadata->table_uuid, made.metadata->table_uuid);
  EXPECT_NE(next.metadata->location, made.metadata->location);
  EXPECT_EQ(Value(catalog().LoadTable(new_name)).metadata->properties.at("color"), "red");
}

TEST_P(CatalogConformanceTest, RefusesToRenameOntoATakenNameOrIntoNoNamespace) {
  const LoadedTable orders = MakeTable(catalog(), "orders");
  const LoadedTable items = MakeTable(catalog(), "items");
  EXPECT_EQ(KindOf(catalog().RenameTable(orders.ident, items.ident)), ErrorKind::kAlreadyExists);
  EXPECT_EQ(KindOf(catalog().RenameTable(orders.ident, {{"nowhere"}, "orders"})), ErrorKind::kNotFound);
  EXPECT_EQ(KindOf(catalog().RenameTable({{"shop"}, "missing"}, {{"shop"}, "found"})), ErrorKind::kTableNotFound);
  EXPECT_EQ(Value(catalog().LoadTable(orders.ident)).metadata_location, orders.metadata_location);
}

TEST_P(CatalogConformanceTest, ListsEveryNamespace) {
  EXPECT_THAT(Value(catalog().ListNamespaces()), IsEmpty());
  Do(catalog().EnsureNamespace({"archive"}));
  Do(catalog().EnsureNamespace(Below("archive", "old")));
  MakeTable(catalog());
  using Levels = std::vector<std::string>;
  EXPECT_THAT(Value(catalog().ListNamespaces()),
              UnorderedElementsAre(Levels{"archive"}, Below("archive", "old"), Levels{"shop"}));
}

TEST_P(CatalogConformanceTest, TablesLieInDifferentPlaces) {
  EXPECT_NE(MakeTable(catalog(), "a").metadata->location, MakeTable(catalog(), "b").metadata->location);
}

TEST_P(CatalogConformanceTest, GivenLocationIsKept) {
  const std::string location = MakeTable(catalog(), "a").metadata->location + "-elsewhere";
  iceberg::NewTable table = SomeTable();
  table.location = location;
  EXPECT_EQ(Value(catalog().CreateTable({{"shop"}, "b"}, table)).metadata->location, location);
}

TEST_P(CatalogConformanceTest, SecondTableOfANameIsRefused) {
  const LoadedTable made = MakeTable(catalog());
  EXPECT_EQ(KindOf(other_client().CreateTable(made.ident, SomeTable())), ErrorKind::kAlreadyExists);
  EXPECT_EQ(Value(catalog().LoadTable(made.ident)).metadata->table_uuid, made.metadata->table_uuid);
}

TEST_P(CatalogConformanceTest, WhatDoesNotExistSaysSo) {
  EXPECT_EQ(KindOf(catalog().ListTables({"nowhere"})), ErrorKind::kNotFound);
  EXPECT_EQ(KindOf(catalog().CreateTable({{"nowhere"}, "t"}, SomeTable())), ErrorKind::kNotFound);
  EXPECT_EQ(KindOf(catalog().LoadTable({{"nowhere"}, "t"})), ErrorKind::kTableNotFound);
  Do(catalog().EnsureNamespace({"shop"}));
  EXPECT_EQ(KindOf(catalog().LoadTable({{"shop"}, "t"})), ErrorKind::kTableNotFound);
  EXPECT_EQ(KindOf(catalog().DropTable({{"shop"}, "t"})), ErrorKind::kTableNotFound);
  EXPECT_EQ(KindOf(catalog().CommitTables(std::vector{CommitRequest{.table = {{"shop"}, "t"}}})),
            ErrorKind::kTableNotFound);
  EXPECT_EQ(catalog().LoadTable({{"shop"}, "t"}).error().origin(), ErrorOrigin::kCatalog);
}

TEST_P(CatalogConformanceTest, NamespacesAreMadeOnceWithTheirParents) {
  if (limits().flat_namespaces) {
    Do(catalog().EnsureNamespace({"a"}));
    Do(other_client().EnsureNamespace({"a"}));
    EXPECT_THAT(Value(catalog().ListTables({"a"})), IsEmpty());
    EXPECT_EQ(KindOf(catalog().EnsureNamespace({"a", "b"})), ErrorKind::kUnsupported);
    return;
  }
  Do(catalog().EnsureNamespace({"a", "b", "c"}));
  Do(catalog().EnsureNamespace({"a", "b", "c"}));
  Do(other_client().EnsureNamespace({"a"}));
  EXPECT_THAT(Value(catalog().ListTables({"a"})), IsEmpty());
  EXPECT_THAT(Value(other_client().ListTables({"a", "b"})), IsEmpty());
  EXPECT_THAT(Value(catalog().ListTables({"a", "b", "c"})), IsEmpty());
}

TEST_P(CatalogConformanceTest, ListsTheTablesOfOneNamespaceOnly) {
  const std::vector<std::string> below = Below("a", "b");
  Do(catalog().EnsureNamespace({"a"}));
  Do(catalog().EnsureNamespace(below));
  Do(catalog().EnsureNamespace({"ab"}));
  Value(catalog().CreateTable({{"a"}, "t1"}, SomeTable()));
  Value(catalog().CreateTable({{"a"}, "t2"}, SomeTable()));
  Value(catalog().CreateTable({below, "t1"}, SomeTable()));
  Value(catalog().CreateTable({{"ab"}, "t4"}, SomeTable()));
  EXPECT_THAT(Value(other_client().ListTables({"a"})),
              UnorderedElementsAre(TableIdent{{"a"}, "t1"}, TableIdent{{"a"}, "t2"}));
  EXPECT_THAT(Value(catalog().ListTables(below)), ElementsAre(TableIdent{below, "t1"}));
}

TEST_P(CatalogConformanceTest, DroppedTableIsGoneAndItsNameFree) {
  const LoadedTable made = MakeTable(catalog());
  Do(other_client().DropTable(made.ident));
  EXPECT_EQ(KindOf(catalog().LoadTable(made.ident)), ErrorKind::kTableNotFound);
  EXPECT_THAT(Value(catalog().ListTables({"shop"})), IsEmpty());
  EXPECT_NE(MakeTable(catalog()).metadata->table_uuid, made.metadata->table_uuid);
}

TEST_P(CatalogConformanceTest, CommitIsSeenByAll) {
  const LoadedTable base = MakeTable(catalog());
  const auto committed = Commit(catalog(), {AppendSnapshot(base, 77)});
  ASSERT_EQ(committed.size(), 1u);
  EXPECT_EQ(committed[0].ident, base.ident);
  EXPECT_NE(committed[0].metadata_location, base.metadata_location);
  EXPECT_EQ(committed[0].metadata->current_snapshot_id, 77);
  EXPECT_EQ(committed[0].metadata->metadata_log.back().metadata_file, base.metadata_location);
  for (Catalog* client : {&catalog(), &other_client()}) {
    const LoadedTable loaded = Value(client->LoadTable(base.ident));
    EXPECT_EQ(loaded.metadata_location, committed[0].metadata_location);
    EXPECT_EQ(*loaded.metadata, *committed[0].metadata);
  }
}

TEST_P(CatalogConformanceTest, CommitsFollowEachOther) {
  LoadedTable table = MakeTable(catalog());
  for (int i = 1; i <= 5; ++i) {
    Catalog& client = i % 2 == 0 ? catalog() : other_client();
    table = Commit(client, {AppendSnapshot(Value(client.LoadTable(table.ident)), i)})[0];
  }
  EXPECT_EQ(table.metadata->snapshots.size(), 5u);
  EXPECT_EQ(table.metadata->last_sequence_number, 5);
}

TEST_P(CatalogConformanceTest, RequirementThatDoesNotHoldIsAConflict) {
  const LoadedTable base = MakeTable(catalog());
  Commit(other_client(), {AppendSnapshot(base, 1)});
  EXPECT_EQ(KindOf(catalog().CommitTables(std::vector{AppendSnapshot(base, 2)})), ErrorKind::kConflict);
  CommitRequest another_table = SetProperty(base, "k", "v");
  another_table.requirements = {iceberg::AssertTableUuid{"00000000-0000-4000-8000-000000000000"}};
  EXPECT_EQ(KindOf(catalog().CommitTables(std::vector{another_table})), ErrorKind::kConflict);
  EXPECT_EQ(Value(catalog().LoadTable(base.ident)).metadata->current_snapshot_id, 1);
}

TEST_P(CatalogConformanceTest, EachKindOfStaleRequirementIsAConflict) {
  const LoadedTable base = MakeTable(catalog());
  const iceberg::TableMetadata& metadata = *base.metadata;
  const std::vector<iceberg::Requirement> stale = {
      iceberg::AssertRefSnapshotId{"main", 12345},
      iceberg::AssertLastAssignedFieldId{metadata.last_column_id + 1},
      iceberg::AssertCurrentSchemaId{metadata.current_schema_id + 1},
      iceberg::AssertLastAssignedPartitionId{metadata.last_partition_id + 1},
      iceberg::AssertDefaultSpecId{metadata.default_spec_id + 1},
  };
  for (const iceberg::Requirement& requirement : stale) {
    CommitRequest request = SetProperty(base, "k", "v");
    request.requirements.push_back(requirement);
    EXPECT_EQ(KindOf(catalog().CommitTables(std::vector{request})), ErrorKind::kConflict) << requirement.index();
  }
  EXPECT_EQ(Value(other_client().LoadTable(base.ident)).metadata_location, base.metadata_location);
}

TEST_P(CatalogConformanceTest, FreshRequirementsHold) {
  const LoadedTable base = MakeTable(catalog());
  const iceberg::TableMetadata& metadata = *base.metadata;
  CommitRequest request = SetProperty(base, "k", "v");
  request.requirements = {iceberg::AssertTableUuid{metadata.table_uuid},
                          iceberg::AssertRefSnapshotId{"main", std::nullopt},
                          iceberg::AssertLastAssignedFieldId{metadata.last_column_id},
                          iceberg::AssertCurrentSchemaId{metadata.current_schema_id},
                          iceberg::AssertLastAssignedPartitionId{metadata.last_partition_id},
                          iceberg::AssertDefaultSpecId{metadata.default_spec_id}};
  EXPECT_EQ(Commit(catalog(), {request})[0].metadata->properties.at("k"), "v");
}

TEST_P(CatalogConformanceTest, CommitChangesTheSchema) {
  const LoadedTable base = MakeTable(catalog());
  iceberg::Schema schema = base.metadata->CurrentSchema();
  schema.schema_id = 1;
  schema.fields[1].name = "remark";
  schema.fields.push_back({.id = 3, .name = "paid", .type = iceberg::Type::Primitive(iceberg::TypeId::kBoolean)});
  Commit(catalog(), {{.table = base.ident,
                      .requirements = {iceberg::AssertCurrentSchemaId{0}, iceberg::AssertLastAssignedFieldId{2}},
                      .updates = {iceberg::AddSchema{schema}, iceberg::SetCurrentSchema{-1}}}});
  const LoadedTable changed = Value(other_client().LoadTable(base.ident));
  EXPECT_EQ(changed.metadata->CurrentSchema().fields, schema.fields);
  EXPECT_EQ(changed.metadata->last_column_id, 3);
  EXPECT_EQ(changed.metadata->schemas.size(), 2u);
}

TEST_P(CatalogConformanceTest, SchemaThatTheTableHadBeforeComesBack) {
  const LoadedTable base = MakeTable(catalog());
  const iceberg::Schema first = base.metadata->CurrentSchema();
  iceberg::Schema other = first;
  other.fields.push_back({.id = 3, .name = "paid", .type = iceberg::Type::Primitive(iceberg::TypeId::kBoolean)});
  for (const iceberg::Schema& schema : {other, first, other}) {
    const auto committed = Commit(
        catalog(), {{.table = base.ident, .updates = {iceberg::AddSchema{schema}, iceberg::SetCurrentSchema{-1}}}});
    EXPECT_EQ(committed[0].metadata->CurrentSchema().fields, schema.fields);
    EXPECT_EQ(committed[0].metadata->last_column_id, 3);
    EXPECT_EQ(committed[0].metadata->schemas.size(), 2u);
  }
}

TEST_P(CatalogConformanceTest, CommitWithoutConflictGoesOnTopOfAnothers) {
  const LoadedTable base = MakeTable(catalog());
  Commit(other_client(), {SetProperty(base, "theirs", "1")});
  const auto committed = Commit(catalog(), {SetProperty(base, "ours", "2")});
  EXPECT_EQ(committed[0].metadata->properties.at("theirs"), "1");
  EXPECT_EQ(committed[0].metadata->properties.at("ours"), "2");
}

TEST_P(CatalogConformanceTest, TablesCommitTogetherInTheOrderOfTheRequests) {
  const LoadedTable a = MakeTable(catalog(), "a");
  const LoadedTable b = MakeTable(catalog(), "b");
  const auto committed = Commit(catalog(), {AppendSnapshot(b, 20), AppendSnapshot(a, 10)});
  ASSERT_EQ(committed.size(), 2u);
  EXPECT_EQ(committed[0].ident, b.ident);
  EXPECT_EQ(committed[1].ident, a.ident);
  EXPECT_EQ(Value(other_client().LoadTable(a.ident)).metadata->current_snapshot_id, 10);
  EXPECT_EQ(Value(other_client().LoadTable(b.ident)).metadata->current_snapshot_id, 20);
}

TEST_P(CatalogConformanceTest, ConflictOfTheSecondTable) {
  const LoadedTable a = MakeTable(catalog(), "a");
  const LoadedTable b = MakeTable(catalog(), "b");
  Commit(other_client(), {AppendSnapshot(b, 1)});
  EXPECT_EQ(KindOf(catalog().CommitTables(std::vector{AppendSnapshot(a, 2), AppendSnapshot(b, 2)})),
            ErrorKind::kConflict);
  const auto first = Value(catalog().LoadTable(a.ident)).metadata->current_snapshot_id;
  if (catalog().CommitsTablesTogether()) {
    EXPECT_EQ(first, std::nullopt) << "all or nothing";
  } else {
    EXPECT_EQ(first, 2) << "one by one, in order";
  }
  EXPECT_EQ(Value(catalog().LoadTable(b.ident)).metadata->current_snapshot_id, 1);
}

TEST_P(CatalogConformanceTest, CommitOfNothingIsNothing) { EXPECT_THAT(Commit(catalog(), {}), IsEmpty()); }

/// A change that appends a snapshot whose summary carries the commit id.
TableChange AppendChange(const LoadedTable& base, const std::string& commit_id, iceberg::SnapshotId snapshot_id) {
  return {.base = base, .build = [=](const LoadedTable& fresh) -> Result<CommitRequest> {
            CommitRequest request = AppendSnapshot(fresh, snapshot_id);
            std::get<iceberg::AddSnapshot>(request.updates[0]).snapshot.summary[kCommitIdKey] = commit_id;
            return request;
          }};
}

/// The commit ids of a table's snapshots, each as often as it is there.
std::multiset<std::string> CommitIdsOf(const LoadedTable& table) {
  std::multiset<std::string> ids;
  for (const iceberg::Snapshot& snapshot : table.metadata->snapshots) ids.insert(snapshot.summary.at(kCommitIdKey));
  return ids;
}

constexpr RetryPolicy kPatient{
    .max_retries = 10'000, .base_delay = std::chrono::milliseconds(1), .max_delay = std::chrono::milliseconds(20)};

TEST_P(CatalogConformanceTest, OfFourWritersAtOnceEveryAcknowledgedCommitIsThereOnce) {
  const LoadedTable base = MakeTable(catalog());
  constexpr int kWriters = 4;
  constexpr int kPerWriter = 50;
  std::mutex mutex;
  std::multiset<std::string> acknowledged;
  std::vector<std::string> surprises;
  const auto write = [&](Catalog& client, int writer) {
    for (int i = 0; i < kPerWriter; ++i) {
      const std::string id = fmt::format("{}-{}", writer, i);
      const TableChange change = AppendChange(base, id, 1'000 * (writer + 1) + i);
      const auto receipt = CommitChanges(client, std::span(&change, 1), id, Lsn{1}, kPatient, {});
      std::lock_guard lock(mutex);
      if (receipt.has_value()) {
        acknowledged.insert(id);
      } else {
        surprises.push_back(receipt.error().message());
      }
    }
  };
  {
    std::vector<std::jthread> writers;
    for (int writer = 0; writer < kWriters; ++writer) {
      writers.emplace_back([&, writer] { write(writer % 2 == 0 ? catalog() : other_client(), writer); });
    }
  }
  EXPECT_THAT(surprises, IsEmpty());
  const LoadedTable table = Value(catalog().LoadTable(base.ident));
  EXPECT_EQ(acknowledged.size(), static_cast<size_t>(kWriters * kPerWriter));
  EXPECT_EQ(CommitIdsOf(table), acknowledged);
  EXPECT_EQ(table.metadata->last_sequence_number, kWriters * kPerWriter);
}

TEST_P(CatalogConformanceTest, LostRequestsAndAnswersLeaveEachCommitThereOnce) {
  using Fault = testing::FaultyCatalog::Fault;
  const LoadedTable a = MakeTable(catalog(), "a");
  const LoadedTable b = MakeTable(catalog(), "b");
  testing::FaultyCatalog faulty(catalog(), [](int call) {
    constexpr Fault kFaults[] = {Fault::kAnswerLost, Fault::kRequestLost, Fault::kRefusedForTheMoment, Fault::kNone};
    return kFaults[call * 7 % 11 % 4];
  });
  constexpr int kCommits = 10;
  for (int i = 0; i < kCommits; ++i) {
    const std::string id = fmt::format("commit-{}", i);
    const std::vector<TableChange> changes = {AppendChange(Value(catalog().LoadTable(a.ident)), id, 100 + i),
                                              AppendChange(Value(catalog().LoadTable(b.ident)), id, 200 + i)};
    Value(CommitChanges(faulty, changes, id, Lsn{1}, kPatient, {}));
  }
  for (const TableIdent& ident : {a.ident, b.ident}) {
    const LoadedTable table = Value(other_client().LoadTable(ident));
    EXPECT_EQ(table.metadata->last_sequence_number, kCommits);
    const auto ids = CommitIdsOf(table);
    EXPECT_EQ(ids.size(), static_cast<size_t>(kCommits));
    EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), static_cast<size_t>(kCommits));
  }
}

TEST_P(CatalogConformanceTest, WritersOfTwoTablesInEitherOrderDoNotBlockEachOther) {
  const LoadedTable a = MakeTable(catalog(), "a");
  const LoadedTable b = MakeTable(catalog(), "b");
  constexpr int kPerWriter = 10;
  std::atomic<int> surprises = 0;
  const auto write = [&](Catalog& client, int writer) {
    for (int i = 0; i < kPerWriter; ++i) {
      const std::string id = fmt::format("{}-{}", writer, i);
      const iceberg::SnapshotId snapshot_id = 1'000 * (writer + 1) + i;
      std::vector<TableChange> changes = {AppendChange(a, id, snapshot_id), AppendChange(b, id, snapshot_id)};
      if (writer % 2 == 1) std::swap(changes[0], changes[1]);
      if (!CommitChanges(client, changes, id, Lsn{1}, kPatient, {}).has_value()) ++surprises;
    }
  };
  {
    std::jthread one([&] { write(catalog(), 0); });
    std::jthread two([&] { write(other_client(), 1); });
  }
  EXPECT_EQ(surprises, 0);
  for (const TableIdent& ident : {a.ident, b.ident}) {
    EXPECT_EQ(Value(catalog().LoadTable(ident)).metadata->last_sequence_number, 2 * kPerWriter);
  }
}

TEST_P(CatalogConformanceTest, OfManyCreatorsOfOneTableOneWins) {
  Do(catalog().EnsureNamespace({"shop"}));
  std::atomic<int> made = 0;
  std::atomic<int> refused = 0;
  const auto create = [&](Catalog& client) {
    const auto created = client.CreateTable({{"shop"}, "orders"}, SomeTable());
    if (created.has_value()) ++made;
    if (!created.has_value() && created.error().kind() == ErrorKind::kAlreadyExists) ++refused;
  };
  {
    std::vector<std::jthread> creators;
    for (int i = 0; i < 4; ++i) creators.emplace_back([&, i] { create(i % 2 == 0 ? catalog() : other_client()); });
  }
  EXPECT_EQ(made, 1);
  EXPECT_EQ(refused, 3);
  const LoadedTable table = Value(catalog().LoadTable({{"shop"}, "orders"}));
  Commit(catalog(), {AppendSnapshot(table, 1)});
}

TEST_P(CatalogConformanceTest, NamesOutsideOfTheRulesSaySo) {
  if (!limits().plain_names) GTEST_SKIP() << "this catalog takes any name";
  Do(catalog().EnsureNamespace({"shop"}));
  for (const std::string name : {"Orders", "with space", "do.t", "Ünïcödé", "", "a-b"}) {
    EXPECT_EQ(KindOf(catalog().CreateTable({{"shop"}, name}, SomeTable())), ErrorKind::kUnsupported) << name;
    EXPECT_EQ(KindOf(catalog().EnsureNamespace({name})), ErrorKind::kUnsupported) << name;
  }
}

TEST_P(CatalogConformanceTest, OddNamesAreNamesLikeOthers) {
  if (limits().plain_names) GTEST_SKIP() << "this catalog refuses such names";
  const std::vector<std::string> names = {"with space", "do.t",     "quo'te",  "double\"quote", "back\\slash",
                                          "sla/sh",     "per%cent", "a_b",     "aXb",           "Ünïcödé",
                                          "表",         "hash#?",   "semi;--", "UPPER",         "upper"};
  std::vector<TableIdent> idents;
  std::set<std::string> locations;
  for (const std::string& name : names) {
    const std::vector<std::string> levels = {"odd " + name};
    Do(catalog().EnsureNamespace(levels));
    for (const std::string& table : {name, std::string("plain")}) {
      const LoadedTable made = Value(catalog().CreateTable({levels, table}, SomeTable()));
      EXPECT_TRUE(locations.insert(made.metadata->location).second) << made.metadata->location;
      Commit(catalog(), {AppendSnapshot(made, 5)});
      EXPECT_EQ(Value(other_client().LoadTable({levels, table})).metadata->current_snapshot_id, 5) << name;
    }
    EXPECT_THAT(Value(catalog().ListTables(levels)),
                UnorderedElementsAre(TableIdent{levels, name}, TableIdent{levels, "plain"}));
    Do(catalog().DropTable({levels, name}));
    EXPECT_EQ(KindOf(other_client().LoadTable({levels, name})), ErrorKind::kTableNotFound);
  }
}

}  // namespace
}  // namespace firn::catalog
