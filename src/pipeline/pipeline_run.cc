#include "pipeline/pipeline_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string_view>
#include <utility>

#include "base/interruptible_sleep.h"
#include "base/try.h"
#include "base/unix_time.h"
#include "observe/log.h"
#include "pipeline/acknowledged_position.h"
#include "pipeline/delete_form.h"
#include "pipeline/left_out_tables.h"
#include "pipeline/renamed_tables.h"
#include "pipeline/shared_names.h"
#include "pipeline/slot_check.h"
#include "pipeline/source_watch.h"
#include "pipeline/start_over.h"

namespace firn::pipeline {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kPollInterval{50};
/// At the source, where there is nothing to copy and nothing to stream yet.
constexpr milliseconds kNextLook{1'000};
/// A slot whose walsender has not noticed yet that its client died is free again within this time.
constexpr milliseconds kSlotWait{10'000};
/// SQLSTATE: what PostgreSQL answers where a timeline's history file is gone.
constexpr std::string_view kUndefinedFile = "58P01";

}  // namespace

PipelineRun::PipelineRun(const PipelineOptions& options, ReplicatorServices services, std::optional<Lsn> until,
                         Carried& carried)
    : options_(options), services_(services), until_(until), carried_(carried) {
  status_.pipeline = options.source.slot;
  status_.state = "starting";
}

Result<RunEnd> PipelineRun::Run(std::stop_token stop) {
  carried_.copies.Collect();
  TRY_VOID(FindTables(stop));
  TRY_VOID(DropUnusedIndexes());
  // Whatever was copied before and is not streamed now is marked before the stream goes on, and with it what is
  // acknowledged.
  for (Table& table : tables_) TRY_VOID(Sort(table, stop));
  TRY_VOID(CheckSomeTableCanGo());
  ShowTables();
  StartCopies();
  if (stop.stop_requested()) return RunEnd::kDone;
  return source_.slot ? Stream(stop) : CopyInForeground(stop);
}

// --- Source and targets ---

Status PipelineRun::FindTables(std::stop_token stop) {
  bool started_over = false;
  while (true) {
    const Status looked = Look(stop);
    if (!looked && !started_over && StartsOver(options_.source, looked.error())) {
      started_over = true;
      TRY_VOID(StartOver(options_.source, services_.catalog, source_.tables, options_.naming, identity(),
                         options_.retry, options_.state_dir, looked.error(), stop));
      continue;
    }
    TRY_VOID(looked);
    if (!carried_.has_run) {
      TRY_VOID(MarkLeftOutTables(services_.catalog, source_, options_.naming, identity(), options_.retry, stop));
    }
    TRY_VOID(CheckSomeTableCanGo());
    NoteUnpublished();
    TRY(const bool is_changed, PreparePublication(options_.source, source_));
    if (!is_changed) break;
  }
  NoteStopped();
  services_.writer.metrics.SetTableCount(static_cast<int64_t>(tables_.size()));
  return {};
}

/// What there is on both sides, and whether the stream goes on where the tables are.
Status PipelineRun::Look(std::stop_token stop) {
  TRY_VOID(LookAtSource());
  const auto is_copied = [this](TableOid oid) { return carried_.copies.Copies(oid); };
  TRY(name_problems_, FindNameProblems(services_.catalog, source_.tables, options_.naming, is_copied));
  TryMendedAtOnce();
  std::vector<SourceTable> sources;
  for (const Table& table : tables_) {
    const bool has_place = !name_problems_.contains(table.source.oid);
    if (has_place && !carried_.copies.Copies(table.source.oid)) sources.push_back(table.source);
  }
  TRY_VOID(FollowRenamedTables(services_.catalog, sources, options_.naming, identity()));
  for (Table& table : tables_) TRY_VOID(FindTarget(table, stop));
  TRY_VOID(CheckSlot());
  return CheckTimeline();
}

/// At the start the operator is there to mend what keeps all tables from going on; and nothing is made then.
Status PipelineRun::CheckSomeTableCanGo() const {
  const bool all_wait = std::ranges::all_of(
      tables_, [&](const Table& table) { return carried_.copies.Waiting(table.source) != nullptr; });
  if (!carried_.has_run && all_wait && first_failure_) return *first_failure_;
  return {};
}

Status PipelineRun::LookAtSource() {
  TRY(source_, InspectSource(options_.source));
  // The last table may be dropped while firn runs: others may come.
  const bool all_were_dropped = carried_.has_run && source_.tables.empty() && source_.problems.size() == 1;
  writer_options_ = options_.writer;
  // What is read from a standby may come of another timeline by now; and its own slots follow it alone.
  writer_options_.writer = {.pipeline = options_.source.slot,
                            .system_identifier = source_.facts.system_identifier,
                            .timeline = source_.facts.in_recovery ? 0 : source_.facts.timeline};
  // A loss that can be made good is the last problem to speak of.
  std::ranges::stable_partition(source_.problems,
                                [&](const Error& problem) { return !StartsOver(options_.source, problem); });
  if (!source_.problems.empty() && !all_were_dropped) return source_.problems.front();
  for (const std::string& warning : source_.warnings) {
    if (carried_.warnings.insert(warning).second) {
      LogWarn("the source has something to look at", {{"slot", status_.pipeline}, {"warning", warning}});
    }
  }
  carried_.copies.Keep(source_.tables);
  tables_.clear();
  for (const SourceTable& source : source_.tables) tables_.push_back({.source = source});
  return {};
}

/// What mends such a problem need not show in the table itself.
void PipelineRun::TryMendedAtOnce() {
  const auto is_barred = [this](TableOid oid) {
    return name_problems_.contains(oid) || source_.stream_problems.contains(oid);
  };
  for (const TableOid oid : carried_.barred) {
    if (!is_barred(oid)) carried_.copies.Hurry(oid);
  }
  std::erase_if(carried_.barred, [&](TableOid oid) { return !is_barred(oid); });
}

/// Those that are there already; the others are made by their copy.
Status PipelineRun::FindTarget(Table& table, std::stop_token stop) {
  TRY(table.settings, options_.settings_of(table.source.name));
  if (carried_.copies.Copies(table.source.oid)) return {};
  if (const auto* waiting = carried_.copies.Waiting(table.source)) {
    table.why_copied = waiting->reason;
    return {};
  }
  if (const auto problem = name_problems_.find(table.source.oid); problem != name_problems_.end()) {
    // Not the table of its name, which is another's; but one that it had under a name before.
    TRY_VOID(MarkTableOf(services_.catalog, table.source.oid, identity(), problem->second.message(), options_.retry,
                         std::move(stop))
                 .Context("table {}", table.source.name));
    carried_.barred.insert(table.source.oid);
    return Park(table, problem->second);
  }
  if (const auto problem = source_.stream_problems.find(table.source.oid); problem != source_.stream_problems.end()) {
    carried_.barred.insert(table.source.oid);
    // At once, even where nothing else is done: once it is mended nothing tells what the changes until then were.
    TRY_VOID(MarkTable(services_.catalog, options_.naming.IdentOf(table.source.name), identity(),
                       problem->second.message(), options_.retry, std::move(stop))
                 .Context("table {}", table.source.name));
    return Park(table, problem->second);
  }
  auto target = FindTargetTable(services_.catalog, table.source, options_.naming, table.settings, identity(),
                                source_.slot ? source_.slot->confirmed_flush_lsn : Lsn{})
                    .Context("table {}", table.source.name);
  if (!target) return Park(table, std::move(target).error());
  table.target = std::move(*target);
  // Nobody would notice what keeps a table from being copied until its copy: say so before anything is made.
  if (table.target) return {};
  if (const auto problem = source_.table_problems.find(table.source.oid); problem != source_.table_problems.end()) {
    return Park(table, problem->second);
  }
  Status usable = CheckNewTargetTable(table.source, table.settings).Context("table {}", table.source.name);
  return usable ? Status{} : Park(table, std::move(usable).error());
}

/// Before anything is made or acknowledged: whether the stream goes on where the tables are.
Status PipelineRun::CheckSlot() {
  SlotSituation situation{
      .name = options_.source.slot, .slot = source_.slot, .acknowledged_file = AcknowledgedFile(options_.state_dir)};
  TRY(situation.acknowledged, ReadAcknowledged(options_.state_dir));
  for (const Table& table : tables_) {
    situation.server_end = std::max(situation.server_end, table.source.version.read_at);
    if (!table.target || !table.target->progress) continue;
    const Lsn lsn = table.target->progress->lsn;
    if (situation.committed && lsn <= *situation.committed) continue;
    situation.committed = lsn;
    situation.table = ToString(table.source.name);
  }
  if (auto problem = FindSlotProblem(situation)) return *std::move(problem);
  if (source_.slot) slot_known_ = source_.slot->confirmed_flush_lsn;
  return {};
}

/// The same of a server that was promoted, or restored, and whose log has become longer than the one before.
Status PipelineRun::CheckTimeline() const {
  const int timeline = identity().timeline;
  std::vector<CommittedTable> tables;
  for (const Table& table : tables_) {
    if (!table.target || !table.target->progress) continue;
    const TableProgress& progress = *table.target->progress;
    if (progress.writer.timeline == 0 || progress.writer.timeline == timeline) continue;
    tables.push_back({.name = ToString(table.source.name), .lsn = progress.lsn, .timeline = progress.writer.timeline});
  }
  if (timeline == 0 || tables.empty()) return {};
  const auto read = [&]() -> Result<std::map<int, Lsn>> {
    postgres::ConnectionOptions replication = options_.source.connection;
    replication.replication = true;
    TRY(auto walsender, postgres::Connection::Open(replication));
    return postgres::ReadTimelineHistory(walsender, timeline);
  };
  const auto left_at = read();
  if (!left_at) {
    const bool is_missing = left_at.error().native_code() == kUndefinedFile;
    if (!is_missing && RetryPolicy::IsRetryable(left_at.error())) return left_at.error();
    LogWarn("whether a promoted or restored server has all that the tables hold can't be told: see by firn verify",
            {{"timeline", timeline}, {"reason", left_at.error().message()}});
    return {};
  }
  if (auto problem = FindTimelineProblem(tables, timeline, *left_at)) return *std::move(problem);
  return {};
}

Status PipelineRun::Park(Table& table, Error error) {
  const bool is_for_operator = !carried_.has_run && error.kind() == ErrorKind::kInvalidConfig;
  if (is_for_operator || !IsTableError(error)) return error;
  carried_.copies.Failed(table.source, error);
  table.why_copied = error.message();
  table.target.reset();
  if (!first_failure_) first_failure_ = std::move(error);
  return {};
}

void PipelineRun::NoteUnpublished() {
  for (const Table& table : tables_) {
    const bool is_unpublished = std::ranges::find(source_.unpublished, table.source.name) != source_.unpublished.end();
    if (!is_unpublished || !table.target || !table.target->progress) continue;
    carried_.copy_again.emplace(table.source.oid, "it was not in the publication for a time");
  }
}

void PipelineRun::NoteStopped() {
  std::map<TableOid, TableName> now;
  std::set<TableName> names;
  for (const Table& table : tables_) {
    now.emplace(table.source.oid, table.source.name);
    names.insert(table.source.name);
  }
  for (const auto& [oid, name] : carried_.tables) {
    if (now.contains(oid) || names.contains(name)) continue;
    LogWarn("a table is no longer in the source or its publication: its Iceberg table stays as it is",
            {{"table", ToString(name)}});
    services_.writer.metrics.SetTableParked(ToString(name), false);
    carried_.stopped.emplace(oid, name);
  }
  std::erase_if(carried_.stopped,
                [&](const auto& stopped) { return now.contains(stopped.first) || names.contains(stopped.second); });
  carried_.tables = std::move(now);
}

Status PipelineRun::DropUnusedIndexes() {
  std::set<std::string> used;
  for (const Table& table : tables_) {
    // What index a table has that is being copied or that waits is not known now: another run can tell.
    const bool is_known = !carried_.copies.Copies(table.source.oid) && table.why_copied.empty();
    if (!is_known) return {};
    if (table.target) used.insert(IndexNameOf(*table.target->table.metadata, table.target->layout));
  }
  TRY(const auto indexes, services_.writer.index.TableIds());
  for (const std::string& index : indexes) {
    if (used.contains(index)) continue;
    LogInfo("dropping an index that no table uses any more", {{"index", index}});
    TRY_VOID(services_.writer.index.DropTable(index));
  }
  return {};
}

// --- What becomes of each table ---

Status PipelineRun::Sort(Table& table, std::stop_token stop) {
  const TableOid oid = table.source.oid;
  if (carried_.copies.Copies(oid)) return {};
  if (table.target) TRY_VOID(FollowSource(table, stop));
  const bool waits = carried_.copies.Waiting(table.source) != nullptr;
  if (!waits && table.target && table.target->progress) {
    table.is_streamed = true;
    carried_.copies.Streams(table.source);
    // Of a copy that was committed just before a crash.
    return CopyCheckpoints(CopyCheckpointsFolder(options_.state_dir)).Forget(oid);
  }
  if (const auto problem = source_.table_problems.find(oid); !waits && problem != source_.table_problems.end()) {
    TRY_VOID(Park(table, problem->second));
  }
  table.is_queued = carried_.copies.Waiting(table.source) == nullptr;
  const bool has_table = !name_problems_.contains(oid);
  if (has_table && !table.why_copied.empty() && !(table.target && table.target->mark == table.why_copied)) {
    TRY_VOID(MarkTable(services_.catalog, options_.naming.IdentOf(table.source.name), identity(), table.why_copied,
                       options_.retry, stop)
                 .Context("table {}", table.source.name));
  }
  carried_.copy_again.erase(oid);
  return {};
}

/// Schemas first, so that the rows which are copied next, and streamed, find them.
Status PipelineRun::FollowSource(Table& table, std::stop_token stop) {
  Status followed = pipeline::FollowSource(services_.catalog, *table.target, options_.retry, std::move(stop),
                                           services_.writer.metrics)
                        .Context("table {}", table.source.name);
  if (!followed) return Park(table, std::move(followed).error());
  const auto asked = carried_.copy_again.find(table.source.oid);
  if (table.target->mark) {
    table.why_copied = *table.target->mark;
  } else if (asked != carried_.copy_again.end()) {
    table.why_copied = asked->second;
    table.target->progress.reset();
  } else if (!table.target->progress && table.target->change) {
    table.why_copied = table.target->change->copy_again;
  }
  return {};
}

void PipelineRun::ShowTables() {
  const PipelineStatus before = services_.status.Get();
  if (before.state == "copying" || before.state == "streaming") {
    status_.state = before.state;
    status_.server_lsn = before.server_lsn;
    status_.lag_bytes = before.lag_bytes;
    status_.lag_seconds = before.lag_seconds;
  }
  carried_.parked.clear();
  for (const Table& table : tables_) {
    TableStatus row{.source = ToString(table.source.name)};
    // What was counted goes on to be.
    const auto known = std::ranges::find(before.tables, row.source, &TableStatus::source);
    if (known != before.tables.end()) row = *known;
    row.target = ToString(options_.naming.IdentOf(table.source.name));
    row.state = table.is_streamed                                ? TableState::kStreaming
                : carried_.copies.LeftOver(table.source.oid) > 0 ? TableState::kCopying
                                                                 : TableState::kPending;
    row.reason = table.is_streamed ? "" : table.why_copied;
    row.rows_estimated = table.source.estimated_rows;
    row.next_try_ms = 0;
    if (const auto* waiting = carried_.copies.Waiting(table.source)) {
      row.next_try_ms = UnixMillisNow() + std::chrono::ceil<milliseconds>(waiting->due - Clock::now()).count();
      if (waiting->is_parked) {
        row.state = TableState::kParked;
        carried_.parked.push_back(waiting->reason);
      }
    }
    services_.writer.metrics.AddTable(row.source);
    status_.tables.push_back(std::move(row));
  }
  for (const auto& [oid, name] : carried_.stopped) {
    status_.tables.push_back({.source = ToString(name),
                              .target = ToString(options_.naming.IdentOf(name)),
                              .state = TableState::kStopped,
                              .reason = "it is no longer in the source or its publication"});
  }
  carried_.copies.Describe(status_);
  services_.status.Set(status_);
}

// --- Copies ---

void PipelineRun::StartCopies() {
  if (carried_.copies.round() != nullptr) return;
  std::vector<CopiedTable> tables;
  for (const Table& table : tables_) {
    if (!table.is_queued) continue;
    tables.push_back({.source = table.source, .settings = table.settings});
    carried_.copies.Describe(tables.back());
  }
  if (tables.empty()) return;
  carried_.has_run = true;
  // The stream has the other half of the memory, where there is one before the round's end.
  const bool is_beside_stream = source_.slot || tables.size() > 1;
  const size_t memory_bytes = is_beside_stream ? options_.flush.memory_bytes / 2 : options_.flush.memory_bytes;
  CopyRoundOptions round{.source = options_.source,
                         .slot_exists = source_.slot.has_value(),
                         .generated = GeneratedColumnsOf(source_),
                         .naming = options_.naming,
                         .copy = {.connection = options_.source.connection,
                                  .workers = options_.copy_workers,
                                  .split_tables = postgres::HasTidRangeScan(source_.facts.version),
                                  .range_bytes = options_.copy_range_bytes,
                                  .batch_rows = options_.batch_rows,
                                  .memory_bytes = memory_bytes,
                                  .key_bytes_max = options_.flush.memory_bytes / 8,
                                  .writer = writer_options_,
                                  .retry = options_.retry},
                         .checkpoints = CopyCheckpointsFolder(options_.state_dir),
                         .timeline = source_.facts.timeline,
                         .wal_limit_bytes = options_.copy_wal_limit_bytes,
                         .outside = options_.outside};
  carried_.copies.Start(
      std::make_unique<CopyRound>(std::move(round), std::move(tables), services_.catalog, services_.writer));
}

Result<RunEnd> PipelineRun::CopyInForeground(std::stop_token stop) {
  status_.state = "copying";
  if (carried_.copies.round() == nullptr) {
    SleepFor(kNextLook, stop);
    return stop.stop_requested() ? RunEnd::kDone : RunEnd::kAgain;
  }
  while (!carried_.copies.round()->WaitForEnd(kPollInterval)) {
    if (carried_.copies.WantsStart()) return RunEnd::kAgain;  // The slot is there, and some tables can be streamed.
    carried_.copies.Describe(status_);
    services_.status.Set(status_);
    if (stop.stop_requested()) carried_.copies.RequestStop();
  }
  carried_.copies.Describe(status_);
  services_.status.Set(status_);
  const auto error = carried_.copies.Collect();
  if (stop.stop_requested()) return RunEnd::kDone;
  if (error) return *error;
  return RunEnd::kAgain;
}

// --- The stream ---

Result<RunEnd> PipelineRun::Stream(std::stop_token stop) {
  bool binary = true;
  std::vector<TargetTable> targets;
  std::vector<SourceTable> watched;
  for (Table& table : tables_) {
    // What is being copied is looked at by its copy.
    if (!carried_.copies.Copies(table.source.oid)) watched.push_back(table.source);
    if (!table.is_streamed) continue;
    TRY_VOID(AdoptDeleteForm(services_.catalog, table.target->settings, table.target->table, options_.retry, stop,
                             &services_.writer.metrics));
    binary = binary && table.target->mapping.StreamsBinary();
    slot_known_ = std::max(slot_known_, table.target->progress->lsn);  // The slot was made with a copy.
    targets.push_back(std::move(*table.target));
  }
  ReplicatorOptions options{.flush = options_.flush,
                            .writer = writer_options_,
                            .slot = options_.source.slot,
                            .spool = {.directory = options_.state_dir + "/spool"},
                            .retry = options_.retry,
                            .until = until_,
                            .beside = &carried_.copies,
                            .pause = options_.pause,
                            .rewriter = options_.rewriter,
                            .begins_at = slot_known_,
                            .requests_heard = carried_.requests_heard};
  if (carried_.copies.round() != nullptr) options.flush.memory_bytes /= 2;
  auto watch = std::make_shared<SourceWatch>(options_.source, watched, source_.table_set);
  options.look_for_changes = [watch](std::span<const postgres::Xid> transactions) { return watch->Look(transactions); };
  options.spool.memory_bytes = std::max<size_t>(options.flush.memory_bytes / 16, 64 << 10);
  const size_t streamed = targets.size();
  status_.state = streamed == 0 && carried_.copies.round() != nullptr ? "copying" : "streaming";
  if (options_.rewriter != nullptr) {
    std::vector<TableRewriter::Table> tables;
    for (const TargetTable& target : targets) tables.push_back({target.table.ident, ToString(target.source.name)});
    options_.rewriter->Streams(std::move(tables));
  }
  TRY(auto replicator, Replicator::Make(std::move(options), services_, std::move(targets), status_));
  TRY(auto stream, OpenStream(binary, stop));
  if (source_.facts.in_recovery) {
    TRY(auto connection, postgres::Connection::Open(options_.source.connection));
    TRY(const bool is_standby, postgres::IsInRecovery(connection));
    if (!is_standby) return RunEnd::kAgain;  // Promoted just now: its timeline is to be looked at.
  }
  carried_.has_run = true;
  has_streamed_ = true;
  services_.status.Set(status_);
  LogInfo("streaming changes", {{"slot", options_.source.slot}, {"tables", streamed}, {"binary", binary}});
  TRY(StreamEnd end, replicator->Run(*stream, stop));
  return TakeEnd(std::move(end), stop);
}

Result<RunEnd> PipelineRun::TakeEnd(StreamEnd end, const std::stop_token& stop) {
  for (const TableOid oid : end.copy_again) {
    carried_.copy_again.emplace(oid, "its rows can't be told from the stream with certainty");
  }
  if (end.failure) {
    const auto table = std::ranges::find(tables_, end.failure->table, [](const Table& t) { return t.source.oid; });
    carried_.copies.Failed(table->source, end.failure->error);
    carried_.copy_again.insert_or_assign(end.failure->table, end.failure->error.message());
  }
  if (end.request) {
    carried_.requests_heard = end.request->lsn;
    const auto table = carried_.tables.find(end.request->table);
    if (table != carried_.tables.end() && !carried_.copies.Copies(table->first)) {
      LogInfo("a table is copied again by request", {{"table", ToString(table->second)}});
      carried_.copies.Hurry(table->first);
      carried_.copy_again.insert_or_assign(table->first, "firn resync was asked for");
    }
  }
  if (!end.unexplained.empty()) {
    // What came before it is committed; the next start reads the rest.
    if (stop.stop_requested()) return RunEnd::kDone;
    return MakeError(ErrorKind::kConflict, ErrorOrigin::kSource,
                     "table {}: the stream describes a definition that PostgreSQL's catalogs don't show (yet)",
                     end.unexplained);
  }
  if (end.source_changed) return RunEnd::kSourceChanged;
  return end.again || end.failure || end.request ? RunEnd::kAgain : RunEnd::kDone;
}

Result<std::unique_ptr<postgres::ReplicationStream>> PipelineRun::OpenStream(bool binary, std::stop_token stop) {
  const postgres::StreamOptions options{.connection = options_.source.connection,
                                        .slot = options_.source.slot,
                                        .publications = {options_.source.publication},
                                        .binary = binary,
                                        .messages = true};
  const auto deadline = Clock::now() + kSlotWait;
  while (true) {
    auto stream = postgres::ReplicationStream::Open(options);
    const bool in_use = !stream && stream.error().kind() == ErrorKind::kConflict;
    if (!in_use || Clock::now() >= deadline || !SleepFor(milliseconds(250), stop)) {
      // Another firn holds the slot: a second one must not wait for its place. After a network failure it may be our
      // own walsender, which the server has not given up yet.
      if (in_use && !carried_.has_run) return std::move(stream.error()).WithKind(ErrorKind::kSourceLost);
      if (!stream) return stream;
      return RecordAcknowledged(*std::move(stream), options_.state_dir, slot_known_);
    }
  }
}

}  // namespace firn::pipeline
