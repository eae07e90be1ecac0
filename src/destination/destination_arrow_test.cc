#include <arrow/api.h>
#include <arrow/c/bridge.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "destination/destination_fixture.h"
#include "iceberg/table_scan.h"

namespace firn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

const TableId kUsers{"app", "users"};
const TableDefinition kUsersTable{
    .id = kUsers, .columns = {{"id", ColumnType::kLong}, {"name", ColumnType::kString}}, .key = {"id"}};

std::shared_ptr<arrow::Array> Numbers(const std::vector<int16_t>& values) {
  arrow::Int16Builder builder;
  EXPECT_TRUE(builder.AppendValues(values).ok());
  return builder.Finish().ValueOrDie();
}
std::shared_ptr<arrow::Array> Names(const std::vector<std::string>& values) {
  arrow::LargeStringBuilder builder;
  for (const std::string& value : values)
    EXPECT_TRUE((value.empty() ? builder.AppendNull() : builder.Append(value)).ok());
  return builder.Finish().ValueOrDie();
}
std::shared_ptr<arrow::Array> One(const arrow::Scalar& value) {
  return arrow::MakeArrayFromScalar(value, 1).ValueOrDie();
}
/// Not as the table has them: narrower numbers, large strings, another order.
std::shared_ptr<arrow::RecordBatch> Rows(const std::vector<int16_t>& ids, const std::vector<std::string>& names) {
  return arrow::RecordBatch::Make(
      arrow::schema({arrow::field("name", arrow::large_utf8()), arrow::field("id", arrow::int16())}),
      static_cast<int64_t>(ids.size()), {Names(names), Numbers(ids)});
}
std::shared_ptr<arrow::RecordBatch> Keys(const std::vector<int16_t>& ids) {
  return arrow::RecordBatch::Make(arrow::schema({arrow::field("id", arrow::int16())}), static_cast<int64_t>(ids.size()),
                                  {Numbers(ids)});
}

class DestinationArrowTest : public DestinationFixture {
 protected:
  Status Add(EventKind kind, const std::shared_ptr<arrow::RecordBatch>& batch) {
    ArrowSchema schema;
    ArrowArray rows;
    EXPECT_TRUE(arrow::ExportRecordBatch(*batch, &rows, &schema).ok());
    const Status status = destination_->AddRows(kUsers, kind, &schema, &rows);
    EXPECT_EQ(schema.release, nullptr);
    EXPECT_EQ(rows.release, nullptr);
    return status;
  }

  std::vector<std::string> Users() {
    const auto table = Metadata();
    iceberg::ManifestCache cache;
    auto scan =
        iceberg::TableScan::Plan(*store_, table, table->CurrentSnapshot(), table->CurrentSchema(), cache).value();
    std::vector<std::string> rows;
    for (const auto& file : scan.files()) {
      auto reader = scan.Open(file).value();
      while (const auto live = reader->Next().value()) {
        for (int64_t i = 0; i < live->rows->num_rows(); ++i) {
          rows.push_back((*live->rows->GetColumnByName("id")->GetScalar(i))->ToString() + " " +
                         (*live->rows->GetColumnByName("name")->GetScalar(i))->ToString());
        }
      }
    }
    return rows;
  }
};

TEST_F(DestinationArrowTest, CommitsWhatWasAddedInOrder) {
  ASSERT_TRUE(destination_->DefineTable(kUsersTable).has_value());
  ASSERT_TRUE(Add(EventKind::kInsert, Rows({1, 2, 3}, {"a", "b", ""})).has_value());
  ASSERT_TRUE(Add(EventKind::kUpdate, Rows({2, 9}, {"B", "new"})).has_value());
  ASSERT_TRUE(Add(EventKind::kDelete, Keys({1})).has_value());
  EXPECT_EQ(destination_->Position(kUsers).value(), std::nullopt);
  ASSERT_TRUE(destination_->Commit(7).has_value());
  EXPECT_THAT(Users(), UnorderedElementsAre("2 B", "3 null", "9 new"));
  EXPECT_EQ(destination_->Position(kUsers).value(), 7u);

  ASSERT_TRUE(Add(EventKind::kInsert, Rows({4}, {"lost"})).has_value());
  ASSERT_TRUE(destination_->AddTruncate(kUsers).has_value());
  ASSERT_TRUE(Add(EventKind::kInsert, Rows({5}, {"e"})).has_value());
  ASSERT_TRUE(destination_->Commit(8).has_value());
  EXPECT_THAT(Users(), UnorderedElementsAre("5 e"));
  EXPECT_TRUE(destination_->Commit(9).has_value()) << "nothing was added";
  EXPECT_EQ(destination_->Position(kUsers).value(), 8u);
}

TEST_F(DestinationArrowTest, RefusesWhatTheTableCannotHold) {
  ASSERT_TRUE(destination_->DefineTable(kUsersTable).has_value());
  const auto refused = [&](EventKind kind, const std::shared_ptr<arrow::RecordBatch>& batch) {
    const Status status = Add(kind, batch);
    EXPECT_FALSE(status.has_value());
    if (status) return std::string();
    EXPECT_EQ(status.error().kind(), ErrorKind::kSchemaMismatch);
    return status.error().message();
  };
  const auto of = [](const std::string& name, std::shared_ptr<arrow::Array> column) {
    const int64_t length = column->length();
    auto schema = arrow::schema({arrow::field(name, column->type())});
    return arrow::RecordBatch::Make(schema, length, {std::move(column)});
  };
  EXPECT_THAT(refused(EventKind::kInsert, of("name", Names({"a"}))), AllOf(HasSubstr("app.users"), HasSubstr("'id'")));
  EXPECT_THAT(refused(EventKind::kInsert, of("age", Numbers({1}))), HasSubstr("no column 'age'"));
  EXPECT_THAT(refused(EventKind::kDelete, of("id", Names({"one"}))), HasSubstr("'id'"));
  EXPECT_THAT(refused(EventKind::kDelete, of("id", Names({""}))), HasSubstr("NULL"));
  EXPECT_THAT(refused(EventKind::kDelete, of("id", One(arrow::DoubleScalar(1)))),
              HasSubstr("double does not become int64"));
  EXPECT_THAT(refused(EventKind::kDelete, of("id", One(arrow::BooleanScalar(true)))),
              HasSubstr("bool does not become int64"));
  EXPECT_THAT(refused(EventKind::kDelete, of("id", One(arrow::UInt64Scalar(~uint64_t{0})))), HasSubstr("'id'"));
  // Nothing of it is left behind.
  ASSERT_TRUE(Add(EventKind::kInsert, Rows({1}, {"a"})).has_value());
  ASSERT_TRUE(destination_->Commit(1).has_value());
  EXPECT_THAT(Users(), UnorderedElementsAre("1 a"));
}

