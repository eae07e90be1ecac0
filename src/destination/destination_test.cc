#include "firn/destination.h"

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <set>

#include "destination/cell_encoder.h"
#include "destination/defined_schema.h"
#include "destination/destination_fixture.h"
#include "iceberg/table_scan.h"

namespace firn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
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

class DestinationTest : public DestinationFixture {
 protected:
  static iceberg::TableScan Scan(storage::FileStore& store, const iceberg::TableMetadataPtr& table) {
    iceberg::ManifestCache cache;
    return iceberg::TableScan::Plan(store, table, table->CurrentSnapshot(), table->CurrentSchema(), cache).value();
  }

  /// Below the table's data folder, of each of its data files.
  std::vector<std::string> Folders() {
    const auto table = Metadata();
    const auto scan = Scan(*store_, table);
    std::vector<std::string> folders;
    for (const auto& live : scan.files()) {
      const std::string path = live.entry.file.file_path.substr((table->location + "/data/").size());
      folders.push_back(path.substr(0, path.rfind('/')));
    }
    return folders;
  }

  /// What deletes the table's rows: "position", "vector", "equality"; each once.
  std::set<std::string> DeleteForms() {
    const auto scan = Scan(*store_, Metadata());
    std::set<std::string> forms;
    for (const auto& live : scan.files()) {
      for (const auto& deletes : live.position_deletes) {
        forms.insert(deletes->file.file_format == "PUFFIN" ? "vector" : "position");
      }
      if (!live.equality_deletes.empty()) forms.insert("equality");
    }
    return forms;
  }

  /// The named columns of each row of the users table, as firn reads it: "1 Ada".
  std::vector<std::string> Users(const std::vector<std::string>& columns = {"id", "name"}) {
    auto scan = Scan(*store_, Metadata());
    std::vector<std::string> rows;
    const auto& files = scan.files();
    for (const auto& file : files) {
      auto reader = scan.Open(file).value();
      while (const auto live = reader->Next().value()) {
        for (int64_t i = 0; i < live->rows->num_rows(); ++i) {
          std::string row;
          for (const std::string& column : columns) {
            row += (row.empty() ? "" : " ") + (*live->rows->GetColumnByName(column)->GetScalar(i))->ToString();
          }
          rows.push_back(row);
        }
      }
    }
    return rows;
  }
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
  Open({.pipeline = "other"});
  EXPECT_EQ(destination_->DefineTable(kUsersTable).error().kind(), ErrorKind::kAlreadyExists);
}

TEST_F(DestinationTest, FollowsNewAndWiderColumns) {
  TableDefinition definition = kUsersTable;
  definition.columns.push_back({"age", ColumnType::kInt});
  definition.mode = ChangeMode::kSoftDelete;
  ASSERT_TRUE(destination_->DefineTable(definition).has_value());
  std::vector<Event> events = {Insert(1, "a"), Insert(2, "b")};
  for (Event& event : events) event.row.emplace_back(int64_t{30});
  ASSERT_TRUE(destination_->WriteEvents(events, 1).has_value());

  definition.columns = {{"id", ColumnType::kLong},
                        {"city", ColumnType::kString},
                        {"name", ColumnType::kString},
                        {"age", ColumnType::kLong}};
  ASSERT_TRUE(destination_->DefineTable(definition).has_value());
  Event update{.kind = EventKind::kUpdate, .table = kUsers, .row = {int64_t{2}, "Oslo", "B", int64_t{1} << 40}};
  ASSERT_TRUE(destination_->WriteEvents(std::span(&update, 1), 2).has_value());
  const std::vector<std::string> columns = {"id", "name", "age", "city", "_firn_deleted"};
  EXPECT_THAT(Users(columns), UnorderedElementsAre("1 a 30 null false", "2 B 1099511627776 Oslo false"));

  Open();  // The table itself knows the order of its columns.
  update.row[1] = "Bergen";
  ASSERT_TRUE(destination_->WriteEvents(std::span(&update, 1), 3).has_value());
  EXPECT_THAT(Users(columns), UnorderedElementsAre("1 a 30 null false", "2 B 1099511627776 Bergen false"));
}

