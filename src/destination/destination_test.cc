#include "firn/destination.h"

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/uuid.h"
#include "catalog/sql/sql_catalog.h"
#include "destination/cell_encoder.h"
#include "iceberg/data_file_reader.h"
#include "iceberg/position_deletes.h"
#include "iceberg/table_files.h"

namespace firn {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

const TableId kUsers{"app", "users"};
const TableDefinition kUsersTable{
    .id = kUsers, .columns = {{"id", ColumnType::kLong}, {"name", ColumnType::kString}}, .key = {"id"}};

Event Insert(int64_t id, const std::string& name) {
  return {.kind = EventKind::kInsert, .table = kUsers, .row = {id, name}};
}
Event Update(int64_t id, const std::string& name, Row key = {}) {
  return {.kind = EventKind::kUpdate, .table = kUsers, .row = {id, name}, .key = std::move(key)};
}
Event Delete(int64_t id) { return {.kind = EventKind::kDelete, .table = kUsers, .key = {id}}; }
Event Truncate() { return {.kind = EventKind::kTruncate, .table = kUsers}; }

class DestinationTest : public ::testing::Test {
 protected:
  DestinationTest() { Open(); }
  ~DestinationTest() override {
    destination_.reset();
    std::filesystem::remove_all(warehouse_);
  }

  void Open(const std::string& pipeline = "firn") {
    destination_.reset();
    destination_ =
        Destination::Open(
            {.catalog_uri = "sqlite://" + warehouse_ + "/catalog.db", .warehouse = warehouse_, .pipeline = pipeline})
            .value();
  }

  /// Below the table's data folder, of each of its data files.
  std::vector<std::string> Folders() {
    auto store = storage::OpenFileStore("file://" + warehouse_, {}).value();
    auto catalog = catalog::OpenSqlCatalog(
                       {.uri = "sqlite://" + warehouse_ + "/catalog.db", .warehouse = "file://" + warehouse_}, *store)
                       .value();
    const auto table = catalog->LoadTable({{"app"}, "users"}).value();
    iceberg::ManifestCache cache;
    std::vector<std::string> folders;
    const auto files = iceberg::PlanFiles(*store, *table.metadata, table.metadata->CurrentSnapshot(), cache).value();
    for (const auto& live : files) {
      const std::string path = live.entry.file.file_path.substr((table.metadata->location + "/data/").size());
      folders.push_back(path.substr(0, path.rfind('/')));
    }
    return folders;
  }

  /// "id name" of each row of the users table, as its files and deletes say.
  std::vector<std::string> Users() {
    auto store = storage::OpenFileStore("file://" + warehouse_, {}).value();
    auto catalog = catalog::OpenSqlCatalog(
                       {.uri = "sqlite://" + warehouse_ + "/catalog.db", .warehouse = "file://" + warehouse_}, *store)
                       .value();
    const auto table = catalog->LoadTable({{"app"}, "users"}).value();
    iceberg::ManifestCache cache;
    std::vector<std::string> rows;
    const auto files = iceberg::PlanFiles(*store, *table.metadata, table.metadata->CurrentSnapshot(), cache).value();
    for (const auto& live : files) {
      iceberg::RowPositions deleted;
      for (const auto& deletes : live.position_deletes) {
        deleted |= iceberg::ReadPositionDeletes(*store, deletes->file, live.entry.file.file_path).value();
      }
      auto reader = iceberg::DataFileReader::Open(*store, live.entry.file, table.metadata->CurrentSchema()).value();
      uint64_t position = 0;
      while (auto batch = reader->Next().value()) {
        for (int64_t i = 0; i < batch->num_rows(); ++i, ++position) {
          if (deleted.contains(position)) continue;
          rows.push_back((*batch->column(0)->GetScalar(i))->ToString() + " " +
                         (*batch->column(1)->GetScalar(i))->ToString());
        }
      }
    }
    return rows;
  }

