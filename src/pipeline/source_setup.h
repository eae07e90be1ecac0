// Makes the source ready: what must hold is checked before anything is made, then the publication and the slot.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "firn/result.h"
#include "model/source_table.h"
#include "pipeline/shard.h"
#include "postgres/connection.h"
#include "postgres/replication_slot.h"
#include "postgres/source_catalog.h"

namespace firn::pipeline {

struct SourceOptions {
  postgres::ConnectionOptions connection;
  std::string slot = "firn";
  std::string publication = "firn";
  /// Patterns; none: every table of the publication, and of the database where firn made the publication.
  std::vector<std::string> tables;
  Shard shard;  ///< Of these.
  postgres::PartitionedTables partitioned_tables = postgres::PartitionedTables::kRoot;
  /// The slot is to be there on standbys that are promoted, where the server can do that.
  bool failover_slot = true;
  /// Where changes between tables and slot are lost, all tables are copied again (pipeline/start_over).
  bool copies_after_loss = false;
};

/// Which tables are to be replicated, by name; with what makes each the one that it is: its OID and its membership in
/// the publication.
using TableSet = std::map<TableName, std::string>;
Result<TableSet> ReadTableSet(postgres::Connection& connection, const SourceOptions& options);

/// What was found; nothing has been made yet.
struct SourceState {
  postgres::ServerFacts facts;
  std::optional<postgres::Publication> publication;
  std::optional<postgres::SlotInfo> slot;
  std::vector<SourceTable> tables;     ///< Chosen ones.
  std::vector<TableName> unpublished;  ///< Chosen ones that the publication lacks.
  TableSet table_set;                  ///< As of the same moment.
  std::vector<Error> problems;         ///< What keeps a pipeline from running, each with its remedy.
  /// What keeps a table from being copied, with its remedy.
  std::map<TableOid, Error> table_problems;
  /// What keeps it from being streamed as well: its changes don't tell which rows they are of, or don't all arrive.
  std::map<TableOid, Error> stream_problems;
  std::vector<std::string> warnings;  ///< One line each, with a remedy.
};

/// Connects and looks, and makes nothing. Problems: wal_level, a role that can't replicate, no tables, a
/// publication that is missing with no right to make it, that publishes rows in part (while there is no slot), or
/// partitioned tables in another form than they are to be replicated in, a slot of another database or plugin, or lost.
/// An error only where it can't look on.
Result<SourceState> InspectSource(const SourceOptions& options);

/// Makes the publication, or adds the tables that it lacks, where it is firn's. Whether something was made: then the
/// source is another one. Tables that can't be added get a problem in `state`.
Result<bool> PreparePublication(const SourceOptions& options, SourceState& state);

/// A consistent view of the source, alive as long as this object.
struct SourceSnapshot {
  std::unique_ptr<postgres::Connection> connection;  ///< Keeps the snapshot exported.
  postgres::CreatedSlot slot;
  /// When it was asked for, by PostgreSQL's clock since 1970-01-01 00:00 UTC: no later than the commit of any
  /// transaction that it doesn't see.
  int64_t taken_at_us = 0;
};
/// Makes the pipeline's slot where it is missing, with its snapshot; else a temporary slot for a snapshot of now. Waits
/// until every transaction that is open now has ended, or a stop is requested.
Result<SourceSnapshot> OpenSnapshot(const SourceOptions& options, bool slot_exists, std::stop_token stop);

/// Each table as a connection at the snapshot (postgres::OpenAtSnapshot) sees it; kConflict for one that is not there
/// under its name, or not in the publication.
Result<std::map<TableOid, Result<SourceTable>>> ReadAtSnapshot(postgres::Connection& connection,
                                                               const SourceOptions& options,
                                                               postgres::GeneratedColumns generated,
                                                               Lsn consistent_point,
                                                               const std::map<TableOid, TableName>& known);
/// What the publication sends of generated columns.
postgres::GeneratedColumns GeneratedColumnsOf(const SourceState& state);

}  // namespace firn::pipeline