TEST_F(DestinationTest, RefusesColumnsThatTheTableCannotBecome) {
  ASSERT_TRUE(destination_->DefineTable(kUsersTable).has_value());
  const auto refused = [&](const std::function<void(TableDefinition&)>& change) {
    TableDefinition other = kUsersTable;
    change(other);
    const Status status = destination_->DefineTable(other);
    EXPECT_EQ(status.error().kind(), ErrorKind::kSchemaMismatch);
    return status.error().message();
  };
  EXPECT_THAT(refused([](TableDefinition& other) { other.columns.pop_back(); }), HasSubstr("the column 'name'"));
  EXPECT_THAT(refused([](TableDefinition& other) { other.columns[1].type = ColumnType::kLong; }),
              HasSubstr("column 'name' is string, and the definition's long"));
  EXPECT_THAT(refused([](TableDefinition& other) { other.columns[0].type = ColumnType::kInt; }),
              HasSubstr("column 'id' is required long"));
  EXPECT_THAT(refused([](TableDefinition& other) {
                other.columns.push_back({"tenant", ColumnType::kLong});
                other.key.push_back("tenant");
              }),
              HasSubstr("without the key column 'tenant'"));
  EXPECT_THAT(refused([](TableDefinition& other) { other.key.clear(); }), HasSubstr("'id'"));
}

TEST_F(DestinationTest, RefusesDefinitionsThatNoTableCanHave) {
  const auto refused = [&](const std::function<void(TableDefinition&)>& change) {
    TableDefinition wrong = kUsersTable;
    change(wrong);
    const Status status = destination_->DefineTable(wrong);
    if (status) return std::string();
    EXPECT_EQ(status.error().kind(), ErrorKind::kInvalidConfig);
    return status.error().message();
  };
  EXPECT_THAT(refused([](TableDefinition& wrong) { wrong.columns.clear(); }), HasSubstr("no column"));
  EXPECT_THAT(refused([](TableDefinition& wrong) { wrong.columns[1].name = ""; }), HasSubstr("no name"));
  EXPECT_THAT(refused([](TableDefinition& wrong) { wrong.columns[1].name = "\xff"; }), HasSubstr("not UTF-8"));
  EXPECT_THAT(refused([](TableDefinition& wrong) { wrong.columns[1].name = "_firn_op"; }), HasSubstr("that firn adds"));
  EXPECT_THAT(refused([](TableDefinition& wrong) { wrong.id.name = ""; }), HasSubstr("no name"));
  EXPECT_THAT(refused([](TableDefinition& wrong) { wrong.id.name_space = ""; }), HasSubstr("namespace has no name"));
  EXPECT_THAT(refused([](TableDefinition& wrong) { wrong.key = {"id", "id"}; }), HasSubstr("named twice"));
  EXPECT_THAT(refused([](TableDefinition& wrong) { wrong.computed = {{{"x", ColumnType::kLong}, nullptr}}; }),
              HasSubstr("'x' has no function"));
  for (const auto& [precision, scale] : {std::pair{0, 0}, {39, 0}, {5, 6}, {5, -1}}) {
    EXPECT_THAT(
        refused([&](TableDefinition& wrong) { wrong.columns[1] = {"n", ColumnType::kDecimal, precision, scale}; }),
        HasSubstr("a decimal has 1 to 38 digits"));
  }
}

TEST_F(DestinationTest, WantsGrowingPositions) {
  ASSERT_TRUE(destination_->DefineTable(kUsersTable).has_value());
  ASSERT_TRUE(destination_->WriteEvents(std::vector{Insert(1, "a")}, 5).has_value());
  for (const uint64_t position : {5, 4}) {
    const Status again = destination_->WriteEvents(std::vector{Insert(2, "b")}, position);
    ASSERT_FALSE(again.has_value());
    EXPECT_EQ(again.error().kind(), ErrorKind::kInvalidConfig);
  }
  ASSERT_TRUE(destination_->WriteEvents(std::vector{Insert(2, "b")}, 6).has_value());
  EXPECT_THAT(Users(), UnorderedElementsAre("1 a", "2 b"));
}

TEST_F(DestinationTest, RefusesWhatItCannotWriteBeforeItWritesAnything) {
  ASSERT_TRUE(destination_->DefineTable(kUsersTable).has_value());
  Event nameless = Insert(0, "b");
  nameless.row[0] = std::monostate{};
  Event broken = Insert(3, "\xff\xfe");
  Event unknown = Insert(4, "d");
  unknown.kind = static_cast<EventKind>(9);
  for (const Event& event : {nameless, broken, unknown}) {
    EXPECT_FALSE(destination_->WriteEvents(std::vector{Insert(1, "a"), event}, 1).has_value());
  }
  TableDefinition log{.id = {"app", "log"}, .columns = {{"at", ColumnType::kLong}}};
  ASSERT_TRUE(destination_->DefineTable(log).has_value());
  const Event update{.kind = EventKind::kUpdate, .table = log.id, .row = {int64_t{1}}};
  EXPECT_EQ(destination_->WriteEvents(std::span(&update, 1), 1).error().kind(), ErrorKind::kSchemaMismatch);
  EXPECT_THAT(Users(), IsEmpty());
  ASSERT_TRUE(destination_->WriteEvents(std::vector{Insert(1, "a")}, 1).has_value());
  EXPECT_THAT(Users(), UnorderedElementsAre("1 a"));
}

