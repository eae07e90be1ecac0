#include "pipeline/copy_queue.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "observe/log.h"

namespace firn::pipeline {

using Clock = std::chrono::steady_clock;

namespace {

/// The first tables join after this time, the next ones when as much time again has passed as since the round's start:
/// each time the stream begins again where the round's snapshot was taken.
constexpr std::chrono::seconds kFirstJoin{10};

}  // namespace

std::set<TableOid> CopyQueue::Copied() const {
  std::set<TableOid> copied;
  for (size_t i = 0; i < round_->tables().size(); ++i) {
    if (round_->progress()[i].done) copied.insert(round_->tables()[i].source.oid);
  }
  return copied;
}

std::optional<Lsn> CopyQueue::Hold() const {
  std::optional<Lsn> hold;
  if (round_) hold = round_->hold();
  for (const auto& [table, since] : needed_since_) {
    // One that is parked does not hold the log.
    const bool goes_on = parked_.IsPassing(table) || left_over_.contains(table);
    if (goes_on && (!hold || since < *hold)) hold = since;
  }
  return hold;
}

bool CopyQueue::WantsStart() const {
  if (round_) return round_->ended() || (Clock::now() >= next_join_ && Copied().size() > joined_.size());
  const auto due = parked_.NextDue();
  return due && Clock::now() >= *due;
}

void CopyQueue::Describe(PipelineStatus& status) const {
  if (!round_) return;
  for (size_t i = 0; i < round_->tables().size(); ++i) {
    if (joined_.contains(round_->tables()[i].source.oid)) continue;
    const std::string name = ToString(round_->tables()[i].source.name);
    const auto row = std::ranges::find(status.tables, name, &TableStatus::source);
    if (row == status.tables.end()) continue;
    const CopyProgress& progress = round_->progress()[i];
    row->rows_copied = progress.rows;
    row->state = progress.started || progress.rows > 0 ? TableState::kCopying : TableState::kPending;
    // With nothing in the stream yet, it waits for nothing but the others' copies.
    if (progress.done && status.state == "copying") row->state = TableState::kStreaming;
  }
}

void CopyQueue::Start(std::unique_ptr<CopyRound> round) {
  round_ = std::move(round);
  started_ = Clock::now();
  next_join_ = started_ + kFirstJoin;
  joined_.clear();
  for (const CopiedTable& table : round_->tables()) {
    parked_.Begin(table.source.oid, Clock::now());
    needed_since_.erase(table.source.oid);  // The round holds nothing less.
    left_over_.erase(table.source.oid);
  }
  round_->Start();
}

std::optional<Error> CopyQueue::Collect() {
  if (!round_) return std::nullopt;
  if (!round_->ended()) {
    const auto now = Clock::now();
    if (now < next_join_) return std::nullopt;
    joined_ = Copied();
    next_join_ = now + (now - started_);
    return std::nullopt;
  }
  const std::unique_ptr<CopyRound> round = std::move(round_);
  for (size_t i = 0; i < round->tables().size(); ++i) {
    const SourceTable& table = round->tables()[i].source;
    const auto error = round->ErrorOf(i);
    if (error && !(stops_ && error->kind() == ErrorKind::kCancelled)) Failed(table, *error);
    if (round->IsLeftOver(i)) left_over_.insert_or_assign(table.oid, round->progress()[i].rows);
    if (const auto since = round->NeededSince(i)) needed_since_.insert_or_assign(table.oid, *since);
  }
  return round->error();
}

void CopyQueue::Describe(CopiedTable& table) const {
  table.rows_copied = LeftOver(table.source.oid).value_or(0);
  const auto needed = needed_since_.find(table.source.oid);
  if (needed != needed_since_.end()) table.needed_since = needed->second;
}

std::optional<int64_t> CopyQueue::LeftOver(TableOid table) const {
  const auto found = left_over_.find(table);
  return found == left_over_.end() ? std::nullopt : std::optional(found->second);
}

void CopyQueue::Keep(const std::vector<SourceTable>& tables) {
  parked_.Keep(tables);
  std::erase_if(left_over_, [&](const auto& left) {
    return std::ranges::find(tables, left.first, &SourceTable::oid) == tables.end();
  });
}

void CopyQueue::Failed(const SourceTable& table, const Error& error) {
  left_over_.erase(table.oid);
  parked_.Failed(table, error, Clock::now());
  const std::string name = ToString(table.name);
  const ParkedTables::Entry* entry = Waiting(table);
  const bool is_parked = entry != nullptr && entry->is_parked;
  metrics_.SetTableParked(name, is_parked);
  const auto pause_ms =
      entry == nullptr ? 0 : std::chrono::duration_cast<std::chrono::milliseconds>(entry->due - Clock::now()).count();
  if (is_parked) {
    LogError("a table can't go on and is parked; the others go on",
             {{"table", name}, {"reason", error.message()}, {"tried_again_in_ms", pause_ms}});
  } else {
    LogWarn("a table could not go on, and is copied anew soon",
            {{"table", name}, {"reason", error.message()}, {"delay_ms", pause_ms}});
  }
}

const ParkedTables::Entry* CopyQueue::Waiting(const SourceTable& table) const {
  return parked_.Waiting(table, Clock::now());
}

void CopyQueue::Streams(const SourceTable& table) {
  parked_.Streams(table.oid, Clock::now());
  left_over_.erase(table.oid);
  metrics_.SetTableParked(ToString(table.name), false);
}

}  // namespace firn::pipeline
