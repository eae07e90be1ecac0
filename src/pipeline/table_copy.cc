#include "pipeline/table_copy.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <mutex>
#include <thread>

#include "base/failpoint.h"
#include "base/try.h"
#include "base/uuid.h"
#include "encode/row_encoder.h"
#include "observe/log.h"
#include "pipeline/added_columns.h"
#include "pipeline/copy_commit.h"
#include "pipeline/parked_tables.h"
#include "pipeline/replaced_values.h"
#include "postgres/table_version.h"

namespace firn::pipeline {
namespace {

/// 256 MB of heap: large enough that starting a COPY costs nothing, small enough that workers end together.
constexpr int64_t kBlocksPerTask = 32'768;

struct Task {
  size_t table = 0;
  postgres::CopyRequest request;
};

/// Rows of a partitioned table are gathered into larger batches: each is divided into many small ones.
constexpr int64_t kPartitionedBatchRows = 64 << 10;

/// Whether the others can still be copied. Also what the server says of one COPY alone.
bool IsErrorOfOneTable(const Error& error) {
  if (error.kind() == ErrorKind::kTransient || error.kind() == ErrorKind::kCancelled) return false;
  return IsTableError(error) || error.kind() == ErrorKind::kConflict || error.origin() == ErrorOrigin::kSource;
}

/// One copy run: the tasks, and what the workers have made of them.
class CopyRun {
 public:
  CopyRun(const CopyOptions& options, catalog::Catalog& catalog, WriterContext context, std::span<TargetTable> targets,
          std::span<CopyProgress* const> progress)
      : options_(options),
        catalog_(catalog),
        context_(context),
        targets_(targets),
        progress_(progress),
        commit_id_(NewUuid()),
        tables_(targets.size()) {
    for (size_t table = 0; table < targets.size(); ++table) {
      for (auto& request : PlanCopy(targets[table], options.split_tables ? kBlocksPerTask : INT64_MAX)) {
        tasks_.push_back({table, std::move(request)});
        ++tables_[table].tasks_left;
      }
    }
  }

  Status Run(std::stop_token stop) {
    const int workers = std::max(1, std::min<int>(options_.workers, static_cast<int>(tasks_.size())));
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < workers; ++i) {
        threads.emplace_back([this, stop, workers] {
          if (Status status = Work(stop, workers); !status) Fail(std::move(status).error());
        });
      }
    }
    std::lock_guard lock(mutex_);
    for (size_t table = 0; table < tables_.size(); ++table) progress_[table]->error = std::move(tables_[table].error);
    if (error_) return *error_;
    return {};
  }

 private:
  struct TableState {
    int tasks_left = 0;
    int writers_open = 0;
    bool is_ending = false;  ///< Its commit has begun.
    std::vector<iceberg::DataFile> files;
    std::optional<Error> error;  ///< Its remaining tasks are left out.
    std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  };

  void Fail(Error error) {
    std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
    failed_ = true;
  }

  /// OK for an error of that table alone, which is kept.
  Status Settle(size_t table, Status status) {
    if (status || !IsErrorOfOneTable(status.error())) return status;
    std::lock_guard lock(mutex_);
    if (!tables_[table].error) tables_[table].error = std::move(status).error();
    return {};
  }
  bool HasFailed(size_t table) {
    std::lock_guard lock(mutex_);
    return tables_[table].error.has_value();
  }

  Status Work(std::stop_token stop, int workers);
  Status FinishTable(size_t table, PartitionedWriter& files, std::stop_token stop);
  Status CopyTask(const Task& task, postgres::TableCopyReader& reader, PartitionedWriter& files,
                  int64_t batch_bytes_max, std::stop_token stop);
  Result<std::unique_ptr<PartitionedWriter>> OpenFiles(size_t table, int workers);
  Status CloseFiles(size_t table, PartitionedWriter& files);
  Status CommitIfDone(size_t table, std::stop_token stop);
  Status CheckUnaltered(const SourceTable& table) const;

  const CopyOptions& options_;
  catalog::Catalog& catalog_;
  WriterContext context_;
  std::span<TargetTable> targets_;
  std::span<CopyProgress* const> progress_;
  const std::string commit_id_;
  std::vector<Task> tasks_;
  std::atomic<size_t> next_task_ = 0;
  std::atomic<int> files_named_ = 0;
  std::atomic<bool> failed_ = false;
  std::mutex mutex_;
  std::vector<TableState> tables_;  ///< Under mutex_.
  std::optional<Error> error_;      ///< Under mutex_: the first one.
};