TEST_F(DestinationTest, IsOfNoUseAfterAWriteThatFailed) {
  ASSERT_TRUE(destination_->DefineTable(kUsersTable).has_value());
  ASSERT_TRUE(destination_->WriteEvents(std::vector{Insert(1, "a")}, 1).has_value());
  // A file stands where the folder of the data files has to be.
  std::filesystem::remove_all(warehouse_ + "/app");
  ASSERT_TRUE(store_->Write("file://" + warehouse_ + "/app", "in the way").has_value());
  EXPECT_FALSE(destination_->WriteEvents(std::vector{Insert(2, "b")}, 2).has_value());
  const Status after = destination_->WriteEvents(std::vector{Insert(2, "b")}, 2);
  ASSERT_FALSE(after.has_value());
  EXPECT_THAT(after.error().message(), HasSubstr("open another"));
  EXPECT_FALSE(destination_->Position(kUsers).has_value());
  EXPECT_FALSE(destination_->Commit(2).has_value());
}

TEST_F(DestinationTest, DeletesInTheFormThatIsAskedFor) {
  struct Form {
    int format_version;
    std::optional<DeleteForm> deletes;
    std::string written;
  };
  // Each goes on from the one before: later format versions and other forms can come at any time.
  const std::vector<Form> forms = {{2, std::nullopt, "position"},          {2, DeleteForm::kEquality, "equality"},
                                   {2, DeleteForm::kPosition, "position"}, {3, std::nullopt, "vector"},
                                   {3, DeleteForm::kEquality, "equality"}, {3, DeleteForm::kVector, "vector"}};
  uint64_t position = 0;
  for (const Form& form : forms) {
    Open({.format_version = form.format_version, .deletes = form.deletes});
    ASSERT_TRUE(destination_->DefineTable(kUsersTable).has_value());
    ASSERT_TRUE(destination_->TruncateTable(kUsers).has_value());
    // One row stays: a file without rows left would go as a whole.
    const std::vector<Event> inserts = {Insert(1, "a"), Insert(2, "b"), Insert(3, "c"), Insert(9, "stays")};
    ASSERT_TRUE(destination_->WriteEvents(inserts, ++position).has_value());
    const std::vector<Event> changes = {Update(1, "A"), Delete(2), Update(4, "C", {int64_t{3}})};
    ASSERT_TRUE(destination_->WriteEvents(changes, ++position).has_value());
    EXPECT_THAT(Users(), UnorderedElementsAre("1 A", "4 C", "9 stays"));
    EXPECT_THAT(DeleteForms(), ElementsAre(form.written)) << "format version " << form.format_version;
    EXPECT_EQ(Metadata()->format_version, form.format_version);
  }
}

