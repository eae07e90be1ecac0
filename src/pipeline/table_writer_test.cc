#include "pipeline/table_writer.h"

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "base/try.h"
#include "iceberg/avro_container.h"
#include "iceberg/data_file_reader.h"
#include "pipeline/batch_committer.h"
#include "pipeline/delete_form.h"
#include "testing/file_rewrite.h"
#include "testing/memory_catalog.h"
#include "testing/memory_file_store.h"
#include "testing/temporary_folder.h"

namespace firn::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

const iceberg::TableIdent kIdent{{"public"}, "t"};

iceberg::Schema TestSchema() {
  return {.fields = {{.id = 1, .name = "k", .required = true, .type = iceberg::Type::Primitive(iceberg::TypeId::kLong)},
                     {.id = 2, .name = "v", .type = iceberg::Type::Primitive(iceberg::TypeId::kLong)}},
          .identifier_field_ids = {1}};
}

encode::EncodedRows Rows(const std::vector<std::vector<std::optional<int64_t>>>& columns) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const auto& column : columns) {
    arrow::Int64Builder builder;
    for (const auto& value : column) EXPECT_TRUE((value ? builder.Append(*value) : builder.AppendNull()).ok());
    arrays.push_back(*builder.Finish());
    fields.push_back(arrow::field("c" + std::to_string(fields.size()), arrow::int64()));
  }
  const int64_t rows = arrays.front()->length();
  return {.batch = arrow::RecordBatch::Make(arrow::schema(fields), rows, arrays)};
}

/// Changes of a table (k, v) with key k.
class BatchOf {
 public:
  BatchOf& Insert(int64_t k, int64_t v) { return Add({.kind = ChangeKind::kInsert}, k, v); }
  BatchOf& Update(int64_t k, std::optional<int64_t> v) { return Add({.kind = ChangeKind::kUpdate}, k, v); }
  /// An update that does not send v again.
  BatchOf& UpdateKeepingValue(int64_t k) {
    unchanged_.push_back({.row = static_cast<int64_t>(keys_.size()), .column = 1});
    return Update(k, std::nullopt);
  }
  BatchOf& Move(int64_t old_k, int64_t k, int64_t v) {
    old_.push_back(old_k);
    return Add({.kind = ChangeKind::kUpdate, .old = static_cast<int32_t>(old_.size() - 1)}, k, v);
  }
  BatchOf& Delete(int64_t k) {
    old_.push_back(k);
    changes_.push_back({.kind = ChangeKind::kDelete, .old = static_cast<int32_t>(old_.size() - 1)});
    return *this;
  }
  BatchOf& TruncateFirst() {
    truncate_ = true;
    return *this;
  }
  TableBatch Make() const {
    TableBatch batch{.truncate_first = truncate_, .changes = changes_};
    if (!keys_.empty()) batch.rows = Rows({keys_, values_});
    batch.rows.unchanged = unchanged_;
    if (!old_.empty()) batch.old_keys = Rows({old_});
    return batch;
  }

 private:
  BatchOf& Add(Change change, int64_t k, std::optional<int64_t> v) {
    change.row = static_cast<int32_t>(keys_.size());
    changes_.push_back(change);
    keys_.push_back(k);
    values_.push_back(v);
    return *this;
  }
  bool truncate_ = false;
  std::vector<std::optional<int64_t>> keys_, values_, old_;
  std::vector<encode::UnchangedValue> unchanged_;
  std::vector<Change> changes_;
};

struct TableForm {
  int32_t format_version = 2;
  DeleteForm deletes = DeleteForm::kPosition;
  bool partitioned = false;
  bool sorted = false;  ///< When files are rewritten: by its value, so that updates move rows.
};

class TableWriterTest : public ::testing::Test {
 protected:
  TableWriterTest() {
    EXPECT_TRUE(catalog_.EnsureNamespace({"public"}).has_value());
    EXPECT_TRUE(catalog_.CreateTable(kIdent, {.schema = TestSchema(), .location = "memory/t"}).has_value());
    Open();
  }
  /// The table anew, partitioned by its value's hundreds: an update of the value may move a row.
  void Partition() { Make({.partitioned = true}); }
  void Make(const TableForm& form) {
    EXPECT_TRUE(catalog_.DropTable(kIdent).has_value());
    iceberg::NewTable table{.schema = TestSchema(), .location = "memory/t", .format_version = form.format_version};
    if (form.partitioned) {
      table.spec.fields = {{.source_id = 2,
                            .field_id = 1000,
                            .name = "v_trunc",
                            .transform = {.kind = iceberg::TransformKind::kTruncate, .parameter = 100}}};
    }
    if (form.sorted) table.sort_order.fields = {{.source_id = 2, .descending = true}};
    EXPECT_TRUE(catalog_.CreateTable(kIdent, table).has_value());
    Switch(form);
  }
  /// Goes on in another form, as another configuration at the next start would.
  void Switch(const TableForm& form) {
    deletes_ = form.deletes;
    const auto updates = DeleteFormUpdates(*catalog_.LoadTable(kIdent)->metadata,
                                           {.format_version = form.format_version, .deletes = form.deletes});
    const iceberg::CommitRequest request{.table = kIdent, .updates = updates};
    EXPECT_TRUE(catalog_.CommitTables(std::span(&request, 1)).has_value());
    Open();
  }
  ~TableWriterTest() override {
    writer_.reset();
    index_.reset();
  }

