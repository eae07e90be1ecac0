#include "pipeline/copy_round.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <utility>

#include "base/interruptible_sleep.h"
#include "base/try.h"
#include "observe/log.h"
#include "observe/log_pipeline.h"
#include "pipeline/outside_copy.h"
#include "pipeline/parked_tables.h"
#include "postgres/replication_slot.h"

namespace firn::pipeline {
namespace {

/// At the WAL that is held.
constexpr std::chrono::milliseconds kWalLookInterval{500};
/// After one that failed.
constexpr std::chrono::milliseconds kWalLookPause{10'000};
/// A copy whose changed keys fill the memory for them more often does not break off again: as often are its files
/// read in the end.
constexpr size_t kKeySharesMax = 64;
/// Keys are written to disk when they take this memory, or what there is for them.
constexpr size_t kSpilledKeyBytes = 16 << 20;

}  // namespace

CopyRound::CopyRound(CopyRoundOptions options, std::vector<CopiedTable> tables, catalog::Catalog& catalog,
                     WriterContext context)
    : options_(std::move(options)),
      tables_(std::move(tables)),
      catalog_(catalog),
      context_(context),
      progress_(tables_.size()),
      refused_(tables_.size()),
      needed_since_(tables_.size()),
      checkpoints_(options_.checkpoints) {
  for (size_t i = 0; i < tables_.size(); ++i) {
    progress_[i].rows = tables_[i].rows_copied;
    needed_since_[i] = tables_[i].needed_since;
  }
}

void CopyRound::Start() {
  thread_ = std::jthread(InLogPipeline([this](std::stop_token stop) {
    if (Status status = Run(std::move(stop)); !status) error_ = std::move(status).error();
    std::lock_guard lock(end_mutex_);
    ended_ = true;
    end_.notify_all();
  }));
}

bool CopyRound::WaitForEnd(std::chrono::milliseconds time) const {
  std::unique_lock lock(end_mutex_);
  return end_.wait_for(lock, time, [this] { return ended_.load(); });
}

bool CopyRound::Copies(TableOid table) const {
  return std::ranges::any_of(tables_, [&](const CopiedTable& copied) { return copied.source.oid == table; });
}

std::optional<Error> CopyRound::ErrorOf(size_t table) const {
  if (progress_[table].done) return std::nullopt;
  if (refused_[table]) return refused_[table];
  return progress_[table].error ? progress_[table].error : error_;
}

Status CopyRound::Run(std::stop_token stop) {
  TRY(AtSnapshot at, Open(options_.slot_exists, stop));
  if (options_.outside == nullptr) return Copy(std::move(at), /*may_break_off=*/true, std::move(stop));
  TRY(AtSnapshot outside, TakeOutside(at));
  if (outside.targets.empty()) return Copy(std::move(at), /*may_break_off=*/true, std::move(stop));
  outside.snapshot.slot = at.snapshot.slot;
  // The others don't wait for what takes long. Nor is anything won if they end sooner: it begins at the same place.
  if (!at.targets.empty()) TRY_VOID(Copy(std::move(at), /*may_break_off=*/false, stop));
  at = {};
  TRY_VOID(CopyOutside(std::move(outside), stop));
  const auto is_left = [this](size_t table) { return IsLeft(table); };
  if (std::ranges::none_of(std::views::iota(size_t{0}, tables_.size()), is_left)) return {};
  TRY(at, Open(/*slot_exists=*/true, stop));
  return Copy(std::move(at), /*may_break_off=*/true, std::move(stop));
}

Result<CopyRound::AtSnapshot> CopyRound::Open(bool slot_exists, const std::stop_token& stop) {
  std::map<TableOid, TableName> names;
  for (size_t i = 0; i < tables_.size(); ++i) {
    if (IsLeft(i)) names.emplace(tables_[i].source.oid, tables_[i].source.name);
  }
  LogInfo("making a snapshot: PostgreSQL waits for the transactions that are open now to end",
          {{"tables", names.size()}});
  AtSnapshot at{.asked_for = Clock::now()};
  TRY(at.snapshot, OpenSnapshot(options_.source, slot_exists, stop));
  TRY(auto connection, postgres::OpenAtSnapshot(options_.source.connection, at.snapshot.slot.snapshot_name));
  TRY(const auto sources,
      ReadAtSnapshot(connection, options_.source, options_.generated, at.snapshot.slot.consistent_point, names));
  TRY(auto prepared, PrepareAll(sources, stop));
  for (size_t i = 0; i < prepared.size(); ++i) {
    if (!prepared[i]) continue;
    at.targets.push_back(std::move(*prepared[i]));
    at.places.push_back(i);
  }
  return at;
}

Status CopyRound::Copy(AtSnapshot at, bool may_break_off, std::stop_token stop) {
  CopyOptions copy = options_.copy;
  copy.snapshot_name = at.snapshot.slot.snapshot_name;
  copy.lsn = at.snapshot.slot.consistent_point;
  copy.taken_at_us = at.snapshot.taken_at_us;
  TRY(std::vector<CopyResumption> resumptions, TakeUp(at, stop));
  std::vector<CopyProgress*> progress;
  for (size_t i = 0; i < at.places.size(); ++i) {
    progress.push_back(&progress_[at.places[i]]);
    if (resumptions[i].checkpoints != nullptr && !resumptions[i].copied) needed_since_[at.places[i]] = copy.lsn;
  }
  std::jthread watch;  // Ends before what it looks at.
  if (may_break_off && options_.wal_limit_bytes > 0) {
    watch = std::jthread(InLogPipeline([&](std::stop_token ended) { WatchHeldWal(at, resumptions, ended); }));
  }
  return CopyTables(copy, catalog_, context_, at.targets, progress, resumptions, std::move(stop));
}

// --- Ends before all is copied ---

void CopyRound::WatchHeldWal(const AtSnapshot& at, std::span<const CopyResumption> resumptions,
                             const std::stop_token& ended) {
  // Where it takes long until tables can be read, they are read for as long at least.
  const auto began = Clock::now();
  const auto not_before = began + (began - at.asked_for);
  std::optional<postgres::Connection> connection;
  const auto look = [&]() -> Result<bool> {
    if (!connection) {
      TRY(connection, postgres::Connection::Open(options_.source.connection));
    }
    TRY(const auto wal, postgres::ReadSlotWal(*connection, options_.source.slot));
    if (!wal) return false;
    const int64_t limit = std::min(options_.wal_limit_bytes, wal->limit_bytes.value_or(INT64_MAX) / 2);
    const auto held = static_cast<int64_t>(wal->wal_end.value - std::min(hold_.load(), wal->wal_end.value));
    if (held < limit) return false;
    TRY_VOID(BreakOff(at, resumptions, wal->wal_end, ended));
    return true;
  };
  const auto has_read = [this](size_t place) { return progress_[place].ranges_read > 0; };
  while (SleepFor(kWalLookInterval, ended)) {
    if (Clock::now() < not_before || std::ranges::none_of(at.places, has_read)) continue;
    const auto told = look();
    if (told && *told) return;
    if (told || ended.stop_requested()) continue;
    LogWarn("copies can't be told to let WAL go; it is tried again", {{"reason", told.error().message()}});
    connection.reset();
    SleepFor(kWalLookPause, ended);
  }
}

Status CopyRound::BreakOff(const AtSnapshot& at, std::span<const CopyResumption> resumptions, Lsn end,
                           const std::stop_token& ended) {
  std::vector<ChangedTable> changed;
  std::vector<size_t> of_changed;  // Beside it: where the table is in `at`.
  Lsn needed = end;
  // First: then no table is begun any more.
  for (const size_t place : at.places) progress_[place].left = LeftToLater::kIfUnbegun;
  for (size_t i = 0; i < at.places.size(); ++i) {
    const size_t place = at.places[i];
    const CopyProgress& progress = progress_[place];
    const bool is_begun = progress.started || resumptions[i].copied;
    if (progress.done || !progress.is_remembered || !is_begun) continue;
    changed.push_back({.target = at.targets[i], .since = *needed_since_[place]});
    of_changed.push_back(i);
    needed = std::min(needed, changed.back().since);
  }
  if (!changed.empty()) {
    TRY(auto stream, OpenChangesSince(options_.source, needed));
    TRY_VOID(ReadKeys(*stream, changed, end, ended));
    TRY_VOID(stream->Close());
  }
  for (size_t j = 0; j < changed.size(); ++j) {
    const size_t place = at.places[of_changed[j]];
    const size_t key_bytes = resumptions[of_changed[j]].keys.bytes + changed[j].bytes_spilled + changed[j].keys.bytes();
    if (progress_[place].done) continue;
    std::string why = changed[j].unclear;
    if (key_bytes / kKeySharesMax > options_.copy.key_bytes_max) {
      why = "so many of its rows have changed that its files would be read too often in the end";
    }
    if (why.empty()) {
      TRY_VOID(KeepKeys(place, changed[j], end));
      progress_[place].left = LeftToLater::kRest;
    } else {
      LogWarn("a table's copy keeps its snapshot to its end, and PostgreSQL all WAL since then",
              {{"table", ToString(tables_[place].source.name)}, {"reason", why}});
    }
  }
  int64_t left_over = 0, ranges = 0, ranges_read = 0;
  for (const size_t place : at.places) {
    const CopyProgress& progress = progress_[place];
    if (progress.done || (progress.started && progress.left != LeftToLater::kRest)) continue;
    ++left_over;
    ranges += progress.ranges;
    ranges_read += progress.ranges_read;
  }
  if (left_over == 0) return {};
  LogInfo("copies hold much WAL: what is left of them goes on under a later snapshot",
          {{"held_bytes", static_cast<int64_t>(end.value - hold_)},
           {"since", ToString(hold())},
           {"changes_known_to", ToString(end)},
           {"tables_left", left_over},
           {"ranges_read", ranges_read},
           {"ranges", ranges}});
  return {};
}

Status CopyRound::ReadKeys(postgres::ReplicationStream& stream, std::span<ChangedTable> tables, Lsn until,
                           const std::stop_token& stop) const {
  const auto spill = [this](ChangedTable& table) {
    return checkpoints_.AddKeyPart(table.target.source.oid, table.since, table.parts, table.keys);
  };
  return ReadChangedKeys(stream, tables, until, std::min(options_.copy.key_bytes_max, kSpilledKeyBytes), spill, stop);
}

Status CopyRound::KeepKeys(size_t place, const ChangedTable& table, Lsn until) {
  if (until <= table.since) return {};
  TRY_VOID(checkpoints_.AddKeys(table.target.source.oid, table.since, until, table.parts, table.keys));
  needed_since_[place] = until;
  return {};
}

// --- By another engine ---

Result<bool> CopyRound::IsCopiedInPart(const TargetTable& target) {
  const TableOid oid = target.source.oid;
  if (!CanBeResumed(target) || !checkpoints_.Has(oid)) return false;
  const auto plan = CopyPlan(target, options_.copy.writer.writer, options_.timeline);
  const auto copied = checkpoints_.Read(oid, plan, *target.planned);
  KeptKeys keys{.until = copied ? copied->since : Lsn{}};
  checkpoints_.FindKeys(oid, keys);
  TRY(auto connection, postgres::Connection::Open(options_.source.connection));
  TRY(const auto slot, postgres::ReadSlot(connection, options_.source.slot));
  if (copied && slot && WhyStale(*copied, keys.until, slot->confirmed_flush_lsn).empty()) return true;
  TRY_VOID(checkpoints_.Discard(oid, context_.store, *target.table.metadata));
  return false;
}

Result<CopyRound::AtSnapshot> CopyRound::TakeOutside(AtSnapshot& at) {
  AtSnapshot outside;
  AtSnapshot others;
  for (size_t i = 0; i < at.targets.size(); ++i) {
    const TargetTable& target = at.targets[i];
    const std::string table = ToString(target.source.name);
    std::string why = WhyNotOutside(target, options_.copy.range_bytes);
    if (why.empty() && !options_.copy.split_tables) why = "PostgreSQL reads ranges of blocks well from version 14 on";
    if (why.empty()) {
      TRY(const bool goes_on, IsCopiedInPart(target));
      if (goes_on) why = "a part of it is copied already";
    }
    if (!why.empty()) {
      LogInfo(fmt::format("firn copies a table itself and not by {}", options_.outside->name()),
              {{"table", table}, {"reason", why}});
    }
    AtSnapshot& side = why.empty() ? outside : others;
    side.targets.push_back(std::move(at.targets[i]));
    side.places.push_back(at.places[i]);
  }
  at.targets = std::move(others.targets);
  at.places = std::move(others.places);
  return outside;
}

Status CopyRound::CopyOutside(AtSnapshot at, const std::stop_token& stop) {
  const Lsn since = at.snapshot.slot.consistent_point;
  TRY_VOID(WaitForOpenTransactions(options_.source.connection, stop));
  std::vector<OutsideTable> tables;
  for (size_t i = 0; i < at.targets.size(); ++i) {
    tables.push_back(PlanOutside(at.targets[i], options_.copy.range_bytes));
    progress_[at.places[i]].started = true;
    LogInfo(fmt::format("{} copies a table", options_.outside->name()), {{"table", ToString(at.targets[i].source.name)},
                                                                         {"ranges", tables.back().ranges.size()},
                                                                         {"branch", tables.back().branch},
                                                                         {"since", ToString(since)}});
  }
  const auto copied = options_.outside->Copy(tables, stop);
  if (!copied && copied.error().kind() == ErrorKind::kCancelled) return copied.error();
  for (size_t i = 0; i < tables.size(); ++i) {
    Status done = copied ? (*copied)[i] : Status(copied.error());
    if (done) done = EnterOutside(at.targets[i], at.places[i], tables[i].branch, since, stop);
    // With what was entered, nothing of the branch is needed any more; else nothing of it ever was.
    const Status dropped = DropCopyBranches(catalog_, context_.store, at.targets[i].table.ident,
                                            checkpoints_.FilesOfAll(), options_.copy.retry, stop);
    if (done) done = dropped;
    if (done) continue;
    refused_[at.places[i]] =
        std::move(done).error().WithContext(fmt::format("copying table {}", at.targets[i].source.name));
  }
  if (stop.stop_requested()) return MakeError(ErrorKind::kCancelled, "stopped on request");
  return {};
}

Status CopyRound::EnterOutside(const TargetTable& target, size_t place, const std::string& branch, Lsn since,
                               const std::stop_token& stop) {
  if (stop.stop_requested()) return MakeError(ErrorKind::kCancelled, "stopped on request");
  TRY(const catalog::LoadedTable fresh, catalog_.LoadTable(target.table.ident));
  if (fresh.metadata->table_uuid != target.table.metadata->table_uuid || fresh.metadata->CurrentSnapshot() != nullptr) {
    return MakeError(ErrorKind::kConflict, ErrorOrigin::kCatalog, "somebody else has written to Iceberg table {}",
                     ToString(target.table.ident));
  }
  TRY(const CopiedRanges copied, ReadOutside(context_.store, *fresh.metadata, branch, since));
  const auto plan = CopyPlan(target, options_.copy.writer.writer, options_.timeline);
  TRY_VOID(checkpoints_.Add(target.source.oid, plan, *target.planned, copied));
  needed_since_[place] = since;
  LogInfo(fmt::format("{} has copied a table; what changed meanwhile is next", options_.outside->name()),
          {{"table", ToString(target.source.name)}, {"rows", copied.rows}, {"files", copied.files.size()}});
  return {};
}

std::optional<Lsn> CopyRound::NeededSince(size_t table) const {
  const bool is_kept = !progress_[table].done && checkpoints_.Has(tables_[table].source.oid);
  return is_kept ? std::optional(needed_since_[table].value_or(Lsn{})) : std::nullopt;
}

Result<std::vector<CopyResumption>> CopyRound::TakeUp(const AtSnapshot& at, const std::stop_token& stop) {
  const Lsn snapshot = at.snapshot.slot.consistent_point;
  std::vector<CopyResumption> resumptions(at.targets.size());
  const auto start_over = [&](size_t i, const std::string& reason) -> Status {
    const TargetTable& target = at.targets[i];
    if (!reason.empty()) {
      LogInfo("a table is copied from its beginning, though a part of it was copied before",
              {{"table", ToString(target.source.name)}, {"reason", reason}});
    }
    resumptions[i].copied.reset();
    resumptions[i].keys = {};
    needed_since_[at.places[i]].reset();
    return checkpoints_.Discard(target.source.oid, context_.store, *target.table.metadata);
  };
  TRY(auto connection, postgres::Connection::Open(options_.source.connection));
  TRY(const auto slot, postgres::ReadSlot(connection, options_.source.slot));
  std::vector<ChangedTable> changed;
  std::vector<size_t> of_changed;  // Beside it: where the table is in `at`.
  Lsn needed = snapshot;
  for (size_t i = 0; i < at.targets.size(); ++i) {
    const TargetTable& target = at.targets[i];
    const TableOid oid = target.source.oid;
    CopyResumption& resumption = resumptions[i];
    if (CanBeResumed(target)) {
      resumption.checkpoints = &checkpoints_;
      resumption.plan = CopyPlan(target, options_.copy.writer.writer, options_.timeline);
      resumption.copied = checkpoints_.Read(oid, resumption.plan, *target.planned);
    }
    std::string why;
    if (resumption.copied) {
      resumption.keys.until = resumption.copied->since;
      checkpoints_.FindKeys(oid, resumption.keys);
      why = WhyStale(*resumption.copied, resumption.keys.until, slot ? slot->confirmed_flush_lsn : snapshot);
    } else if (checkpoints_.Has(oid)) {
      why = "its definition, its heap or where it is copied to is another one, or what was remembered can't be read";
    }
    if (!resumption.copied || !why.empty()) {
      TRY_VOID(start_over(i, why));
      continue;
    }
    const Lsn since = resumption.keys.until;
    needed = std::min(needed, since);
    needed_since_[at.places[i]] = since;
    changed.push_back({.target = target, .since = since});
    of_changed.push_back(i);
  }
  hold_ = needed.value;
  if (changed.empty()) return resumptions;
  auto stream = OpenChangesSince(options_.source, needed);
  if (!stream && stream.error().kind() == ErrorKind::kTransient) return stream.error();
  if (!stream) {
    for (const size_t i : of_changed) TRY_VOID(start_over(i, stream.error().message()));
    hold_ = snapshot.value;
    return resumptions;
  }
  TRY_VOID(
      ReadKeys(**stream, changed, snapshot, stop).Context("reading what has changed since tables were copied in part"));
  TRY_VOID((*stream)->Close());
  for (size_t j = 0; j < changed.size(); ++j) {
    const size_t i = of_changed[j];
    CopyResumption& resumption = resumptions[i];
    if (!changed[j].unclear.empty()) {
      TRY_VOID(start_over(i, changed[j].unclear));
      continue;
    }
    TRY_VOID(KeepKeys(at.places[i], changed[j], snapshot));
    checkpoints_.FindKeys(at.targets[i].source.oid, resumption.keys);
    if (resumption.keys.until < snapshot) {
      TRY_VOID(start_over(i, "what has changed since then can't be remembered"));
      continue;
    }
    LogInfo("a copy goes on where it was", {{"table", ToString(at.targets[i].source.name)},
                                            {"rows", resumption.copied->rows},
                                            {"since", ToString(resumption.copied->since)},
                                            {"lsn", ToString(snapshot)},
                                            {"changed_keys", resumption.keys.keys}});
  }
  hold_ = snapshot.value;
  return resumptions;
}

std::string CopyRound::WhyStale(const CopiedRanges& copied, Lsn known, Lsn slot_position) const {
  if (slot_position > known) return "the slot no longer has the changes since then";
  for (const iceberg::DataFile& file : copied.files) {
    const auto found = context_.store.Stat(file.file_path);
    if (!found || found->size != file.file_size_in_bytes) return fmt::format("{} is gone", file.file_path);
  }
  return "";
}

Result<std::vector<std::optional<TargetTable>>> CopyRound::PrepareAll(
    const std::map<TableOid, Result<SourceTable>>& sources, const std::stop_token& stop) {
  std::vector<std::optional<TargetTable>> prepared(tables_.size());
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  std::optional<Error> failure;  // Under the mutex: what ends all of it.
  const auto work = [&] {
    for (size_t i = next++; i < tables_.size() && !stop.stop_requested(); i = next++) {
      if (!IsLeft(i)) continue;
      const Result<SourceTable>& source = sources.at(tables_[i].source.oid);
      auto target = source ? Prepare(*source, tables_[i].settings, stop) : Result<TargetTable>(source.error());
      if (target) {
        prepared[i] = std::move(*target);
        continue;
      }
      Error error = std::move(target.error()).WithContext(fmt::format("table {}", tables_[i].source.name));
      if (IsTableError(error) || error.kind() == ErrorKind::kConflict) {
        refused_[i] = std::move(error);
        continue;
      }
      std::lock_guard lock(mutex);
      if (!failure) failure = std::move(error);
      next = tables_.size();
    }
  };
  {
    // Making a table is waiting for the catalog and the store.
    std::vector<std::jthread> threads;
    for (int i = 0; i < options_.copy.workers; ++i) threads.emplace_back(InLogPipeline(work));
  }
  if (failure) return *failure;
  if (stop.stop_requested()) return MakeError(ErrorKind::kCancelled, "stopped on request");
  return prepared;
}

Result<TargetTable> CopyRound::Prepare(const SourceTable& source, const TableSettings& settings,
                                       const std::stop_token& stop) {
  TRY(auto target, FindTargetTable(catalog_, source, options_.naming, settings, options_.copy.writer.writer));
  if (target && HasCopyBranch(*target->table.metadata)) {  // Left by a crash.
    TRY_VOID(DropCopyBranches(catalog_, context_.store, target->table.ident, checkpoints_.FilesOfAll(),
                              options_.copy.retry, stop));
    TRY(target, FindTargetTable(catalog_, source, options_.naming, settings, options_.copy.writer.writer));
  }
  if (target) return std::move(*target);
  return CreateTargetTable(catalog_, source, options_.naming, settings);
}

}  // namespace firn::pipeline
