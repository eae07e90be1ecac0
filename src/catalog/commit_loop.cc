#include "catalog/commit_loop.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/failpoint.h"
#include "base/interruptible_sleep.h"
#include "base/system_random.h"
#include "base/try.h"
#include "observe/log.h"
#include "observe/parallel.h"

namespace firn::catalog {
namespace {

bool HoldsCommit(const iceberg::TableMetadata& metadata, const std::string& commit_id) {
  // The newest first: that is where it is, if it is there.
  return std::any_of(metadata.snapshots.rbegin(), metadata.snapshots.rend(), [&](const iceberg::Snapshot& snapshot) {
    const auto id = snapshot.summary.find(kCommitIdKey);
    return id != snapshot.summary.end() && id->second == commit_id;
  });
}

void CountRetry(Metrics* metrics) {
  if (metrics != nullptr) metrics->AddRetry("catalog_commit");
}

/// Where one table's commit stands.
struct PendingTable {
  const TableChange* change;
  LoadedTable base;
  std::optional<iceberg::CommitRequest> request;  ///< Built on `base`.
  bool may_be_on_its_way = false;                 ///< The outcome of `request` was unknown once.
  bool was_refused = false;                       ///< As a conflict, and nobody has looked at the table since.
  bool committed = false;                         ///< `base` is then the table after the commit.

  /// A refused request may be in: something between may have sent it twice, and only the second was refused.
  void DropRequest() {
    const bool is_lost = !may_be_on_its_way && !was_refused;
    if (request.has_value() && is_lost && change->discard) change->discard(base, *request);
    request.reset();
    may_be_on_its_way = was_refused = false;
  }
};

bool IsAsItWas(const LoadedTable& before, const LoadedTable& fresh) {
  return before.metadata_location == fresh.metadata_location &&
         before.metadata->current_snapshot_id == fresh.metadata->current_snapshot_id;
}

/// Commits tables that become visible together (or a single one).
class GroupCommit {
 public:
  GroupCommit(Catalog& catalog, std::span<const TableChange> changes, const std::string& commit_id,
              const RetryPolicy& retry, const std::stop_token& stop, Metrics* metrics, int tables_at_once)
      : catalog_(catalog),
        commit_id_(commit_id),
        retry_(retry),
        stop_(stop),
        metrics_(metrics),
        tables_at_once_(tables_at_once) {
    for (const TableChange& change : changes) {
      tables_.push_back(
          {.change = &change, .base = change.base, .committed = HoldsCommit(*change.base.metadata, commit_id)});
    }
  }

  Result<std::vector<LoadedTable>> Run() {
    bool reload = false;
    for (int retries = 0;; ++retries) {
      Status outcome = reload ? LoadAgain() : Status();
      if (outcome.has_value()) {
        if (Committed()) break;
        TRY_VOID(BuildRequests());
        outcome = Attempt();
        if (outcome.has_value()) break;
        reload = outcome.error().kind() != ErrorKind::kTransient;
        if (const ErrorKind kind = outcome.error().kind();
            kind == ErrorKind::kCommitUnknown || kind == ErrorKind::kConflict) {
          // Look at once: when its answer was lost, most often the commit is in.
          if (const Status loaded = LoadAgain(); loaded.has_value() && Committed()) break;
        }
      }
      TRY_VOID(WaitBefore(retries, std::move(outcome).error()));
    }
    std::vector<LoadedTable> tables;
    for (PendingTable& table : tables_) tables.push_back(std::move(table.base));
    return tables;
  }

  int attempts() const { return attempts_; }

 private:
  bool Committed() const { return std::ranges::all_of(tables_, &PendingTable::committed); }

  /// Fresh metadata for the tables still to commit. A request that was not refused is kept when the table is as it was.
  Status LoadAgain() {
    for (PendingTable& table : tables_) {
      if (table.committed) continue;
      TRY(LoadedTable fresh, catalog_.LoadTable(table.base.ident));
      const bool committed = HoldsCommit(*fresh.metadata, commit_id_);
      const bool was_refused = std::exchange(table.was_refused, false);
      if (committed) {
        table.request.reset();  // It is the table's now, so it is not discarded.
      } else if (was_refused || !IsAsItWas(table.base, fresh)) {
        table.DropRequest();
      }
      table.base = std::move(fresh);
      table.committed = committed;
    }
    return {};
  }

  Status BuildRequests() {
    Status built = ForEachParallel(tables_.size(), tables_at_once_, [&](size_t i) -> Status {
      PendingTable& table = tables_[i];
      if (table.committed || table.request.has_value()) return {};
      TRY(table.request, table.change->build(table.base));
      return {};
    });
    return built ? built : Abandon(std::move(built).error());
  }

  Status Attempt() {
    std::vector<iceberg::CommitRequest> requests;
    for (const PendingTable& table : tables_) {
      if (!table.committed) requests.push_back(*table.request);
    }
    TRY_VOID(BeforeStep(Failpoint::kCatalogCommitBefore));
    ++attempts_;
    auto committed = catalog_.CommitTables(requests);
    if (!committed.has_value()) {
      const ErrorKind kind = committed.error().kind();
      for (PendingTable& table : tables_) {
        if (table.committed) continue;
        if (kind == ErrorKind::kCommitUnknown) table.may_be_on_its_way = true;
        if (kind == ErrorKind::kConflict) table.was_refused = true;
      }
      return std::move(committed).error();
    }
    AfterStep(Failpoint::kCatalogCommitAfter);
    auto fresh = committed->begin();
    for (PendingTable& table : tables_) {
      if (table.committed) continue;
      table.base = std::move(*fresh++);
      table.committed = true;
    }
    return {};
  }