  /// As a new process would: everything but store, catalog and index folder is new.
  void Open() {
    committer_.emplace(catalog_, RetryPolicy{.base_delay = std::chrono::milliseconds(1)}, metrics_);
    writer_.reset();
    index_.reset();
    index_ = index::Database::Open(folder_.path()).value();
    TableLayout layout{.schema = TestSchema(), .identity = RowIdentity::kKey, .deletes = deletes_, .key_columns = {0}};
    writer_ = std::make_unique<TableWriter>(
        WriterContext{.store = store_, .index = *index_, .metrics = metrics_},
        TableWriterOptions{.files = {.target_file_size_bytes = target_file_size_, .max_open_files = max_open_files_},
                           .writer = {.pipeline = "test"},
                           .small_deletes = small_deletes_},
        catalog_.LoadTable(kIdent).value(), layout, "public.t");
  }

  Status Write(const BatchOf& batch) { return Do(batch, std::nullopt); }
  Status Commit(const BatchOf& batch) { return Do(batch, Lsn{++lsn_}); }
  Status Do(const BatchOf& batch, std::optional<Lsn> lsn) {
    FlushJob job{.commit_lsn = lsn};
    job.parts.push_back({.writer = writer_.get(), .batch = batch.Make()});
    auto outcome = committer_->Do(job, {});
    return outcome ? Status{} : Status(std::unexpected(outcome.error()));
  }

  /// A commit of another program.
  void CommitElsewhere(const iceberg::RowDelta& delta) {
    iceberg::ManifestCache cache;
    const auto table = catalog_.LoadTable(kIdent).value();
    const auto request = iceberg::BuildRowDelta(store_, kIdent, *table.metadata, delta, cache, 1).value();
    ASSERT_TRUE(catalog_.CommitTables(std::span(&request, 1)).has_value());
  }

  /// Writes the rows of all files but `left_alone` to others, for a later commit.
  std::unique_ptr<testing::FileRewrite> Rewrite(const std::string& left_alone = "") {
    return testing::FileRewrite::Make(catalog_, store_, metrics_, kIdent,
                                      [&](const iceberg::DataFile& file) { return file.file_path != left_alone; })
        .value();
  }
  Result<bool> CommitRewrite(std::unique_ptr<testing::FileRewrite> rewrite) {
    return testing::FileRewrite::Commit(std::move(rewrite), *committer_, *writer_);
  }

  std::vector<iceberg::LiveDataFile> LiveFilesNow() {
    iceberg::ManifestCache cache;
    const auto table = catalog_.LoadTable(kIdent).value();
    return iceberg::PlanFiles(store_, *table.metadata, table.metadata->CurrentSnapshot(), cache).value();
  }

  /// What an equality delete file holds.
  std::set<int64_t> KeysIn(const iceberg::DataFile& file) {
    EXPECT_THAT(file.equality_ids, ElementsAre(1));
    std::set<int64_t> keys;
    auto reader = iceberg::DataFileReader::Open(store_, file, {.fields = {TestSchema().fields.front()}}).value();
    while (auto batch = reader->Next().value()) {
      const auto& column = static_cast<const arrow::Int64Array&>(*batch->column(0));
      for (int64_t i = 0; i < batch->num_rows(); ++i) EXPECT_TRUE(keys.insert(column.Value(i)).second);
    }
    return keys;
  }

  /// The table's rows, by key, as its files and deletes say.
  std::multimap<int64_t, int64_t> Table() {
    std::multimap<int64_t, int64_t> rows;
    for (const auto& live : LiveFilesNow()) {
      const bool are_merged = small_deletes_ == TableWriterOptions{}.small_deletes;
      EXPECT_TRUE(!are_merged || live.position_deletes.size() <= 1) << live.position_deletes.size();
      iceberg::RowPositions deleted;
      for (const auto& deletes : live.position_deletes) {
        EXPECT_EQ(deletes->file.partition, live.entry.file.partition);
        EXPECT_EQ(deletes->file.partition_spec_id, live.entry.file.partition_spec_id);
        deleted |= iceberg::ReadPositionDeletes(store_, deletes->file, live.entry.file.file_path).value();
      }
      std::set<int64_t> deleted_keys;
      for (const auto& deletes : live.equality_deletes) deleted_keys.merge(KeysIn(deletes->file));
      auto reader = iceberg::DataFileReader::Open(store_, live.entry.file, TestSchema()).value();
      uint64_t position = 0;
      while (auto batch = reader->Next().value()) {
        const auto& keys = static_cast<const arrow::Int64Array&>(*batch->column(0));
        const auto& values = static_cast<const arrow::Int64Array&>(*batch->column(1));
        for (int64_t i = 0; i < batch->num_rows(); ++i, ++position) {
          if (!live.entry.file.partition.empty()) {
            EXPECT_THAT(live.entry.file.partition, ElementsAre(iceberg::Literal(values.Value(i) / 100 * 100)));
          }
          if (!deleted.contains(position) && !deleted_keys.contains(keys.Value(i)))
            rows.emplace(keys.Value(i), values.Value(i));
        }
      }
    }
    return rows;
  }

