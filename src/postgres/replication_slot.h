// Logical replication slots: made with an exported snapshot, looked at, dropped.
#pragma once

#include <optional>
#include <string>

#include "model/lsn.h"
#include "postgres/connection.h"

namespace firn::postgres {

struct SlotInfo {
  std::string name;
  std::string plugin;
  std::string database;
  bool active = false;
  int active_pid = 0;
  std::string wal_status;   ///< "reserved", "extended", "unreserved", "lost"; empty before PostgreSQL 13
  Lsn confirmed_flush_lsn;
  Lsn restart_lsn;
};
Result<std::optional<SlotInfo>> ReadSlot(Connection& connection, const std::string& name);

struct CreatedSlot {
  Lsn consistent_point;       ///< Transactions whose commit record lies at or after it are streamed; earlier ones are in
                              ///< the snapshot.
  std::string snapshot_name;  ///< Usable until the next command on the connection that made the slot.
};
/// `connection` must be a replication connection; it keeps the snapshot alive. A temporary slot goes with it.
/// kAlreadyExists when a slot has that name.
Result<CreatedSlot> CreateSlot(Connection& connection, const std::string& name, bool temporary);
/// OK when there is none; kTransient when it is in use.
Status DropSlot(Connection& connection, const std::string& name);

}  // namespace firn::postgres