Status CopyRun::Work(std::stop_token stop, int workers) {
  std::unique_ptr<postgres::TableCopyReader> reader;
  const int64_t batch_bytes_max = static_cast<int64_t>(options_.memory_bytes) / (4 * workers);
  std::unique_ptr<PartitionedWriter> files;
  size_t table = 0;
  while (!failed_) {
    const size_t next = next_task_++;
    // A data file holds rows of one table: it is closed when the next task is of another, or there is none.
    const bool same_table = next < tasks_.size() && tasks_[next].table == table;
    if (!same_table && files) {
      TRY_VOID(Settle(table, FinishTable(table, *files, stop)));
      files.reset();
    }
    if (next >= tasks_.size()) return {};
    table = tasks_[next].table;
    if (HasFailed(table)) continue;
    if (!reader) {
      TRY(reader, postgres::TableCopyReader::Open(options_.connection, options_.snapshot_name, stop));
    }
    Status copied;
    if (!files) {
      auto opened = OpenFiles(table, workers);
      if (opened) files = std::move(*opened);
      if (!opened) copied = std::unexpected(std::move(opened).error());
    }
    if (copied) copied = CopyTask(tasks_[next], *reader, *files, batch_bytes_max, stop);
    if (!copied) {
      reader.reset();  // A COPY that broke off leaves its connection in the middle of it.
      files.reset();
    }
    TRY_VOID(Settle(table, std::move(copied).Context("copying table {}", targets_[table].source.name)));
    std::lock_guard lock(mutex_);
    --tables_[table].tasks_left;
  }
  return {};
}

Status CopyRun::FinishTable(size_t table, PartitionedWriter& files, std::stop_token stop) {
  TRY_VOID(CloseFiles(table, files));
  return CommitIfDone(table, std::move(stop));
}

Result<std::unique_ptr<PartitionedWriter>> CopyRun::OpenFiles(size_t table, int workers) {
  const TargetTable& target = targets_[table];
  DataFileOptions options = options_.writer.files;
  options.max_open_files = std::max(1, options.max_open_files / workers);
  TRY(auto files, PartitionedWriter::Make(context_.store, context_.metrics, target.planned, target.layout.schema,
                                          std::move(options), ToString(target.source.name), [this] {
                                            return fmt::format("{}-{:05}.parquet", commit_id_, files_named_++);
                                          }));
  std::lock_guard lock(mutex_);
  ++tables_[table].writers_open;
  return files;
}

Status CopyRun::CopyTask(const Task& task, postgres::TableCopyReader& reader, PartitionedWriter& files,
                         int64_t batch_bytes_max, std::stop_token stop) {
  const TargetTable& target = targets_[task.table];
  progress_[task.table]->started = true;
  TRY(auto encoder, encode::RowEncoder::Make(target.mapping));
  const RowFacts facts{.operation = RowOperation::kCopy, .lsn = options_.lsn, .committed_at_us = options_.taken_at_us};
  auto write_batch = [&]() -> Status {
    if (encoder->rows() == 0) return {};
    TRY_VOID(BeforeStep(Failpoint::kCopyBatchBefore));
    TRY(const encode::EncodedRows encoded, encoder->Finish());
    ReportReplacedValues(context_.metrics, ToString(target.source.name), encoded.replaced);
    TRY(const auto rows, AddColumns(target.layout, encoded.batch, std::span(&facts, 1)));
    TRY([[maybe_unused]] const auto placed, files.Write(rows));
    progress_[task.table]->rows += rows->num_rows();
    context_.metrics.AddCopiedRows(ToString(target.source.name), rows->num_rows());
    AfterStep(Failpoint::kCopyBatchAfter);
    return {};
  };

  const bool is_partitioned = !target.planned->DefaultSpec().fields.empty();
  const int64_t batch_rows =
      is_partitioned ? std::max(options_.batch_rows, kPartitionedBatchRows) : options_.batch_rows;
  TRY_VOID(reader.Start(task.request));
  while (true) {
    TRY(const std::span<const WireValue> row, reader.Next());
    if (row.empty()) break;
    TRY_VOID(encoder->AppendRow(row));
    if (encoder->rows() >= batch_rows || static_cast<int64_t>(encoder->bytes()) >= batch_bytes_max) {
      TRY_VOID(write_batch());
      if (stop.stop_requested()) return MakeError(ErrorKind::kCancelled, "stopped on request");
      if (failed_) return MakeError(ErrorKind::kCancelled, "another worker failed");
    }
  }
  return write_batch();
}

