// Makes the source ready: what must hold is checked before anything is made, then the publication and the slot.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "firn/result.h"
#include "model/source_table.h"
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
  postgres::PartitionedTables partitioned_tables = postgres::PartitionedTables::kRoot;
  /// The slot is to be there on standbys that are promoted, where the server can do that.
  bool failover_slot = true;
};

/// What was found; nothing has been made yet.
struct SourceState {
  postgres::ServerFacts facts;
  std::optional<postgres::Publication> publication;
  std::optional<postgres::SlotInfo> slot;
  std::vector<SourceTable> tables;     ///< Chosen ones.
  std::vector<TableName> unpublished;  ///< Chosen ones that the publication lacks.
  std::vector<Error> problems;         ///< What keeps a pipeline from running, each with its remedy.
  std::vector<std::string> warnings;   ///< One line each, with a remedy.
};

/// Connects and looks, and makes nothing. Problems: wal_level, a role that can't replicate or read, no tables, a
/// publication that is missing with no right to make it, that publishes rows in part, or partitioned tables in another
/// form than they are to be replicated in, a slot of another database or plugin, or lost. An error only where it can't
/// look on.
Result<SourceState> InspectSource(const SourceOptions& options);

/// Makes the publication, or adds the tables that it lacks.
Status PreparePublication(const SourceOptions& options, const SourceState& state);

/// A consistent view of the source, alive as long as this object.
struct SourceSnapshot {
  std::unique_ptr<postgres::Connection> connection;  ///< Keeps the snapshot exported.
  postgres::CreatedSlot slot;
  /// When it was asked for, by PostgreSQL's clock since 1970-01-01 00:00 UTC: no later than the commit of any
  /// transaction that it doesn't see.
  int64_t taken_at_us = 0;
};
/// Makes the pipeline's slot where it is missing, with its snapshot; else a temporary slot for a snapshot of now.
Result<SourceSnapshot> OpenSnapshot(const SourceOptions& options, bool slot_exists);

/// The definitions of the tables as the snapshot sees them, in place of those known. kConflict when a table is not
/// there under its name.
Status ReadAtSnapshot(const SourceOptions& options, const SourceState& state, const SourceSnapshot& snapshot,
                      std::span<SourceTable* const> tables);

}  // namespace firn::pipeline
