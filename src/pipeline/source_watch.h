// Looks whether the source's tables still are what firn knows: DDL says nothing in the stream until a row follows it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/source_table.h"
#include "postgres/connection.h"

namespace firn::pipeline {

/// Single-threaded. Keeps a connection of its own; after an error it makes a new one.
class SourceWatch {
 public:
  SourceWatch(postgres::ConnectionOptions connection, const std::vector<SourceTable>& tables);

  /// The tables that have another definition than the one known, or are gone.
  Result<std::vector<TableOid>> Look();

 private:
  postgres::ConnectionOptions options_;
  std::optional<postgres::Connection> connection_;
  std::vector<TableOid> oids_;
  std::map<TableOid, std::string> fingerprints_;
};

}  // namespace firn::pipeline
