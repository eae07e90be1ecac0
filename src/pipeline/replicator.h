// The streaming phase: transactions from the slot into the tables' lanes, flushes by policy, acknowledgements by
// receipt.
//
//   ReplicationStream ──► TransactionAssembler ──► lanes ──(DecideFlush)──► Committer ──► CommitReceipt
//          ▲                                                                                   │
//          └────────────────────────── Progress ◄──────────────────────────────────────────────┘
//
// One thread drives it all but the committer's work. It never waits for the committer without keeping the stream alive.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "observe/pipeline_status.h"
#include "pipeline/commit_queue.h"
#include "pipeline/flush_policy.h"
#include "pipeline/pause_switch.h"
#include "pipeline/progress.h"
#include "pipeline/relation_matcher.h"
#include "pipeline/source_watch.h"
#include "pipeline/table_lane.h"
#include "pipeline/table_rewrite.h"
#include "pipeline/target_table.h"
#include "pipeline/transaction_assembler.h"
#include "postgres/replication_stream.h"

namespace firn::pipeline {

/// What goes on beside the stream, as the replicator asks it: on its own thread, often.
class BesideStream {
 public:
  virtual ~BesideStream() = default;
  /// Nothing at or after it may be acknowledged; nothing: no limit.
  virtual std::optional<Lsn> Hold() const = 0;
  /// The set of streamed tables is to be made anew.
  virtual bool WantsStart() const = 0;
  /// Copies are under way or about to be: `until` is not reached before they are over.
  virtual bool HasCopiesToCome() const = 0;
  /// Fills in what is known of the tables that are not streamed.
  virtual void Describe(PipelineStatus& status) const = 0;
};

struct ReplicatorOptions {
  FlushLimits flush;
  TableWriterOptions writer;
  std::string slot;
  SpoolOptions spool;
  RetryPolicy retry;
  /// End once everything before it is committed; nothing: go on until a stop is requested.
  std::optional<Lsn> until;
  /// Whether the tables still are as the targets know them (SourceWatch::Look). Asked once a commit interval, and
  /// before each commit.
  std::function<Result<SourceLook>(std::span<const postgres::Xid> transactions)> look_for_changes;
  /// The clock that flushes go by.
  std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
  /// Does the flushes; nothing: a Committer.
  std::unique_ptr<CommitQueue> commit_queue;
  /// What goes on beside the stream: copies of other tables, and tables that wait for one.
  BesideStream* beside = nullptr;
  /// While it is set, the stream stands still.
  const PauseSwitch* pause = nullptr;
  /// Rewrites files of the tables; nothing: nobody does.
  TableRewriter* rewriter = nullptr;
  /// What the tables had when the stream began, for the status.
  Lsn begins_at;
  /// Requests up to there in the stream have been heard before.
  Lsn requests_heard;
};

/// Why a stream ended without an error.
struct StreamEnd {
  /// Tables have changed: the targets have to be made anew from the source as it is now.
  bool source_changed = false;
  /// BesideStream::WantsStart.
  bool again = false;
  /// Nothing explains a message of this table: the stream is ahead of what the catalogs show, which passes.
  std::string unexplained;
  /// Tables whose rows can't be told from the stream with certainty: to be copied again.
  std::set<TableOid> copy_again;
  /// The table that can't go on, and why. What it has not committed yet is lost to it: it is to be copied again.
  struct Failure {
    TableOid table;
    Error error;
  };
  std::optional<Failure> failure;
  /// The table that is to be copied again by request (table_request.h), and where in the stream that stands.
  struct Request {
    TableOid table;
    Lsn lsn;
  };
  std::optional<Request> request;
};

struct ReplicatorServices {
  catalog::Catalog& catalog;
  WriterContext writer;
  StatusBoard& status;
};

/// Single-threaded: Run does everything on the calling thread.
class Replicator : private TransactionSink {
 public:
  /// `targets`: all copied. `status`: what is known of each table, kept up to date on the status board.
  static Result<std::unique_ptr<Replicator>> Make(ReplicatorOptions options, ReplicatorServices services,
                                                  std::vector<TargetTable> targets, PipelineStatus status);

  /// Streams until `until`, a stop, an error, or a change of a table's definition or of the tables. On a stop or such a
  /// change it commits the transactions that are complete.
  Result<StreamEnd> Run(postgres::ReplicationStream& stream, std::stop_token stop);

