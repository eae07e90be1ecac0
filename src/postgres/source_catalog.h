// What firn asks PostgreSQL's catalogs: server facts, publications, tables.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/source_table.h"
#include "postgres/connection.h"

namespace firn::postgres {

struct ServerFacts {
  int version = 0;  ///< 150004
  std::string wal_level;
  std::string system_identifier;  ///< pg_control_system().system_identifier; empty where the role may not ask that
                                  ///< (then: IdentifySystem over a replication connection).
  int timeline = 0;
  bool in_recovery = false;  ///< A standby: its timeline may be the one of its last restart point.
  std::string database;
  std::string user;
  bool can_replicate = false;  ///< The role has REPLICATION, is a superuser or a member of rds_replication.
  bool can_create_in_database = false;
  bool is_superuser = false;
  int max_replication_slots = 0;
  int used_replication_slots = 0;
};
Result<ServerFacts> ReadServerFacts(Connection& connection);

/// A connection on which what has to wait for a lock fails after a few seconds (kTransient): for looks at the catalogs,
/// by those who have other tables to care for.
Result<Connection> OpenForCatalogs(const ConnectionOptions& options);

/// The server's clock: microseconds since 1970-01-01 00:00 UTC.
Result<int64_t> ReadClock(Connection& connection);

/// IDENTIFY_SYSTEM: the same identifier and timeline, for any role that may replicate.
struct SystemIdentity {
  std::string system_identifier;
  int timeline = 0;
};
Result<SystemIdentity> IdentifySystem(Connection& replication_connection);

/// TIMELINE_HISTORY: of each timeline that the server's log was on before `timeline`, where it left it.
Result<std::map<int, Lsn>> ReadTimelineHistory(Connection& replication_connection, int timeline);

/// Whether the server is a standby.
Result<bool> IsInRecovery(Connection& connection);

/// What stands for a partitioned table: itself, or each table that holds a part of its rows.
enum class PartitionedTables : uint8_t { kRoot, kLeaves };

/// Tables that match `patterns` ("public.*", "!public.audit_*", "Shop.Order Items"; later ones win; none: every user
/// table), ordinary and partitioned roots or leaves, without system schemas, unlogged and temporary tables, by name.
/// Tables that an extension made are left out unless a pattern without wildcards names them.
Result<std::vector<TableName>> ListTables(Connection& connection, const std::vector<std::string>& patterns,
                                          PartitionedTables partitioned = PartitionedTables::kRoot);

/// The partitioned tables (kRoot: outermost ones) or their leaves, by name.
Result<std::vector<TableName>> ListPartitioned(Connection& connection, PartitionedTables which);

/// `*` stands for any characters, `?` for one, neither crosses the dot between schema and table; a pattern without a
/// dot means schema public; "a.b".c quotes a part that has dots or wildcards of its own; a leading `!` takes tables
/// out, and where the first pattern does so, all tables are in before it. Case counts.
bool MatchesPatterns(const TableName& table, const std::vector<std::string>& patterns);

/// What pgoutput does with generated columns: none before PostgreSQL 18, then stored ones where the publication says so
/// (publish_generated_columns = stored).
enum class GeneratedColumns : uint8_t { kSkipped, kStored };

/// kTableNotFound when it is not there. `generated`: those of the table's publication.
Result<SourceTable> ReadTable(Connection& connection, const TableName& name,
                              GeneratedColumns generated = GeneratedColumns::kSkipped);
/// Those of the tables that are there, in the order of `names`, by a few queries for all. Reads catalogs only, so that
/// it waits for no lock on a table; `pages` are what PostgreSQL last noted.
Result<std::vector<SourceTable>> ReadTables(Connection& connection, std::span<const TableName> names,
                                            GeneratedColumns generated = GeneratedColumns::kSkipped);
/// Brings `pages` up to date, but of tables that others have locked, or wait to lock.
Status ReadSizes(Connection& connection, std::span<SourceTable> tables);

/// A relation that a publication has with a row filter or a column list.
struct PartlyPublished {
  TableName table;     ///< The relation, or a partition or a partitioned table that shares rows with it.
  TableName relation;  ///< As the publication names it.
};

struct Publication {
  std::string name;
  bool all_tables = false;
  bool publishes_insert = false, publishes_update = false, publishes_delete = false, publishes_truncate = false;
  bool via_partition_root = false;
  GeneratedColumns generated_columns = GeneratedColumns::kSkipped;
  bool made_by_firn = false;            ///< By its comment: firn may add tables to it, and drop it.
  std::vector<TableName> tables;        ///< The relations whose changes arrive, by name.
  std::vector<PartlyPublished> partly;  ///< Of which the copy would hold more than the stream; by name.
};
Result<std::optional<Publication>> ReadPublication(Connection& connection, const std::string& name);
/// CREATE PUBLICATION … FOR TABLE …, via_partition_root or not. kPermission says which grant or ownership is missing.
/// A table without replica identity in a publication makes its UPDATEs and DELETEs fail at the source.
Status CreatePublication(Connection& connection, const std::string& name, const std::vector<TableName>& tables,
                         PartitionedTables partitioned = PartitionedTables::kRoot);
/// Tables that it has already are skipped.
Status AddTablesToPublication(Connection& connection, const std::string& name, const std::vector<TableName>& tables);
/// OK when there is none.
Status DropPublication(Connection& connection, const std::string& name);

/// pg_current_wal_flush_lsn(); on a standby the replayed position.
Result<Lsn> ReadCurrentLsn(Connection& connection);

}  // namespace firn::postgres
