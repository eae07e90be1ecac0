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
#include "observe/log_pipeline.h"
#include "pipeline/added_columns.h"
#include "pipeline/copy_commit.h"
#include "pipeline/copy_convergence.h"
#include "pipeline/parked_tables.h"
#include "pipeline/replaced_values.h"
#include "pipeline/row_batch_reader.h"
#include "postgres/table_version.h"

namespace firn::pipeline {
namespace {

/// A range is read 20 % slower than a table as a whole, so one worker has large ones.
RangeSizes SizesFor(const CopyOptions& options) {
  if (!options.split_tables) return {};
  const int64_t blocks = std::max<int64_t>(1, options.range_bytes / postgres::kHeapBlockBytes);
  if (options.workers <= 1) return {.blocks_max = 32 * blocks};
  return {.blocks_max = blocks, .parts_of_rest = 2 * options.workers};
}

/// Files are closed, and their ranges remembered, when as much heap is read: rows take less room in a data file.
constexpr int64_t kHeapBytesPerFileByte = 2;
/// … and for each of a partitioned table's open files, up to this many.
constexpr int64_t kFilesPerCheckpointMax = 8;

struct Task {
  size_t table = 0;
  postgres::CopyRequest request;
};

/// The rows that a worker has read and that are not remembered yet.
struct Unsaved {
  std::vector<postgres::BlockRange> ranges;
  int64_t rows = 0;
  int64_t heap_bytes = 0;
};

/// Small rows are gathered into batches of this many at least: what Arrow and Parquet take for each batch is much for
/// few.
constexpr int64_t kBatchRows = 16 << 10;
/// … and into larger ones where a table is partitioned: each is divided into many small ones.
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
          std::span<CopyProgress* const> progress, std::span<CopyResumption> resumptions)
      : options_(options),
        catalog_(catalog),
        context_(context),
        targets_(targets),
        progress_(progress),
        resumptions_(resumptions),
        commit_id_(NewUuid()),
        tables_(targets.size()) {
    for (size_t table = 0; table < targets.size(); ++table) {
      const auto& copied = resumptions[table].copied;
      for (auto& request :
           PlanCopy(targets[table], SizesFor(options), copied ? copied->ranges : std::vector<postgres::BlockRange>())) {
        tasks_.push_back({table, std::move(request)});
        ++tables_[table].tasks_left;
      }
      // A table of one range is copied again as a whole.
      if (!copied && tables_[table].tasks_left == 1) resumptions[table].checkpoints = nullptr;
      if (copied) {
        progress[table]->rows = copied->rows;
        ++tables_resumed_;
      }
      progress[table]->ranges = tables_[table].tasks_left;
      progress[table]->is_remembered = resumptions[table].checkpoints != nullptr;
    }
  }

