#include "pipeline/replicator.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/failpoint.h"
#include "base/try.h"
#include "base/unix_time.h"
#include "observe/log.h"
#include "pipeline/committer.h"
#include "pipeline/parked_tables.h"
#include "pipeline/table_contents.h"
#include "pipeline/table_request.h"

namespace firn::pipeline {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPollInterval{50};
/// Where the end is waited for: as often is the server asked how far it is.
constexpr milliseconds kPollUntilInterval{10};
constexpr milliseconds kStatusInterval{500};
/// How long a stop waits for the end of the transaction that is arriving.
constexpr milliseconds kStopGrace{5'000};
/// Changes between two looks at memory and clock, inside a transaction.
constexpr int kChangesPerCheck = 1'024;
/// Changes that would fill the memory are looked at this often, however large each is.
constexpr size_t kChecksPerMemory = 32;
/// pgoutput counts from 2000-01-01.
constexpr int64_t kPostgresEpochUnixMicros = 946'684'800'000'000;

}  // namespace

Replicator::Replicator(ReplicatorOptions options, ReplicatorServices services, PipelineStatus status)
    : options_(std::move(options)),
      services_(services),
      assembler_(*this, options_.spool),
      progress_(Lsn{}),
      status_(std::move(status)),
      committer_(options_.commit_queue
                     ? std::move(options_.commit_queue)
                     : std::make_unique<Committer>(services.catalog, options_.retry, services.writer.metrics)) {}

Result<std::unique_ptr<Replicator>> Replicator::Make(ReplicatorOptions options, ReplicatorServices services,
                                                     std::vector<TargetTable> targets, PipelineStatus status) {
  std::unique_ptr<Replicator> replicator(new Replicator(std::move(options), services, std::move(status)));
  TRY_VOID(replicator->assembler_.Start());
  for (TargetTable& target : targets) {
    Table table{.source = target.source};
    TRY(const StoredDefinition stored, ReadStoredDefinition(*target.table.metadata));
    table.known = KnownAttributes(stored, target.source);
    table.known_since = stored.read_at;
    const auto row = std::ranges::find(replicator->status_.tables, ToString(target.source.name), &TableStatus::source);
    DescribeCopied(target, *row);
    TRY(table.lane,
        TableLane::Make(std::move(target.mapping), target.layout.identity, target.layout.mode, target.progress->lsn));
    table.writer = std::make_unique<TableWriter>(services.writer, replicator->options_.writer, std::move(target.table),
                                                 std::move(target.layout), ToString(target.source.name));
    replicator->status_rows_.emplace(table.writer.get(), row - replicator->status_.tables.begin());
    replicator->oids_.emplace(table.writer.get(), target.source.oid);
    replicator->tables_.emplace(target.source.oid.value, std::move(table));
  }
  return replicator;
}

Result<StreamEnd> Replicator::Run(postgres::ReplicationStream& stream, std::stop_token stop) {
  stream_ = &stream;
  next_look_ = options_.now() + options_.flush.commit_interval;
  const Status streamed = Stream(stop);
  if (!streamed && !end_) {
    // A value or a change that does not fit may come of a new definition.
    if (!RetryPolicy::IsRetryable(streamed.error())) TRY_VOID(LookForChanges());
    if (!end_ && failure_) end_.emplace(StreamEnd{.failure = std::move(failure_)});
    if (!end_) return streamed.error();
  }
  if (end_ && !batches_lost_) {
    const Status committed = CommitWhole();
    if (!committed && !failure_) return committed.error();
    if (!committed) end_->failure = std::move(failure_);
  }
  PublishStatus();
  TRY_VOID(stream.Close());
  return end_.value_or(StreamEnd{});
}

Status Replicator::Stream(std::stop_token stop) {
  while (!end_) {
    TRY_VOID(TakeOutcomes());
    if (stop.stop_requested()) return Stop();
    if (options_.pause && options_.pause->paused() && assembler_.between_transactions()) {
      TRY_VOID(StandStill(stop));
      continue;
    }
    const bool reached_end = options_.until && stream_->received() >= *options_.until &&
                             !(options_.beside && options_.beside->HasCopiesToCome());
    if (reached_end && idle()) return AcknowledgeIdle();  // Else the next start would ask for all of it again.
    // Where changes pour in there is no idle moment.
    if (reached_end && acknowledged_ >= *options_.until) return Stop();
    TRY_VOID(CommitRewrite());
    if (options_.now() >= next_look_) TRY_VOID(LookForChanges());
    if (!end_ && options_.beside && assembler_.between_transactions() && options_.beside->WantsStart()) {
      end_.emplace(StreamEnd{.again = true});
    }
    if (end_) break;
    TRY_VOID(FlushWhereDue(/*now=*/reached_end));
    TRY_VOID(AcknowledgeIdle());
    Acknowledge();  // What was held back may be free by now.
    PublishStatus();

    // As many messages as are there, then back to the clock.
    TRY(auto data, stream_->Next(options_.until ? kPollUntilInterval : kPollInterval));
    if (!data && options_.until && !reached_end)
      TRY_VOID(stream_->SendStatus());  // The server answers with how far it is.
    for (int i = 0; data && i < kChangesPerCheck; ++i) {
      TRY_VOID(assembler_.Handle(data->payload).Context("at LSN {}", ToString(data->start)));
      TRY(data, stream_->Next(milliseconds(0)));
    }
    if (data) TRY_VOID(assembler_.Handle(data->payload).Context("at LSN {}", ToString(data->start)));
  }
  return {};
}

Status Replicator::Stop() {
  status_.state = "stopping";
  const auto deadline = options_.now() + kStopGrace;
  while (!assembler_.between_transactions() && options_.now() < deadline) {
    TRY(const auto data, stream_->Next(kPollInterval));
    if (data) TRY_VOID(assembler_.Handle(data->payload));
  }
  return CommitWhole();
}

Status Replicator::StandStill(std::stop_token stop) {
  TRY_VOID(CommitWhole());
  if (end_) return {};  // The commit found that a table has changed.
  const std::string state = std::exchange(status_.state, "paused");
  paused_since_ = options_.now();
  LogInfo("the stream is paused: PostgreSQL keeps WAL until it goes on", {{"slot", options_.slot}});
  while (options_.pause->paused() && !stop.stop_requested()) {
    PublishStatus();
    TRY_VOID(stream_->KeepAlive(kPollInterval));
  }
  paused_since_.reset();
  status_.state = state;
  if (!stop.stop_requested()) LogInfo("the stream goes on", {{"slot", options_.slot}});
  return {};
}

Status Replicator::CommitWhole() {
  const bool are_whole = assembler_.between_transactions() || rows_in_transaction_ == 0;
  if (are_whole && (!dirty_.empty() || written_)) {
    TRY_VOID(LookForChanges());
    if (MayCommit()) TRY_VOID(Flush(/*commit=*/true));
  }
  while (committer_->jobs_in_flight() > 0) {
    TRY_VOID(stream_->KeepAlive(kPollInterval));
    TRY_VOID(TakeOutcomes());
  }
  return {};
}

// --- Definitions of tables ---

Status Replicator::LookForChanges() {
  TRY(const SourceLook look, options_.look_for_changes(describing_));
  next_look_ = options_.now() + options_.flush.commit_interval;
  changed_.insert(look.changed.begin(), look.changed.end());
  saw_all_ = look.saw_all;
  if (!changed_.empty() || look.tables_changed) {
    if (!end_) end_.emplace(StreamEnd{.source_changed = true});
  } else if (saw_all_) {
    for (auto& [oid, table] : tables_) table.described = false;
    describing_.clear();
  }
  return {};
}

/// Rows of a table that has changed were understood by a description that was known to be right when it came, unless it
/// came since the last look: then it may look like one that is known and mean another (a column dropped, and added
/// again under its name). Those rows are asked for again. The look must have seen the transaction that described them.
bool Replicator::MayCommit() const {
  return std::ranges::none_of(tables_, [&](const auto& entry) {
    const Table& table = entry.second;
    return table.uncommitted && table.described && (!saw_all_ || changed_.contains(table.source.oid));
  });
}

// --- Transactions into lanes ---

Status Replicator::Begin(postgres::Xid xid, Lsn commit_lsn, int64_t committed_at_us) {
  transaction_xid_ = xid;
  transaction_commit_lsn_ = commit_lsn;
  transaction_time_us_ = committed_at_us + kPostgresEpochUnixMicros;
  rows_in_transaction_ = 0;
  return {};
}

Status Replicator::Apply(const postgres::Message& message) {
  if (const auto* insert = std::get_if<postgres::InsertMessage>(&message.body)) {
    TRY_VOID(ApplyToTable(insert->oid, message));
  } else if (const auto* update = std::get_if<postgres::UpdateMessage>(&message.body)) {
    TRY_VOID(ApplyToTable(update->oid, message));
  } else if (const auto* deletion = std::get_if<postgres::DeleteMessage>(&message.body)) {
    TRY_VOID(ApplyToTable(deletion->oid, message));
  } else if (const auto* truncate = std::get_if<postgres::TruncateMessage>(&message.body)) {
    for (const TableOid oid : truncate->oids) TRY_VOID(ApplyToTable(oid, message));
  } else if (const auto* relation = std::get_if<postgres::RelationMessage>(&message.body)) {
    KeepRelation(*relation);
    return {};
  } else if (const auto* request = std::get_if<postgres::LogicalMessage>(&message.body)) {
    return HearRequest(*request);
  } else {
    return {};
  }
  ++changes_;
  bytes_since_check_ += message.bytes;
  if (++changes_since_check_ < kChangesPerCheck &&
      bytes_since_check_ < options_.flush.memory_bytes / kChecksPerMemory) {
    return {};
  }
  changes_since_check_ = 0;
  bytes_since_check_ = 0;
  return FlushWhereDue(/*now=*/false);
}

Status Replicator::End(Lsn end_lsn) {
  applied_ = end_lsn;
  return {};
}

void Replicator::KeepRelation(const postgres::RelationMessage& relation) {
  auto position = tables_.find(relation.oid.value);
  if (position == tables_.end()) return;
  Table& table = position->second;
  table.described = true;
  if (describing_.empty() || describing_.back() != transaction_xid_) describing_.push_back(transaction_xid_);
  table.relation = std::make_unique<KeptRelation>(relation);
  table.binding.reset();
}

/// At the first row and not at the message: the server sends it once for several transactions, of which the table may
/// hold the first ones already.
Status Replicator::Bind(Table& table, bool has_old_row) {
  if (!table.relation) {
    return MakeError(ErrorKind::kCorrupt, "a change of table {} came before its Relation message", table.lane->name());
  }
  if (!table.binding) MatchToTable(table);
  const bool is_told = table.old_rows == OldRows::kFollowed || (table.old_rows == OldRows::kNone && !has_old_row);
  if (table.binding && is_told) return {};

  Error error = MakeError(ErrorKind::kSchemaMismatch, "table {}: its definition has changed", table.lane->name());
  if (transaction_commit_lsn_ < table.known_since) {
    if (!end_) end_.emplace();
    end_->source_changed = true;
    end_->copy_again.insert(table.source.oid);
    return error;
  }
  TRY_VOID(LookForChanges());
  if (changed_.contains(table.source.oid)) return error;  // To be followed.
  if (!end_) end_.emplace();
  if (table.binding && saw_all_) {
    // Another identity, and the one that is known again since. As a failure, so that there is a pause before it is
    // copied once more, should it come again.
    end_->failure = {table.source.oid,
                     MakeError(ErrorKind::kConflict, ErrorOrigin::kSource,
                               "table {}: its replica identity was another one for a time, when UPDATE and DELETE did "
                               "not tell which rows they touched",
                               table.lane->name())};
  } else {
    end_->unexplained = ToString(table.source.name);
  }
  return error;
}

void Replicator::MatchToTable(Table& table) const {
  const postgres::RelationMessage& relation = table.relation->message();
  const bool may_be_older = transaction_commit_lsn_ < table.known_since;
  const RelationMatch match = MatchRelation(relation.columns, table.known, may_be_older);
  if (match.fit != RelationFit::kNow && match.fit != RelationFit::kOlder) return;
  // A name leaves no trace in the columns: a table may have had another one since then, and got its own back.
  const bool has_other_name = relation.schema != table.source.name.schema || relation.name != table.source.name.name;
  if (has_other_name && transaction_commit_lsn_ >= table.source.version.read_at) return;
  table.binding = BindColumns(table.lane->mapping(), table.source.columns, match.attnums);
  table.old_rows = OldRowsOf(relation, match.attnums, table.source, may_be_older);
}

Status Replicator::ApplyToTable(TableOid oid, const postgres::Message& message) {
  auto position = tables_.find(oid.value);
  if (position == tables_.end()) return {};  // Published, but not chosen by source.tables.
  Table& table = position->second;
  if (transaction_commit_lsn_ < table.lane->start()) return {};  // In the table already.
  if (!std::holds_alternative<postgres::TruncateMessage>(message.body)) {
    TRY_VOID(Bind(table, /*has_old_row=*/!std::holds_alternative<postgres::InsertMessage>(message.body)));
  }
  MarkDirty(table);
  ++rows_in_transaction_;
  TableLane& lane = *table.lane;
  lane.ContinueTransaction(transaction_commit_lsn_, transaction_time_us_);
  Status status;
  if (const auto* insert = std::get_if<postgres::InsertMessage>(&message.body)) {
    status = lane.Insert(*table.binding, insert->new_row);
  } else if (const auto* update = std::get_if<postgres::UpdateMessage>(&message.body)) {
    status = lane.Update(*table.binding, *update);
  } else if (const auto* deletion = std::get_if<postgres::DeleteMessage>(&message.body)) {
    status = lane.Delete(*table.binding, *deletion);
  } else {
    status = lane.Truncate();
  }
  return Watch(table, std::move(status).Context("table {}", lane.name()));
}

Status Replicator::Watch(const Table& table, Status status) {
  if (!status && IsTableError(status.error())) failure_ = {table.source.oid, status.error()};
  return status;
}

/// Ends the stream before the request can be acknowledged: it has to be on record first.
Status Replicator::HearRequest(const postgres::LogicalMessage& message) {
  const auto table = ParseCopyRequest(message, options_.slot);
  if (!table || transaction_commit_lsn_ <= options_.requests_heard) return {};
  const auto streamed = tables_.find(table->value);
  if (streamed != tables_.end() && transaction_commit_lsn_ < streamed->second.lane->start()) return {};
  if (!end_) end_.emplace();
  end_->request = {*table, transaction_commit_lsn_};
  return MakeError(ErrorKind::kConflict, "a table is to be copied again by request");
}

void Replicator::MarkDirty(Table& table) {
  table.uncommitted = true;
  if (table.dirty) return;
  if (dirty_.empty() && !written_) {
    oldest_change_ = options_.now();
    oldest_change_us_ = transaction_time_us_;
  }
  table.dirty = true;
  dirty_.push_back(&table);
}

// --- Flushes ---

Status Replicator::FlushWhereDue(bool now) {
  const size_t spooled_bytes = assembler_.spooled_bytes_in_memory();
  BufferedState state{.open_tables = dirty_.size(),
                      .flushing_bytes = flushing_bytes_ + spooled_bytes,
                      .has_changes = !dirty_.empty() || written_,
                      .oldest_change = oldest_change_,
                      .between_transactions = assembler_.between_transactions()};
  for (const Table* table : dirty_) state.open_bytes += table->lane->bytes();
  status_.buffered_bytes = static_cast<int64_t>(state.open_bytes + state.flushing_bytes);
  services_.writer.metrics.SetBufferedBytes(status_.buffered_bytes);

  const bool committer_is_free = committer_->jobs_in_flight() == 0;
  FlushDecision decision = DecideFlush(options_.flush, state, options_.now());
  if (now && state.has_changes && state.between_transactions) decision = FlushDecision::kCommit;
  switch (decision) {
    case FlushDecision::kWait:
      return {};
    case FlushDecision::kWriteNow:
      return Flush(/*commit=*/false);
    case FlushDecision::kWrite:
      return committer_is_free ? Flush(/*commit=*/false) : Status{};
    case FlushDecision::kCommit:
      if (!committer_is_free) return {};
      TRY_VOID(LookForChanges());
      return MayCommit() ? Flush(/*commit=*/true) : Status{};
  }
  return {};
}

Status Replicator::Flush(bool commit) {
  FlushJob job;
  if (commit) {
    for (auto& [oid, table] : tables_) table.uncommitted = false;
  }
  for (Table* table : std::exchange(dirty_, {})) {
    table->dirty = false;
    auto sealed = table->lane->Seal().Context("table {}", table->lane->name());
    batches_lost_ = !sealed;
    if (batches_lost_) return Watch(*table, std::unexpected(std::move(sealed).error()));
    TableBatch batch = std::move(*sealed);
    job.bytes += batch.bytes;
    job.parts.push_back({.writer = table->writer.get(), .batch = std::move(batch)});
  }
  if (commit) job.commit_lsn = applied_;
  written_ = !commit;
  flushing_bytes_ += job.bytes;
  while (!committer_->TrySubmit(job)) {
    TRY_VOID(stream_->KeepAlive(kPollInterval));
    TRY_VOID(TakeOutcomes());
  }
  // A few large rows take more than the budget: no others come in until they are written.
  while (flushing_bytes_ > options_.flush.memory_bytes && committer_->jobs_in_flight() > 0) {
    TRY_VOID(stream_->KeepAlive(kPollInterval));
    TRY_VOID(TakeOutcomes());
  }
  return {};
}

Status Replicator::CommitRewrite() {
  if (options_.rewriter == nullptr || written_ || committer_->jobs_in_flight() > 0) return {};
  auto rewrite = options_.rewriter->Take();
  if (!rewrite) return {};
  const auto table = std::ranges::find_if(
      tables_, [&](const auto& entry) { return entry.second.writer->table().ident == rewrite->table(); });
  if (table == tables_.end()) return {};
  FlushJob job{.rewrite = {{.writer = table->second.writer.get(), .files = std::move(rewrite)}}};
  if (!committer_->TrySubmit(job)) return MakeError(ErrorKind::kInternal, "the committer is free and takes no job");
  return {};
}

Status Replicator::TakeOutcomes() {
  while (true) {
    auto taken = committer_->TakeOutcome();
    if (!taken) {
      batches_lost_ = true;
      const TableWriter* writer = committer_->failed_writer();
      const bool is_one_table = writer != nullptr && IsTableError(taken.error());
      if (is_one_table) failure_ = {oids_.at(writer), taken.error()};
      return std::move(taken).error();
    }
    const auto outcome = std::move(*taken);
    if (!outcome) return {};
    flushing_bytes_ -= outcome->bytes;
    if (outcome->receipt) {
      progress_.Committed(*outcome->receipt);
      if (options_.rewriter != nullptr) options_.rewriter->Committed(outcome->receipt->tables());
      TRY_VOID(BeforeStep(Failpoint::kAcknowledgeBefore));
      Acknowledge();
      AfterStep(Failpoint::kAcknowledgeAfter);
    }
    for (const TableCommit& commit : outcome->tables) {
      TableStatus& row = status_.tables[status_rows_.at(commit.writer)];
      row.snapshot_id = commit.snapshot_id;
      row.contents = commit.contents;
      if (!outcome->receipt) continue;
      row.rows_written += commit.rows;
      row.committed_lsn = ToString(outcome->receipt->lsn());
      row.last_commit_ms = UnixMillisNow();
    }
  }
}

Status Replicator::AcknowledgeIdle() {
  // Nothing is buffered: all that was received concerns other tables, or is in Iceberg already.
  if (!idle() || stream_->received() <= progress_.committed()) return {};
  TRY(const auto receipt, catalog::CommitChanges(services_.catalog, {}, "", stream_->received(), options_.retry, {}));
  progress_.Committed(receipt);
  Acknowledge();
  return {};
}

void Replicator::Acknowledge() {
  const std::optional<Lsn> hold = options_.beside ? options_.beside->Hold() : std::nullopt;
  const Lsn before = acknowledged_;
  acknowledged_ = std::max(acknowledged_, hold ? std::min(*hold, progress_.committed()) : progress_.committed());
  stream_->SetAcknowledged(acknowledged_);
  if (acknowledged_ == before || !IsLogged(LogLevel::kDebug)) return;
  LogDebug(
      "acknowledged to the slot",
      {{"slot", options_.slot}, {"lsn", ToString(acknowledged_)}, {"held_at", hold ? ToString(*hold) : std::string()}});
}

// --- Status ---

double Replicator::LagSeconds() const {
  // What PostgreSQL has meanwhile is not read: no change of it is older.
  if (paused_since_) return std::chrono::duration<double>(options_.now() - *paused_since_).count();
  if (idle()) return 0;
  // What arrives and has given no row of these tables yet is as old as its transaction.
  const bool has_changes = !dirty_.empty() || written_ || committer_->jobs_in_flight() > 0;
  const int64_t oldest_us = has_changes ? oldest_change_us_ : transaction_time_us_;
  return std::max(0.0, static_cast<double>(UnixMicrosNow() - oldest_us) / 1e6);
}

void Replicator::PublishStatus() {
  const auto now = options_.now();
  if (now < status_due_ && status_.state != "stopping") return;
  status_due_ = now + kStatusInterval;
  Metrics& metrics = services_.writer.metrics;
  status_.received_bytes = stream_->bytes_received();
  status_.decoded_changes += changes_;
  metrics.AddReceived(stream_->bytes_received() - std::exchange(bytes_reported_, stream_->bytes_received()),
                      std::exchange(changes_, 0));
  status_.received_lsn = ToString(stream_->received());
  status_.applied_lsn = ToString(idle() ? stream_->received() : std::max(applied_, progress_.committed()));
  // Without a table in the stream nothing of it comes into Iceberg, whatever was read: that waits for the copies.
  const bool streams = status_.state != "copying";
  const Lsn committed = std::max(progress_.committed(), options_.begins_at);
  if (committed.valid() && streams) status_.committed_lsn = ToString(committed);
  if (acknowledged_.valid()) status_.acknowledged_lsn = ToString(acknowledged_);
  const Lsn end = std::max(stream_->server_end(), stream_->received());
  status_.server_lsn = ToString(end);
  if (streams) {
    status_.lag_bytes = committed.valid() && end > committed ? static_cast<int64_t>(end.value - committed.value) : 0;
    status_.lag_seconds = LagSeconds();
    metrics.SetLag(status_.lag_bytes, status_.lag_seconds);
  }
  if (options_.beside) options_.beside->Describe(status_);
  services_.status.Set(status_);
}

}  // namespace firn::pipeline