  const std::string warehouse_ = ::testing::TempDir() + "lake-" + NewUuid();
  std::unique_ptr<Destination> destination_;
};

TEST_F(DestinationTest, WritesRowsThenEvents) {
  ASSERT_TRUE(destination_->DefineTable(kUsersTable));
  const std::vector<Row> rows = {{int64_t{1}, "Ada"}, {int64_t{2}, "Grace"}, {int64_t{3}, "Edsger"}};
  ASSERT_TRUE(destination_->WriteTableRows(kUsers, rows));
  const std::vector<Event> events = {Update(1, "Ada L."), Delete(2), Insert(4, "Barbara"),
                                     Update(5, "E.", {int64_t{3}})};
  ASSERT_TRUE(destination_->WriteEvents(events, 17));
  EXPECT_THAT(Users(), UnorderedElementsAre("1 Ada L.", "4 Barbara", "5 E."));
  EXPECT_EQ(destination_->Position(kUsers).value(), 17u);
}

TEST_F(DestinationTest, GoesOnAfterARestart) {
  ASSERT_TRUE(destination_->DefineTable(kUsersTable));
  ASSERT_TRUE(destination_->WriteEvents(std::vector{Insert(1, "a"), Insert(2, "b")}, 5));
  Open();
  ASSERT_TRUE(destination_->DefineTable(kUsersTable));
  EXPECT_EQ(destination_->Position(kUsers).value(), 5u);
  ASSERT_TRUE(destination_->WriteEvents(std::vector{Delete(1)}, 6));
  EXPECT_THAT(Users(), UnorderedElementsAre("2 b"));
}

TEST_F(DestinationTest, TruncatesInItsPlaceAmongTheEvents) {
  ASSERT_TRUE(destination_->DefineTable(kUsersTable));
  ASSERT_TRUE(destination_->WriteEvents(std::vector{Insert(1, "a"), Truncate(), Insert(2, "b")}, 1));
  EXPECT_THAT(Users(), UnorderedElementsAre("2 b"));
  ASSERT_TRUE(destination_->TruncateTable(kUsers));
  EXPECT_THAT(Users(), UnorderedElementsAre());
  EXPECT_EQ(destination_->Position(kUsers).value(), 1u);
}

TEST_F(DestinationTest, NamesATableThatWasNotDefined) {
  const Status status = destination_->WriteEvents(std::vector{Insert(1, "a")}, 1);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().kind(), ErrorKind::kTableNotFound);
  EXPECT_THAT(status.error().message(), HasSubstr("app.users"));
}

TEST_F(DestinationTest, RefusesRowsThatDoNotFit) {
  ASSERT_TRUE(destination_->DefineTable(kUsersTable));
  const std::vector<Row> short_row = {{int64_t{1}}};
  EXPECT_EQ(destination_->WriteTableRows(kUsers, short_row).error().kind(), ErrorKind::kSchemaMismatch);
  Open();
  ASSERT_TRUE(destination_->DefineTable(kUsersTable));
  const std::vector<Row> wrong_kind = {{std::string("one"), "Ada"}};
  const Status status = destination_->WriteTableRows(kUsers, wrong_kind);
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(status.error().message(), HasSubstr("'id'"));
}

TEST_F(DestinationTest, LeavesAnotherPipelinesTableAlone) {
  ASSERT_TRUE(destination_->DefineTable(kUsersTable));
  ASSERT_TRUE(destination_->WriteEvents(std::vector{Insert(1, "a")}, 1));
  Open("other");
  EXPECT_EQ(destination_->DefineTable(kUsersTable).error().kind(), ErrorKind::kAlreadyExists);
}

TEST_F(DestinationTest, RefusesOtherColumnsThanTheTableHas) {
  ASSERT_TRUE(destination_->DefineTable(kUsersTable));
  TableDefinition other = kUsersTable;
  other.columns.push_back({"age", ColumnType::kInt});
  EXPECT_EQ(destination_->DefineTable(other).error().kind(), ErrorKind::kSchemaMismatch);
}

