#include "pipeline/batch_committer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/failpoint.h"
#include "base/try.h"
#include "base/uuid.h"
#include "observe/log.h"
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
  for (FlushJob::Part& part : job.parts) {
    TRY_VOID(Watch(*part.writer, part.writer->Write(commit_id_, part.batch)).Context("table {}", part.writer->name()));
    if (std::ranges::find(writers_, part.writer) == writers_.end()) writers_.push_back(part.writer);
    part.batch = {};
  }
  AfterStep(Failpoint::kFlushAfter);
  FlushOutcome outcome{.bytes = job.bytes};
  if (job.commit_lsn) TRY_VOID(Commit(*job.commit_lsn, stop, outcome));
  return outcome;
}

Status BatchCommitter::Commit(Lsn lsn, std::stop_token stop, FlushOutcome& outcome) {
  const auto start = Clock::now();
  std::vector<catalog::TableChange> changes;
  for (TableWriter* writer : writers_) {
    outcome.tables.push_back({.writer = writer, .rows = writer->pending_rows()});
    TRY(auto change, Watch(*writer, writer->Prepare(lsn)).Context("table {}", writer->name()));
    change.build = [this, writer, build = std::move(change.build)](const catalog::LoadedTable& fresh) {
      return Watch(*writer, build(fresh));
    };
    changes.push_back(std::move(change));
  }
  auto receipt = catalog::CommitChanges(catalog_, changes, commit_id_, lsn, retry_, stop, &metrics_);
  const auto duration = Clock::now() - start;
  for (const TableWriter* writer : writers_) metrics_.RecordCommit(writer->name(), receipt.has_value(), duration);
  if (!receipt) return std::move(receipt.error()).WithContext(fmt::format("committing up to {}", lsn));

  for (size_t i = 0; i < writers_.size(); ++i) {
    const catalog::LoadedTable& table = receipt->tables()[i];
    TRY_VOID(writers_[i]->Committed(table));
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
  TRY_VOID(Watch(writer, writer.Rewritten(table)).Context("table {}", writer.name()));
  outcome.tables.push_back({.writer = &writer,
                            .snapshot_id = table.metadata->current_snapshot_id.value_or(0),
                            .contents = ContentsOf(*table.metadata)});
  return {};
}

}  // namespace firn::pipeline
