// Whether the slot can be followed from where the Iceberg tables are: else changes would be missing, and nothing in the
// stream would tell. Pure.
#pragma once

#include <optional>
#include <string>

#include "firn/result.h"
#include "model/lsn.h"
#include "postgres/replication_slot.h"

namespace firn::pipeline {

struct SlotSituation {
  std::string name;                        ///< The slot's.
  std::optional<postgres::SlotInfo> slot;  ///< Nothing: it is not there.
  Lsn server_end;                          ///< Where the server's log ends.
  /// The table whose progress is furthest, and that progress; nothing where no table is copied.
  std::string table;
  std::optional<Lsn> committed;
  /// What was last acknowledged to the slot, and where that is kept; nothing where it isn't known.
  std::optional<Lsn> acknowledged;
  std::string acknowledged_file;
};

/// kSourceLost, with what happened and what can be done about it; nothing where all is well.
std::optional<Error> FindSlotProblem(const SlotSituation& situation);

}  // namespace firn::pipeline