TEST(CellEncoder, TakesEveryColumnType) {
  const TableDefinition table{.id = {"n", "t"},
                              .columns = {{"b", ColumnType::kBoolean},
                                          {"i", ColumnType::kInt},
                                          {"l", ColumnType::kLong},
                                          {"f", ColumnType::kFloat},
                                          {"d", ColumnType::kDouble},
                                          {"n", ColumnType::kDecimal, 6, 2},
                                          {"day", ColumnType::kDate},
                                          {"t", ColumnType::kTime},
                                          {"ts", ColumnType::kTimestamp},
                                          {"tz", ColumnType::kTimestampTz},
                                          {"s", ColumnType::kString},
                                          {"u", ColumnType::kUuid},
                                          {"x", ColumnType::kBinary}}};
  const auto schema = destination::SchemaOf(table).value();
  const Row row = {true,
                   int64_t{1},
                   int64_t{2},
                   1.5,
                   2.5,
                   "-12.5",
                   int64_t{1},
                   int64_t{2},
                   int64_t{3},
                   int64_t{4},
                   "text",
                   "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
                   std::string("\0\1", 2)};
  const Row nulls(table.columns.size());
  const std::vector<const Row*> rows = {&row, &nulls};
  const auto encoded = destination::EncodeCells(schema.fields, rows);
  ASSERT_TRUE(encoded.has_value()) << encoded.error().message();
  EXPECT_EQ(encoded->batch->num_rows(), 2);
  EXPECT_EQ((*encoded->batch->column(5)->GetScalar(0))->ToString(), "-12.50");
  for (const auto& column : encoded->batch->columns()) EXPECT_EQ(column->null_count(), 1);
}

TEST(CellEncoder, RefusesNumbersOutOfRange) {
  const auto schema =
      destination::SchemaOf({.id = {"n", "t"}, .columns = {{"i", ColumnType::kInt}, {"n", ColumnType::kDecimal, 4, 2}}})
          .value();
  const Row large = {int64_t{1} << 40, std::monostate{}};
  const Row precise = {std::monostate{}, "123.456"};
  for (const Row* row : {&large, &precise}) {
    EXPECT_EQ(destination::EncodeCells(schema.fields, std::span(&row, 1)).error().kind(), ErrorKind::kSchemaMismatch);
  }
}

TEST_F(DestinationTest, PartitionsByAColumnThatTheApplicationComputes) {
  TableDefinition definition = kUsersTable;
  definition.computed = {{{"initial", ColumnType::kString}, [](const Row& row) -> Value {
                            const auto* name = std::get_if<std::string>(&row[1]);
                            return name == nullptr ? Value() : Value(name->substr(0, 1));
                          }}};
  definition.partition_by = {"initial"};
  ASSERT_TRUE(destination_->DefineTable(definition).has_value());
  const std::vector<Event> inserts = {Insert(1, "Ada"), Insert(2, "Alan"), Insert(3, "Barbara")};
  ASSERT_TRUE(destination_->WriteEvents(inserts, 1).has_value());
  const std::vector<Event> changes = {Update(2, "Bjarne"), Delete(1)};
  ASSERT_TRUE(destination_->WriteEvents(changes, 2).has_value());
  EXPECT_THAT(Users(), UnorderedElementsAre("2 Bjarne", "3 Barbara"));
  EXPECT_THAT(Folders(), UnorderedElementsAre("initial=B", "initial=B"));

  definition.partition_by = {"bucket(4, id)"};
  Open();
  ASSERT_TRUE(destination_->DefineTable(definition).has_value());
  const std::vector<Event> more = {Update(3, "Barbara L."), Insert(4, "Dennis")};
  ASSERT_TRUE(destination_->WriteEvents(more, 3).has_value());
  EXPECT_THAT(Users(), UnorderedElementsAre("2 Bjarne", "3 Barbara L.", "4 Dennis"));

  definition.partition_by = {"day(name)"};
  const Status refused = destination_->DefineTable(definition);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message(), HasSubstr("column \"name\" is stored as string, which allows identity"));
}

}  // namespace
}  // namespace firn
