// Looks whether the source's tables still are what firn knows: DDL says nothing in the stream until a row follows it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "model/source_table.h"
#include "postgres/connection.h"
#include "postgres/pgoutput.h"

namespace firn::pipeline {

struct SourceLook {
  /// The tables that have another definition than the one known, are gone, or were awaited.
  std::vector<TableOid> changed;
  /// Nothing that the transactions asked about have done was hidden.
  bool saw_all = true;
};

/// Single-threaded. Keeps a connection of its own; after an error it makes a new one.
class SourceWatch {
 public:
  /// `awaited`: names of tables that are gone and may be made again. One that there is again is told once and taken
  /// out.
  SourceWatch(postgres::ConnectionOptions connection, const std::vector<SourceTable>& tables,
              std::set<TableName>& awaited);

  /// `transactions`: those that the stream has brought. It brings them once they are on disk, which may be before
  /// others see what they did (while the server waits for a synchronous standby).
  Result<SourceLook> Look(std::span<const postgres::Xid> transactions);

 private:
  Result<SourceLook> Look(postgres::Connection& connection, std::span<const postgres::Xid> transactions);

  postgres::ConnectionOptions options_;
  std::optional<postgres::Connection> connection_;
  std::vector<TableOid> oids_;
  std::map<TableOid, std::string> fingerprints_;
  std::set<TableName>& awaited_;
};

}  // namespace firn::pipeline
