// What a Destination remembers of its tables, as interfaces: how far each is, and what its columns are.
//
// By default there is nothing to give: a table itself holds both. Its position is in the summary of each snapshot
// (firn.lsn), committed together with the rows and so never ahead of them nor behind; its definition is its Iceberg
// schema, with the rest in properties (docs/snapshot_summary.md). An application gives stores of its own where it keeps
// such things in one place: a database that it looks into anyway, a registry of schemas.
//
// Thread-safety: a Destination calls its stores on the thread that calls it, one call at a time. They throw nothing. An
// error of a store ends the call that it came up in; behind a commit, that is in, and is refused the second time.
#pragma once

#include <cstdint>
#include <optional>

#include "firn/result.h"
#include "firn/table.h"

namespace firn {

/// How far each table is. The table stays the last word: a crash between a commit and StorePosition leaves the store
/// behind, and it is told when the table is next defined. A store that is ahead of its table means that the table was
/// taken back, or made anew: kSourceLost.
class StateStore {
 public:
  virtual ~StateStore() = default;
  /// The position that was stored last; nothing: none was.
  virtual Result<std::optional<uint64_t>> LoadPosition(const TableId& table) = 0;
  /// The table's commit with `position` is in. Called after each commit, for each table that was in it.
  virtual Status StorePosition(const TableId& table, uint64_t position) = 0;
};

/// What each table is like.
class SchemaStore {
 public:
  virtual ~SchemaStore() = default;
  /// The definition of a table that is used before DefineTable has been called for it; nothing: the store doesn't know
  /// it, and the use is kTableNotFound. It may have computed columns.
  virtual Result<std::optional<TableDefinition>> LoadDefinition(const TableId& table) = 0;
  /// DefineTable has made or opened the table.
  virtual Status StoreDefinition(const TableDefinition& table) = 0;
};

}  // namespace firn