  /// Sleeps before retry number `retries`, or gives the error that ends the loop.
  Status WaitBefore(int retries, Error error) {
    if (!RetryPolicy::IsRetryable(error) && error.kind() != ErrorKind::kCommitUnknown) return Abandon(std::move(error));
    if (retries >= retry_.max_retries) {
      const ErrorOrigin origin = error.origin();
      return Abandon(MakeError(ErrorKind::kWriteFailed, origin, "committing {} failed after {} retries: {}", Names(),
                               retries, error.message()));
    }
    const auto delay = retry_.Delay(error, retries, random_);
    CountRetry(metrics_);
    LogWarn("a commit is tried again", {{"tables", Names()},
                                        {"commit_id", commit_id_},
                                        {"reason", error.message()},
                                        {"retry", retries + 1},
                                        {"delay_ms", delay.count()}});
    if (SleepFor(delay, stop_)) return {};
    return Abandon(MakeError(ErrorKind::kCancelled, error.origin(),
                             "stopped while committing {} was to be tried again: {}", Names(), error.message()));
  }

  Error Abandon(Error error) {
    for (PendingTable& table : tables_) {
      if (!table.committed) table.DropRequest();
    }
    return error;
  }

  std::string Names() const {
    constexpr size_t kNamesMax = 3;
    std::string names;
    for (size_t i = 0; i < std::min(tables_.size(), kNamesMax); ++i) {
      names += (i == 0 ? "" : ", ") + ToString(tables_[i].base.ident);
    }
    if (tables_.size() > kNamesMax) names += fmt::format(" and {} more", tables_.size() - kNamesMax);
    return names;
  }

  Catalog& catalog_;
  const std::string& commit_id_;
  const RetryPolicy& retry_;
  const std::stop_token& stop_;
  Metrics* const metrics_;
  const int tables_at_once_;
  SystemRandom random_;
  std::vector<PendingTable> tables_;
  int attempts_ = 0;
};

}  // namespace

Result<CommitReceipt> CommitChanges(Catalog& catalog, std::span<const TableChange> changes,
                                    const std::string& commit_id, Lsn lsn, const RetryPolicy& retry,
                                    std::stop_token stop, Metrics* metrics, int tables_at_once) {
  if (changes.empty()) return CommitReceipt(lsn, {}, 0);
  if (catalog.CommitsTablesTogether()) {
    GroupCommit group(catalog, changes, commit_id, retry, stop, metrics, tables_at_once);
    TRY(std::vector<LoadedTable> tables, group.Run());
    return CommitReceipt(lsn, std::move(tables), group.attempts());
  }
  std::vector<LoadedTable> tables(changes.size());
  std::vector<int> attempts(changes.size());
  const auto commit = [&](size_t i) -> Status {
    GroupCommit alone(catalog, changes.subspan(i, 1), commit_id, retry, stop, metrics, 1);
    TRY(std::vector<LoadedTable> committed, alone.Run());
    tables[i] = std::move(committed.front());
    attempts[i] = alone.attempts();
    return {};
  };
  TRY_VOID(ForEachParallel(changes.size(), tables_at_once, commit));
  return CommitReceipt(lsn, std::move(tables), std::ranges::max(attempts));
}

Result<LoadedTable> CommitMetadata(
    Catalog& catalog, LoadedTable base,
    const std::function<Result<std::optional<iceberg::CommitRequest>>(const LoadedTable& fresh)>& build,
    const RetryPolicy& retry, std::stop_token stop, Metrics* metrics) {
  SystemRandom random;
  for (int retries = 0;; ++retries) {
    TRY(const auto request, build(base));
    if (!request) return base;
    TRY_VOID(BeforeStep(Failpoint::kSchemaCommitBefore));
    auto committed = catalog.CommitTables(std::span(&*request, 1));
    if (committed.has_value()) {
      AfterStep(Failpoint::kSchemaCommitAfter);
      return std::move(committed->front());
    }
    Error error = std::move(committed).error();
    if (!RetryPolicy::IsRetryable(error) && error.kind() != ErrorKind::kCommitUnknown) return error;
    if (retries >= retry.max_retries) {
      return MakeError(ErrorKind::kWriteFailed, error.origin(), "changing table {} failed after {} retries: {}",
                       ToString(base.ident), retries, error.message());
    }
    const auto delay = retry.Delay(error, retries, random);
    CountRetry(metrics);
    LogWarn("a change of a table is tried again", {{"table", ToString(base.ident)},
                                                   {"reason", error.message()},
                                                   {"retry", retries + 1},
                                                   {"delay_ms", delay.count()}});
    if (!SleepFor(delay, stop)) {
      return MakeError(ErrorKind::kCancelled, "stopped while changing table {} was to be tried again",
                       ToString(base.ident));
    }
    auto fresh = catalog.LoadTable(base.ident);
    if (fresh.has_value()) {
      base = std::move(*fresh);
    } else if (!RetryPolicy::IsRetryable(fresh.error())) {
      return std::move(fresh).error();
    }
  }
}

}  // namespace firn::catalog
