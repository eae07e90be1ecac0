// Logical replication slots: made with an exported snapshot, looked at, dropped.
#pragma once

#include <optional>
#include <string>

#include "model/lsn.h"
#include "postgres/connection.h"

namespace firn::postgres {

struct SlotInfo {
  std::string name;
  std::string plugin;  ///< Empty for a physical slot.
  std::string database;
  bool active = false;
  int active_pid = 0;
  std::string wal_status;  ///< "reserved", "extended", "unreserved", "lost"; empty before PostgreSQL 13
  Lsn confirmed_flush_lsn;
  Lsn restart_lsn;
};
/// Over a connection of either kind.
Result<std::optional<SlotInfo>> ReadSlot(Connection& connection, const std::string& name);

/// How much WAL a slot keeps, and may keep.
struct SlotWal {
  std::string wal_status;              ///< As in SlotInfo.
  std::string invalidation_reason;     ///< Of a lost slot, from PostgreSQL 17: "wal_removed", "rows_removed", …
  int64_t retained_bytes = 0;          ///< From restart_lsn to where the WAL ends now.
  std::optional<int64_t> safe_bytes;   ///< That may be written before the slot may be lost; nothing: no limit is set.
  std::optional<int64_t> limit_bytes;  ///< max_slot_wal_keep_size
  Lsn wal_end;                         ///< Where the WAL ends now.
};
/// Nothing where there is no such slot.
Result<std::optional<SlotWal>> ReadSlotWal(Connection& connection, const std::string& name);

/// PostgreSQL's rule: 1 to 63 of a-z, 0-9 and _. kInvalidConfig else.
Status CheckSlotName(const std::string& name);

struct CreatedSlot {
  Lsn consistent_point;  ///< Transactions whose commit record lies at or after it are streamed; earlier ones are in
                         ///< the snapshot.
  std::string snapshot_name;  ///< Usable until the next command on the connection that made the slot.
};
/// `connection` must be a replication connection; it keeps the snapshot alive. A temporary slot goes with it.
/// Waits until every transaction that was open at its start has ended.
/// `failover`: standbys that synchronize slots (sync_replication_slots) take it over, so that it is there when one is
/// promoted; from PostgreSQL 17, and not of temporary slots: elsewhere it means nothing.
/// kAlreadyExists when a slot has that name; kInvalidConfig when wal_level doesn't allow one; kTransient while all
/// max_replication_slots are taken.
Result<CreatedSlot> CreateSlot(Connection& connection, const std::string& name, bool temporary, bool failover = false);
/// A temporary slot at the place of `source`, over a replication connection. Needs no more rights than to make one.
/// kNotFound when there is no such slot; kAlreadyExists, kInvalidConfig as of CreateSlot.
Status CopySlot(Connection& connection, const std::string& source, const std::string& name);
/// A connection inside a transaction that sees what the exported snapshot sees, the catalogs included (where it is
/// asked by SQL; the server itself, when it plans a query or runs COPY, always looks at the catalogs as they are now).
/// An empty name: a snapshot of its own. kTransient when the snapshot is no longer there.
Result<Connection> OpenAtSnapshot(const ConnectionOptions& options, const std::string& snapshot_name);
/// OK when there is none; kTransient when it is in use.
Status DropSlot(Connection& connection, const std::string& name);

}  // namespace firn::postgres
