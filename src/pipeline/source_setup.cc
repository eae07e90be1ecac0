#include "pipeline/source_setup.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "base/uuid.h"
#include "pipeline/leaf_check.h"
#include "postgres/cancel_on_stop.h"
#include "postgres/table_version.h"

namespace firn::pipeline {
namespace {

using postgres::Connection;

constexpr int kOldestServer = 120000;
constexpr std::string_view kLockNotAvailable = "55P03";

template <typename... Args>
void AddProblem(SourceState& state, ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  state.problems.push_back(MakeError(kind, ErrorOrigin::kSource, format, std::forward<Args>(args)...));
}

void CheckServer(SourceState& state) {
  const postgres::ServerFacts& facts = state.facts;
  if (facts.version < kOldestServer) {
    AddProblem(state, ErrorKind::kUnsupported, "the server is PostgreSQL {}; firn needs 12 or later",
               facts.version / 10000);
  }
  if (facts.wal_level != "logical") {
    AddProblem(
        state, ErrorKind::kInvalidConfig,
        "wal_level is '{}' but logical replication needs 'logical': run ALTER SYSTEM SET wal_level = logical and "
        "restart PostgreSQL",
        facts.wal_level);
  }
  if (!facts.can_replicate) {
    AddProblem(state, ErrorKind::kPermission,
               "role '{}' may not replicate: run ALTER ROLE {} REPLICATION as a superuser", facts.user,
               postgres::QuoteIdentifier(facts.user));
  }
  if (!state.slot && facts.used_replication_slots >= facts.max_replication_slots) {
    AddProblem(
        state, ErrorKind::kInvalidConfig,
        "all {} replication slots are taken: drop one that is not needed, or raise max_replication_slots and restart "
        "PostgreSQL",
        facts.max_replication_slots);
  }
}

Status CheckSlot(Connection& connection, SourceState& state) {
  if (!state.slot) return {};
  const postgres::SlotInfo& slot = *state.slot;
  if (slot.plugin != "pgoutput" || slot.database != state.facts.database) {
    AddProblem(state, ErrorKind::kInvalidConfig,
               "slot '{}' belongs to something else (plugin {}, database {}): set source.slot to another name",
               slot.name, slot.plugin, slot.database);
  }
  if (slot.wal_status != "lost") return {};
  TRY(const auto wal, postgres::ReadSlotWal(connection, slot.name));
  AddProblem(state, ErrorKind::kSourceLost,
             "slot '{0}' is lost{1}: PostgreSQL removed what it still needed (see max_slot_wal_keep_size and "
             "idle_replication_slot_timeout). Changes are missing, so the tables must be copied again: start firn with "
             "source.on_lost_slot: copy",
             slot.name, wal && !wal->invalidation_reason.empty() ? fmt::format(" ({})", wal->invalidation_reason) : "");
  return {};
}

/// The tables that are to be replicated.
Result<std::vector<TableName>> ChooseTables(Connection& connection, const SourceOptions& options,
                                            const std::optional<postgres::Publication>& publication) {
  const bool publication_chooses = publication && !publication->all_tables && !publication->made_by_firn;
  std::vector<TableName> tables;
  if (options.tables.empty() && publication_chooses) {
    tables = publication->tables;
  } else {
    TRY(tables, postgres::ListTables(connection, options.tables, options.partitioned_tables));
  }
  std::erase_if(tables, [&](const TableName& table) { return !Takes(options.shard, table); });
  return tables;
}

/// A publication that sends the changes of a partitioned table under other names than its own (or its leaves') would
/// leave them unheard.
Status CheckPartitionedTables(Connection& connection, const SourceOptions& options, SourceState& state) {
  const bool by_root = options.partitioned_tables == postgres::PartitionedTables::kRoot;
  if (!state.publication || state.publication->via_partition_root == by_root) return {};
  TRY(const std::vector<TableName> partitioned, postgres::ListPartitioned(connection, options.partitioned_tables));
  for (const SourceTable& table : state.tables) {
    if (std::ranges::find(partitioned, table.name) == partitioned.end()) continue;
    AddProblem(state, ErrorKind::kInvalidConfig,
               "publication '{0}' sends the changes of partitioned tables as those of their {1} "
               "(publish_via_partition_root = {2}), but {3} is to be replicated as {4}: run ALTER PUBLICATION {5} SET "
               "(publish_via_partition_root = {6}), or set source.partitioned_tables: {7}",
               state.publication->name, by_root ? "leaves" : "roots", !by_root, ToString(table.name),
               by_root ? "one table" : "a table of its own", postgres::QuoteIdentifier(state.publication->name),
               by_root, by_root ? "leaves" : "root");
    return {};
  }
  return {};
}

void CheckTableChoice(const SourceOptions& options, SourceState& state) {
  if (!state.tables.empty()) return;
  if (options.shard.count > 1) {
    AddProblem(state, ErrorKind::kInvalidConfig,
               "no table of database '{}' that source.tables and the publication choose is of shard {}/{}: take fewer "
               "shards",
               state.facts.database, options.shard.number, options.shard.count);
  } else if (options.tables.empty() && state.publication && !state.publication->all_tables &&
             !state.publication->made_by_firn) {
    AddProblem(state, ErrorKind::kInvalidConfig,
               "publication '{}' has no table, and firn replicates those of a publication that it did not make: run "
               "ALTER PUBLICATION {} ADD TABLE …, or set source.publication to another name",
               state.publication->name, postgres::QuoteIdentifier(state.publication->name));
  } else if (options.tables.empty()) {
    AddProblem(state, ErrorKind::kInvalidConfig, "database '{}' has no table to replicate", state.facts.database);
  } else {
    AddProblem(state, ErrorKind::kInvalidConfig, "no table matches source.tables: {}", fmt::join(options.tables, ", "));
  }
}

void CheckPublication(const SourceOptions& options, SourceState& state) {
  if (!state.publication && !state.facts.can_create_in_database) {
    AddProblem(
        state, ErrorKind::kPermission,
        "publication '{0}' does not exist and role '{1}' may not make it: run GRANT CREATE ON DATABASE {2} TO {3} "
        "(the role must own the tables, too), or have an owner run CREATE PUBLICATION {4} FOR TABLE …",
        options.publication, state.facts.user, postgres::QuoteIdentifier(state.facts.database),
        postgres::QuoteIdentifier(state.facts.user), postgres::QuoteIdentifier(options.publication));
  }
  if (!state.publication) return;
  const postgres::Publication& publication = *state.publication;
  if (!(publication.publishes_insert && publication.publishes_update && publication.publishes_delete &&
        publication.publishes_truncate)) {
    state.warnings.push_back(fmt::format(
        "publication '{}' does not publish every operation, so what it leaves out never reaches Iceberg; run ALTER "
        "PUBLICATION {} SET (publish = 'insert, update, delete, truncate')",
        publication.name, postgres::QuoteIdentifier(publication.name)));
  }
}

/// A table with a row filter or a column list: the initial copy doesn't follow it, and what it left out is never sent
/// later. Where there is no slot yet, nothing is copied, and the operator is asked before anything is made.
void CheckPartlyPublished(SourceState& state) {
  if (!state.publication) return;
  for (const SourceTable& table : state.tables) {
    const auto partly = std::ranges::find(state.publication->partly, table.name, &postgres::PartlyPublished::table);
    if (partly == state.publication->partly.end()) continue;
    const std::string publication = postgres::QuoteIdentifier(state.publication->name);
    const std::string relation = fmt::format("{}.{}", postgres::QuoteIdentifier(partly->relation.schema),
                                             postgres::QuoteIdentifier(partly->relation.name));
    Error problem = MakeError(
        ErrorKind::kUnsupported, ErrorOrigin::kSource,
        "publication '{0}' publishes only some rows or columns of table {1} (WHERE, or a column list), which the "
        "initial copy does not follow: run ALTER PUBLICATION {2} DROP TABLE {3}; ALTER PUBLICATION {2} ADD TABLE {3} "
        "to publish all of it, or leave the table out (source.tables)",
        state.publication->name, ToString(table.name), publication, relation);
    if (state.slot) {
      state.stream_problems.emplace(table.oid, std::move(problem));
    } else {
      state.problems.push_back(std::move(problem));
    }
  }
}

Status CheckIdentities(Connection& connection, SourceState& state) {
  const bool publishes_changes =
      !state.publication || state.publication->publishes_update || state.publication->publishes_delete;
  if (!publishes_changes) return {};
  std::vector<TableOid> oids;
  for (const SourceTable& table : state.tables) {
    oids.push_back(table.oid);
    if (table.HasReplicaIdentity()) continue;
    state.warnings.push_back(fmt::format(
        "table {} has no primary key and no replica identity: its INSERTs are replicated, but PostgreSQL refuses "
        "UPDATE and "
        "DELETE on it while it is published; run ALTER TABLE {}.{} REPLICA IDENTITY FULL, or add a primary key",
        ToString(table.name), postgres::QuoteIdentifier(table.name.schema),
        postgres::QuoteIdentifier(table.name.name)));
  }
  TRY(const auto leaves, postgres::ReadLeafIdentities(connection, oids));
  for (const SourceTable& table : state.tables) {
    const auto first = std::ranges::find(leaves, table.oid, &postgres::LeafIdentity::table);
    const auto last = std::ranges::find_if(first, leaves.end(),
                                           [&](const postgres::LeafIdentity& leaf) { return leaf.table != table.oid; });
    if (auto problem = FindLeafProblem(table, std::span(first, last))) {
      state.stream_problems.emplace(table.oid, *std::move(problem));
    }
    if (std::string warning = LeafWarning(table, std::span(first, last)); !warning.empty()) {
      state.warnings.push_back(std::move(warning));
    }
  }
  return {};
}

/// Policies hide rows from the copy alone, while the stream brings the changes of all.
Status CheckRowSecurity(Connection& connection, SourceState& state) {
  TRY(const auto secured,
      connection.Query("SELECT oid FROM pg_class WHERE relkind IN ('r', 'p') AND row_security_active(oid)"));
  for (int row = 0; row < secured.rows(); ++row) {
    auto table = std::ranges::find_if(state.tables, [&](const SourceTable& candidate) {
      return fmt::to_string(candidate.oid.value) == secured.Get(row, 0);
    });
    if (table == state.tables.end()) continue;
    AddProblem(state, ErrorKind::kPermission,
               "row-level security hides rows of table {} from role '{}', so that it could be copied only in part: run "
               "ALTER ROLE {} BYPASSRLS as a superuser, or leave the table out (source.tables)",
               ToString(table->name), state.facts.user, postgres::QuoteIdentifier(state.facts.user));
  }
  return {};
}

Status CheckReadable(Connection& connection, SourceState& state) {
  TRY(const auto unreadable,
      connection.Query(
          "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN "
          "('r', 'p') AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))"));
  for (int row = 0; row < unreadable.rows(); ++row) {
    auto table = std::ranges::find_if(state.tables, [&](const SourceTable& candidate) {
      return fmt::to_string(candidate.oid.value) == unreadable.Get(row, 0);
    });
    if (table == state.tables.end()) continue;
    const std::string schema = postgres::QuoteIdentifier(table->name.schema);
    const std::string user = postgres::QuoteIdentifier(state.facts.user);
    state.table_problems.emplace(
        table->oid,
        MakeError(ErrorKind::kPermission, ErrorOrigin::kSource,
                  "role '{}' may not read table {}: run GRANT USAGE ON SCHEMA {} TO {}; GRANT SELECT ON {}.{} TO {}",
                  state.facts.user, ToString(table->name), schema, user, schema,
                  postgres::QuoteIdentifier(table->name.name), user));
  }
  return {};
}

TableSet TableSetOf(const std::vector<TableName>& names, const std::map<TableName, TableOid>& oids,
                    const std::map<TableOid, std::string>& memberships) {
  TableSet set;
  for (const TableName& name : names) {
    const auto oid = oids.find(name);
    if (oid == oids.end()) continue;
    const auto membership = memberships.find(oid->second);
    set.emplace(name,
                fmt::format("{}:{}", oid->second.value, membership == memberships.end() ? "" : membership->second));
  }
  return set;
}

Result<TableSet> ReadTableSet(Connection& connection, const SourceOptions& options, const std::vector<TableName>& names,
                              std::map<TableOid, std::string>& memberships) {
  TRY(const auto oids, postgres::FindTables(connection, names));
  std::vector<TableOid> list;
  for (const auto& [name, oid] : oids) list.push_back(oid);
  TRY(memberships, postgres::ReadMemberships(connection, options.publication, list));
  return TableSetOf(names, oids, memberships);
}

/// A publication that is not firn's is its owner's to change.
Error NotPublished(const SourceOptions& options, const TableName& table) {
  return MakeError(
      ErrorKind::kPermission, ErrorOrigin::kSource,
      "publication '{0}' does not have table {1}, so its changes don't arrive: run ALTER PUBLICATION {2} ADD "
      "TABLE {3}.{4}, or take the table out of source.tables",
      options.publication, table, postgres::QuoteIdentifier(options.publication),
      postgres::QuoteIdentifier(table.schema), postgres::QuoteIdentifier(table.name));
}

const SourceTable* FindTable(const SourceState& state, const TableName& name) {
  const auto table = std::ranges::find(state.tables, name, &SourceTable::name);
  return table == state.tables.end() ? nullptr : &*table;
}

}  // namespace

postgres::GeneratedColumns GeneratedColumnsOf(const SourceState& state) {
  return state.publication ? state.publication->generated_columns : postgres::GeneratedColumns::kSkipped;
}

Result<TableSet> ReadTableSet(Connection& connection, const SourceOptions& options) {
  TRY(const auto publication, postgres::ReadPublication(connection, options.publication));
  TRY(const std::vector<TableName> names, ChooseTables(connection, options, publication));
  std::map<TableOid, std::string> memberships;
  return ReadTableSet(connection, options, names, memberships);
}

Result<SourceState> InspectSource(const SourceOptions& options) {
  TRY(Connection connection, postgres::OpenForCatalogs(options.connection));
  SourceState state;
  TRY(state.facts, postgres::ReadServerFacts(connection));
  TRY(state.publication, postgres::ReadPublication(connection, options.publication));
  TRY(state.slot, postgres::ReadSlot(connection, options.slot));
  CheckServer(state);
  TRY_VOID(CheckSlot(connection, state));
  CheckPublication(options, state);

  // All tables as of one moment, and a WAL position behind it.
  TRY_VOID(connection.Query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  TRY(const std::vector<TableName> names, ChooseTables(connection, options, state.publication));
  TRY(state.tables, postgres::ReadTables(connection, names, GeneratedColumnsOf(state)));
  std::map<TableOid, std::string> memberships;
  TRY(state.table_set, ReadTableSet(connection, options, names, memberships));
  for (SourceTable& table : state.tables) {
    table.version.membership = memberships[table.oid];
    if (state.publication && table.version.membership.empty()) state.unpublished.push_back(table.name);
  }
  CheckPartlyPublished(state);
  TRY_VOID(CheckIdentities(connection, state));
  TRY_VOID(connection.Query("COMMIT"));
  TRY(const Lsn read_at, postgres::ReadDefinitionLsn(connection));
  for (SourceTable& table : state.tables) table.version.read_at = read_at;
  CheckTableChoice(options, state);
  TRY_VOID(CheckPartitionedTables(connection, options, state));
  TRY_VOID(CheckReadable(connection, state));
  TRY_VOID(CheckRowSecurity(connection, state));
  if (state.facts.system_identifier.empty() && state.facts.can_replicate) {
    postgres::ConnectionOptions replication = options.connection;
    replication.replication = true;
    TRY(Connection walsender, Connection::Open(replication));
    TRY(const auto identity, postgres::IdentifySystem(walsender));
    state.facts.system_identifier = identity.system_identifier;
    state.facts.timeline = identity.timeline;
  }
  return state;
}

Result<bool> PreparePublication(const SourceOptions& options, SourceState& state) {
  if (state.publication && state.unpublished.empty()) return false;
  TRY(Connection connection, postgres::OpenForCatalogs(options.connection));
  if (!state.publication) {
    std::vector<TableName> names;
    for (const SourceTable& table : state.tables) names.push_back(table.name);
    TRY_VOID(postgres::CreatePublication(connection, options.publication, names, options.partitioned_tables));
    return true;
  }
  if (state.publication->made_by_firn &&
      postgres::AddTablesToPublication(connection, options.publication, state.unpublished)) {
    return true;
  }
  // One by one, to find those that can't be added.
  bool added = false;
  for (const TableName& name : state.unpublished) {
    Status done = NotPublished(options, name);
    if (state.publication->made_by_firn)
      done = postgres::AddTablesToPublication(connection, options.publication, {name});
    // Others have locked it: it waits for its next try by itself, and not all tables with it.
    const bool is_locked = !done && done.error().native_code() == kLockNotAvailable;
    if (is_locked) {
      done = std::move(done).error().WithKind(ErrorKind::kPermission).WithContext(fmt::format("table {}", name));
    }
    if (!done && done.error().kind() != ErrorKind::kPermission) return std::move(done).error();
    if (!done) state.table_problems.emplace(FindTable(state, name)->oid, std::move(done).error());
    added = added || done.has_value();
  }
  return added;
}

Result<SourceSnapshot> OpenSnapshot(const SourceOptions& options, bool slot_exists, std::stop_token stop) {
  postgres::ConnectionOptions replication = options.connection;
  replication.replication = true;
  TRY(Connection connection, Connection::Open(replication));
  SourceSnapshot snapshot{.connection = std::make_unique<Connection>(std::move(connection))};
  TRY(snapshot.taken_at_us, postgres::ReadClock(*snapshot.connection));
  // Not by the process alone: PostgreSQL may not have noticed yet that one before it with the same id is gone.
  const std::string name = slot_exists ? fmt::format("firn_copy_{}", NewUuid().substr(0, 8)) : options.slot;
  const postgres::CancelOnStop cancel(*snapshot.connection, std::move(stop));
  TRY(snapshot.slot,
      postgres::CreateSlot(*snapshot.connection, name, /*temporary=*/slot_exists, options.failover_slot));
  return snapshot;
}

Result<std::map<TableOid, Result<SourceTable>>> ReadAtSnapshot(Connection& connection, const SourceOptions& options,
                                                               postgres::GeneratedColumns generated,
                                                               Lsn consistent_point,
                                                               const std::map<TableOid, TableName>& known) {
  std::vector<TableName> names;
  std::vector<TableOid> oids;
  for (const auto& [oid, name] : known) {
    names.push_back(name);
    oids.push_back(oid);
  }
  TRY(std::vector<SourceTable> found, postgres::ReadTables(connection, names, generated));
  TRY_VOID(postgres::ReadSizes(connection, found));
  TRY(auto memberships, postgres::ReadMemberships(connection, options.publication, oids));
  std::map<TableOid, Result<SourceTable>> tables;
  for (SourceTable& table : found) {
    const auto one = known.find(table.oid);
    if (one == known.end() || one->second != table.name) continue;
    table.version.read_at = consistent_point;
    table.version.membership = memberships[table.oid];
    if (table.version.membership.empty()) {
      tables.emplace(table.oid,
                     MakeError(ErrorKind::kConflict, ErrorOrigin::kSource,
                               "table {} was taken out of publication {} just now", table.name, options.publication));
    } else {
      tables.emplace(table.oid, std::move(table));
    }
  }
  for (const auto& [oid, name] : known) {
    tables.try_emplace(
        oid, MakeError(ErrorKind::kConflict, ErrorOrigin::kSource, "table {} was renamed or dropped just now", name));
  }
  return tables;
}

}  // namespace firn::pipeline
