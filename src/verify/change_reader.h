// Reads from a slot what tables went through after the slot's snapshot.
#pragma once

#include <chrono>
#include <span>
#include <stop_token>
#include <string>

#include "firn/result.h"
#include "pipeline/target_table.h"
#include "postgres/replication_stream.h"
#include "verify/later_changes.h"

namespace firn::verify {

/// A table, and up to where its changes are wanted.
struct ChangedTable {
  const pipeline::TargetTable& target;
  Lsn until;  ///< Transactions whose commit record starts before it.
  LaterChanges& changes;
  /// Why its rows can't be told: it was altered or truncated meanwhile. "" where they can.
  std::string unclear;
};

/// Reads until every table has its changes. kTransient when that takes longer than `deadline`, or when more has changed
/// than is to be held in memory.
Status ReadChanges(postgres::ReplicationStream& stream, std::span<ChangedTable> tables,
                   std::chrono::steady_clock::time_point deadline, const std::stop_token& stop);

}  // namespace firn::verify
