// pgoutput messages → whole transactions, in commit order.
//
//   Begin … Commit                        ──────────────────────────────────────────► sink
//   Stream Start … Stop, Start … Stop     ──► spool of that transaction
//                      Stream Abort       ──► the spool, or one subtransaction's changes, dropped
//                      Stream Commit      ──► spool replayed ───────────────────────► sink
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "firn/result.h"
#include "pipeline/transaction_spool.h"
#include "postgres/pgoutput.h"

namespace firn::pipeline {

/// Takes transactions. Begin, then Relation, Type, Insert, Update, Delete, Truncate messages and those of
/// applications, then End.
class TransactionSink {
 public:
  virtual ~TransactionSink() = default;
  virtual Status Begin(postgres::Xid xid, Lsn commit_lsn, int64_t committed_at_us) = 0;
  virtual Status Apply(const postgres::Message& message) = 0;
  /// `end_lsn`: just behind the commit record.
  virtual Status End(Lsn end_lsn) = 0;
};

struct SpoolOptions {
  std::string directory;           ///< Made when missing; emptied when the assembler starts.
  size_t memory_bytes = 32 << 20;  ///< Held of all transactions together; the rest is in files.
};

/// Single-threaded.
class TransactionAssembler {
 public:
  TransactionAssembler(TransactionSink& sink, SpoolOptions options) : sink_(sink), options_(std::move(options)) {}
  Status Start();

  Status Handle(std::string_view payload);

  /// Between transactions, as the sink sees them: what it got so far ends with a whole one.
  bool between_transactions() const { return !in_transaction_; }
  size_t spooled_bytes_in_memory() const { return bytes_in_memory_; }

 private:
  struct Streamed {
    std::unique_ptr<TransactionSpool> spool;
    std::set<postgres::Xid> aborted;  ///< Subtransactions.
  };
  Status HandleMessage(const postgres::Message& message);
  Status Spool(postgres::Xid subtransaction, std::string_view payload);
  void Forget(postgres::Xid xid);
  Status Replay(const postgres::StreamCommitMessage& commit);

  TransactionSink& sink_;
  SpoolOptions options_;
  postgres::PgoutputParser parser_;
  postgres::PgoutputParser replay_parser_;
  std::map<postgres::Xid, Streamed> streamed_;
  std::optional<postgres::Xid> open_stream_;
  size_t bytes_in_memory_ = 0;  ///< Of all spools.
  bool in_transaction_ = false;
};

}  // namespace firn::pipeline
