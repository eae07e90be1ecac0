#include "verify/verification.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "base/interruptible_sleep.h"
#include "base/try.h"
#include "base/uuid.h"
#include "observe/log.h"
#include "pipeline/changed_keys.h"
#include "postgres/replication_stream.h"
#include "postgres/table_version.h"
#include "verify/change_reader.h"
#include "verify/table_comparison.h"
#include "verify/unstreamed_changes.h"

namespace firn::verify {
namespace {

using Clock = std::chrono::steady_clock;
using postgres::Connection;

/// A table that is altered each time is given up after as many snapshots.
constexpr int kSnapshotsMax = 10;
constexpr std::chrono::milliseconds kSlotPollInterval{200};
constexpr std::chrono::milliseconds kPauseBetweenSnapshots{1'000};
/// A firn that starts, or connects again, uses its slot within this time; else none is waited for.
constexpr std::chrono::milliseconds kFirnStartsWithin{5'000};
/// How long at least the changes that no firn streams may be looked for.
constexpr std::chrono::milliseconds kLookAtLeast{10'000};

/// What ends with the table's next definition, or with a connection.
bool MayPass(const Error& error) {
  return RetryPolicy::IsRetryable(error) || error.kind() == ErrorKind::kSchemaMismatch ||
         (error.kind() == ErrorKind::kTableNotFound && error.origin() == ErrorOrigin::kSource);
}

/// A table on its way to a report.
struct Candidate {
  SourceTable source;
  pipeline::TableSettings settings;
  TableReport report;
  bool settled = false;

  // Of the snapshot that is compared with:
  std::optional<Lsn> behind_at;                 ///< Where it is in Iceberg, while that is before the snapshot.
  std::optional<Lsn> unchanged_since;           ///< No transaction changed it from there to the snapshot.
  bool may_be_copying = false;                  ///< A first copy doesn't use the slot yet.
  std::optional<pipeline::TargetTable> target;  ///< Once it has reached the snapshot.
  Lsn until;
  std::unique_ptr<LaterChanges> changes;

  void Settle() { settled = true; }
  void Fail(std::string reason) {
    report.reason = std::move(reason);
    report.is_failure = true;
    settled = true;
  }
};

class Verification {
 public:
  Verification(const VerifyOptions& options, catalog::Catalog& catalog, storage::FileStore& store,
               const std::stop_token& stop)
      : options_(options), catalog_(catalog), store_(store), stop_(stop) {}

  Result<std::vector<TableReport>> Run() {
    TRY_VOID(FindTables());
    for (int snapshot = 0; !Pending().empty(); ++snapshot) {
      if (snapshot == kSnapshotsMax) {
        for (Candidate* table : Pending()) table->Fail(table->report.reason);
        break;
      }
      if (snapshot > 0 && !SleepFor(kPauseBetweenSnapshots, stop_)) return Stopped();
      const Status compared = CompareAtSnapshot();
      if (stop_.stop_requested()) return Stopped();
      if (!compared && !MayPass(compared.error())) return compared.error();
      if (compared) continue;
      for (Candidate* table : Pending()) table->report.reason = compared.error().message();
    }
    std::vector<TableReport> reports;
    for (Candidate& table : tables_) reports.push_back(std::move(table.report));
    std::ranges::sort(reports, {}, &TableReport::source);
    return reports;
  }

 private:
  static Error Stopped() { return MakeError(ErrorKind::kCancelled, "stopped on request"); }

  std::vector<Candidate*> Pending() {
    std::vector<Candidate*> pending;
    for (Candidate& table : tables_) {
      if (!table.settled) pending.push_back(&table);
    }
    return pending;
  }

  Status FindTables() {
    TRY(state_, pipeline::InspectSource(options_.source));
    if (!state_.problems.empty()) return state_.problems.front();
    identity_ = {.pipeline = options_.source.slot, .system_identifier = state_.facts.system_identifier};
    for (const SourceTable& source : state_.tables) {
      if (!options_.tables.empty() && !postgres::MatchesPatterns(source.name, options_.tables)) continue;
      Candidate& table = tables_.emplace_back();
      table.source = source;
      table.report.source = source.name;
      table.report.target = ToString(options_.naming.IdentOf(source.name));
      TRY(table.settings, options_.settings_of(source.name));
      if (table.settings.mode != pipeline::ChangeMode::kAppend) continue;
      table.report.reason =
          "it holds changes and not rows (cdc mode append), which PostgreSQL has nothing to compare with";
      table.Settle();
    }
    if (!tables_.empty()) return {};
    return MakeError(ErrorKind::kInvalidConfig, "no replicated table matches --table {}",
                     fmt::join(options_.tables, ","));
  }

  /// Settles what can be: the others have a reason, and are for another snapshot.
  Status CompareAtSnapshot() {
    std::vector<Candidate*> tables = Pending();
    LogInfo("making a snapshot: PostgreSQL waits for the transactions that are open now to end",
            {{"tables", tables.size()}});
    postgres::ConnectionOptions replication = options_.source.connection;
    replication.replication = true;
    TRY(Connection connection, Connection::Open(replication));
    pipeline::SourceSnapshot snapshot{.connection = std::make_unique<Connection>(std::move(connection))};
    const std::string slot = fmt::format("firn_verify_{}_{}", ::getpid(), NewUuid().substr(0, 8));
    TRY(snapshot.slot, postgres::CreateSlot(*snapshot.connection, slot, /*temporary=*/true));

    TRY(Connection at_snapshot, postgres::OpenAtSnapshot(options_.source.connection, snapshot.slot.snapshot_name));
    std::map<TableOid, TableName> names;
    for (const Candidate* table : tables) names.emplace(table->source.oid, table->source.name);
    TRY(auto seen, ReadAtSnapshot(at_snapshot, options_.source, GeneratedColumnsOf(state_),
                                  snapshot.slot.consistent_point, names));
    for (Candidate* table : tables) {
      TRY(table->source, std::move(seen.at(table->source.oid)));
    }
    TRY(auto reader, postgres::TableCopyReader::Open(options_.source.connection, snapshot.slot.snapshot_name, stop_));
    TRY_VOID(WaitForTables(tables, snapshot.slot.consistent_point));
    std::erase_if(tables, [](const Candidate* table) { return table->settled; });
    TRY_VOID(ReadLaterChanges(tables, std::move(snapshot), slot));
    for (Candidate* table : tables) {
      if (!table->report.reason.empty()) continue;
      TRY_VOID(Compare(*table, *reader));
    }
    return {};
  }

  /// Until each table's Iceberg table holds all that the snapshot sees. Tables that don't come so far fail: those that
  /// no firn streams soon, for nobody would bring them there.
  Status WaitForTables(const std::vector<Candidate*>& tables, Lsn snapshot) {
    const auto deadline = Clock::now() + options_.wait;
    for (Candidate* table : tables) {
      table->target.reset();
      table->report.reason.clear();
      table->unchanged_since.reset();
    }
    look_failure_.clear();
    TRY(Connection connection, Connection::Open(options_.source.connection));
    auto last_used = Clock::now();
    bool looked = false;
    bool told = false;
    while (true) {
      // Before the tables are loaded: what it says is true of those then.
      TRY(const auto slot, postgres::ReadSlot(connection, options_.source.slot));
      if (!slot) {
        return MakeError(ErrorKind::kSourceLost, ErrorOrigin::kSource,
                         "slot '{}' does not exist: `firn run` makes it, and copies the tables", options_.source.slot);
      }
      for (Candidate* table : tables) {
        if (!table->settled && !table->target) FindTarget(*table, *slot, snapshot);
      }
      const auto waits = [](const Candidate* table) { return !table->settled && !table->target; };
      if (std::ranges::none_of(tables, waits)) return {};
      const auto now = Clock::now();
      if (slot->active) last_used = now;
      if (!slot->active && !std::exchange(looked, true)) {
        TRY_VOID(LookForUnstreamed(tables, snapshot));
        continue;
      }
      const bool is_late = now >= deadline;
      const bool is_unused = now - last_used >= kFirnStartsWithin;
      for (Candidate* table : tables) {
        if (waits(table) && (is_late || (is_unused && !table->may_be_copying))) table->Fail(table->report.reason);
      }
      if (std::ranges::none_of(tables, waits)) return {};
      if (!std::exchange(told, true)) {
        LogInfo(slot->active ? "waiting for firn to commit what the snapshot sees"
                             : "waiting a moment for a `firn run`: none uses the slot now",
                {{"slot", slot->name}, {"lsn", ToString(snapshot)}});
      }
      if (!SleepFor(kSlotPollInterval, stop_)) return Stopped();
    }
  }

  /// Which of the tables that are behind the snapshot have not changed up to it. What can't be told stays unknown.
  Status LookForUnstreamed(const std::vector<Candidate*>& tables, Lsn snapshot) {
    std::vector<Candidate*> behind;
    std::vector<UnstreamedTable> unstreamed;
    Lsn since = snapshot;
    for (Candidate* table : tables) {
      if (table->settled || table->target || !table->behind_at) continue;
      behind.push_back(table);
      unstreamed.push_back({.oid = table->source.oid, .since = *table->behind_at});
      since = std::min(since, *table->behind_at);
    }
    if (behind.empty()) return {};
    LogInfo("no firn uses the slot: looking for changes that it has not committed",
            {{"tables", behind.size()}, {"from", ToString(since)}, {"to", ToString(snapshot)}});
    const auto look = [&]() -> Status {
      TRY(const auto stream, pipeline::OpenChangesSince(options_.source, since));
      return FindUnstreamed(*stream, unstreamed, snapshot, Clock::now() + std::max(options_.wait, kLookAtLeast), stop_);
    };
    const Status done = look();
    if (stop_.stop_requested()) return Stopped();
    if (!done) look_failure_ = done.error().message();
    for (size_t i = 0; done && i < behind.size(); ++i) {
      if (!unstreamed[i].has_changed) behind[i]->unchanged_since = unstreamed[i].since;
    }
    return {};
  }

  /// The table's target once it holds what the snapshot sees; else the reason.
  void FindTarget(Candidate& table, const postgres::SlotInfo& slot, Lsn snapshot) {
    std::string& reason = table.report.reason;
    const std::string remedy = slot.active ? ""
                                           : fmt::format(
                                                 "; no firn uses slot '{}': start `firn run`, or let `firn run "
                                                 "--until-caught-up` come to its end",
                                                 slot.name);
    table.behind_at.reset();
    table.may_be_copying = false;
    auto found = pipeline::FindTargetTable(catalog_, table.source, options_.naming, table.settings, identity_,
                                           slot.confirmed_flush_lsn);
    if (!found) {
      if (!MayPass(found.error())) table.Fail(found.error().message());
      reason = found.error().message();
      return;
    }
    if (!*found || !(*found)->progress) {
      const bool is_marked = *found && (*found)->mark;
      table.may_be_copying = !is_marked;
      reason = (is_marked ? fmt::format("it waits to be copied again: {}", *(*found)->mark) : "it is not copied yet") +
               remedy;
      return;
    }
    pipeline::TargetTable& target = **found;
    if (target.change && (target.change->schema_differs || !target.change->copy_again.empty())) {
      reason = "it was altered in PostgreSQL, and firn has not followed that yet" + remedy;
      return;
    }
    // A table without changes keeps its position while the slot's goes on.
    const Lsn committed = std::max(target.progress->lsn, slot.confirmed_flush_lsn);
    const bool is_unchanged = table.unchanged_since && committed >= *table.unchanged_since;
    if (committed < snapshot && !is_unchanged) {
      table.behind_at = committed;
      reason = WhyBehind(committed, snapshot, slot) + remedy;
      return;
    }
    reason.clear();
    table.until = std::max(target.progress->lsn, snapshot);
    table.report.lsn = table.until;
    table.report.snapshot_id = target.table.metadata->current_snapshot_id.value_or(0);
    table.target = std::move(target);
  }

  std::string WhyBehind(Lsn committed, Lsn snapshot, const postgres::SlotInfo& slot) const {
    const std::string where =
        fmt::format("firn has committed it up to {}, and the snapshot to compare with is at {}", committed, snapshot);
    if (slot.active) {
      return where + "; see the log of the running firn for what holds it up, or wait longer (--wait)";
    }
    if (!look_failure_.empty()) {
      return fmt::format("{}; whether it has changed in between can't be told: {}", where, look_failure_);
    }
    return "PostgreSQL has changes of it that firn has not committed: " + where;
  }

  /// Gives the slot back.
  Status ReadLaterChanges(const std::vector<Candidate*>& tables, pipeline::SourceSnapshot snapshot,
                          const std::string& slot) {
    std::vector<ChangedTable> changed;
    bool binary = true;
    bool any = false;
    for (Candidate* table : tables) {
      table->changes = std::make_unique<LaterChanges>(*table->target);
      changed.push_back({.target = *table->target, .until = table->until, .changes = *table->changes});
      binary = binary && table->target->mapping.StreamsBinary();
      any = any || table->until > snapshot.slot.consistent_point;
    }
    if (!any) return {};
    TRY(const auto stream, postgres::ReplicationStream::OpenOn(std::move(*snapshot.connection),
                                                               {.slot = slot,
                                                                .publications = {options_.source.publication},
                                                                .start = snapshot.slot.consistent_point,
                                                                .streaming = false,
                                                                .binary = binary}));
    TRY_VOID(ReadChanges(*stream, changed, Clock::now() + options_.wait, stop_));
    for (size_t i = 0; i < tables.size(); ++i) tables[i]->report.reason = std::move(changed[i].unclear);
    return stream->Close();
  }

  Status Compare(Candidate& table, postgres::TableCopyReader& reader) {
    const Status compared = CompareTable(
        {.reader = reader, .changes = *table.changes, .store = store_, .target = *table.target}, table.report, stop_);
    if (!compared) {
      // The reader is of no use after an error: the other tables are for the next snapshot.
      if (!MayPass(compared.error())) table.Fail(compared.error().message());
      return MakeError(ErrorKind::kTransient, "{}", compared.error().message());
    }
    TRY(Connection connection, Connection::Open(options_.source.connection));
    TRY(const bool unaltered, postgres::IsUnaltered(connection, table.source));
    if (unaltered) {
      table.Settle();
    } else {
      table.report.reason = "it was altered or truncated while it was compared";
    }
    return {};
  }

  const VerifyOptions& options_;
  catalog::Catalog& catalog_;
  storage::FileStore& store_;
  const std::stop_token& stop_;
  pipeline::SourceState state_;
  pipeline::PipelineIdentity identity_;
  std::vector<Candidate> tables_;
  std::string look_failure_;  ///< Why LookForUnstreamed could not tell; "" where it could.
};

}  // namespace

Result<std::vector<TableReport>> Verify(const VerifyOptions& options, catalog::Catalog& catalog,
                                        storage::FileStore& store, const std::stop_token& stop) {
  return Verification(options, catalog, store, stop).Run();
}

}  // namespace firn::verify
