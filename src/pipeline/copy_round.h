// A copy of tables that runs on a thread of its own: as of one snapshot, while others stream.
//
//   CopyRound::Start ──► thread: OpenSnapshot (L) ──► tables as of it, targets ──► CopyTables ──► outcomes
//          │                                                                           ▲
//          └── hold(): nothing at or after L is to be acknowledged meanwhile ──────────┘ workers
//
// Where another engine copies large tables (pipeline/outside_copy), it begins when the others are copied; then comes a
// second snapshot, as of which its tables are made whole.
//
// The tables go on from L in the stream, so PostgreSQL has to keep the WAL from there on until they are committed.
// Where that becomes much, the round ends before all is copied: the keys that have changed so far are written down
// beside the ranges that are done, and another round goes on with a later snapshot.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <thread>
#include <vector>

#include "pipeline/source_setup.h"
#include "pipeline/table_copy.h"
#include "pipeline/target_table.h"

namespace firn::pipeline {

class OutsideCopier;

/// A table to copy: as it was found last.
struct CopiedTable {
  SourceTable source;
  TableSettings settings;
  int64_t rows_copied = 0;          ///< By the rounds that it was left over from.
  std::optional<Lsn> needed_since;  ///< CopyRound::NeededSince of the last one.
};

struct CopyRoundOptions {
  SourceOptions source;
  bool slot_exists = true;  ///< Else the snapshot is that of the pipeline's slot, which is made for it.
  postgres::GeneratedColumns generated = postgres::GeneratedColumns::kSkipped;
  TargetNaming naming;
  CopyOptions copy;  ///< Its snapshot is filled in.
  /// Where copies that break off leave what they have done (CopyCheckpoints).
  std::string checkpoints;
  int timeline = 0;  ///< Of the cluster.
  /// WAL from hold() on with which the round ends before all is copied; never with 0. Half of max_slot_wal_keep_size
  /// where that is less.
  int64_t wal_limit_bytes = 0;
  /// Copies the tables that are large, where it can; null: firn copies all.
  OutsideCopier* outside = nullptr;
};

/// Started and asked by one thread; the services outlive it.
class CopyRound {
 public:
  CopyRound(CopyRoundOptions options, std::vector<CopiedTable> tables, catalog::Catalog& catalog,
            WriterContext context);
  /// Stops what is under way and waits for its end.
  ~CopyRound() = default;
  CopyRound(const CopyRound&) = delete;
  CopyRound& operator=(const CopyRound&) = delete;

  void Start();
  void RequestStop() { thread_.request_stop(); }

  bool ended() const { return ended_; }
  /// Returns once it has ended, or after `time`; gives which.
  bool WaitForEnd(std::chrono::milliseconds time) const;
  /// The snapshot's LSN, or an earlier one that files of copies which broke off are from; invalid until it is known.
  Lsn hold() const { return Lsn{hold_}; }
  const std::vector<CopiedTable>& tables() const { return tables_; }
  const std::vector<CopyProgress>& progress() const { return progress_; }
  bool Copies(TableOid table) const;

  /// Once ended: what ended all of it before its end.
  const std::optional<Error>& error() const { return error_; }
  /// Once ended: nothing for a table that was copied, or is left over.
  std::optional<Error> ErrorOf(size_t table) const;
  /// Once ended: what is left of the table is for the next round.
  bool IsLeftOver(size_t table) const { return !progress_[table].done && !ErrorOf(table); }
  /// Once ended: the changes from there on are needed to go on with the table's copy, all of them where that is 0/0;
  /// nothing where it would start again.
  std::optional<Lsn> NeededSince(size_t table) const;

 private:
  using Clock = std::chrono::steady_clock;

  /// A snapshot, and what is copied as of it.
  struct AtSnapshot {
    Clock::time_point asked_for;
    SourceSnapshot snapshot;
    std::vector<TargetTable> targets;
    std::vector<size_t> places;  ///< Of the targets, in tables_.
  };

  Status Run(std::stop_token stop);
  /// Of the tables that are left.
  Result<AtSnapshot> Open(bool slot_exists, const std::stop_token& stop);
  /// `may_break_off`: where it holds too much WAL.
  Status Copy(AtSnapshot at, bool may_break_off, std::stop_token stop);
  /// Takes the tables out of `at` that are to be copied outside.
  Result<AtSnapshot> TakeOutside(AtSnapshot& at);
  /// Those that could be copied are remembered as read, the others refused. The snapshot's connection is closed.
  Status CopyOutside(AtSnapshot at, const std::stop_token& stop);
  Status EnterOutside(const TargetTable& target, size_t place, const std::string& branch, Lsn since,
                      const std::stop_token& stop);
  bool IsLeft(size_t table) const { return !progress_[table].done && !refused_[table] && !progress_[table].error; }
  /// Each table's counterpart, which the tables of `refused_` don't have; beside tables_.
  Result<std::vector<std::optional<TargetTable>>> PrepareAll(const std::map<TableOid, Result<SourceTable>>& sources,
                                                             const std::stop_token& stop);
  /// What earlier copies have left of the targets, as far as it can be taken up at the snapshot; the rest is discarded.
  Result<std::vector<CopyResumption>> TakeUp(const AtSnapshot& at, const std::stop_token& stop);
  /// Why the files can't be taken up; "" where they can. `known`: up to where their changes are.
  std::string WhyStale(const CopiedRanges& copied, Lsn known, Lsn slot_position) const;
  /// What keys have changed in the tables up to `until`; writes down those that don't fit into memory.
  Status ReadKeys(postgres::ReplicationStream& stream, std::span<ChangedTable> tables, Lsn until,
                  const std::stop_token& stop) const;
  /// Writes down the others.
  Status KeepKeys(size_t place, const ChangedTable& table, Lsn until);

  // --- Ends before all is copied ---

  /// Blocks until the copies that are under way hold too much WAL and were told to end, or `ended` is requested.
  void WatchHeldWal(const AtSnapshot& at, std::span<const CopyResumption> resumptions, const std::stop_token& ended);
  /// `end`: of the WAL.
  Status BreakOff(const AtSnapshot& at, std::span<const CopyResumption> resumptions, Lsn end,
                  const std::stop_token& ended);
  /// What is remembered can be taken up, as far as is known before the changes since are read.
  Result<bool> IsCopiedInPart(const TargetTable& target);
  /// The Iceberg table that `source`, as of the snapshot, is copied into; made where it is missing.
  Result<TargetTable> Prepare(const SourceTable& source, const TableSettings& settings, const std::stop_token& stop);

  CopyRoundOptions options_;
  std::vector<CopiedTable> tables_;
  catalog::Catalog& catalog_;
  WriterContext context_;
  std::vector<CopyProgress> progress_;         ///< Beside tables_.
  std::vector<std::optional<Error>> refused_;  ///< Beside tables_: those that could not be prepared.
  /// Beside tables_: from where on changes are not known yet of what is remembered, or will be.
  std::vector<std::optional<Lsn>> needed_since_;
  const CopyCheckpoints checkpoints_;
  std::optional<Error> error_;
  std::atomic<uint64_t> hold_ = 0;
  std::atomic<bool> ended_ = false;
  mutable std::mutex end_mutex_;
  mutable std::condition_variable end_;  ///< Of ended_, which is set under end_mutex_.
  std::jthread thread_;
};

}  // namespace firn::pipeline