TEST_F(DestinationTest, RefusesFormsThatDoNotGoTogether) {
  const auto refused = [&](DestinationOptions options) {
    options.catalog_uri = "sqlite://" + warehouse_ + "/catalog.db";
    options.warehouse = warehouse_;
    return Destination::Open(options).error();
  };
  EXPECT_EQ(refused({.deletes = DeleteForm::kVector}).kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(refused({.format_version = 3, .deletes = DeleteForm::kPosition}).message(), HasSubstr("vectors"));
  EXPECT_THAT(refused({.format_version = 1}).message(), HasSubstr("format_version is 1, not 2 or 3"));
  EXPECT_THAT(refused({.target_file_size_bytes = 0}).message(), HasSubstr("target_file_size_bytes is 0"));
  EXPECT_THAT(refused({.max_retries = -1}).message(), HasSubstr("max_retries is -1"));

  Open({.deletes = DeleteForm::kEquality});
  TableDefinition definition = kUsersTable;
  definition.mode = ChangeMode::kHistory;
  EXPECT_THAT(destination_->DefineTable(definition).error().message(), HasSubstr("equality finds no rows"));
  definition.mode = ChangeMode::kMirror;
  definition.columns[0].type = ColumnType::kDouble;
  EXPECT_THAT(destination_->DefineTable(definition).error().message(), HasSubstr("key column \"id\" (double)"));

  Open({.format_version = 3});
  ASSERT_TRUE(destination_->DefineTable(kUsersTable).has_value());
  Open();
  EXPECT_THAT(destination_->DefineTable(kUsersTable).error().message(), HasSubstr("can't go back to 2"));
}

/// Of the transaction of the source at `position`, which is also its time.
Event At(uint64_t position, Event event) {
  event.position = position;
  event.committed_at_us = static_cast<int64_t>(position) * 1'000'000;
  return event;
}

TEST_F(DestinationTest, KeepsDeletedRows) {
  TableDefinition definition = kUsersTable;
  definition.mode = ChangeMode::kSoftDelete;
  ASSERT_TRUE(destination_->DefineTable(definition).has_value());
  ASSERT_TRUE(destination_->WriteEvents(std::vector{Insert(1, "a"), Insert(2, "b"), Insert(3, "c")}, 1).has_value());
  ASSERT_TRUE(destination_->WriteEvents(std::vector{Delete(2)}, 2).has_value());
  const std::vector<std::string> columns = {"id", "name", "_firn_deleted"};
  EXPECT_THAT(Users(columns), UnorderedElementsAre("1 a false", "2 b true", "3 c false"));
  ASSERT_TRUE(destination_->WriteEvents(std::vector{Insert(2, "B")}, 3).has_value());
  ASSERT_TRUE(destination_->TruncateTable(kUsers).has_value());
  EXPECT_THAT(Users(columns), UnorderedElementsAre("1 a true", "2 B true", "3 c true"));
}

TEST_F(DestinationTest, KeepsEveryVersionOfARow) {
  TableDefinition definition = kUsersTable;
  definition.mode = ChangeMode::kHistory;
  ASSERT_TRUE(destination_->DefineTable(definition).has_value());
  // Two transactions in one call are two versions, two changes of one transaction are one.
  const std::vector<Event> events = {At(1, Insert(1, "a")), At(1, Update(1, "b")), At(2, Update(1, "c")),
                                     At(2, Insert(2, "x"))};
  ASSERT_TRUE(destination_->WriteEvents(events, 2).has_value());
  ASSERT_TRUE(destination_->WriteEvents(std::vector{At(3, Delete(2))}, 3).has_value());
  const std::vector<std::string> columns = {"id", "name", "_firn_valid_from", "_firn_valid_to", "_firn_current"};
  const std::string t = "1970-01-01 00:00:0";
  EXPECT_THAT(Users(columns), UnorderedElementsAre("1 b " + t + "1.000000Z " + t + "2.000000Z false",
                                                   "1 c " + t + "2.000000Z null true",
                                                   "2 x " + t + "2.000000Z " + t + "3.000000Z false"));
  EXPECT_THAT(Metadata()->CurrentSchema().identifier_field_ids, IsEmpty());

  definition.mode = ChangeMode::kMirror;
  Open();
  const Status refused = destination_->DefineTable(definition);
  EXPECT_EQ(refused.error().kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(refused.error().message(), HasSubstr("has been written in the change mode 'history'"));
}

TEST_F(DestinationTest, LogsEveryChange) {
  TableDefinition definition = kUsersTable;
  definition.mode = ChangeMode::kAppend;
  ASSERT_TRUE(destination_->DefineTable(definition).has_value());
  const std::vector<Event> events = {At(1, Insert(1, "a")), At(1, Update(2, "b", {int64_t{1}})), At(2, Delete(2)),
                                     At(3, Truncate())};
  ASSERT_TRUE(destination_->WriteEvents(events, 7).has_value());
  const std::string before = "{id:int64 = ";
  EXPECT_THAT(Users({"id", "name", "_firn_op", "_firn_lsn", "_firn_before_key"}),
              ElementsAre("1 a insert 1 null", "2 b update 1 " + before + "1}", "2 null delete 2 " + before + "2}",
                          "null null truncate 3 null"));
  EXPECT_EQ(destination_->Position(kUsers).value(), 7u);
}

TEST_F(DestinationTest, TracksChangesFromTheMomentThatItIsAskedTo) {
  ASSERT_TRUE(destination_->DefineTable(kUsersTable).has_value());
  ASSERT_TRUE(destination_->WriteEvents(std::vector{Insert(1, "a"), Insert(2, "b")}, 5).has_value());
  TableDefinition definition = kUsersTable;
  definition.mode = ChangeMode::kSoftDelete;
  definition.track_changes = true;
  Open();
  ASSERT_TRUE(destination_->DefineTable(definition).has_value());
  ASSERT_TRUE(destination_->WriteEvents(std::vector{At(6, Update(1, "A")), At(8, Delete(2))}, 9).has_value());
  ASSERT_TRUE(destination_->WriteEvents(std::vector{Insert(3, "c")}, 10).has_value());
  EXPECT_THAT(Users({"id", "name", "_firn_deleted", "_firn_op", "_firn_lsn"}),
              UnorderedElementsAre("1 A false update 6", "2 b true delete 8", "3 c false insert 10"));
  Open();
  ASSERT_TRUE(destination_->DefineTable(definition).has_value()) << "it has all of it by now";
}

TEST_F(DestinationTest, RefusesAnEventBehindThePositionOfItsCall) {
  ASSERT_TRUE(destination_->DefineTable(kUsersTable).has_value());
  const Status refused = destination_->WriteEvents(std::vector{At(6, Insert(1, "a"))}, 5);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(Users(), IsEmpty());
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
