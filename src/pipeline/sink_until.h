// Whole transactions of a stream of one's own, up to a position: of what is asked for, not of what goes on.
//
//   ReplicationStream ──► ReadUntil ──► TransactionAssembler ──► SinkUntil
#pragma once

#include <functional>

#include "firn/result.h"
#include "pipeline/transaction_assembler.h"
#include "postgres/replication_stream.h"

namespace firn::pipeline {

/// Takes transactions until all before `until` came. Single-threaded.
class SinkUntil : public TransactionSink {
 public:
  explicit SinkUntil(Lsn until) : until_(until) {}

  Lsn until() const { return until_; }
  bool done() const { return done_; }

  Status Begin(postgres::Xid, Lsn commit_lsn, int64_t) override {
    commit_lsn_ = commit_lsn;
    done_ = done_ || commit_lsn >= until_;
    return {};
  }
  Status End(Lsn end_lsn) override {
    done_ = done_ || end_lsn >= until_;
    return {};
  }

 protected:
  /// Of the transaction that is being taken.
  Lsn commit_lsn() const { return commit_lsn_; }
  /// Nothing more is wanted, whatever is left of the transaction.
  void SetDone() { done_ = true; }

 private:
  const Lsn until_;
  Lsn commit_lsn_;
  bool done_ = false;
};

/// Reads until the sink is done. `stream` brings transactions whole, after their commit. `go_on` is asked whenever
/// nothing more is there; its error ends the reading.
Status ReadUntil(postgres::ReplicationStream& stream, SinkUntil& sink, const std::function<Status()>& go_on);

}  // namespace firn::pipeline
