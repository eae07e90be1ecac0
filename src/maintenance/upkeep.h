// The upkeep of streamed tables while firn runs, on one thread of low priority: small files joined, deleted rows left
// out, old snapshots expired.
//
//   every interval, table by table:
//     PlanRewrites (what pays off) ──► RewriteFiles, paced ──► offered ──► committed by the thread that commits the
//     table FindExpired ──► ExpireSnapshots
//
//   and in between: Committed (too many snapshots) ──► FindExpired ──► ExpireSnapshots
//                   Committed (many times since the last look), Request (of an operator) ──► PlanRewrites, and on as
//                   above
//
// Nothing waits for the writing of files. A process that is killed leaves orphans at most.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "iceberg/table_files.h"
#include "maintenance/byte_rate.h"
#include "maintenance/file_rewriter.h"
#include "maintenance/rewrite_plan.h"
#include "maintenance/table_maintenance.h"
#include "pipeline/table_rewrite.h"

namespace firn::maintenance {

struct UpkeepOptions {
  bool compacts = true;  ///< Without a request.
  bool expires = true;
  std::chrono::milliseconds interval{std::chrono::minutes(10)};
  int64_t bytes_per_second = 0;  ///< That are rewritten at most, about; 0: no limit.
  RewriteLimits limits = ContinuousLimits(512 << 20);
  pipeline::DataFileOptions files;  ///< With a budget of memory of its own.
  Retention retention;
};

/// It outlives whoever takes its rewrites. Thread-safe.
class Upkeep : public pipeline::TableRewriter {
 public:
  Upkeep(MaintenanceContext context, UpkeepOptions options);
  /// What is being rewritten is given up.
  ~Upkeep() override;

  void Streams(std::vector<Table> tables) override;
  /// One that has many snapshots more than it should, or that had many commits, is looked at without waiting for the
  /// interval.
  void Committed(std::span<const catalog::LoadedTable> tables) override;
  std::unique_ptr<pipeline::TableRewrite> Take() override;

  /// Has a streamed table, by its source's name, compacted next, as `firn maintain compact` would. kConflict for one
  /// that is not streamed now, or waits for it already.
  Status Request(const std::string& name);

 private:
  class Offer;
  enum class Cause {
    kCommits,  ///< Small files are joined.
    kTime,     ///< What pays off is rewritten.
    kRequest,  ///< All that makes the table better.
  };
  using Clock = std::chrono::steady_clock;
  /// Since a table's files were looked at last.
  struct SinceCompaction {
    int commits = 0;  ///< Of the stream.
    Clock::time_point rests_until;
  };
  /// Of an offer.
  struct Outcome {
    bool tried = false;
    Result<catalog::LoadedTable> committed;
  };

  void Run(std::stop_token stop);
  /// Expires the snapshots of tables that become crowded meanwhile, and compacts those that are due. False on a stop.
  bool WaitForInterval(std::stop_token stop);
  /// Whether there were any.
  bool ExpireCrowded(std::stop_token stop);
  /// Whether there were any.
  bool CompactDue(std::stop_token stop);
  std::vector<Table> Tables();
  /// Whether the small files of the table are to be joined by now.
  bool CountCommit(const iceberg::TableIdent& table);
  Status Compact(const Table& table, Cause cause, std::stop_token stop);
  Status PlanAndRewrite(const Table& table, Cause cause, std::stop_token stop);
  /// Rewrites and commits some files of the table; whatever becomes of them, those of other jobs are not concerned.
  Status Rewrite(const Table& table, const iceberg::TableMetadataPtr& planned, std::vector<iceberg::LiveDataFile> files,
                 std::stop_token stop);
  /// Waits until it is known; a stop ends the wait for somebody to take it.
  Outcome Commit(const Table& table, std::shared_ptr<const RewrittenFiles> files, std::stop_token stop);
  void Ended(Outcome outcome);
  /// `is_crowded`: it has more snapshots than it should by so many that it is time.
  Status Expire(const Table& table, bool is_crowded, std::stop_token stop);

  const MaintenanceContext context_;
  const UpkeepOptions options_;
  ByteRate rate_;
  Metrics rewriting_;  ///< Of the files that the rewriter writes: they hold no new rows.
  iceberg::ManifestCache manifests_;
  std::map<std::string, iceberg::SnapshotId> well_;  ///< By table UUID: the snapshot that leaves nothing to be done.
  std::map<std::string, SnapshotFiles> kept_files_;  ///< By table UUID: of the last expiry.
  std::set<std::string> left_;                       ///< UUIDs of tables that are known not to be expired.

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Table> tables_;                      ///< Under mutex_, as are the following.
  std::set<iceberg::TableIdent> crowded_;          ///< Have too many snapshots, and wait for the thread.
  std::map<iceberg::TableIdent, size_t> counted_;  ///< Snapshots when a table was last crowded, or fewer since.
  std::map<iceberg::TableIdent, SinceCompaction> since_compaction_;
  std::map<iceberg::TableIdent, Cause> due_;  ///< Wait for the thread to be compacted.
  std::optional<Outcome> outcome_;
  std::unique_ptr<pipeline::TableRewrite> offer_;  ///< Until it is taken.
  std::jthread thread_;                            ///< The first to go.
};

}  // namespace firn::maintenance