  void CompareWithModel();

  const firn::testing::TemporaryFolder folder_;
  int64_t target_file_size_ = 1 << 30;
  int max_open_files_ = 10;
  uint64_t small_deletes_ = 10'000;
  DeleteForm deletes_ = DeleteForm::kPosition;
  testing::MemoryFileStore store_;
  testing::MemoryCatalog catalog_;
  Metrics metrics_;
  std::unique_ptr<index::Database> index_;
  std::optional<BatchCommitter> committer_;
  std::unique_ptr<TableWriter> writer_;
  uint64_t lsn_ = 0;
};

TEST_F(TableWriterTest, FindsRowsOfEarlierCommits) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20).Insert(3, 30)));
  ASSERT_TRUE(Commit(BatchOf().Update(2, 21).Delete(3)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 10), Pair(2, 21)));
  EXPECT_EQ(ReadProgress(*catalog_.LoadTable(kIdent)->metadata)->value().lsn, Lsn{2});
}

TEST_F(TableWriterTest, MovesARowWhenItsKeyChanges) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10)));
  ASSERT_TRUE(Commit(BatchOf().Move(1, 2, 20)));
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 11).Update(2, 21)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 11), Pair(2, 21)));
}

TEST_F(TableWriterTest, MergesADataFilesDeletesIntoOneFile) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20).Insert(3, 30)));
  ASSERT_TRUE(Commit(BatchOf().Delete(1)));
  ASSERT_TRUE(Commit(BatchOf().Delete(2)));
  ASSERT_THAT(LiveFilesNow(), SizeIs(1));
  EXPECT_THAT(LiveFilesNow()[0].position_deletes, SizeIs(1));
  EXPECT_EQ(LiveFilesNow()[0].position_deletes[0]->file.record_count, 2);
  EXPECT_THAT(Table(), ElementsAre(Pair(3, 30)));
}

TEST_F(TableWriterTest, LeavesALargeDeleteFileUntilTheOthersHaveGrown) {
  small_deletes_ = 2;
  Open();
  const auto deletes_of = [](int64_t first, int64_t end) {
    BatchOf batch;
    for (int64_t k = first; k < end; ++k) batch.Delete(k);
    return batch;
  };
  const auto rows_of_delete_files = [&] {
    std::vector<int64_t> rows;
    const auto files = LiveFilesNow();
    for (const auto& deletes : files.at(0).position_deletes) rows.push_back(deletes->file.record_count);
    return rows;
  };
  BatchOf rows;
  for (int64_t k = 0; k < 40; ++k) rows.Insert(k, k);
  ASSERT_TRUE(Commit(rows));
  ASSERT_TRUE(Commit(deletes_of(0, 20)));
  EXPECT_THAT(rows_of_delete_files(), ElementsAre(20));
  ASSERT_TRUE(Commit(deletes_of(20, 21)));
  EXPECT_THAT(rows_of_delete_files(), UnorderedElementsAre(20, 1));
  ASSERT_TRUE(Commit(deletes_of(21, 22)));
  EXPECT_THAT(rows_of_delete_files(), UnorderedElementsAre(20, 2));
  Open();
  ASSERT_TRUE(Commit(deletes_of(22, 23)));
  EXPECT_THAT(rows_of_delete_files(), UnorderedElementsAre(20, 3));
  EXPECT_THAT(Table(), SizeIs(17));
  ASSERT_TRUE(Commit(deletes_of(23, 26)));
  EXPECT_THAT(rows_of_delete_files(), ElementsAre(26));
  EXPECT_THAT(Table(), SizeIs(14));
  ASSERT_TRUE(Commit(deletes_of(26, 27)));
  ASSERT_TRUE(Commit(deletes_of(27, 40)));
  EXPECT_THAT(LiveFilesNow(), IsEmpty());
}

TEST_F(TableWriterTest, RemovesADataFileThatHasNoRowLeft) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20)));
  ASSERT_TRUE(Commit(BatchOf().Delete(1)));
  ASSERT_TRUE(Commit(BatchOf().Update(2, 21)));
  EXPECT_THAT(LiveFilesNow(), SizeIs(1));
  EXPECT_THAT(Table(), ElementsAre(Pair(2, 21)));
}