Status CopyRun::CloseFiles(size_t table, PartitionedWriter& files) {
  TRY_VOID(files.CloseAll());
  std::lock_guard lock(mutex_);
  --tables_[table].writers_open;
  std::ranges::move(files.TakeClosed(), std::back_inserter(tables_[table].files));
  return {};
}

Status CopyRun::CommitIfDone(size_t table, std::stop_token stop) {
  std::vector<iceberg::DataFile> files;
  std::chrono::steady_clock::time_point started;
  {
    std::lock_guard lock(mutex_);
    TableState& state = tables_[table];
    if (state.error || state.tasks_left > 0 || state.writers_open > 0 || std::exchange(state.is_ending, true))
      return {};
    files = std::move(state.files);
    started = state.started;
  }
  TargetTable& target = targets_[table];
  TRY_VOID(CheckUnaltered(target.source));
  const auto commit_start = std::chrono::steady_clock::now();
  const std::string commit_id = NewUuid();
  const catalog::TableChange change =
      MakeCopyChange(context_.store, options_.writer.writer, target, std::move(files), options_.lsn, commit_id);
  TRY_VOID(BeforeStep(Failpoint::kCopyCommitBefore));
  auto receipt = catalog::CommitChanges(catalog_, std::span(&change, 1), commit_id, options_.lsn, options_.retry, stop,
                                        &context_.metrics);
  context_.metrics.RecordCommit(ToString(target.source.name), receipt.has_value(),
                                std::chrono::steady_clock::now() - commit_start);
  if (!receipt)
    return std::move(receipt.error()).WithContext(fmt::format("committing the copy of {}", target.source.name));
  AfterStep(Failpoint::kCopyCommitAfter);
  target.table = receipt->tables().front();
  target.planned = target.table.metadata;
  target.change.reset();
  TRY(target.progress, ReadProgress(*target.table.metadata));
  progress_[table]->done = true;
  LogInfo(
      "copied table",
      {{"table", ToString(target.source.name)},
       {"rows", progress_[table]->rows.load()},
       {"lsn", ToString(options_.lsn)},
       {"snapshot_id", target.table.metadata->current_snapshot_id.value_or(0)},
       {"duration_ms",
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started).count()}});
  return {};
}

/// The tasks read one snapshot's rows, but COPY finds the table's columns and its file as they are when it starts: a
/// rename fails it, and after a TRUNCATE or a rewrite the snapshot's rows are no longer there.
Status CopyRun::CheckUnaltered(const SourceTable& table) const {
  TRY(auto connection, postgres::Connection::Open(options_.connection));
  // The catalogs alone: what looks at the table itself would wait for a DROP TABLE, which waits for this copy.
  TRY(const bool unaltered, postgres::IsUnaltered(connection, table));
  if (unaltered) return {};
  return MakeError(ErrorKind::kConflict, ErrorOrigin::kSource, "table {} was altered or truncated while it was copied",
                   table.name);
}

/// A column that is stored as text is read through its output function, as the stream sends it: a cast to text is
/// another thing for some types (inet, char(n)). num_nulls looks at the value as a whole, IS NULL into a composite's
/// fields.
std::string SelectExpression(const encode::ColumnMapping& column) {
  const std::string name = postgres::QuoteIdentifier(column.source_name);
  if (column.has_binary_decoder) return name;
  return fmt::format("CASE WHEN num_nulls({0}) = 0 THEN format('%s', {0}) END", name);
}

}  // namespace

std::vector<postgres::CopyRequest> PlanCopy(const TargetTable& target, int64_t blocks_per_task) {
  postgres::CopyRequest whole{.table = target.source.name};
  for (const encode::ColumnMapping& column : target.mapping.columns) {
    whole.columns.push_back(SelectExpression(column));
  }
  if (target.source.pages <= blocks_per_task) return {whole};
  std::vector<postgres::CopyRequest> requests;
  for (int64_t first = 0; first < target.source.pages; first += blocks_per_task) {
    const int64_t end = first + blocks_per_task;
    postgres::CopyRequest part = whole;
    part.blocks = postgres::BlockRange{.first = first};
    if (end < target.source.pages) part.blocks->last = end;
    requests.push_back(std::move(part));
  }
  return requests;
}

Status CopyTables(const CopyOptions& options, catalog::Catalog& catalog, WriterContext context,
                  std::span<TargetTable> targets, std::span<CopyProgress* const> progress, std::stop_token stop) {
  return CopyRun(options, catalog, context, targets, progress).Run(stop);
}

}  // namespace firn::pipeline
