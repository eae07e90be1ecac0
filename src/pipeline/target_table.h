// The Iceberg table behind a source table: found or made, with what ties the two together in its properties.
#pragma once

#include <optional>
#include <string>

#include "catalog/catalog.h"
#include "encode/type_mapping.h"
#include "model/source_table.h"
#include "pipeline/progress.h"
#include "pipeline/table_batch.h"
#include "pipeline/table_settings.h"

namespace firn::pipeline {

// Table properties (docs/snapshot_summary.md).
inline constexpr char kSourceTableProperty[] = "firn.source.table";      ///< "public.orders"
inline constexpr char kSourceOidProperty[] = "firn.source.oid";          ///< pg_class.oid
inline constexpr char kSourceColumnsProperty[] = "firn.source.columns";  ///< attnum to field id: "1:1,2:2,5:3"
inline constexpr char kChangeModeProperty[] = "firn.cdc.mode";           ///< "mirror" where there is none.

struct TargetNaming {
  std::string name_space = "{schema}";  ///< "{schema}" stands for the source schema; dots part levels.
  std::string table_prefix;

  iceberg::TableIdent IdentOf(const TableName& source) const;
};

struct TargetTable {
  SourceTable source;
  TableSettings settings;
  encode::TableMapping mapping;
  TableLayout layout;
  catalog::LoadedTable table;
  std::optional<TableProgress> progress;  ///< Nothing: not copied yet.
};

RowIdentity IdentityOf(const SourceTable& source);

/// The table that `source` replicates into, if it is there already. Errors: kAlreadyExists for a table that firn did
/// not make or that another pipeline writes; kSourceLost for one that was copied from another PostgreSQL cluster or
/// from a table that has since been dropped and made again; kSchemaMismatch when the columns changed while firn was
/// down; kInvalidConfig when the table has been written in another change mode.
Result<std::optional<TargetTable>> FindTargetTable(catalog::Catalog& catalog, const SourceTable& source,
                                                   const TargetNaming& naming, const TableSettings& settings,
                                                   const PipelineIdentity& writer);

/// Gives the table what its settings ask for and it lacks: firn's own columns (null in the rows that it has), the mark
/// of its change mode, its partition spec for new files. Nothing to do is the usual case. kConflict when somebody
/// changed the table since it was loaded.
Status AdoptSettings(catalog::Catalog& catalog, TargetTable& target);

/// Whether a table could be made for `source`: the errors of CreateTargetTable that need no catalog.
Status CheckNewTargetTable(const SourceTable& source, const TableSettings& settings);

/// Makes namespace and table. kUnsupported for a column that can't be stored, kInvalidConfig for settings that don't
/// fit the table.
Result<TargetTable> CreateTargetTable(catalog::Catalog& catalog, const SourceTable& source, const TargetNaming& naming,
                                      const TableSettings& settings);

}  // namespace firn::pipeline
