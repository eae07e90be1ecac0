#include "catalog/catalog_conformance.h"

#include <gmock/gmock.h>

#include <atomic>
#include <set>
#include <stdexcept>
#include <thread>

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
  Do(catalog().EnsureNamespace({"archive", "old"}));
  Do(catalog().RenameTable(made.ident, {{"archive", "old"}, "orders_2024"}));
  for (Catalog* client : {&catalog(), &other_client()}) {
    EXPECT_EQ(KindOf(client->LoadTable(made.ident)), ErrorKind::kTableNotFound);
    const LoadedTable renamed = Value(client->LoadTable({{"archive", "old"}, "orders_2024"}));
    EXPECT_EQ(renamed.metadata_location, made.metadata_location);
    EXPECT_EQ(*renamed.metadata, *made.metadata);
  }
  // It goes on under the new name, and a new table may take the old one, with files of its own.
  const LoadedTable renamed = Value(catalog().LoadTable({{"archive", "old"}, "orders_2024"}));
  const LoadedTable changed = Commit(catalog(), {SetProperty(renamed, "color", "red")}).front();
  EXPECT_EQ(changed.metadata->properties.at("color"), "red");
  const LoadedTable next = MakeTable(catalog());
  EXPECT_NE(next.metadata->table_uuid, made.metadata->table_uuid);
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
  Do(catalog().EnsureNamespace({"archive", "old"}));
  MakeTable(catalog());
  using Levels = std::vector<std::string>;
  EXPECT_THAT(Value(catalog().ListNamespaces()),
              UnorderedElementsAre(Levels{"archive"}, Levels{"archive", "old"}, Levels{"shop"}));
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
  Do(catalog().EnsureNamespace({"a", "b", "c"}));
  Do(catalog().EnsureNamespace({"a", "b", "c"}));
  Do(other_client().EnsureNamespace({"a"}));
  EXPECT_THAT(Value(catalog().ListTables({"a"})), IsEmpty());
  EXPECT_THAT(Value(other_client().ListTables({"a", "b"})), IsEmpty());
  EXPECT_THAT(Value(catalog().ListTables({"a", "b", "c"})), IsEmpty());
}

TEST_P(CatalogConformanceTest, ListsTheTablesOfOneNamespaceOnly) {
  Do(catalog().EnsureNamespace({"a", "b"}));
  Do(catalog().EnsureNamespace({"ab"}));
  Value(catalog().CreateTable({{"a"}, "t1"}, SomeTable()));
  Value(catalog().CreateTable({{"a"}, "t2"}, SomeTable()));
  Value(catalog().CreateTable({{"a", "b"}, "t1"}, SomeTable()));
  Value(catalog().CreateTable({{"ab"}, "t4"}, SomeTable()));
  EXPECT_THAT(Value(other_client().ListTables({"a"})),
              UnorderedElementsAre(TableIdent{{"a"}, "t1"}, TableIdent{{"a"}, "t2"}));
  EXPECT_THAT(Value(catalog().ListTables({"a", "b"})), ElementsAre(TableIdent{{"a", "b"}, "t1"}));
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

TEST_P(CatalogConformanceTest, OfManyWritersAtOnceEachSnapshotHasOne) {
  const LoadedTable base = MakeTable(catalog());
  constexpr int kPerWriter = 5;
  std::atomic<int> commits = 0;
  std::atomic<int> surprises = 0;
  const auto write = [&](Catalog& client, iceberg::SnapshotId first_id) {
    for (iceberg::SnapshotId id = first_id; id < first_id + kPerWriter;) {
      const auto fresh = client.LoadTable(base.ident);
      if (!fresh.has_value()) {
        ++surprises;
        return;
      }
      const auto committed = client.CommitTables(std::vector{AppendSnapshot(*fresh, id)});
      if (committed.has_value()) {
        ++commits;
        ++id;
      } else if (committed.error().kind() != ErrorKind::kConflict) {
        ++surprises;
        return;
      }
    }
  };
  {
    std::jthread one([&] { write(catalog(), 100); });
    std::jthread two([&] { write(catalog(), 200); });
    std::jthread three([&] { write(other_client(), 300); });
  }
  EXPECT_EQ(surprises, 0);
  EXPECT_EQ(commits, 3 * kPerWriter);
  const LoadedTable table = Value(catalog().LoadTable(base.ident));
  EXPECT_EQ(table.metadata->snapshots.size(), 3u * kPerWriter);
  EXPECT_EQ(table.metadata->last_sequence_number, 3 * kPerWriter);
}

TEST_P(CatalogConformanceTest, OddNamesAreNamesLikeOthers) {
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