TEST_F(TableWriterTest, TruncatesWhatWasThereAndKeepsWhatFollows) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10)));
  ASSERT_TRUE(Write(BatchOf().Insert(2, 20)));
  ASSERT_TRUE(Commit(BatchOf().TruncateFirst().Insert(1, 11)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 11)));
  ASSERT_TRUE(Commit(BatchOf().Update(1, 12)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 12)));
  ASSERT_TRUE(Commit(BatchOf().TruncateFirst()));
  EXPECT_THAT(Table(), IsEmpty());
}

TEST_F(TableWriterTest, ChangesRowsOfItsOwnPendingFiles) {
  target_file_size_ = 1;  // Each batch closes its file.
  Open();
  ASSERT_TRUE(Write(BatchOf().Insert(1, 10).Insert(2, 20)));
  ASSERT_TRUE(Write(BatchOf().Update(1, 11)));
  ASSERT_TRUE(Commit(BatchOf().Update(1, 12).Delete(2)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 12)));
}

TEST_F(TableWriterTest, KeepsValuesThatWereNotSentAgain) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20).Insert(3, 30)));
  ASSERT_TRUE(Commit(BatchOf().UpdateKeepingValue(1).Update(2, 21).UpdateKeepingValue(2).UpdateKeepingValue(2)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 10), Pair(2, 21), Pair(3, 30)));
}

TEST_F(TableWriterTest, KeepsValuesOfRowsThatTheSameCommitWrote) {
  ASSERT_TRUE(Write(BatchOf().Insert(1, 10)));
  ASSERT_TRUE(Commit(BatchOf().UpdateKeepingValue(1)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 10)));
}

TEST_F(TableWriterTest, RefusesToLoseAValueWhoseRowIsUnknown) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10)));
  const Status status = Commit(BatchOf().UpdateKeepingValue(7));
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().kind(), ErrorKind::kCorrupt);
}

TEST_F(TableWriterTest, TrustsItsIndexAfterACommitThatItDidNotLiveToSee) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10)));
  catalog_.FailCommits({testing::MemoryCatalog::Fault::kUnknownCommitted});
  catalog_.FailLoads(1'000);
  EXPECT_FALSE(Commit(BatchOf().Update(1, 11).Insert(2, 20)).has_value());
  while (!catalog_.LoadTable(kIdent)) {
  }
  Open();
  ASSERT_TRUE(Commit(BatchOf().Update(1, 12).Update(2, 21)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 12), Pair(2, 21)));
}

TEST_F(TableWriterTest, RebuildsTheIndexThatWasCopiedInTheMiddleOfItsCommit) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10)));
  ASSERT_TRUE(Write(BatchOf().Insert(2, 20)));
  const firn::testing::TemporaryFolder backup;
  constexpr auto kAll = std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing;
  std::filesystem::copy(folder_.path(), backup.path(), kAll);
  ASSERT_TRUE(Commit(BatchOf().Insert(3, 30).Update(1, 11)));
  writer_.reset();
  index_.reset();
  std::filesystem::remove_all(folder_.path());
  std::filesystem::copy(backup.path(), folder_.path(), kAll);
  Open();
  ASSERT_TRUE(Commit(BatchOf().Update(3, 31).Delete(1)));
  EXPECT_THAT(Table(), ElementsAre(Pair(2, 20), Pair(3, 31)));
}

TEST_F(TableWriterTest, RebuildsTheIndexWhenItsCommitNeverCame) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20).Delete(2)));
  ASSERT_TRUE(Write(BatchOf().Update(1, 11).Insert(2, 20)));
  Open();
  ASSERT_TRUE(Commit(BatchOf().Update(1, 11).Insert(2, 22)));
  ASSERT_TRUE(Commit(BatchOf().Update(1, 12)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 12), Pair(2, 22)));
}

TEST_F(TableWriterTest, IsFencedOffByAnotherProcessThatWroteAsFirn) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10)));
  CommitElsewhere({.summary = ProgressSummary({.pipeline = "test"}, Lsn{99}, "theirs")});
  const Status status = Commit(BatchOf().Insert(2, 20));
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().kind(), ErrorKind::kSourceLost);
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 10)));
}

TEST_F(TableWriterTest, CommitsBesideAWriterThatLeavesItsRowsAlone) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10)));
  CommitElsewhere({});
  ASSERT_TRUE(Commit(BatchOf().Update(1, 11)));
  ASSERT_TRUE(Commit(BatchOf().Update(1, 12)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 12)));
}

TEST_F(TableWriterTest, ChangesRowsThatAnotherWriterStoredInAnotherFormat) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10)));
  iceberg::AvroWriter avro(
      R"({"type":"record","name":"t","fields":[{"name":"v","type":"long","field-id":2},{"name":"k","type":"long","field-id":1}]})",
      {});
  for (const int64_t key : {2, 3}) {
    iceberg::AvroEncoder row;
    row.Long(key * 10);
    row.Long(key);
    ASSERT_TRUE(avro.Append(row.bytes()).has_value());
  }
  const iceberg::DataFile file{
      .file_path = "memory/t/data/other.avro", .file_format = "AVRO", .record_count = 2, .file_size_in_bytes = 1};
  ASSERT_TRUE(store_.Write(file.file_path, std::move(avro).Finish().value()).has_value());
  CommitElsewhere({.added_data_files = {file}});
  Open();
  ASSERT_TRUE(Commit(BatchOf().Delete(2).UpdateKeepingValue(3).Update(1, 11)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 11), Pair(3, 30)));
}

