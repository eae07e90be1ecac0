// Load → build → commit, until it is in, or until it can't be.
//
//        ┌──────────── conflict: load again ────────────┐
//        ▼                                              │
//   fresh metadata ──► TableChange::build ──► Catalog::CommitTables ──► CommitReceipt
//                                                       │
//                 unknown, conflict: load, look for the commit id in the snapshots' summaries
//
// A table whose metadata already shows the commit id counts as committed, whenever that is seen. So a commit never
// comes in twice, whatever became of an attempt whose answer was lost.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/retry_policy.h"
#include "catalog/catalog.h"
#include "model/lsn.h"
#include "observe/metrics.h"

namespace firn::catalog {

/// The snapshot summary key of a commit's own id, by which an unknown outcome is found out.
inline constexpr char kCommitIdKey[] = "firn.commit-id";

struct TableChange {
  LoadedTable base;  ///< What the change was planned on; the first attempt is built on it without loading again.
  /// Called with the metadata to build on: for the first attempt and whenever an attempt has lost. An attempt that only
  /// has to be repeated uses the same request again. Its errors end the loop.
  std::function<Result<iceberg::CommitRequest>(const LoadedTable& fresh)> build;
  /// Called for each built request that surely will not be committed, with the metadata that it was built on: the files
  /// that it wrote can go (iceberg::RemoveBuilt). May be empty. A request whose outcome was unknown is never discarded:
  /// it may still be on its way to the catalog. One that was refused as a conflict is discarded once the table has been
  /// looked at and does not hold it.
  std::function<void(const LoadedTable& base, const iceberg::CommitRequest& lost)> discard;
};

/// Proof that a commit is in the catalog, with all changes of these tables up to `lsn`. Only CommitTables makes one;
/// pipeline/progress takes it, so that nothing can be acknowledged to PostgreSQL before it is committed.
class CommitReceipt {
 public:
  CommitReceipt(CommitReceipt&&) = default;
  CommitReceipt& operator=(CommitReceipt&&) = default;
  CommitReceipt(const CommitReceipt&) = delete;
  CommitReceipt& operator=(const CommitReceipt&) = delete;

  Lsn lsn() const { return lsn_; }
  const std::vector<LoadedTable>& tables() const { return tables_; }  ///< After the commit, in the changes' order.
  int attempts() const { return attempts_; }  ///< The most that a table took; 0 when it was committed before.

 private:
  friend Result<CommitReceipt> CommitChanges(Catalog&, std::span<const TableChange>, const std::string&, Lsn,
                                             const RetryPolicy&, std::stop_token, Metrics*, int);
  CommitReceipt(Lsn lsn, std::vector<LoadedTable> tables, int attempts)
      : lsn_(lsn), tables_(std::move(tables)), attempts_(attempts) {}

  Lsn lsn_;
  std::vector<LoadedTable> tables_;
  int attempts_;
};

/// Commits `changes` (together where the catalog can, else one by one, in order). Each built request's snapshot must
/// carry `commit_id` in its summary under kCommitIdKey. An empty `changes` gives a receipt at once. kWriteFailed after
/// the policy's retries; kCancelled when `stop` came while waiting for one (a stop interrupts nothing else). After an
/// error, tables of a catalog that commits one by one may be committed: calling again with the same `commit_id` and
/// fresh bases leaves those alone. `metrics` counts the retries, as "catalog_commit"; null: nobody does.
/// `tables_at_once` are built, or committed where the catalog commits one by one, at the same time, each change on one
/// thread; the error given is that of the first change in order which failed.
Result<CommitReceipt> CommitChanges(Catalog& catalog, std::span<const TableChange> changes,
                                    const std::string& commit_id, Lsn lsn, const RetryPolicy& retry,
                                    std::stop_token stop, Metrics* metrics = nullptr, int tables_at_once = 1);

/// Changes a table's metadata alone. `build` is called with fresh metadata, each attempt anew, and says what is still
/// to be done: nothing ends the loop, so that a commit whose outcome was unknown is seen to be in. Gives the table as
/// it is then. Errors and `metrics` as of CommitChanges.
Result<LoadedTable> CommitMetadata(
    Catalog& catalog, LoadedTable base,
    const std::function<Result<std::optional<iceberg::CommitRequest>>(const LoadedTable& fresh)>& build,
    const RetryPolicy& retry, std::stop_token stop, Metrics* metrics = nullptr);

}  // namespace firn::catalog
