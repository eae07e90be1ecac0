// The tables that are not streamed: those being copied while the others stream, and those that wait for a copy, parked
// or not. Outlives the runs of the stream. Of a round that takes long, what is copied joins the stream before its end;
// what a round has left over, so that PostgreSQL need not keep the WAL for it, the next one copies at once.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "observe/metrics.h"
#include "pipeline/copy_round.h"
#include "pipeline/parked_tables.h"
#include "pipeline/replicator.h"

namespace firn::pipeline {

/// Single-threaded but for the round's own threads.
class CopyQueue final : public BesideStream {
 public:
  CopyQueue(const RetryPolicy& retry, Metrics& metrics) : metrics_(metrics), parked_(retry) {}

  // BesideStream
  std::optional<Lsn> Hold() const override;
  bool WantsStart() const override;
  bool HasCopiesToCome() const override { return round_ || parked_.HasPassing() || !left_over_.empty(); }
  void Describe(PipelineStatus& status) const override;

  /// One round at a time: others wait for its end.
  void Start(std::unique_ptr<CopyRound> round);
  const CopyRound* round() const { return round_.get(); }
  void RequestStop() {
    stops_ = true;
    round_->RequestStop();
  }
  /// Not so for a table that is copied already and was taken in.
  bool Copies(TableOid table) const { return round_ && round_->Copies(table) && !joined_.contains(table); }
  /// Takes in what has become of the round: its copied tables can be streamed; once it has ended, its failed tables
  /// wait. What ended it before its end, where something did.
  std::optional<Error> Collect();

  /// Fills in what is known of a table that is about to be copied.
  void Describe(CopiedTable& table) const;
  /// Rows that were copied of a table which the last round has left over; nothing of others.
  std::optional<int64_t> LeftOver(TableOid table) const;

  /// The table can't go on.
  void Failed(const SourceTable& table, const Error& error);
  const ParkedTables::Entry* Waiting(const SourceTable& table) const;
  void Streams(const SourceTable& table);
  /// The table is to be copied as soon as can be.
  void Hurry(TableOid table) { parked_.Forget(table); }
  /// Forgets tables that are gone.
  void Keep(const std::vector<SourceTable>& tables);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// Copied tables of a round that goes on.
  std::set<TableOid> Copied() const;

  Metrics& metrics_;
  ParkedTables parked_;
  std::unique_ptr<CopyRound> round_;
  bool stops_ = false;         ///< What is cancelled was to be.
  TimePoint started_;          ///< The round.
  std::set<TableOid> joined_;  ///< Its tables that were taken in.
  TimePoint next_join_;        ///< Others are not before.
  /// Tables whose copy broke off, and from where on changes are needed to go on with it.
  std::map<TableOid, Lsn> needed_since_;
  std::map<TableOid, int64_t> left_over_;  ///< With the rows that were copied.
};

}  // namespace firn::pipeline