TEST_F(TableWriterTest, StartsAgainWhereAnotherWriterMovedItsRows) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10)));
  ASSERT_TRUE(Write(BatchOf().Update(1, 11)));
  CommitElsewhere({.removed_data_files = {LiveFilesNow()[0].entry.file.file_path}});
  const Status status = Commit(BatchOf().Insert(2, 20));
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().kind(), ErrorKind::kConflict);
  Open();
  ASSERT_TRUE(Commit(BatchOf().Insert(2, 20)));
  EXPECT_THAT(Table(), ElementsAre(Pair(2, 20)));
}

TEST_F(TableWriterTest, FindsRowsThatARewriteHasMoved) {
  ASSERT_TRUE(Commit(BatchOf().Insert(9, 90)));
  const std::string left_alone = LiveFilesNow()[0].entry.file.file_path;
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20).Insert(3, 30)));
  ASSERT_TRUE(Commit(BatchOf().Insert(4, 40).Delete(3)));
  EXPECT_THAT(CommitRewrite(Rewrite(left_alone)), ::testing::Optional(true));
  EXPECT_THAT(LiveFilesNow(), SizeIs(2));
  // Whoever built the index from the table would miss it.
  ASSERT_TRUE(store_.Delete(left_alone).has_value());
  ASSERT_TRUE(Commit(BatchOf().Update(1, 11).Delete(4).UpdateKeepingValue(2).Insert(3, 33)));
  ASSERT_TRUE(Commit(BatchOf().Delete(9)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 11), Pair(2, 20), Pair(3, 33)));
}

TEST_F(TableWriterTest, KeepsWhatChangedWhileFilesWereRewritten) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20).Insert(3, 30).Insert(4, 40)));
  auto rewrite = Rewrite();
  ASSERT_TRUE(Commit(BatchOf().Update(1, 11).Delete(2).Move(3, 5, 50)));
  EXPECT_THAT(CommitRewrite(std::move(rewrite)), ::testing::Optional(true));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 11), Pair(4, 40), Pair(5, 50)));
  ASSERT_TRUE(Commit(BatchOf().Update(1, 12).Insert(2, 22).Insert(3, 33).Delete(4).Update(5, 51)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 12), Pair(2, 22), Pair(3, 33), Pair(5, 51)));
}

TEST_F(TableWriterTest, GoesOnWhereARewriteComesTooLate) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10)));
  auto rewrite = Rewrite();
  ASSERT_TRUE(Commit(BatchOf().TruncateFirst().Insert(1, 11)));
  EXPECT_THAT(CommitRewrite(std::move(rewrite)), ::testing::Optional(false));
  ASSERT_TRUE(Commit(BatchOf().Update(1, 12)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 12)));
}

TEST_F(TableWriterTest, TakesNoRewriteWhileChangesWaitForACommit) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20)));
  auto rewrite = Rewrite();
  ASSERT_TRUE(Write(BatchOf().Update(1, 11)));
  EXPECT_THAT(CommitRewrite(std::move(rewrite)), ::testing::Optional(false));
  ASSERT_TRUE(Commit(BatchOf().Update(2, 21)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 11), Pair(2, 21)));
}

TEST_F(TableWriterTest, FindsRowsThatWereMovedWhileItWasAway) {
  ASSERT_TRUE(Commit(BatchOf().Insert(9, 90)));
  const std::string left_alone = LiveFilesNow()[0].entry.file.file_path;
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20)));
  ASSERT_TRUE(Commit(BatchOf().Insert(3, 30)));
  ASSERT_TRUE(Rewrite(left_alone)->CommitElsewhere(catalog_).has_value());
  ASSERT_TRUE(Rewrite(left_alone)->CommitElsewhere(catalog_).has_value());
  ASSERT_TRUE(store_.Delete(left_alone).has_value());
  Open();
  ASSERT_TRUE(Commit(BatchOf().Update(1, 11).Delete(3)));
  ASSERT_TRUE(Commit(BatchOf().Delete(9)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 11), Pair(2, 20)));
}

TEST_F(TableWriterTest, FindsRowsThatAnotherWriterMovedBetweenTwoCommits) {
  ASSERT_TRUE(Commit(BatchOf().Insert(9, 90)));
  const std::string left_alone = LiveFilesNow()[0].entry.file.file_path;
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20)));
  ASSERT_TRUE(Write(BatchOf().Insert(3, 30)));
  ASSERT_TRUE(Rewrite(left_alone)->CommitElsewhere(catalog_).has_value());
  ASSERT_TRUE(Commit(BatchOf().Update(3, 31)));
  ASSERT_TRUE(store_.Delete(left_alone).has_value());
  ASSERT_TRUE(Commit(BatchOf().Update(1, 11).Update(3, 32).Delete(2)));
  ASSERT_TRUE(Commit(BatchOf().Delete(9)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 11), Pair(3, 32)));
}