  Status Run(std::stop_token stop) {
    const int workers = std::max(1, std::min<int>(options_.workers, static_cast<int>(tasks_.size())));
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < workers; ++i) {
        threads.emplace_back(InLogPipeline([this, stop, workers] {
          if (Status status = Work(stop, workers); !status) Fail(std::move(status).error());
        }));
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
    bool is_begun = false;
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
  /// What a worker has.
  struct Worker {
    int workers = 1;  ///< There are.
    int64_t batch_bytes_max = 0;
    std::stop_token stop;
    std::unique_ptr<postgres::TableCopyReader> reader;  ///< At the snapshot.
    std::optional<postgres::Connection> catalogs;       ///< Outside of it.
    std::unique_ptr<PartitionedWriter> files;           ///< Of the table that it reads.
    Unsaved unsaved;                                    ///< In `files`.
    bool has_read = false;                              ///< A range, so that each copy comes further.
  };
  /// The next one that is not left to a later copy; tasks_.size() after the last.
  size_t NextTask(const Worker& worker);
  bool IsLeft(size_t table, const Worker& worker);
  Status CopyPart(Worker& worker, size_t task);
  Status FinishTable(size_t table, Worker& worker);
  /// Gives the number of rows. `only`: rows of other keys are left out, and those that were read already.
  Result<int64_t> CopyTask(const Task& task, Worker& worker, PartitionedWriter& files, ChangedKeys* only = nullptr);
  Result<std::unique_ptr<PartitionedWriter>> MakeFiles(size_t table, int workers);
  Status OpenReader(Worker& worker) const;
  bool IsCheckpointDue(size_t table, const Worker& worker) const;
  Status SaveFiles(size_t table, Worker& worker);
  Status CommitIfDone(size_t table, Worker& worker);
  /// The files of this copy and of earlier ones, as the snapshot sees the table.
  Result<iceberg::RowDelta> PutTogether(size_t table, Worker& worker, std::vector<iceberg::DataFile> files);
  Status CheckUnaltered(const SourceTable& table, std::optional<postgres::Connection>& catalogs) const;

  const CopyOptions& options_;
  catalog::Catalog& catalog_;
  WriterContext context_;
  std::span<TargetTable> targets_;
  std::span<CopyProgress* const> progress_;
  std::span<CopyResumption> resumptions_;
  const std::string commit_id_;
  std::vector<Task> tasks_;
  int tables_resumed_ = 0;
  std::atomic<size_t> next_task_ = 0;
  std::atomic<int> files_named_ = 0;
  std::atomic<bool> failed_ = false;
  std::mutex mutex_;
  std::vector<TableState> tables_;  ///< Under mutex_.
  std::optional<Error> error_;      ///< Under mutex_: the first one.
};

Status CopyRun::Work(std::stop_token stop, int workers) {
  Worker worker{.workers = workers,
                .batch_bytes_max = static_cast<int64_t>(options_.memory_bytes) / (4 * workers),
                .stop = std::move(stop)};
  size_t table = 0;
  while (!failed_) {
    const size_t next = NextTask(worker);
    // A data file holds rows of one table: it is closed when the next task is of another, or there is none.
    const bool same_table = next < tasks_.size() && tasks_[next].table == table;
    if (!same_table && worker.files) {
      TRY_VOID(Settle(table, FinishTable(table, worker)));
      worker.files.reset();
    }
    if (next >= tasks_.size()) return {};
    table = tasks_[next].table;
    if (HasFailed(table)) continue;
    TRY_VOID(OpenReader(worker));
    Status copied = CopyPart(worker, next);
    if (!copied) {
      worker.reader.reset();  // A COPY that broke off leaves its connection in the middle of it.
      worker.files.reset();
    }
    // Of what PostgreSQL says the reader names the table.
    if (copied || copied.error().origin() != ErrorOrigin::kSource) {
      copied = std::move(copied).Context("copying table {}", targets_[table].source.name);
    }
    TRY_VOID(Settle(table, std::move(copied)));
    worker.has_read = true;
    ++progress_[table]->ranges_read;
    std::lock_guard lock(mutex_);
    --tables_[table].tasks_left;
  }
  return {};
}

size_t CopyRun::NextTask(const Worker& worker) {
  size_t next = next_task_++;
  while (next < tasks_.size() && IsLeft(tasks_[next].table, worker)) next = next_task_++;
  return std::min(next, tasks_.size());
}

bool CopyRun::IsLeft(size_t table, const Worker& worker) {
  CopyProgress& progress = *progress_[table];
  std::lock_guard lock(mutex_);
  TableState& state = tables_[table];
  // Before the look at `left`: who sets that looks at `started` next.
  progress.started = true;
  const LeftToLater left = worker.has_read ? progress.left.load() : LeftToLater::kNothing;
  const bool is_unbegun = !state.is_begun && !resumptions_[table].copied;
  const bool is_left =
      (left == LeftToLater::kRest && progress.is_remembered) || (left == LeftToLater::kIfUnbegun && is_unbegun);
  if (!is_left) state.is_begun = true;
  if (!state.is_begun) progress.started = false;
  return is_left;
}

Status CopyRun::OpenReader(Worker& worker) const {
  if (worker.reader) return {};
  TRY(worker.reader, postgres::TableCopyReader::Open(options_.connection, options_.snapshot_name, worker.stop));
  return {};
}

Status CopyRun::CopyPart(Worker& worker, size_t task) {
  const size_t table = tasks_[task].table;
  if (!worker.files) {
    TRY(worker.files, MakeFiles(table, worker.workers));
    worker.unsaved = {};
    std::lock_guard lock(mutex_);
    ++tables_[table].writers_open;
  }
  TRY(const int64_t rows, CopyTask(tasks_[task], worker, *worker.files));
  worker.unsaved.rows += rows;
  if (const auto& blocks = tasks_[task].request.blocks) {
    worker.unsaved.ranges.push_back(*blocks);
    worker.unsaved.heap_bytes +=
        (blocks->last.value_or(std::max(targets_[table].source.pages, blocks->first)) - blocks->first) *
        postgres::kHeapBlockBytes;
  }
  return IsCheckpointDue(table, worker) ? SaveFiles(table, worker) : Status();
}

bool CopyRun::IsCheckpointDue(size_t table, const Worker& worker) const {
  if (resumptions_[table].checkpoints == nullptr) return false;
  const auto files = std::clamp<int64_t>(static_cast<int64_t>(worker.files->files_begun()), 1, kFilesPerCheckpointMax);
  return worker.unsaved.heap_bytes >= kHeapBytesPerFileByte * options_.writer.files.target_file_size_bytes * files;
}

Status CopyRun::FinishTable(size_t table, Worker& worker) {
  TRY_VOID(SaveFiles(table, worker));
  {
    std::lock_guard lock(mutex_);
    --tables_[table].writers_open;
  }
  return CommitIfDone(table, worker);
}

Result<std::unique_ptr<PartitionedWriter>> CopyRun::MakeFiles(size_t table, int workers) {
  const TargetTable& target = targets_[table];
  DataFileOptions options = options_.writer.files;
  options.max_open_files = std::max(1, options.max_open_files / workers);
  return PartitionedWriter::Make(context_.store, context_.metrics, target.planned, target.layout.schema,
                                 std::move(options), ToString(target.source.name),
                                 [this] { return fmt::format("{}-{:05}.parquet", commit_id_, files_named_++); });
}

Result<int64_t> CopyRun::CopyTask(const Task& task, Worker& worker, PartitionedWriter& files, ChangedKeys* only) {
  const TargetTable& target = targets_[task.table];
  TRY(auto encoder, encode::RowEncoder::Make(target.mapping));
  const bool is_partitioned = !target.planned->DefaultSpec().fields.empty();
  const RowBatchLimits limits{
      .batch_rows = std::max(options_.batch_rows, is_partitioned ? kPartitionedBatchRows : kBatchRows),
      .batch_bytes = worker.batch_bytes_max / 2,
      .ahead_bytes = worker.batch_bytes_max};
  const RowFacts facts{.operation = RowOperation::kCopy, .lsn = options_.lsn, .committed_at_us = options_.taken_at_us};
  int64_t rows_copied = 0;
  TRY_VOID(worker.reader->Start(task.request));
  RowBatchReader batches(*worker.reader, std::move(encoder), limits);
  while (true) {
    TRY(auto encoded, batches.Next());
    if (!encoded) return rows_copied;
    TRY_VOID(BeforeStep(Failpoint::kCopyBatchBefore));
    ReportReplacedValues(context_.metrics, ToString(target.source.name), encoded->replaced);
    if (only != nullptr) {
      TRY(encoded->batch, TakeChangedRows(encoded->batch, target.layout.key_columns, *only));
    }
    TRY(const auto rows, AddColumns(target.layout, encoded->batch, std::span(&facts, 1)));
    if (IsLogged(LogLevel::kDebug)) {
      LogDebug("writing a batch", {{"table", ToString(target.source.name)}, {"batch_size", rows->num_rows()}});
    }
    TRY([[maybe_unused]] const auto placed, files.Write(rows));
    rows_copied += rows->num_rows();
    progress_[task.table]->rows += rows->num_rows();
    context_.metrics.AddCopiedRows(ToString(target.source.name), rows->num_rows());
    AfterStep(Failpoint::kCopyBatchAfter);
    if (worker.stop.stop_requested()) return MakeError(ErrorKind::kCancelled, "stopped on request");
    if (failed_) return MakeError(ErrorKind::kCancelled, "another worker failed");
  }
}

/// Closes the worker's files, and remembers them where that is of use.
Status CopyRun::SaveFiles(size_t table, Worker& worker) {
  TRY_VOID(worker.files->CloseAll());
  Unsaved unsaved = std::exchange(worker.unsaved, {});
  CopiedRanges part{.since = options_.lsn,
                    .ranges = std::move(unsaved.ranges),
                    .files = worker.files->TakeClosed(),
                    .rows = unsaved.rows};
  const CopyResumption& resumption = resumptions_[table];
  if (resumption.checkpoints != nullptr && !part.ranges.empty()) {
    if (resumption.copied) part.since = resumption.copied->since;
    TRY_VOID(context_.store.MakeDurable());  // What is remembered names them.
    const Status saved =
        resumption.checkpoints->Add(targets_[table].source.oid, resumption.plan, *targets_[table].planned, part);
    if (!saved) {
      progress_[table]->is_remembered = false;
      LogWarn("a part of a copy is not remembered, and would be copied again after a crash",
              {{"table", ToString(targets_[table].source.name)}, {"reason", saved.error().message()}});
    }
  }
  std::lock_guard lock(mutex_);
  std::ranges::move(part.files, std::back_inserter(tables_[table].files));
  return {};
}

Status CopyRun::CommitIfDone(size_t table, Worker& worker) {
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
  CopyResumption& resumption = resumptions_[table];
  TRY(iceberg::RowDelta rows, PutTogether(table, worker, std::move(files)));
  TRY_VOID(CheckUnaltered(target.source, worker.catalogs));
  if (resumption.checkpoints != nullptr) TRY_VOID(resumption.checkpoints->MarkCommitting(target.source.oid));
  const auto commit_start = std::chrono::steady_clock::now();
  const std::string commit_id = NewUuid();
  const catalog::TableChange change =
      MakeCopyChange(context_.store, options_.writer.writer, target, std::move(rows), options_.lsn, commit_id);
  TRY_VOID(BeforeStep(Failpoint::kCopyCommitBefore));
  auto receipt = catalog::CommitChanges(catalog_, std::span(&change, 1), commit_id, options_.lsn, options_.retry,
                                        worker.stop, &context_.metrics);
  context_.metrics.RecordCommit(ToString(target.source.name), receipt.has_value(),
                                std::chrono::steady_clock::now() - commit_start);
  if (!receipt)
    return std::move(receipt.error()).WithContext(fmt::format("committing the copy of {}", target.source.name));
  AfterStep(Failpoint::kCopyCommitAfter);
  target.table = receipt->tables().front();
  target.planned = target.table.metadata;
  target.change.reset();
  TRY(target.progress, ReadProgress(*target.table.metadata));
  if (resumption.checkpoints != nullptr) {
    // What is left is known by the table's snapshot to be of no use.
    if (const Status forgotten = resumption.checkpoints->Forget(target.source.oid); !forgotten) {
      LogWarn("what was remembered of a copy is left", {{"reason", forgotten.error().message()}});
    }
  }
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

Result<iceberg::RowDelta> CopyRun::PutTogether(size_t table, Worker& worker, std::vector<iceberg::DataFile> files) {
  CopyResumption& resumption = resumptions_[table];
  if (!resumption.copied) return iceberg::RowDelta{.added_data_files = std::move(files)};
  const TargetTable& target = targets_[table];
  // Others may be at the same with another table.
  const auto at_once = static_cast<size_t>(std::min(worker.workers, tables_resumed_));
  const size_t shares = 1 + resumption.keys.bytes / std::max<size_t>(1, options_.key_bytes_max / at_once);
  CopyConvergence convergence(context_.store, target, resumption.copied->files, options_.writer.files.files_at_once);
  const auto put_together = [&]() -> Result<iceberg::RowDelta> {
    TRY_VOID(OpenReader(worker));
    TRY(const auto changed, MakeFiles(table, worker.workers));
    const postgres::CopyRequest whole = PlanCopy(target, {}).front();
    for (size_t share = 0; share < shares; ++share) {
      TRY(ChangedKeys keys, ReadKeys(resumption.keys, share, shares));
      TRY_VOID(convergence.LeaveOut(keys));
      for (auto& request : PlanChangedRows(whole, target, keys, resumption.copied->ranges)) {
        TRY([[maybe_unused]] const int64_t rows,
            CopyTask({.table = table, .request = std::move(request)}, worker, *changed, &keys));
      }
    }
    TRY_VOID(changed->CloseAll());
    std::ranges::move(changed->TakeClosed(), std::back_inserter(files));
    const auto name = [&](std::string_view ending) {
      return iceberg::DataLocation(*target.planned, fmt::format("{}-{:05}{}", commit_id_, files_named_++, ending));
    };
    return convergence.Finish(files, name, options_.writer.files.parquet.compression);
  };
  auto converged = put_together();
  if (converged) {
    progress_[table]->rows -= convergence.rows_left_out();
    return converged;
  }
  worker.reader.reset();
  Error error = std::move(converged).error();
  if (error.kind() == ErrorKind::kTransient || error.kind() == ErrorKind::kCancelled) return error;
  // Nothing that trying the same again would heal.
  TRY_VOID(resumption.checkpoints->Discard(target.source.oid, context_.store, *target.table.metadata));
  return std::move(error)
      .WithContext("putting it together with what was copied before; it is copied from its beginning")
      .WithKind(ErrorKind::kConflict);
}

/// The tasks read one snapshot's rows, but COPY finds the table's columns and its file as they are when it starts: a
/// rename fails it, and after a TRUNCATE or a rewrite the snapshot's rows are no longer there.
Status CopyRun::CheckUnaltered(const SourceTable& table, std::optional<postgres::Connection>& catalogs) const {
  if (!catalogs) {
    TRY(catalogs, postgres::Connection::Open(options_.connection));
  }
  // The catalogs alone: what looks at the table itself would wait for a DROP TABLE, which waits for this copy.
  const auto unaltered = postgres::IsUnaltered(*catalogs, table);
  if (!unaltered) {
    catalogs.reset();
    return unaltered.error();
  }
  if (*unaltered) return {};
  return MakeError(ErrorKind::kConflict, ErrorOrigin::kSource, "table {} was altered or truncated while it was copied",
                   table.name);
}

std::string SelectExpression(const encode::ColumnMapping& column) {
  return column.has_binary_decoder ? postgres::QuoteIdentifier(column.source_name) : TextExpression(column);
}

}  // namespace

std::string TextExpression(const encode::ColumnMapping& column) {
  // num_nulls looks at the value as a whole, IS NULL into a composite's fields.
  return fmt::format("CASE WHEN num_nulls({0}) = 0 THEN format('%s', {0}) END",
                     postgres::QuoteIdentifier(column.source_name));
}

std::vector<postgres::CopyRequest> PlanCopy(const TargetTable& target, RangeSizes sizes,
                                            const std::vector<postgres::BlockRange>& read) {
  postgres::CopyRequest whole{.table = target.source.name};
  for (const encode::ColumnMapping& column : target.mapping.columns) {
    whole.columns.push_back(SelectExpression(column));
  }
  if (read.empty() && target.source.pages <= sizes.blocks_max) return {whole};
  std::vector<postgres::CopyRequest> requests;
  const auto add = [&](const postgres::BlockRange& blocks) {
    requests.push_back(whole);
    requests.back().blocks = blocks;
  };
  const std::vector<postgres::BlockRange> gaps = RangesLeft(read);
  const auto end_of = [&](const postgres::BlockRange& gap) {
    return gap.last.value_or(std::max(target.source.pages, gap.first + 1));
  };
  int64_t rest = 0;
  for (const postgres::BlockRange& gap : gaps) rest += end_of(gap) - gap.first;
  for (const postgres::BlockRange& gap : gaps) {
    for (int64_t first = gap.first, end = end_of(gap); first < end;) {
      const int64_t part = std::max(kRangeBlocksMin, rest / sizes.parts_of_rest);
      const int64_t blocks = std::min({sizes.blocks_max, part, end - first});
      const bool is_last = blocks == end - first;
      add({.first = first, .last = is_last ? gap.last : first + blocks});
      first += blocks;
      rest -= blocks;
    }
  }
  if (requests.empty()) add({.first = 0, .last = 0});
  return requests;
}

bool CanBeResumed(const TargetTable& target) {
  // A log of changes deletes nothing. The blocks of a partitioned table are those of several heaps.
  return target.layout.identity == RowIdentity::kKey && target.layout.mode != ChangeMode::kAppend &&
         target.source.pages > 0;
}

Status CopyTables(const CopyOptions& options, catalog::Catalog& catalog, WriterContext context,
                  std::span<TargetTable> targets, std::span<CopyProgress* const> progress,
                  std::span<CopyResumption> resumptions, std::stop_token stop) {
  return CopyRun(options, catalog, context, targets, progress, resumptions).Run(std::move(stop));
}

}  // namespace firn::pipeline