TEST_F(DestinationArrowTest, WantsACommitBeforeAWriteOfAnotherKind) {
  ASSERT_TRUE(destination_->DefineTable(kUsersTable).has_value());
  ASSERT_TRUE(Add(EventKind::kInsert, Rows({1}, {"a"})).has_value());
  EXPECT_EQ(destination_->TruncateTable(kUsers).error().kind(), ErrorKind::kInvalidConfig);
  ASSERT_TRUE(destination_->Commit(1).has_value());
  EXPECT_TRUE(destination_->TruncateTable(kUsers).has_value());
}

TEST_F(DestinationArrowTest, KeepsWhatWasAddedWhenATableIsDefinedAgain) {
  ASSERT_TRUE(destination_->DefineTable(kUsersTable).has_value());
  ASSERT_TRUE(Add(EventKind::kInsert, Rows({1}, {"a"})).has_value());
  EXPECT_EQ(destination_->DefineTable(kUsersTable).error().kind(), ErrorKind::kInvalidConfig);
  ASSERT_TRUE(destination_->Commit(1).has_value());
  EXPECT_THAT(Users(), UnorderedElementsAre("1 a"));
  EXPECT_TRUE(destination_->DefineTable(kUsersTable).has_value());
}

TEST_F(DestinationArrowTest, CommitsAtGrowingPositions) {
  ASSERT_TRUE(destination_->DefineTable(kUsersTable).has_value());
  ASSERT_TRUE(Add(EventKind::kInsert, Rows({1}, {"a"})).has_value());
  ASSERT_TRUE(destination_->Commit(5).has_value());
  ASSERT_TRUE(Add(EventKind::kInsert, Rows({2}, {"b"})).has_value());
  EXPECT_EQ(destination_->Commit(5).error().kind(), ErrorKind::kInvalidConfig);
  ASSERT_TRUE(destination_->Commit(6).has_value());
  EXPECT_THAT(Users(), UnorderedElementsAre("1 a", "2 b"));
}

TEST_F(DestinationArrowTest, WritesMuchBeforeItsCommit) {
  ASSERT_TRUE(destination_->DefineTable(kUsersTable).has_value());
  const std::string large(1 << 20, 'x');
  for (int16_t id = 0; id < 150; id += 30) {
    std::vector<int16_t> ids;
    for (int16_t i = 0; i < 30; ++i) ids.push_back(static_cast<int16_t>(id + i));
    ASSERT_TRUE(Add(EventKind::kInsert, Rows(ids, std::vector<std::string>(30, large))).has_value());
  }
  ASSERT_TRUE(Add(EventKind::kDelete, Keys({0, 149})).has_value());
  EXPECT_EQ(destination_->Position(kUsers).value(), std::nullopt);
  ASSERT_TRUE(destination_->Commit(1).has_value());
  EXPECT_EQ(Users().size(), 148u);
}

TEST_F(DestinationArrowTest, TellsTheColumnsOfAnArrowSchema) {
  ArrowSchema schema;
  const auto uuid = arrow::field("u", arrow::fixed_size_binary(16))
                        ->WithMetadata(arrow::key_value_metadata({"ARROW:extension:name"}, {"arrow.uuid"}));
  ASSERT_TRUE(arrow::ExportSchema(
                  *arrow::schema({arrow::field("a", arrow::uint16()), arrow::field("b", arrow::decimal128(12, 2)),
                                  arrow::field("c", arrow::timestamp(arrow::TimeUnit::NANO)),
                                  arrow::field("d", arrow::timestamp(arrow::TimeUnit::SECOND, "Europe/Berlin")),
                                  arrow::field("e", arrow::dictionary(arrow::int8(), arrow::utf8())), uuid}),
                  &schema)
                  .ok());
  const auto columns = ColumnsOf(&schema).value();
  EXPECT_EQ(schema.release, nullptr);
  std::vector<ColumnType> types;
  for (const Column& column : columns) types.push_back(column.type);
  EXPECT_THAT(types, ::testing::ElementsAre(ColumnType::kInt, ColumnType::kDecimal, ColumnType::kTimestamp,
                                            ColumnType::kTimestampTz, ColumnType::kString, ColumnType::kUuid));
  EXPECT_EQ(columns[1].precision, 12);
  EXPECT_EQ(columns[1].scale, 2);

  ASSERT_TRUE(arrow::ExportSchema(*arrow::schema({arrow::field("a", arrow::list(arrow::int8()))}), &schema).ok());
  EXPECT_EQ(ColumnsOf(&schema).error().kind(), ErrorKind::kUnsupported);
  EXPECT_EQ(ColumnsOf(nullptr).error().kind(), ErrorKind::kInvalidConfig);
}

}  // namespace
}  // namespace firn