TEST_F(TableWriterTest, BuildsTheIndexWhereWhatWasBeforeAMoveIsGone) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20).Insert(3, 30)));
  const std::string manifest_list = catalog_.LoadTable(kIdent)->metadata->CurrentSnapshot()->manifest_list;
  ASSERT_TRUE(Rewrite()->CommitElsewhere(catalog_).has_value());
  ASSERT_TRUE(store_.Delete(manifest_list).has_value());
  Open();
  ASSERT_TRUE(Commit(BatchOf().Delete(1)));
  // The same between two commits.
  const std::string deletes = LiveFilesNow().at(0).position_deletes.at(0)->file.file_path;
  ASSERT_TRUE(Write(BatchOf().Insert(4, 40)));
  ASSERT_TRUE(Rewrite()->CommitElsewhere(catalog_).has_value());
  ASSERT_TRUE(store_.Delete(deletes).has_value());
  ASSERT_TRUE(Commit(BatchOf().Update(4, 41)));
  ASSERT_TRUE(Commit(BatchOf().Update(2, 21).Delete(3)));
  EXPECT_THAT(Table(), ElementsAre(Pair(2, 21), Pair(4, 41)));
}

TEST_F(TableWriterTest, LooksAgainWhereItsSnapshotWasExpiredWithItsFiles) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20)));
  const iceberg::Snapshot read = *catalog_.LoadTable(kIdent)->metadata->CurrentSnapshot();
  ASSERT_TRUE(Rewrite()->CommitElsewhere(catalog_).has_value());
  Open();
  const iceberg::Snapshot now = *catalog_.LoadTable(kIdent)->metadata->CurrentSnapshot();
  ASSERT_TRUE(store_.Delete(now.manifest_list).has_value());
  // A file of a snapshot that is there is damage.
  EXPECT_EQ(Commit(BatchOf().Update(1, 11)).error().kind(), ErrorKind::kNotFound);
  Open();
  const iceberg::CommitRequest expiry{.table = kIdent,
                                      .updates = {iceberg::SetSnapshotRef{"main", {.snapshot_id = read.snapshot_id}},
                                                  iceberg::RemoveSnapshots{{now.snapshot_id}}}};
  ASSERT_TRUE(catalog_.CommitTables(std::span(&expiry, 1)).has_value());
  EXPECT_EQ(Commit(BatchOf().Update(1, 11)).error().kind(), ErrorKind::kConflict);
  Open();
  ASSERT_TRUE(Commit(BatchOf().Update(1, 11)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 11), Pair(2, 20)));
}

TEST_F(TableWriterTest, BuildsTheIndexWhereOthersDidMoreThanMoveRows) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20)));
  ASSERT_TRUE(Rewrite()->CommitElsewhere(catalog_).has_value());
  CommitElsewhere({});
  Open();
  ASSERT_TRUE(Commit(BatchOf().Update(1, 11).Delete(2)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 11)));
}

/// Random histories with random commits, crashes, truncates and rewrites of files against a map.
void TableWriterTest::CompareWithModel() {
  std::mt19937 random(7);
  std::map<int64_t, int64_t> committed;
  for (int round = 0; round < 60; ++round) {
    std::map<int64_t, int64_t> now = committed;
    if (round > 0 && random() % 4 == 0) {
      auto rewrite = Rewrite();
      const bool is_elsewhere = random() % 3 == 0;
      if (rewrite && is_elsewhere) {
        ASSERT_TRUE(rewrite->CommitElsewhere(catalog_).has_value());
        Open();
      } else if (rewrite) {
        ASSERT_THAT(CommitRewrite(std::move(rewrite)), ::testing::Optional(true));
      }
      ASSERT_EQ(Table(), (std::multimap<int64_t, int64_t>(committed.begin(), committed.end()))) << "round " << round;
    }
    const int parts = 1 + static_cast<int>(random() % 3);
    const bool crashes = random() % 4 == 0;
    for (int part = 0; part < parts; ++part) {
      BatchOf batch;
      if (random() % 15 == 0) {
        batch.TruncateFirst();
        now.clear();
      }
      for (int step = 0; step < 20; ++step) {
        const int64_t k = random() % 40, other = random() % 40, v = random() % 1000;
        if (!now.contains(k)) {
          batch.Insert(k, v);
          now[k] = v;
        } else if (random() % 4 == 0) {
          batch.Delete(k);
          now.erase(k);
        } else if (!now.contains(other)) {
          batch.Move(k, other, v);
          now.erase(k);
          now[other] = v;
        } else if (random() % 3 == 0) {
          batch.UpdateKeepingValue(k);
        } else {
          batch.Update(k, v);
          now[k] = v;
        }
      }
      const bool last = part + 1 == parts && !crashes;
      const Status status = last ? Commit(batch) : Write(batch);
      ASSERT_TRUE(status.has_value()) << status.error().message();
    }
    if (crashes) {
      Open();
    } else {
      committed = now;
    }
    ASSERT_EQ(Table(), (std::multimap<int64_t, int64_t>(committed.begin(), committed.end()))) << "round " << round;
  }
}

