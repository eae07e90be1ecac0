// Looks whether the source's tables still are what firn knows: DDL says nothing in the stream until a row follows it.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/source_table.h"
#include "pipeline/source_setup.h"
#include "postgres/connection.h"
#include "postgres/pgoutput.h"

namespace firn::pipeline {

struct SourceLook {
  /// The tables that have another definition than the one known, or are gone.
  std::vector<TableOid> changed;
  /// Other tables are to be replicated than those known, or one was taken out of the publication meanwhile.
  bool tables_changed = false;
  /// Nothing that the transactions asked about have done was hidden.
  bool saw_all = true;
};

/// Single-threaded. Keeps a connection of its own; after an error it makes a new one.
class SourceWatch {
 public:
  /// `tables`: those whose definitions count; `table_set`: as InspectSource found it.
  SourceWatch(SourceOptions options, const std::vector<SourceTable>& tables, TableSet table_set);

  /// `transactions`: those that the stream has brought. It brings them once they are on disk, which may be before
  /// others see what they did (while the server waits for a synchronous standby). The set of tables is looked at once a
  /// second at most.
  Result<SourceLook> Look(std::span<const postgres::Xid> transactions);

 private:
  Result<SourceLook> Look(postgres::Connection& connection, std::span<const postgres::Xid> transactions);

  SourceOptions options_;
  std::optional<postgres::Connection> connection_;
  std::vector<TableOid> oids_;
  std::map<TableOid, std::string> fingerprints_;
  TableSet table_set_;
  std::chrono::steady_clock::time_point next_set_look_;
};

}  // namespace firn::pipeline
