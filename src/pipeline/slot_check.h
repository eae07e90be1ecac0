// Whether the slot can be followed from where the Iceberg tables are: else changes would be missing, and nothing in the
// stream would tell. Pure.
#pragma once

#include <map>
#include <optional>
#include <span>
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

/// How far a table is, and on which timeline the server's log was then.
struct CommittedTable {
  std::string name;
  Lsn lsn;
  int timeline = 0;
};

/// The same where the log of a server that is on `timeline` lacks changes that one of the tables holds: a standby was
/// promoted, or a backup restored, that didn't have them. Its log may be longer than theirs meanwhile. `left_at`: of
/// each timeline that it was on before, where it left it (postgres::ReadTimelineHistory).
std::optional<Error> FindTimelineProblem(std::span<const CommittedTable> tables, int timeline,
                                         const std::map<int, Lsn>& left_at);

}  // namespace firn::pipeline
