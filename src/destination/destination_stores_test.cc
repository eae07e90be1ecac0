#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "destination/destination_fixture.h"
#include "testing/rest_catalog_server.h"

namespace firn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

const TableId kUsers{"app", "users"};

Event Insert(int64_t id, const std::string& name) {
  return {.kind = EventKind::kInsert, .table = kUsers, .row = {id, name}};
}

class MemoryStateStore final : public StateStore {
 public:
  Result<std::optional<uint64_t>> LoadPosition(const TableId& table) override {
    const auto found = positions.find(table);
    return found == positions.end() ? std::nullopt : std::optional(found->second);
  }
  Status StorePosition(const TableId& table, uint64_t position) override {
    if (fails) return MakeError(ErrorKind::kTransient, "the disk is full");
    positions[table] = position;
    return {};
  }
  std::map<TableId, uint64_t> positions;
  bool fails = false;
};

class MemorySchemaStore final : public SchemaStore {
 public:
  Result<std::optional<TableDefinition>> LoadDefinition(const TableId& table) override {
    const auto found = definitions.find(table);
    return found == definitions.end() ? std::nullopt : std::optional(found->second);
  }
  Status StoreDefinition(const TableDefinition& table) override {
    definitions[table.id] = table;
    return {};
  }
  std::map<TableId, TableDefinition> definitions;
};

class DestinationStoresTest : public DestinationFixture {
 protected:
  static TableDefinition Users(ChangeMode mode = ChangeMode::kMirror) {
    return {.id = kUsers,
            .columns = {{"id", ColumnType::kLong}, {"na\"me", ColumnType::kString}},
            .key = {"id"},
            .partition_by = {"bucket(4, id)", "truncate(2, \"na\"\"me\")"},
            .mode = mode};
  }
};

TEST_F(DestinationStoresTest, ATableRemembersItsDefinitionInEveryMode) {
  for (const ChangeMode mode :
       {ChangeMode::kMirror, ChangeMode::kSoftDelete, ChangeMode::kHistory, ChangeMode::kAppend}) {
    std::filesystem::remove_all(warehouse_);
    Open();
    TableDefinition users = Users(mode);
    users.track_changes = mode == ChangeMode::kHistory;
    ASSERT_TRUE(destination_->DefineTable(users).has_value());
    ASSERT_TRUE(destination_->WriteEvents(std::vector{Insert(1, "a")}, 5).has_value());
    const auto before = Metadata();
    Open();
    // Nobody defines it again.
    ASSERT_EQ(destination_->Position(kUsers).value(), 5u);
    const Event deletion{.kind = EventKind::kDelete, .table = kUsers, .key = {int64_t{1}}};
    const Status status = destination_->WriteEvents(std::vector{Insert(2, "b"), deletion}, 6);
    ASSERT_TRUE(status.has_value()) << status.error().message();
    const auto after = Metadata();
    EXPECT_EQ(after->CurrentSchema(), before->CurrentSchema());
    EXPECT_EQ(after->DefaultSpec(), before->DefaultSpec());
    auto properties = after->properties;
    properties["firn.progress"] = before->properties.at("firn.progress");
    EXPECT_EQ(properties, before->properties);
  }
}

TEST_F(DestinationStoresTest, AConfigurationNamesAnyCatalog) {
  testing::RestCatalogServer server({.warehouse = "file://" + warehouse_, .client = "app:s3cret"});
  int failures = 2;
  server.OnRequest([&](const testing::ScriptedRequest& request) -> std::optional<testing::ScriptedReply> {
    if (!request.path().ends_with("/users") || failures-- <= 0) return std::nullopt;
    return testing::ScriptedReply{.status = 503};
  });
  const DestinationOptions options{
      .configuration =
          fmt::format("catalog: {{type: rest, uri: '{}', warehouse: wh, credential: 'app:s3cret'}}", server.url()),
      .state_directory = folder_ / "state"};
  for (uint64_t position = 1; position <= 2; ++position) {
    destination_.reset();
    destination_ = Destination::Open(options).value();
    if (position == 1) {
      const Status defined = destination_->DefineTable(Users());
      ASSERT_TRUE(defined.has_value()) << defined.error().message();
    }
    EXPECT_EQ(destination_->Position(kUsers).value_or(std::nullopt).value_or(0), position - 1);
    const Status status = destination_->WriteEvents(std::vector{Insert(static_cast<int64_t>(position), "a")}, position);
    ASSERT_TRUE(status.has_value()) << status.error().message();
  }
  EXPECT_LT(failures, 0) << "what passes is tried again";
  EXPECT_EQ(
      server.catalog().LoadTable({{"app"}, "users"}).value().metadata->CurrentSnapshot()->summary.at("total-records"),
      "2");

  const auto refused =
      Destination::Open({.configuration = "catalog: {type: rest, uri: 'http://app:s3cret@127.0.0.1:1', "
                                          "warehouse: wh}",
                         .state_directory = folder_ / "state",
                         .max_retries = 0});
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message(), ::testing::Not(HasSubstr("s3cret")));
}

