// TableWriter in the modes that keep what a mirror forgets, against models, through crashes at random moments.
#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "iceberg/data_file_reader.h"
#include "pipeline/batch_committer.h"
#include "pipeline/own_columns.h"
#include "pipeline/table_writer.h"
#include "testing/file_rewrite.h"
#include "testing/memory_catalog.h"
#include "testing/memory_file_store.h"
#include "testing/temporary_folder.h"

namespace firn::pipeline {
namespace {

const iceberg::TableIdent kModesIdent{{"public"}, "t"};

TableLayout LayoutOf(ChangeMode mode) {
  const auto number = iceberg::Type::Primitive(iceberg::TypeId::kLong);
  TableLayout layout{
      .schema = {.fields = {{.id = 1, .name = "k", .type = number}, {.id = 2, .name = "v", .type = number}}},
      .mode = mode,
      .identity = RowIdentity::kKey,
      .key_columns = {0}};
  EXPECT_TRUE(AddOwnColumns(OwnColumnsOf(mode, /*track_changes=*/true, RowIdentity::kKey), {}, 2, layout).has_value());
  return layout;
}

using Numbers = std::vector<std::optional<int64_t>>;

std::shared_ptr<arrow::RecordBatch> Batch(const std::vector<Numbers>& columns) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const Numbers& column : columns) {
    arrow::Int64Builder builder;
    for (const auto& value : column) EXPECT_TRUE((value ? builder.Append(*value) : builder.AppendNull()).ok());
    arrays.push_back(*builder.Finish());
    fields.push_back(arrow::field(fields.empty() ? "k" : "v", arrow::int64()));
  }
  return arrow::RecordBatch::Make(arrow::schema(fields), arrays.front()->length(), arrays);
}

/// What a row of the table is to show.
struct Shown {
  std::optional<int64_t> k, v;
  std::string operation;
  int64_t lsn = 0;
  bool deleted = false;
  std::optional<int64_t> valid_to;
  std::optional<int64_t> before_key;

  auto operator<=>(const Shown&) const = default;
};

void PrintTo(const Shown& row, std::ostream* out) {
  auto text = [](const std::optional<int64_t>& value) { return value ? std::to_string(*value) : "null"; };
  *out << "{" << text(row.k) << ", " << text(row.v) << ", " << row.operation << "@" << row.lsn
       << (row.deleted ? ", deleted" : "") << ", to " << text(row.valid_to) << ", before " << text(row.before_key)
       << "}";
}

/// Changes as the source makes them, one after the other; a transaction's LSN is also its commit time.
class Source {
 public:
  explicit Source(ChangeMode mode) : mode_(mode) {}

  void Begin() { ++lsn_; }
  bool Has(int64_t k) const { return current_.contains(k); }
  /// Of a transaction's rows of one key in several partitions, a lost index doesn't tell which is the last.
  bool MayLeaveValue(int64_t k) const {
    return mode_ != ChangeMode::kAppend || std::ranges::count_if(kept_, [&](const Shown& row) {
                                             return row.k == k && row.lsn == current_.at(k).lsn;
                                           }) == 1;
  }