TEST_F(TableWriterTest, AgreesWithAModelThroughRandomCrashes) {
  target_file_size_ = 2'000;
  Open();
  CompareWithModel();
}

TEST_F(TableWriterTest, AgreesWithAModelWhereDataFilesHaveSeveralDeleteFiles) {
  small_deletes_ = 0;
  Open();
  CompareWithModel();
}

TEST_F(TableWriterTest, AgreesWithAModelWhereRowsMoveBetweenPartitions) {
  target_file_size_ = 2'000;
  max_open_files_ = 2;
  Partition();
  CompareWithModel();
}

TEST_F(TableWriterTest, WritesEachPartitionIntoAFileOfItsOwn) {
  Partition();
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 120).Insert(3, 30).Insert(4, 240)));
  EXPECT_THAT(LiveFilesNow(), SizeIs(3));
  for (const auto& live : LiveFilesNow()) {
    const auto& file = live.entry.file;
    const std::string folder = "memory/t/data/v_trunc=" + std::to_string(std::get<int64_t>(file.partition.at(0))) + "/";
    EXPECT_TRUE(file.file_path.starts_with(folder)) << file.file_path;
  }
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 10), Pair(2, 120), Pair(3, 30), Pair(4, 240)));
}

TEST_F(TableWriterTest, DeletesFromTheOldPartitionWhenARowMoves) {
  Partition();
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20).Insert(3, 130)));
  ASSERT_TRUE(Commit(BatchOf().Update(1, 110)));
  ASSERT_TRUE(Write(BatchOf().Update(1, 210)));
  ASSERT_TRUE(Commit(BatchOf().Update(2, 220).Update(1, 15)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 15), Pair(2, 220), Pair(3, 130)));
}

TEST_F(TableWriterTest, KeepsUnsentValuesInTheirPartitions) {
  Partition();
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 120)));
  ASSERT_TRUE(Write(BatchOf().Insert(3, 330)));
  ASSERT_TRUE(Commit(BatchOf().UpdateKeepingValue(1).UpdateKeepingValue(3).UpdateKeepingValue(2)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 10), Pair(2, 120), Pair(3, 330)));
}

TEST_F(TableWriterTest, KeepsTheSpecOfFilesFromBeforeAnEvolution) {
  Partition();
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20).Insert(3, 130)));
  const iceberg::CommitRequest evolution{.table = kIdent,
                                         .updates = {iceberg::AddPartitionSpec{}, iceberg::SetDefaultSpec{-1}}};
  ASSERT_TRUE(catalog_.CommitTables(std::span(&evolution, 1)).has_value());
  Open();
  ASSERT_TRUE(Commit(BatchOf().Update(1, 110).Insert(4, 40)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 110), Pair(2, 20), Pair(3, 130), Pair(4, 40)));
  std::multiset<int32_t> specs;
  for (const auto& live : LiveFilesNow()) specs.insert(live.entry.file.partition_spec_id);
  EXPECT_THAT(specs, ElementsAre(0, 0, 1));
}

class EveryTableFormTest : public TableWriterTest, public ::testing::WithParamInterface<TableForm> {};

TEST_P(EveryTableFormTest, AgreesWithAModelThroughRandomCrashes) {
  target_file_size_ = 2'000;
  Make(GetParam());
  CompareWithModel();
}

TEST_P(EveryTableFormTest, FindsUnsentValuesInTheNewestRowOfAKey) {
  Make(GetParam());
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20).Insert(3, 30)));
  ASSERT_TRUE(Commit(BatchOf().Update(1, 111).Delete(3)));
  ASSERT_TRUE(Commit(BatchOf().Insert(3, 333)));
  ASSERT_TRUE(Commit(BatchOf().UpdateKeepingValue(1).UpdateKeepingValue(2).UpdateKeepingValue(3)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 111), Pair(2, 20), Pair(3, 333)));
  EXPECT_EQ(Commit(BatchOf().UpdateKeepingValue(7)).error().kind(), ErrorKind::kCorrupt);
}