TEST_F(DestinationStoresTest, ATableWithComputedColumnsHasToBeDefined) {
  TableDefinition users = Users();
  users.computed = {{{"length", ColumnType::kLong},
                     [](const Row& row) { return Value(static_cast<int64_t>(std::get<std::string>(row[1]).size())); }}};
  ASSERT_TRUE(destination_->DefineTable(users).has_value());
  Open();
  const auto position = destination_->Position(kUsers);
  ASSERT_FALSE(position.has_value());
  EXPECT_EQ(position.error().kind(), ErrorKind::kTableNotFound);
  EXPECT_THAT(position.error().message(), HasSubstr("'length'"));
}

TEST_F(DestinationStoresTest, AStateStoreIsToldOfEachCommit) {
  const auto state = std::make_shared<MemoryStateStore>();
  Open({.state_store = state});
  ASSERT_TRUE(destination_->DefineTable(Users()).has_value());
  EXPECT_THAT(state->positions, IsEmpty());
  ASSERT_TRUE(destination_->WriteEvents(std::vector{Insert(1, "a")}, 5).has_value());
  EXPECT_THAT(state->positions, ElementsAre(Pair(kUsers, 5)));
}

TEST_F(DestinationStoresTest, AStateStoreThatMissedACommitIsToldWhenTheTableIsOpened) {
  const auto state = std::make_shared<MemoryStateStore>();
  Open({.state_store = state});
  ASSERT_TRUE(destination_->DefineTable(Users()).has_value());
  ASSERT_TRUE(destination_->WriteEvents(std::vector{Insert(1, "a")}, 5).has_value());
  state->fails = true;
  const Status status = destination_->WriteEvents(std::vector{Insert(2, "b")}, 6);
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(status.error().message(), HasSubstr("the commit of table app.users is in"));
  state->fails = false;
  Open({.state_store = state});
  EXPECT_EQ(destination_->Position(kUsers).value(), 6u);
  EXPECT_THAT(state->positions, ElementsAre(Pair(kUsers, 6)));
}

TEST_F(DestinationStoresTest, AStateStoreThatIsAheadTellsOfALostTable) {
  const auto state = std::make_shared<MemoryStateStore>();
  Open({.state_store = state});
  ASSERT_TRUE(destination_->DefineTable(Users()).has_value());
  ASSERT_TRUE(destination_->WriteEvents(std::vector{Insert(1, "a")}, 5).has_value());
  std::filesystem::remove_all(warehouse_);
  Open({.state_store = state});
  const Status status = destination_->DefineTable(Users());
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().kind(), ErrorKind::kSourceLost);
  EXPECT_THAT(status.error().message(), HasSubstr("position 5"));
}

TEST_F(DestinationStoresTest, ASchemaStoreDefinesTablesWhenTheyAreUsed) {
  const auto schemas = std::make_shared<MemorySchemaStore>();
  Open({.schema_store = schemas});
  EXPECT_EQ(destination_->Position(kUsers).error().kind(), ErrorKind::kTableNotFound);
  ASSERT_TRUE(schemas->StoreDefinition(Users()).has_value());
  ASSERT_TRUE(destination_->WriteEvents(std::vector{Insert(1, "a")}, 5).has_value());
  EXPECT_EQ(destination_->Position(kUsers).value(), 5u);

  const TableDefinition visits{.id = {"app", "visits"}, .columns = {{"at", ColumnType::kTimestampTz}}};
  ASSERT_TRUE(destination_->DefineTable(visits).has_value());
  EXPECT_TRUE(schemas->definitions.contains(visits.id));
}

}  // namespace
}  // namespace firn
