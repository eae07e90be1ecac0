// What firn asks PostgreSQL's catalogs: server facts, publications, tables.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/source_table.h"
#include "postgres/connection.h"

namespace firn::postgres {

struct ServerFacts {
  int version = 0;               ///< 150004
  std::string wal_level;
  std::string system_identifier; ///< pg_control_system().system_identifier, or IDENTIFY_SYSTEM's
  int timeline = 0;
  std::string database;
  std::string user;
  bool can_replicate = false;    ///< The role has REPLICATION or is a superuser.
  bool can_create_in_database = false;
  bool is_superuser = false;
  int max_replication_slots = 0;
  int used_replication_slots = 0;
};
Result<ServerFacts> ReadServerFacts(Connection& connection);

/// Tables that match `patterns` ("public.*", "!public.audit_*", "Shop.Order Items"; later ones win; none: every user
/// table), ordinary and partitioned roots, without system schemas, unlogged and temporary tables.
Result<std::vector<TableName>> ListTables(Connection& connection, const std::vector<std::string>& patterns);
bool MatchesPatterns(const TableName& table, const std::vector<std::string>& patterns);

/// kTableNotFound when it is not there.
Result<SourceTable> ReadTable(Connection& connection, const TableName& name);

struct Publication {
  std::string name;
  bool all_tables = false;
  bool publishes_insert = false, publishes_update = false, publishes_delete = false, publishes_truncate = false;
  bool via_partition_root = false;
  std::vector<TableName> tables;
};
Result<std::optional<Publication>> ReadPublication(Connection& connection, const std::string& name);
/// CREATE PUBLICATION … FOR TABLE …, via_partition_root. kPermission says which grant or ownership is missing.
Status CreatePublication(Connection& connection, const std::string& name, const std::vector<TableName>& tables);
Status AddTablesToPublication(Connection& connection, const std::string& name, const std::vector<TableName>& tables);
Status DropPublication(Connection& connection, const std::string& name);

/// pg_current_wal_flush_lsn().
Result<Lsn> ReadCurrentLsn(Connection& connection);

}  // namespace firn::postgres