constexpr auto kByKey = DeleteForm::kEquality;
INSTANTIATE_TEST_SUITE_P(, EveryTableFormTest,
                         ::testing::Values(TableForm{3}, TableForm{3, DeleteForm::kPosition, true},
                                           TableForm{2, kByKey}, TableForm{2, kByKey, true}, TableForm{3, kByKey},
                                           TableForm{3, kByKey, true}, TableForm{2, DeleteForm::kPosition, false, true},
                                           TableForm{3, DeleteForm::kPosition, true, true},
                                           TableForm{2, kByKey, true, true}),
                         [](const auto& form) {
                           const char* deletes = form.param.format_version == 3 ? "Vector" : "Position";
                           return fmt::format("V{}{}{}{}", form.param.format_version,
                                              form.param.deletes == kByKey ? "Equality" : deletes,
                                              form.param.partitioned ? "Partitioned" : "",
                                              form.param.sorted ? "Sorted" : "");
                         });

TEST_F(TableWriterTest, WritesEachVectorIntoAFileOfItsOwn) {
  Make({.format_version = 3});
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20)));
  ASSERT_TRUE(Commit(BatchOf().Insert(3, 30).Insert(4, 40)));
  ASSERT_TRUE(Commit(BatchOf().Delete(1).Delete(3)));
  const auto files = LiveFilesNow();
  ASSERT_THAT(files, SizeIs(2));
  const auto& first = files[0].position_deletes.at(0)->file;
  const auto& second = files[1].position_deletes.at(0)->file;
  EXPECT_TRUE(iceberg::IsDeletionVector(first));
  EXPECT_TRUE(iceberg::IsDeletionVector(second));
  EXPECT_NE(first.file_path, second.file_path);
  EXPECT_TRUE(first.file_path.ends_with("-deletes.puffin"));
}

TEST_F(TableWriterTest, MergesPositionDeletesIntoAVectorOnceTheTableIsUpgraded) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20).Insert(3, 30)));
  ASSERT_TRUE(Commit(BatchOf().Delete(1)));
  Switch({.format_version = 3});
  ASSERT_TRUE(Commit(BatchOf().Delete(2)));
  const auto files = LiveFilesNow();
  ASSERT_THAT(files[0].position_deletes, SizeIs(1));
  EXPECT_TRUE(iceberg::IsDeletionVector(files[0].position_deletes[0]->file));
  EXPECT_EQ(files[0].position_deletes[0]->file.record_count, 2);
  EXPECT_THAT(Table(), ElementsAre(Pair(3, 30)));
}

TEST_F(TableWriterTest, DeletesByKeyAndByPlaceWithinTheCommit) {
  Make({.deletes = kByKey});
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20).Insert(3, 30)));
  ASSERT_TRUE(Write(BatchOf().Insert(4, 40).Update(2, 21)));
  ASSERT_TRUE(Commit(BatchOf().Update(4, 41).Update(2, 22).Delete(3).Insert(3, 31)));
  EXPECT_THAT(Table(), ElementsAre(Pair(1, 10), Pair(2, 22), Pair(3, 31), Pair(4, 41)));
  const auto files = LiveFilesNow();
  ASSERT_THAT(files, SizeIs(2));
  // The newest manifest comes first.
  const auto& newer = files[0];
  const auto& older = files[1];
  // The rows of the same commit go by place; 4 was never in an older one.
  ASSERT_THAT(older.equality_deletes, SizeIs(1));
  EXPECT_THAT(KeysIn(older.equality_deletes[0]->file), ElementsAre(2, 3));
  EXPECT_THAT(older.position_deletes, IsEmpty());
  EXPECT_THAT(newer.equality_deletes, IsEmpty());
  ASSERT_THAT(newer.position_deletes, SizeIs(1));
  EXPECT_EQ(newer.position_deletes[0]->file.record_count, 2);
}

TEST_F(TableWriterTest, LeavesNoEqualityDeletesOfWhatATruncateRemoves) {
  Make({.deletes = kByKey});
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20)));
  ASSERT_TRUE(Write(BatchOf().Update(1, 11).Delete(2)));
  ASSERT_TRUE(Commit(BatchOf().TruncateFirst().Insert(2, 21)));
  EXPECT_THAT(Table(), ElementsAre(Pair(2, 21)));
  EXPECT_EQ(catalog_.LoadTable(kIdent)->metadata->CurrentSnapshot()->summary.at("total-delete-files"), "0");
}

TEST_F(TableWriterTest, GoesOnByPlaceAfterDeletesByKey) {
  ASSERT_TRUE(Commit(BatchOf().Insert(1, 10).Insert(2, 20).Insert(3, 30)));
  for (int round = 0; round < 3; ++round) {
    Switch({.deletes = kByKey});
    ASSERT_TRUE(Commit(BatchOf().Update(1, 100 + round).Insert(10 + round, 0)));
    ASSERT_TRUE(Commit(BatchOf().Delete(10 + round)));
    Switch({});
    ASSERT_TRUE(Commit(BatchOf().Update(1, 200 + round).Update(2, round).Insert(10 + round, 1)));
    ASSERT_TRUE(Commit(BatchOf().Delete(10 + round)));
    EXPECT_THAT(Table(), ElementsAre(Pair(1, 200 + round), Pair(2, round), Pair(3, 30)));
  }
}

}  // namespace
}  // namespace firn::pipeline
