#include "pipeline/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <random>
#include <set>
#include <thread>
#include <utility>

#include "base/interruptible_sleep.h"
#include "base/try.h"
#include "base/unix_time.h"
#include "observe/log.h"
#include "pipeline/acknowledged_position.h"
#include "pipeline/delete_form.h"
#include "pipeline/renamed_tables.h"
#include "pipeline/slot_check.h"
#include "pipeline/source_watch.h"

namespace firn::pipeline {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kStatusInterval{200};
/// A slot whose walsender has not noticed yet that its client died is free again within this time.
constexpr milliseconds kSlotWait{10'000};
/// A run that streamed this long was healthy: the next failure starts with the first delay again.
constexpr std::chrono::seconds kHealthyRun{60};

/// Where the WAL ends now, in a form that the stream reaches when nothing more is written: an insert position just
/// behind a page header stands for the end of the page before.
Result<Lsn> ReadTargetLsn(const SourceOptions& source) {
  constexpr uint64_t kWalPage = 8192, kLongestPageHeader = 40;
  TRY(postgres::Connection connection, postgres::Connection::Open(source.connection));
  TRY(const auto result, connection.Query("SELECT pg_current_wal_insert_lsn()"));
  TRY(Lsn lsn, Lsn::Parse(result.Get(0, 0)));
  if (lsn.value % kWalPage <= kLongestPageHeader) lsn.value -= lsn.value % kWalPage;
  return lsn;
}

/// What one run leaves to the next.
struct Carried {
  bool has_run = false;           ///< Else what is wrong is for the operator.
  std::set<TableOid> copy_again;  ///< To be copied whether or not that shows in their definition.
  std::set<TableName> tables;     ///< That there were.
  std::set<TableName> awaited;    ///< That were dropped or renamed: another may be made under the name.
};

/// Also what a table's renaming, dropping or altering brings about between two looks at it.
bool MayPass(const Error& error) {
  return RetryPolicy::IsRetryable(error) ||
         (error.origin() == ErrorOrigin::kSource &&
          (error.kind() == ErrorKind::kTableNotFound || error.kind() == ErrorKind::kSchemaMismatch));
}

class PipelineRun {
 public:
  PipelineRun(const PipelineOptions& options, ReplicatorServices services, std::optional<Lsn> until, Carried& carried)
      : options_(options), services_(services), until_(until), carried_(carried) {
    status_.pipeline = options.source.slot;
    status_.state = "starting";
  }

  Result<StreamEnd> Run(std::stop_token stop) {
    TRY(const SourceState source, InspectSource(options_.source));
    // The last table may be dropped while firn runs: others may come.
    const bool all_were_dropped = carried_.has_run && source.tables.empty() && source.problems.size() == 1;
    if (!source.problems.empty() && !all_were_dropped) return source.problems.front();
    for (const std::string& warning : source.warnings) LogWarn(warning, {{"pipeline", status_.pipeline}});
    const PipelineIdentity identity{.pipeline = options_.source.slot,
                                    .system_identifier = source.facts.system_identifier};
    AwaitMissing(source.tables);
    writer_options_ = options_.writer;
    writer_options_.writer = identity;
    TRY_VOID(FollowRenamedTables(services_.catalog, source.tables, options_.naming, identity));
    TRY_VOID(FindTargets(source, identity));
    TRY_VOID(CheckSlot(source));
    TRY_VOID(PreparePublication(options_.source, source));
    if (source.slot) TRY_VOID(FollowChanges(stop));
    TRY_VOID(CopyMissing(source, stop));
    if (stop.stop_requested()) return StreamEnd{};
    return Stream(stop);
  }

 private:
  void AwaitMissing(const std::vector<SourceTable>& tables) {
    std::set<TableName> now;
    for (const SourceTable& table : tables) now.insert(table.name);
    std::ranges::set_difference(carried_.tables, now, std::inserter(carried_.awaited, carried_.awaited.end()));
    for (const TableName& name : now) carried_.awaited.erase(name);
    carried_.tables = std::move(now);
  }

  /// Tables that are there already; the others are made once the source has its slot.
  Status FindTargets(const SourceState& source, const PipelineIdentity& identity) {
    for (const SourceTable& table : source.tables) {
      TRY(TableSettings settings, options_.settings_of(table.name));
      TRY(auto target, FindTargetTable(services_.catalog, table, options_.naming, settings, identity,
                                       source.slot ? source.slot->confirmed_flush_lsn : Lsn{})
                           .Context("table {}", table.name));
      // Nobody would notice a column that can't be stored until the copy: say so before anything is made.
      if (!target) TRY_VOID(CheckNewTargetTable(table, settings).Context("table {}", table.name));
      status_.tables.push_back({.source = ToString(table.name),
                                .target = ToString(options_.naming.IdentOf(table.name)),
                                .state = target && target->progress ? TableState::kStreaming : TableState::kPending,
                                .rows_estimated = table.estimated_rows});
      sources_.push_back(table);
      settings_.push_back(std::move(settings));
      targets_.push_back(std::move(target));
    }
    services_.writer.metrics.SetTableCount(static_cast<int64_t>(sources_.size()));
    services_.status.Set(status_);
    return {};
  }

  /// Before anything is made or acknowledged: whether the stream goes on where the tables are.
  Status CheckSlot(const SourceState& source) {
    SlotSituation situation{
        .name = options_.source.slot, .slot = source.slot, .acknowledged_file = AcknowledgedFile(options_.state_dir)};
    TRY(situation.acknowledged, ReadAcknowledged(options_.state_dir));
    for (size_t i = 0; i < targets_.size(); ++i) {
      situation.server_end = std::max(situation.server_end, sources_[i].version.read_at);
      if (!targets_[i] || !targets_[i]->progress) continue;
      const Lsn lsn = targets_[i]->progress->lsn;
      if (situation.committed && lsn <= *situation.committed) continue;
      situation.committed = lsn;
      situation.table = ToString(sources_[i].name);
    }
    if (auto problem = FindSlotProblem(situation)) return *std::move(problem);
    if (source.slot) slot_known_ = source.slot->confirmed_flush_lsn;
    return {};
  }

  /// Schemas first, so that the rows which are copied next, and streamed, find them.
  Status FollowChanges(std::stop_token stop) {
    for (size_t i = 0; i < targets_.size(); ++i) {
      if (!targets_[i]) continue;
      TRY_VOID(FollowSource(services_.catalog, *targets_[i], options_.retry, stop, services_.writer.metrics)
                   .Context("table {}", sources_[i].name));
      if (carried_.copy_again.contains(sources_[i].oid)) targets_[i]->progress.reset();
      if (!targets_[i]->progress) status_.tables[i].state = TableState::kPending;
    }
    return {};
  }

  /// The tables to copy as the snapshot sees them, and with that what has to change in the Iceberg tables.
  Status FindCopied(const std::vector<size_t>& missing, const SourceState& source, const SourceSnapshot& snapshot) {
    std::vector<SourceTable*> tables;
    for (const size_t i : missing) tables.push_back(&sources_[i]);
    TRY_VOID(ReadAtSnapshot(options_.source, source, snapshot, tables));
    for (const size_t i : missing) {
      const SourceTable& table = sources_[i];
      if (targets_[i]) {
        TRY(targets_[i],
            FindTargetTable(services_.catalog, table, options_.naming, settings_[i], writer_options_.writer)
                .Context("table {}", table.name));
      }
      if (!targets_[i]) {
        TRY(targets_[i],
            CreateTargetTable(services_.catalog, table, options_.naming, settings_[i]).Context("table {}", table.name));
      }
    }
    return {};
  }

  Status CopyMissing(const SourceState& source, std::stop_token stop) {
    std::vector<size_t> missing;
    for (size_t i = 0; i < targets_.size(); ++i) {
      if (!targets_[i] || !targets_[i]->progress) missing.push_back(i);
    }
    if (missing.empty()) return {};
    LogInfo("making a snapshot: PostgreSQL waits for the transactions that are open now to end",
            {{"tables", missing.size()}});
    TRY(const SourceSnapshot snapshot, OpenSnapshot(options_.source, source.slot.has_value()));
    status_.state = "copying";
    services_.status.Set(status_);
    TRY_VOID(FindCopied(missing, source, snapshot));
    std::vector<TargetTable> copies;
    for (const size_t i : missing) copies.push_back(*targets_[i]);
    std::vector<CopyProgress> progress(copies.size());
    const CopyOptions copy{.connection = options_.source.connection,
                           .snapshot_name = snapshot.slot.snapshot_name,
                           .lsn = snapshot.slot.consistent_point,
                           .taken_at_us = snapshot.taken_at_us,
                           .workers = options_.copy_workers,
                           .split_tables = postgres::HasTidRangeScan(source.facts.version),
                           .batch_rows = options_.batch_rows,
                           .memory_bytes = options_.flush.memory_bytes,
                           .writer = writer_options_,
                           .retry = options_.retry};
    Status result;
    {
      std::jthread reporter([&](std::stop_token end) {
        while (SleepFor(kStatusInterval, end)) PublishCopy(missing, progress);
      });
      result = CopyTables(copy, services_.catalog, services_.writer, copies, progress, stop);
    }
    PublishCopy(missing, progress);
    for (size_t i = 0; i < missing.size(); ++i) {
      if (progress[i].done) carried_.copy_again.erase(copies[i].source.oid);
      targets_[missing[i]] = std::move(copies[i]);
    }
    if (!result && result.error().kind() == ErrorKind::kCancelled && stop.stop_requested()) return {};
    return result;
  }

  void PublishCopy(const std::vector<size_t>& tables, const std::vector<CopyProgress>& progress) {
    for (size_t i = 0; i < tables.size(); ++i) {
      TableStatus& row = status_.tables[tables[i]];
      row.rows_copied = progress[i].rows;
      if (progress[i].started) row.state = TableState::kCopying;
      if (progress[i].done) row.state = TableState::kStreaming;
    }
    services_.status.Set(status_);
  }

  Result<StreamEnd> Stream(std::stop_token stop) {
    bool binary = true;
    std::vector<TargetTable> targets;
    for (auto& target : targets_) {
      TRY_VOID(AdoptDeleteForm(services_.catalog, target->settings, target->table));
      binary = binary && target->mapping.StreamsBinary();
      slot_known_ = std::max(slot_known_, target->progress->lsn);  // The slot was made with a copy.
      targets.push_back(std::move(*target));
    }
    ReplicatorOptions options{.flush = options_.flush,
                              .writer = writer_options_,
                              .spool = {.directory = options_.state_dir + "/spool"},
                              .retry = options_.retry,
                              .until = until_};
    auto watch = std::make_shared<SourceWatch>(options_.source.connection, sources_, carried_.awaited);
    options.look_for_changes = [watch](std::span<const postgres::Xid> transactions) {
      return watch->Look(transactions);
    };
    options.spool.memory_bytes = std::max<size_t>(options_.flush.memory_bytes / 16, 64 << 10);
    status_.state = "streaming";
    TRY(auto replicator, Replicator::Make(std::move(options), services_, std::move(targets), status_));
    TRY(auto stream, OpenStream(binary, stop));
    services_.status.Set(status_);
    LogInfo("streaming changes", {{"slot", options_.source.slot}, {"tables", sources_.size()}, {"binary", binary}});
    return replicator->Run(*stream, stop);
  }

  Result<std::unique_ptr<postgres::ReplicationStream>> OpenStream(bool binary, std::stop_token stop) {
    const postgres::StreamOptions options{.connection = options_.source.connection,
                                          .slot = options_.source.slot,
                                          .publications = {options_.source.publication},
                                          .binary = binary};
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

  const PipelineOptions& options_;
  ReplicatorServices services_;
  std::optional<Lsn> until_;
  Carried& carried_;
  PipelineStatus status_;
  TableWriterOptions writer_options_;
  Lsn slot_known_;  ///< The slot is no further when the stream begins.
  std::vector<SourceTable> sources_;
  std::vector<TableSettings> settings_;              ///< Beside sources_.
  std::vector<std::optional<TargetTable>> targets_;  ///< Beside sources_.
};

}  // namespace

Status RunPipeline(const PipelineOptions& options, ReplicatorServices services, std::stop_token stop) {
  std::optional<Lsn> until;
  if (options.until_caught_up) {
    TRY(until, ReadTargetLsn(options.source));
  }
  std::mt19937 random(std::random_device{}());
  Carried carried;
  int retry = 0;
  while (true) {
    const auto start = Clock::now();
    auto ended = PipelineRun(options, services, until, carried).Run(stop);
    if (stop.stop_requested()) {
      if (ended) return {};
      // Before it streamed nothing was buffered: what would have passed by the next try is no failure of the stop.
      const bool had_streamed = services.status.Get().state == "streaming" || services.status.Get().state == "stopping";
      if (had_streamed || !MayPass(ended.error())) return std::move(ended).error();
      LogWarn("stopped after an error", {{"error", ended.error().message()}});
      return {};
    }
    if (Clock::now() - start > kHealthyRun) retry = 0;
    Status result;
    if (ended) {
      carried.copy_again.insert(ended->copy_again.begin(), ended->copy_again.end());
      if (ended->unexplained.empty() && !ended->source_changed) return {};
      LogInfo("a table was altered in PostgreSQL: looking at the source again", {{"pipeline", options.source.slot}});
      carried.has_run = true;
      if (ended->unexplained.empty()) continue;
      result = MakeError(ErrorKind::kConflict, ErrorOrigin::kSource,
                         "table {}: the stream describes columns that PostgreSQL's catalogs don't show (yet)",
                         ended->unexplained);
      // The catalogs showed them when they were looked at again, most often.
      if (retry++ == 0) continue;
    } else {
      result = std::move(ended).error();
      // What is wrong before anything ran is for the operator; later, a failure may pass.
      const std::string reached = services.status.Get().state;
      carried.has_run = carried.has_run || reached == "copying" || reached == "streaming";
      if (!carried.has_run || !MayPass(result.error())) return result;
    }
    if (retry >= options.retry.max_retries) {
      return std::move(result.error())
          .WithKind(ErrorKind::kWriteFailed)
          .WithContext(fmt::format("given up after {} retries", retry));
    }
    services.status.SetFailure(result.error().message(), UnixMillisNow());
    const milliseconds delay = options.retry.Delay(retry++, random);
    LogWarn("starting again after an error",
            {{"error", result.error().message()}, {"attempt", retry}, {"delay_ms", delay.count()}});
    if (!SleepFor(delay, stop)) return {};
  }
}

}  // namespace firn::pipeline
