#include "pipeline/batch_committer.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "base/failpoint.h"
#include "base/try.h"
#include "base/uuid.h"
#include "observe/log.h"
#include "observe/parallel.h"
#include "pipeline/table_contents.h"

namespace firn::pipeline {

using Clock = std::chrono::steady_clock;

Result<FlushOutcome> BatchCommitter::Do(FlushJob& job, std::stop_token stop) {
  if (job.rewrite) {
    FlushOutcome outcome;
    TRY_VOID(Rewrite(*job.rewrite, stop, outcome));
    return outcome;
  }
  if (commit_id_.empty()) commit_id_ = NewUuid();
  TRY_VOID(BeforeStep(Failpoint::kFlushBefore));
  std::vector<TableWriter*> written;
  for (const FlushJob::Part& part : job.parts) {
    written.push_back(part.writer);
    if (std::ranges::find(writers_, part.writer) == writers_.end()) writers_.push_back(part.writer);
  }
  TRY_VOID(ForEachWriter(written, [&](size_t i) {
    if (IsLogged(LogLevel::kDebug)) {
      const TableBatch& batch = job.parts[i].batch;
      LogDebug("writing a batch",
               {{"table", written[i]->name()}, {"batch_size", batch.changes.size()}, {"bytes", batch.bytes}});
    }
    Status status = written[i]->Write(commit_id_, job.parts[i].batch);
    job.parts[i].batch = {};
    return status;
  }));
  AfterStep(Failpoint::kFlushAfter);
  FlushOutcome outcome{.bytes = job.bytes};
  if (job.commit_lsn) TRY_VOID(Commit(*job.commit_lsn, stop, outcome));
  return outcome;
}

Status BatchCommitter::Commit(Lsn lsn, std::stop_token stop, FlushOutcome& outcome) {
  const auto start = Clock::now();
  for (TableWriter* writer : writers_) outcome.tables.push_back({.writer = writer, .rows = writer->pending_rows()});
  std::vector<catalog::TableChange> changes(writers_.size());
  std::vector<std::atomic<bool>> is_refused(writers_.size());
  const auto prepare = [&](size_t i) -> Status {
    TRY(changes[i], writers_[i]->Prepare(lsn));
    changes[i].build = [&refused = is_refused[i], build = std::move(changes[i].build)](const auto& fresh) {
      auto request = build(fresh);
      refused = !request.has_value();
      return request;
    };
    return {};
  };
  TRY_VOID(ForEachWriter(writers_, prepare));
  auto receipt = catalog::CommitChanges(catalog_, changes, commit_id_, lsn, retry_, stop, &metrics_, tables_at_once_);
  const auto duration = Clock::now() - start;
  for (const TableWriter* writer : writers_) metrics_.RecordCommit(writer->name(), receipt.has_value(), duration);
  if (!receipt) {
    // Where a table's own change can't be built, the error is of the first such table.
    const auto refused = std::ranges::find(is_refused, true, [](const auto& flag) { return flag.load(); });
    Error error = std::move(receipt).error();
    if (refused != is_refused.end()) {
      failed_writer_ = writers_[static_cast<size_t>(refused - is_refused.begin())];
      error = OfStaleTable(std::move(error), *failed_writer_);
    }
    return std::move(error).WithContext(fmt::format("committing up to {}", lsn));
  }

  TRY_VOID(ForEachWriter(writers_, [&](size_t i) { return writers_[i]->Committed(receipt->tables()[i]); }));
  for (size_t i = 0; i < writers_.size(); ++i) {
    const catalog::LoadedTable& table = receipt->tables()[i];
    outcome.tables[i].snapshot_id = table.metadata->current_snapshot_id.value_or(0);
    outcome.tables[i].contents = ContentsOf(*table.metadata);
    LogInfo("committed", {{"table", writers_[i]->name()},
                          {"lsn", ToString(lsn)},
                          {"snapshot_id", outcome.tables[i].snapshot_id},
                          {"rows", outcome.tables[i].rows},
                          {"duration_ms", std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()},
                          {"attempts", receipt->attempts()}});
  }
  writers_.clear();
  commit_id_.clear();
  outcome.receipt = std::move(*receipt);
  return {};
}

template <typename Work>
Status BatchCommitter::ForEachWriter(const std::vector<TableWriter*>& writers, Work work) {
  std::vector<std::atomic<bool>> has_failed(writers.size());
  Status done = ForEachParallel(writers.size(), tables_at_once_, [&](size_t i) -> Status {
    Status status = work(i);
    if (status) return status;
    has_failed[i] = true;
    return OfStaleTable(std::move(status).error(), *writers[i])
        .WithContext(fmt::format("table {}", writers[i]->name()));
  });
  const auto failed = std::ranges::find(has_failed, true, [](const auto& flag) { return flag.load(); });
  if (failed != has_failed.end()) failed_writer_ = writers[static_cast<size_t>(failed - has_failed.begin())];
  return done;
}

Error BatchCommitter::OfStaleTable(Error error, const TableWriter& writer) {
  if (error.kind() != ErrorKind::kNotFound || error.origin() != ErrorOrigin::kStorage) return error;
  const auto known = writer.table().metadata->current_snapshot_id;
  const auto fresh = catalog_.LoadTable(writer.table().ident);
  if (!known || !fresh || fresh->metadata->FindSnapshot(*known) != nullptr) return error;
  return std::move(error)
      .WithKind(ErrorKind::kConflict)
      .WithContext("another writer has expired the snapshot that was read");
}

Status BatchCommitter::Rewrite(const FlushJob::Rewrite& rewrite, std::stop_token stop, FlushOutcome& outcome) {
  TableWriter& writer = *rewrite.writer;
  if (!commit_id_.empty()) {
    rewrite.files->Ended(MakeError(ErrorKind::kConflict, "changes are written that are not committed yet"));
    return {};
  }
  const std::string commit_id = NewUuid();
  const catalog::TableChange change = writer.PrepareRewrite(*rewrite.files, commit_id);
  const auto commit = [&]() -> Result<catalog::CommitReceipt> {
    TRY_VOID(BeforeStep(Failpoint::kRewriteCommitBefore));
    return catalog::CommitChanges(catalog_, std::span(&change, 1), commit_id, Lsn{}, retry_, stop, &metrics_);
  };
  const auto receipt = commit();
  if (!receipt) {
    rewrite.files->Ended(receipt.error());
    return {};
  }
  AfterStep(Failpoint::kRewriteCommitAfter);
  const catalog::LoadedTable& table = receipt->tables().front();
  rewrite.files->Ended(table);
  TRY_VOID(ForEachWriter({&writer}, [&](size_t) { return writer.Rewritten(table); }));
  outcome.tables.push_back({.writer = &writer,
                            .snapshot_id = table.metadata->current_snapshot_id.value_or(0),
                            .contents = ContentsOf(*table.metadata)});
  return {};
}

}  // namespace firn::pipeline