 private:
  struct Table {
    std::unique_ptr<TableLane> lane;
    std::unique_ptr<TableWriter> writer;
    SourceTable source;
    std::vector<KnownAttribute> known;
    /// Changes of transactions that commit at or after it are described as the table is known, or newer.
    Lsn known_since;
    std::unique_ptr<KeptRelation> relation;  ///< The last Relation message.
    std::optional<RelationBinding> binding;  ///< Of it; made when the first row comes that needs it.
    OldRows old_rows = OldRows::kFollowed;   ///< Of it, as the binding.
    bool dirty = false;                      ///< Has changes since the last flush.
    bool uncommitted = false;                ///< Has changes since the last commit.
    bool described = false;                  ///< A Relation message came since the last look for changes.
  };

  Replicator(ReplicatorOptions options, ReplicatorServices services, PipelineStatus status);

  // TransactionSink
  Status Begin(postgres::Xid xid, Lsn commit_lsn, int64_t committed_at_us) override;
  Status Apply(const postgres::Message& message) override;
  Status End(Lsn end_lsn) override;

  Status ApplyToTable(TableOid oid, const postgres::Message& message);
  void KeepRelation(const postgres::RelationMessage& relation);
  /// `has_old_row`: the change that comes is no INSERT.
  Status Bind(Table& table, bool has_old_row);
  void MatchToTable(Table& table) const;
  void MarkDirty(Table& table);

  Status FlushWhereDue(bool now);
  /// Hands the open batches to the committer; waits for room there, keeping the stream alive.
  Status Flush(bool commit);
  Status TakeOutcomes();
  /// Hands over a rewrite of files, between two commits.
  Status CommitRewrite();
  Status AcknowledgeIdle();
  void Acknowledge();
  /// The same status; where the others can go on without the table, its failure ends the stream.
  Status Watch(const Table& table, Status status);
  Status HearRequest(const postgres::LogicalMessage& message);
  Status Stream(std::stop_token stop);
  Status Stop();
  /// Commits what is complete, then reads and acknowledges nothing until the switch is set back, or a stop is
  /// requested.
  Status StandStill(std::stop_token stop);
  Status LookForChanges();
  bool MayCommit() const;
  /// Commits the transactions that are complete, if rows of no other are among theirs; waits for what is under way.
  Status CommitWhole();
  bool idle() const {
    return dirty_.empty() && !written_ && committer_->jobs_in_flight() == 0 && assembler_.between_transactions();
  }
  void PublishStatus();
  double LagSeconds() const;

  ReplicatorOptions options_;
  ReplicatorServices services_;
  TransactionAssembler assembler_;
  Progress progress_;
  PipelineStatus status_;
  postgres::ReplicationStream* stream_ = nullptr;               ///< During Run.
  std::unordered_map<uint32_t, Table> tables_;                  ///< By OID.
  std::unordered_map<const TableWriter*, size_t> status_rows_;  ///< Indexes into status_.tables.
  std::unordered_map<const TableWriter*, TableOid> oids_;
  Lsn acknowledged_;  ///< To the slot, by this stream.
  std::vector<Table*> dirty_;
  postgres::Xid transaction_xid_ = 0;  ///< As Begin named it.
  Lsn transaction_commit_lsn_;         ///< Of that transaction.
  int64_t transaction_time_us_ = 0;    ///< Since 1970-01-01 00:00 UTC.
  Lsn applied_;                        ///< End of the last whole transaction in the lanes.
  bool written_ = false;               ///< Handed over without a commit since the last one.
  size_t flushing_bytes_ = 0;
  int changes_since_check_ = 0;
  size_t bytes_since_check_ = 0;
  int64_t rows_in_transaction_ = 0;            ///< Applied since Begin.
  std::optional<StreamEnd> end_;               ///< Set: the stream is to end.
  std::optional<StreamEnd::Failure> failure_;  ///< What ended it, where that is of one table.
  bool batches_lost_ = false;                  ///< Some are neither in their lanes nor with the committer: no commit.
  std::set<TableOid> changed_;                 ///< As of the last look.
  bool saw_all_ = true;                        ///< The last look did, and `describing_` held.
  std::vector<postgres::Xid> describing_;      ///< Transactions with Relation messages since a look that saw all.
  std::chrono::steady_clock::time_point next_look_;
  std::chrono::steady_clock::time_point oldest_change_;
  int64_t oldest_change_us_ = 0;  ///< Commit time (as above) of the oldest transaction not handed to the committer.
  int64_t changes_ = 0;           ///< Since the last status.
  int64_t bytes_reported_ = 0;
  std::chrono::steady_clock::time_point status_due_;
  std::optional<std::chrono::steady_clock::time_point> paused_since_;
  std::unique_ptr<CommitQueue> committer_;  ///< The first to go: it may be at work on the tables.
};

}  // namespace firn::pipeline