  void Insert(int64_t k, int64_t v) {
    AddRow({.kind = ChangeKind::kInsert}, k, v);
    Show(k, v, "insert", std::nullopt);
  }
  /// Nothing for v: it is not sent again.
  void Update(int64_t old_k, int64_t k, std::optional<int64_t> v) {
    Change change{.kind = ChangeKind::kUpdate};
    const int64_t value = v ? *v : *current_.at(old_k).v;
    if (old_k != k) change.old = AddOld(old_k);
    if (!v) unchanged_.push_back({.row = static_cast<int64_t>(keys_.size()), .column = 1});
    AddRow(change, k, v);
    End(old_k);
    Show(k, value, "update", old_k != k ? std::optional(old_k) : std::nullopt);
  }
  void Delete(int64_t k) {
    Add({.kind = ChangeKind::kDelete, .old = AddOld(k)});
    Shown row = current_.at(k);
    End(k);
    if (mode_ == ChangeMode::kSoftDelete) {
      row.operation = "delete";
      row.lsn = lsn_;
      row.deleted = true;
      deleted_[k] = row;
    }
    if (mode_ == ChangeMode::kAppend) kept_.push_back({.k = k, .operation = "delete", .lsn = lsn_, .before_key = k});
  }
  void Truncate() {
    Add({.kind = ChangeKind::kTruncate});
    while (!current_.empty()) {
      Shown row = current_.begin()->second;
      const int64_t k = current_.begin()->first;
      End(k);
      row.operation = "truncate";
      row.lsn = lsn_;
      row.deleted = true;
      if (mode_ == ChangeMode::kSoftDelete) deleted_[k] = row;
    }
    if (mode_ == ChangeMode::kAppend) kept_.push_back({.operation = "truncate", .lsn = lsn_});
  }

  /// The changes since the last time.
  TableBatch Take() {
    TableBatch batch{.changes = std::exchange(changes_, {}), .transactions = std::exchange(transactions_, {})};
    if (!keys_.empty()) batch.rows.batch = Batch({std::exchange(keys_, {}), std::exchange(values_, {})});
    batch.rows.unchanged = std::exchange(unchanged_, {});
    if (!old_.empty()) {
      std::vector<Numbers> columns{std::exchange(old_, {})};
      if (mode_ == ChangeMode::kAppend) columns.emplace_back(columns[0].size());
      batch.old_keys.batch = Batch(columns);
    }
    return batch;
  }

  std::vector<Shown> Expected() const {
    std::vector<Shown> rows = kept_;
    if (mode_ != ChangeMode::kAppend) {
      for (const auto& [k, row] : current_) rows.push_back(row);
    }
    for (const auto& [k, row] : deleted_) rows.push_back(row);
    std::ranges::sort(rows);
    return rows;
  }

 private:
  void Show(int64_t k, int64_t v, const char* operation, std::optional<int64_t> before_key) {
    deleted_.erase(k);
    Shown row{.k = k, .v = v, .operation = operation, .lsn = lsn_};
    if (mode_ == ChangeMode::kAppend) {
      row.before_key = before_key;
      kept_.push_back(row);
    }
    current_[k] = row;
  }
  void End(int64_t k) {
    Shown row = current_.at(k);
    current_.erase(k);
    if (mode_ != ChangeMode::kHistory || row.lsn == lsn_) return;
    row.valid_to = lsn_;
    kept_.push_back(row);
  }
  void Add(Change change) {
    if (transactions_.empty() || transactions_.back().commit_lsn.value != static_cast<uint64_t>(lsn_)) {
      transactions_.push_back({.first_change = static_cast<int32_t>(changes_.size()),
                               .commit_lsn = Lsn{static_cast<uint64_t>(lsn_)},
                               .committed_at_us = lsn_});
    }
    changes_.push_back(change);
  }
  void AddRow(Change change, int64_t k, std::optional<int64_t> v) {
    change.row = static_cast<int32_t>(keys_.size());
    keys_.emplace_back(k);
    values_.push_back(v);
    Add(change);
  }
  int32_t AddOld(int64_t k) {
    old_.emplace_back(k);
    return static_cast<int32_t>(old_.size() - 1);
  }

  ChangeMode mode_;
  int64_t lsn_ = 0;
  std::map<int64_t, Shown> current_, deleted_;
  std::vector<Shown> kept_;
  std::vector<Change> changes_;
  std::vector<TransactionRun> transactions_;
  Numbers keys_, values_, old_;
  std::vector<encode::UnchangedValue> unchanged_;
};

struct Setting {
  ChangeMode mode;
  bool partitioned = false;
};

