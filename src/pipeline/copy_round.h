// A copy of tables that runs on a thread of its own: as of one snapshot, while others stream.
//
//   CopyRound::Start ──► thread: OpenSnapshot (L) ──► tables as of it, targets ──► CopyTables ──► outcomes
//          │                                                                           ▲
//          └── hold(): nothing at or after L is to be acknowledged meanwhile ──────────┘ workers
//
// The tables go on from L in the stream, so PostgreSQL has to keep the WAL from there on until they are committed.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "pipeline/source_setup.h"
#include "pipeline/table_copy.h"
#include "pipeline/target_table.h"

namespace firn::pipeline {

/// A table to copy: as it was found last.
struct CopiedTable {
  SourceTable source;
  TableSettings settings;
};

struct CopyRoundOptions {
  SourceOptions source;
  bool slot_exists = true;  ///< Else the snapshot is that of the pipeline's slot, which is made for it.
  postgres::GeneratedColumns generated = postgres::GeneratedColumns::kSkipped;
  TargetNaming naming;
  CopyOptions copy;  ///< Its snapshot is filled in.
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
  /// The snapshot's LSN; invalid until it is known.
  Lsn hold() const { return Lsn{hold_}; }
  const std::vector<CopiedTable>& tables() const { return tables_; }
  const std::vector<CopyProgress>& progress() const { return progress_; }
  bool Copies(TableOid table) const;

  /// Once ended: what ended all of it before its end.
  const std::optional<Error>& error() const { return error_; }
  /// Once ended: nothing for a table that was copied.
  std::optional<Error> ErrorOf(size_t table) const;

 private:
  Status Run(std::stop_token stop);
  /// The table as of the snapshot, with the Iceberg table that it is copied into, made where it is missing.
  Result<TargetTable> Prepare(const CopiedTable& table, postgres::Connection& at_snapshot, Lsn consistent_point);

  CopyRoundOptions options_;
  std::vector<CopiedTable> tables_;
  catalog::Catalog& catalog_;
  WriterContext context_;
  std::vector<CopyProgress> progress_;         ///< Beside tables_.
  std::vector<std::optional<Error>> refused_;  ///< Beside tables_: those that could not be prepared.
  std::optional<Error> error_;
  std::atomic<uint64_t> hold_ = 0;
  std::atomic<bool> ended_ = false;
  std::jthread thread_;
};

}  // namespace firn::pipeline
