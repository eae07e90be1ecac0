// How an Iceberg table follows a changed source table: its next schema, and whether its rows must be copied again.
//
//   table's schema and properties ─┐
//                                  ├─► PlanSchemaChange ─► SchemaChange ─► updates of one commit
//   source table as it is now ─────┘                            └─ copy_again: with the copied rows in that commit, too
//
// Pure. Why it is so: docs/decisions/0008-schemas-follow-the-source.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "encode/type_mapping.h"
#include "firn/result.h"
#include "iceberg/table_update.h"
#include "pipeline/relation_matcher.h"
#include "pipeline/source_definition.h"
#include "pipeline/table_settings.h"

namespace firn::pipeline {

struct SchemaChange {
  iceberg::Schema schema;  ///< As it is to be; equal to the current one where only properties change.
  AttnumToField columns;
  std::optional<iceberg::PartitionSpec> spec;    ///< For new files from now on, where it is another one.
  std::optional<iceberg::SortOrder> sort_order;  ///< For rewritten files from now on, where it is another one.
  iceberg::Properties properties;                ///< To set.
  bool schema_differs = false;
  bool properties_differ = false;
  /// Why rows that the table holds may not be those of the source any more, or can't be told: "" where they are.
  std::string copy_again;
  std::vector<std::string> steps;  ///< For the log: "adds column note (string)".

  bool empty() const { return !schema_differs && !spec && !sort_order && !properties_differ && copy_again.empty(); }
};

/// `natural`: the fields that the source's columns would get in a new table (MapSource); those of columns that were
/// added with a default have it, where the table's format version knows defaults and the type has one. kSchemaMismatch
/// for a column that can't get its name, because a field which is not of the source has it. `applied`: the stream's
/// changes before it are in the table; invalid for one that is not copied yet.
Result<SchemaChange> PlanSchemaChange(const iceberg::TableMetadata& table, const StoredDefinition& stored,
                                      const SourceTable& source, const encode::TableMapping& natural,
                                      TypeChangePolicy policy, Lsn applied);

/// kConflict when another writer has changed the schema since the change was planned on `base`.
Status CheckPlannedOn(const iceberg::TableMetadata& base, const iceberg::TableMetadata& fresh);

/// The updates and requirements of a commit that makes `change` on `table`.
iceberg::CommitRequest SchemaChangeRequest(const SchemaChange& change, const iceberg::TableIdent& ident,
                                           const iceberg::TableMetadata& table);

/// The source's columns, and those that it no longer has, by attnum: as Relation messages can speak of them that the
/// table with this definition still gets.
std::vector<KnownAttribute> KnownAttributes(const StoredDefinition& stored, const SourceTable& source);

}  // namespace firn::pipeline