class TableWriterModes : public ::testing::TestWithParam<Setting> {
 protected:
  TableWriterModes() {
    iceberg::NewTable table{.schema = layout_.schema, .location = "memory/t"};
    if (GetParam().partitioned) {
      table.spec.fields = {{.source_id = 2,
                            .field_id = 1000,
                            .name = "v_bucket",
                            .transform = {.kind = iceberg::TransformKind::kBucket, .parameter = 3}}};
    }
    EXPECT_TRUE(catalog_.EnsureNamespace({"public"}).has_value());
    EXPECT_TRUE(catalog_.CreateTable(kModesIdent, table).has_value());
    Open();
  }
  ~TableWriterModes() override {
    writer_.reset();
    index_.reset();
  }

  /// As a new process would: everything but store, catalog and index folder is new.
  void Open(bool lost_index = false) {
    committer_.emplace(catalog_, RetryPolicy{.base_delay = std::chrono::milliseconds(1)}, metrics_);
    writer_.reset();
    index_.reset();
    if (lost_index) std::filesystem::remove_all(folder_.path());
    index_ = index::Database::Open(folder_.path()).value();
    writer_ = std::make_unique<TableWriter>(
        WriterContext{.store = store_, .index = *index_, .metrics = metrics_},
        TableWriterOptions{.files = {.target_file_size_bytes = 3'000}, .writer = {.pipeline = "test"}},
        catalog_.LoadTable(kModesIdent).value(), layout_, "public.t");
  }

  Status Do(TableBatch batch, bool commit) {
    FlushJob job;
    if (commit) job.commit_lsn = Lsn{++commits_};
    job.parts.push_back({.writer = writer_.get(), .batch = std::move(batch)});
    auto outcome = committer_->Do(job, {});
    return outcome ? Status{} : Status(std::unexpected(outcome.error()));
  }

  /// Puts the rows of all files into others, as `elsewhere` another process does it.
  void Rewrite(bool elsewhere) {
    auto rewrite = testing::FileRewrite::Make(catalog_, store_, metrics_, kModesIdent).value();
    if (!rewrite) return;
    if (elsewhere) {
      ASSERT_TRUE(rewrite->CommitElsewhere(catalog_).has_value());
      Open();
      return;
    }
    const auto is_in = testing::FileRewrite::Commit(std::move(rewrite), *committer_, *writer_);
    ASSERT_TRUE(is_in.has_value()) << is_in.error().message();
    ASSERT_TRUE(*is_in);
  }

  std::vector<Shown> Table() {
    std::vector<Shown> rows;
    iceberg::ManifestCache cache;
    const auto table = catalog_.LoadTable(kModesIdent).value();
    const auto files = iceberg::PlanFiles(store_, *table.metadata, table.metadata->CurrentSnapshot(), cache).value();
    for (const auto& live : files) {
      iceberg::RowPositions deleted;
      for (const auto& deletes : live.position_deletes) {
        deleted |= iceberg::ReadPositionDeletes(store_, deletes->file, live.entry.file.file_path).value();
      }
      auto reader = iceberg::DataFileReader::Open(store_, live.entry.file.file_path, layout_.schema).value();
      uint64_t position = 0;
      while (auto batch = reader->Next().value()) {
        for (int64_t i = 0; i < batch->num_rows(); ++i, ++position) {
          if (!deleted.contains(position)) rows.push_back(Read(*batch, i));
        }
      }
    }
    std::ranges::sort(rows);
    return rows;
  }

  Shown Read(const arrow::RecordBatch& batch, int64_t row) {
    auto number = [&](const std::string& name) -> std::optional<int64_t> {
      const auto column = batch.GetColumnByName(name);
      if (!column || column->IsNull(row)) return std::nullopt;
      if (column->type_id() == arrow::Type::TIMESTAMP)
        return static_cast<const arrow::TimestampArray&>(*column).Value(row);
      return static_cast<const arrow::Int64Array&>(*column).Value(row);
    };
    Shown shown{.k = number("k"), .v = number("v"), .lsn = *number("_firn_lsn"), .valid_to = number("_firn_valid_to")};
    shown.operation = static_cast<const arrow::StringArray&>(*batch.GetColumnByName("_firn_op")).GetString(row);
    EXPECT_EQ(number("_firn_committed_at"), shown.lsn);
    if (const auto column = batch.GetColumnByName("_firn_deleted")) {
      shown.deleted = static_cast<const arrow::BooleanArray&>(*column).Value(row);
    }
    if (const auto column = batch.GetColumnByName("_firn_current")) {
      EXPECT_EQ(static_cast<const arrow::BooleanArray&>(*column).Value(row), !shown.valid_to);
      EXPECT_EQ(number("_firn_valid_from"), shown.lsn);
    }
    if (const auto column = batch.GetColumnByName("_firn_before_key"); column && column->IsValid(row)) {
      const auto& keys = static_cast<const arrow::StructArray&>(*column);
      shown.before_key = static_cast<const arrow::Int64Array&>(*keys.field(0)).Value(row);
    }
    return shown;
  }

  const TableLayout layout_ = LayoutOf(GetParam().mode);
  const firn::testing::TemporaryFolder folder_;
  testing::MemoryFileStore store_;
  testing::MemoryCatalog catalog_;
  Metrics metrics_;
  std::unique_ptr<index::Database> index_;
  std::optional<BatchCommitter> committer_;
  std::unique_ptr<TableWriter> writer_;
  uint64_t commits_ = 0;
};

TEST_P(TableWriterModes, AgreesWithAModelThroughRandomCrashesAndRewrites) {
  std::mt19937 random(11);
  auto pick = [&](int64_t below) { return static_cast<int64_t>(random() % static_cast<uint64_t>(below)); };
  Source committed(GetParam().mode);
  for (int round = 0; round < 60; ++round) {
    Source now = committed;
    if (pick(4) == 0) Rewrite(/*elsewhere=*/pick(3) == 0);
    const int64_t parts = 1 + pick(3);
    const bool crashes = pick(4) == 0;
    now.Begin();
    for (int64_t part = 0; part < parts; ++part) {
      for (int step = 0; step < 20; ++step) {
        if (pick(3) == 0) now.Begin();
        const int64_t k = pick(25), other = pick(25), v = pick(1'000);
        if (pick(150) == 0) {
          now.Truncate();
        } else if (!now.Has(k)) {
          now.Insert(k, v);
        } else if (pick(4) == 0) {
          now.Delete(k);
        } else if (!now.Has(other)) {
          now.Update(k, other, v);
        } else {
          now.Update(k, k, pick(4) == 0 && now.MayLeaveValue(k) ? std::nullopt : std::optional(v));
        }
      }
      const Status status = Do(now.Take(), /*commit=*/part + 1 == parts && !crashes);
      ASSERT_TRUE(status.has_value()) << status.error().message();
    }
    if (crashes) {
      Open(/*lost_index=*/pick(2) == 0);
    } else {
      committed = now;
    }
    ASSERT_EQ(Table(), committed.Expected()) << "round " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, TableWriterModes,
                         ::testing::Values(Setting{ChangeMode::kSoftDelete}, Setting{ChangeMode::kHistory},
                                           Setting{ChangeMode::kAppend}, Setting{ChangeMode::kSoftDelete, true},
                                           Setting{ChangeMode::kHistory, true}, Setting{ChangeMode::kAppend, true}),
                         [](const auto& setting) {
                           const std::string mode = setting.param.mode == ChangeMode::kAppend    ? "Append"
                                                    : setting.param.mode == ChangeMode::kHistory ? "History"
                                                                                                 : "SoftDelete";
                           return mode + (setting.param.partitioned ? "Partitioned" : "");
                         });

}  // namespace
}  // namespace firn::pipeline
