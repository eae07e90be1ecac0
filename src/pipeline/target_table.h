// The Iceberg table behind a source table: found or made, with what ties the two together in its properties.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "catalog/catalog.h"
#include "encode/type_mapping.h"
#include "model/source_table.h"
#include "observe/metrics.h"
#include "pipeline/progress.h"
#include "pipeline/schema_change.h"
#include "pipeline/table_batch.h"
#include "pipeline/table_settings.h"

namespace firn::pipeline {

struct TargetNaming {
  std::string name_space = "{schema}";  ///< "{schema}" stands for the source schema; dots part levels.
  std::string table_prefix;             ///< "{schema}" the same.

  iceberg::TableIdent IdentOf(const TableName& source) const;
};

struct TargetTable {
  SourceTable source;
  TableSettings settings;
  encode::TableMapping mapping;
  TableLayout layout;
  catalog::LoadedTable table;
  std::optional<TableProgress> progress;  ///< Nothing: not copied yet, or to be copied again.
  std::optional<std::string> mark;        ///< Why it misses changes since it was copied (kParkedProperty).
  /// How schema, partitions and properties have to change, where they do. `mapping` and `layout` are those after it.
  std::optional<SchemaChange> change;
  /// The table as it is after the change; table.metadata where there is none.
  iceberg::TableMetadataPtr planned;
};

RowIdentity IdentityOf(const SourceTable& source);

/// The table that `source` replicates into, if it is there already, with the change that it needs to follow the source
/// as it is now, and its settings; nothing is changed yet. One that is marked has no progress. `acknowledged`: the
/// stream's changes before it are in all tables. Errors: kAlreadyExists for a table that firn did not make or that
/// another pipeline writes; kSourceLost for one that was copied from another PostgreSQL cluster; kSchemaMismatch for a
/// column that can't have its name there, or a source table that was altered and doesn't fit the settings any more;
/// kInvalidConfig when the table has been written in another change mode, is of a later format version, or doesn't fit
/// the settings though the source is as it was.
Result<std::optional<TargetTable>> FindTargetTable(catalog::Catalog& catalog, const SourceTable& source,
                                                   const TargetNaming& naming, const TableSettings& settings,
                                                   const PipelineIdentity& writer, Lsn acknowledged = {});

/// Commits the change of a table whose rows stay as they are. One that is to be copied loses its progress, and the
/// change waits for the commit that brings the rows: readers see the old ones until then.
Status FollowSource(catalog::Catalog& catalog, TargetTable& target, const RetryPolicy& retry, std::stop_token stop,
                    Metrics& metrics);

/// Whether a table could be made for `source`: the errors of CreateTargetTable that need no catalog.
Status CheckNewTargetTable(const SourceTable& source, const TableSettings& settings);

/// Makes namespace and table. kUnsupported for a column that can't be stored, kInvalidConfig for settings that don't
/// fit the table.
Result<TargetTable> CreateTargetTable(catalog::Catalog& catalog, const SourceTable& source, const TargetNaming& naming,
                                      const TableSettings& settings);

}  // namespace firn::pipeline
