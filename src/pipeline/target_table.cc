#include "pipeline/target_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/failpoint.h"
#include "base/try.h"
#include "catalog/find_table.h"
#include "encode/default_value.h"
#include "observe/log.h"
#include "pipeline/change_mode.h"
#include "pipeline/computed_columns.h"
#include "pipeline/delete_form.h"
#include "pipeline/followed_settings.h"
#include "pipeline/own_columns.h"
#include "pipeline/parked_tables.h"

namespace firn::pipeline {
namespace {

constexpr int kFirstVersionWithDefaults = 3;

/// The columns that firn fills in a table whose whole schema is `existing`: the source's, then firn's own.
Result<TableLayout> MakeLayout(const encode::TableMapping& mapping, RowIdentity identity, const TableSettings& settings,
                               const iceberg::Schema& existing, iceberg::FieldId last_column_id) {
  TableLayout layout{.schema = mapping.schema, .mode = settings.mode, .identity = identity};
  // Append mode deletes nothing, and the index that it may need for unchanged values is of all rows.
  if (settings.mode != ChangeMode::kAppend) layout.deletes = settings.deletes;
  if (identity == RowIdentity::kKey) layout.key_columns = mapping.key_columns;
  if (identity == RowIdentity::kWholeRow) {
    for (size_t i = 0; i < mapping.columns.size(); ++i) layout.key_columns.push_back(static_cast<int>(i));
  }
  TRY_VOID(CheckDeleteForm(layout));
  TRY(last_column_id, AddComputedColumns(settings.computed, existing, last_column_id, layout));
  const auto own = OwnColumnsOf(settings.mode, settings.track_changes, identity);
  TRY_VOID(AddOwnColumns(own, existing, last_column_id, layout));
  return layout;
}

/// Whether the table is this pipeline's, from this cluster. The latter matters no more to one that is marked: its rows
/// are to be copied anew.
Status CheckOrigin(const StoredDefinition& stored, const std::optional<TableProgress>& progress,
                   const PipelineIdentity& writer, bool is_marked) {
  if (stored.table.empty()) {
    return MakeError(
        ErrorKind::kAlreadyExists,
        "it exists in the catalog but was not made by firn; drop it there, or set destination.namespace or "
        "destination.table_prefix to write elsewhere");
  }
  if (!progress) return {};
  if (progress->writer.pipeline != writer.pipeline) {
    return MakeError(ErrorKind::kAlreadyExists,
                     "pipeline '{}' writes it and this one is '{}'; use that slot name again, or set "
                     "destination.table_prefix to write elsewhere",
                     progress->writer.pipeline, writer.pipeline);
  }
  if (!is_marked && !writer.system_identifier.empty() &&
      progress->writer.system_identifier != writer.system_identifier) {
    return MakeError(
        ErrorKind::kSourceLost, ErrorOrigin::kSource,
        "it was copied from another PostgreSQL cluster (system identifier {}, now {}); check source.url; if "
        "that is as it should be, source.on_lost_slot: copy copies all tables again",
        progress->writer.system_identifier, writer.system_identifier);
  }
  return {};
}

/// How the source's columns are stored in a new table: without required and identifier fields where the change mode
/// lets a key stand more than once.
Result<encode::TableMapping> MapSource(const SourceTable& source, const TableSettings& settings) {
  TRY(auto mapping, encode::MapTable(source, settings.columns));
  if (KeepsKeysUnique(settings.mode)) return mapping;
  mapping.schema.identifier_field_ids.clear();
  for (iceberg::Field& field : mapping.schema.fields) field.required = false;
  for (encode::ColumnMapping& column : mapping.columns) column.field.required = false;
  return mapping;
}

struct NewTablePlan {
  encode::TableMapping mapping;
  TableLayout layout;
  iceberg::PartitionSpec spec;
  iceberg::SortOrder sort_order;
};

Result<NewTablePlan> PlanNewTable(const SourceTable& source, const TableSettings& settings) {
  NewTablePlan plan;
  TRY(plan.mapping, MapSource(source, settings));
  TRY(plan.layout, MakeLayout(plan.mapping, IdentityOf(source), settings, {}, plan.mapping.schema.HighestFieldId()));
  if (settings.partition_by) {
    TRY(plan.spec, MakePartitionSpec(*settings.partition_by, plan.layout.schema));
  }
  if (settings.sort_by) {
    TRY_VOID(CheckSortBy(*settings.sort_by, settings.mode));
    TRY(plan.sort_order, MakeSortOrder(*settings.sort_by, plan.layout.schema));
  }
  return plan;
}

/// A column that has not been altered stays in the type that its field has, as long as that holds its values: what the
/// configuration says of columns in general is for those that are made.
void KeepSettled(const TargetTable& target, const StoredDefinition& stored, encode::TableMapping& natural) {
  const iceberg::Schema& schema = target.table.metadata->CurrentSchema();
  for (size_t i = 0; i < target.source.columns.size(); ++i) {
    const SourceColumn& column = target.source.columns[i];
    const auto field = std::ranges::find(stored.columns, column.attnum, &AttnumToField::value_type::first);
    const auto now = std::ranges::find(target.source.version.attributes, column.attnum, &AttributeVersion::attnum);
    const auto then = std::ranges::find(stored.attributes, column.attnum, &std::pair<int16_t, uint32_t>::first);
    if (stored.oid != target.source.oid || field == stored.columns.end() ||
        now == target.source.version.attributes.end() || then == stored.attributes.end() || then->second != now->xmin) {
      continue;
    }
    const SourceTable alone{.name = target.source.name, .columns = {column}};
    const auto settled = encode::MapTableOnto(alone, schema, {*field}, target.settings.columns);
    if (settled) natural.columns[i].field.type = settled->columns.front().field.type;
  }
}

/// ADD COLUMN's constant defaults, as rows hold them that were written before it.
void AddDefaults(const SourceTable& source, encode::TableMapping& natural) {
  for (size_t i = 0; i < source.columns.size(); ++i) {
    if (!source.columns[i].missing_value) continue;
    encode::ColumnMapping& column = natural.columns[i];
    column.field.initial_default = encode::DefaultValueJson(source.name, column, *source.columns[i].missing_value);
    column.field.write_default = column.field.initial_default;
  }
}

/// The spec without fields of columns that are gone; nothing where there are none of those.
std::optional<iceberg::PartitionSpec> WithoutMissing(const iceberg::PartitionSpec& spec,
                                                     const iceberg::Schema& schema) {
  iceberg::PartitionSpec kept = spec;
  std::erase_if(kept.fields, [&](const iceberg::PartitionField& field) {
    return field.transform.kind != iceberg::TransformKind::kVoid && schema.FindField(field.source_id) == nullptr;
  });
  return kept == spec ? std::nullopt : std::optional(std::move(kept));
}

/// The default sort order without fields of the source's columns that are gone; nothing where there are none of those.
std::optional<iceberg::SortOrder> SortOrderWithoutMissing(const iceberg::TableMetadata& table,
                                                          const StoredDefinition& stored,
                                                          const iceberg::Schema& schema) {
  const iceberg::SortOrder* order = table.FindSortOrder(table.default_sort_order_id);
  if (order == nullptr) return std::nullopt;
  iceberg::SortOrder kept = *order;
  std::erase_if(kept.fields, [&](const iceberg::SortField& field) {
    const auto was_there = [&](const auto& columns) {
      return std::ranges::any_of(columns, [&](const auto& column) { return column.second == field.source_id; });
    };
    return schema.FindField(field.source_id) == nullptr && (was_there(stored.columns) || was_there(stored.dropped));
  });
  return kept == *order ? std::nullopt : std::optional(WithIdIn(table, std::move(kept)));
}

/// Sets the change that the table needs to follow its source and its settings, and mapping and layout as they are after
/// it.
Status PlanFor(TargetTable& target, const StoredDefinition& stored, Lsn applied) {
  const iceberg::TableMetadata& table = *target.table.metadata;
  // Where rows of the past stay in the table, so do the fields that hold their values.
  const bool keeps_past = target.settings.mode != ChangeMode::kMirror;
  const TypeChangePolicy policy = keeps_past ? TypeChangePolicy::kNewField : target.settings.type_changes;
  TRY(auto natural, MapSource(target.source, target.settings));
  KeepSettled(target, stored, natural);
  if (table.format_version >= kFirstVersionWithDefaults) AddDefaults(target.source, natural);
  TRY(SchemaChange change, PlanSchemaChange(table, stored, target.source, natural, policy, applied));
  if (change.copy_again.empty() && HasGotKey(stored, target.source) && KeepsKeysUnique(target.settings.mode)) {
    // Where the table is, in front of the changes that are yet to come, rows may still be there twice.
    change.copy_again = "its rows have got a key, which they may not have kept to before";
  }
  // In steps, since firn's own columns come behind those of the source, and partitions are made of both.
  const auto after = [&](const SchemaChange& so_far) {
    const auto request = SchemaChangeRequest(so_far, target.table.ident, table);
    return iceberg::ApplyUpdates(table, "", request.updates, table.last_updated_ms);
  };
  TRY(const iceberg::TableMetadata followed, after(change));
  TRY(target.mapping,
      encode::MapTableOnto(target.source, followed.CurrentSchema(), change.columns, target.settings.columns));
  TRY(target.layout, MakeLayout(target.mapping, IdentityOf(target.source), target.settings, followed.CurrentSchema(),
                                followed.last_column_id));
  iceberg::Schema with_own = WithFieldsOf(target.layout, change.schema);
  if (with_own.fields != change.schema.fields) {
    change.steps.push_back("adds columns of firn's own");
    change.schema = std::move(with_own);
    change.schema_differs = true;
  }
  if (target.settings.partition_by) {
    TRY(change.spec, EvolvePartitionSpec(*target.settings.partition_by, target.layout.schema, table));
  } else {
    change.spec = WithoutMissing(table.DefaultSpec(), target.layout.schema);
  }
  if (change.spec)
    change.steps.push_back("partitions new files by another spec; the files that it has stay as they are");
  if (target.settings.sort_by) {
    TRY_VOID(CheckSortBy(*target.settings.sort_by, target.settings.mode));
    TRY(change.sort_order, EvolveSortOrder(*target.settings.sort_by, target.layout.schema, table));
  } else {
    change.sort_order = SortOrderWithoutMissing(table, stored, target.layout.schema);
  }
  if (change.sort_order) {
    change.steps.push_back("sorts by another order whenever files are rewritten; those that it has stay as they are");
  }
  if (auto mode = ChangeModeProperties(table, target.settings.mode); !mode.empty()) {
    change.properties.merge(mode);
    change.properties_differ = true;
  }
  if (change.empty()) {
    target.planned = target.table.metadata;
    return {};
  }
  TRY(iceberg::TableMetadata planned, after(change));
  target.planned = std::make_shared<const iceberg::TableMetadata>(std::move(planned));
  target.change = std::move(change);
  return {};
}

bool IsMade(const SchemaChange& change, const iceberg::TableMetadata& table) {
  const iceberg::Schema& schema = table.CurrentSchema();
  const iceberg::SortOrder* order = table.FindSortOrder(table.default_sort_order_id);
  const bool is_sorted = !change.sort_order || (order != nullptr && order->fields == change.sort_order->fields);
  return is_sorted && (!change.spec || table.DefaultSpec().fields == change.spec->fields) &&
         schema.fields == change.schema.fields && schema.identifier_field_ids == change.schema.identifier_field_ids &&
         std::ranges::all_of(change.properties, [&](const auto& property) {
           const auto found = table.properties.find(property.first);
           return found != table.properties.end() && found->second == property.second;
         });
}

}  // namespace

iceberg::TableIdent TargetNaming::IdentOf(const TableName& source) const {
  const auto filled_in = [&](std::string text) {
    if (const size_t brace = text.find("{schema}"); brace != std::string::npos) text.replace(brace, 8, source.schema);
    return text;
  };
  iceberg::TableIdent ident{.name = filled_in(table_prefix) + source.name};
  std::string_view rest = name_space;
  while (true) {
    const size_t dot = rest.find('.');
    ident.namespace_levels.push_back(filled_in(std::string(rest.substr(0, dot))));
    if (dot == std::string_view::npos) return ident;
    rest.remove_prefix(dot + 1);
  }
}

RowIdentity IdentityOf(const SourceTable& source) {
  if (!source.HasReplicaIdentity()) return RowIdentity::kAppendOnly;
  return source.key_columns.empty() ? RowIdentity::kWholeRow : RowIdentity::kKey;
}

Result<std::optional<TargetTable>> FindTargetTable(catalog::Catalog& catalog, const SourceTable& source,
                                                   const TargetNaming& naming, const TableSettings& settings,
                                                   const PipelineIdentity& writer, Lsn acknowledged) {
  const iceberg::TableIdent ident = naming.IdentOf(source.name);
  TRY(auto found, catalog::FindTable(catalog, ident));
  if (!found) return std::optional<TargetTable>();
  catalog::LoadedTable table = *std::move(found);
  const std::string where = fmt::format("Iceberg table {}", ToString(ident));
  TRY(auto progress, ReadProgress(*table.metadata).Context("{}", where));
  TRY(const StoredDefinition stored, ReadStoredDefinition(*table.metadata).Context("{}", where));
  const auto mark = ReadMark(*table.metadata);
  TRY_VOID(CheckOrigin(stored, progress, writer, mark.has_value()).Context("{}", where));
  TRY_VOID(CheckMode(*table.metadata, settings.mode).Context("{}", where));
  TRY_VOID(CheckFormatVersion(*table.metadata, settings).Context("{}", where));
  FollowedSettings followed = FollowColumns(settings, *table.metadata, stored, source);
  for (const std::string& warning : followed.warnings) {
    LogWarn(fmt::format("tables.{}: {} in the configuration", ToString(source.name), warning));
  }
  TargetTable target{.source = source,
                     .settings = std::move(followed.settings),
                     .table = std::move(table),
                     .progress = std::move(progress),
                     .mark = mark};
  const bool was_copied = target.progress.has_value();
  if (mark) target.progress.reset();
  if (target.progress && target.progress->is_taken_back) {
    LogWarn("the table is copied again",
            {{"table", ToString(source.name)}, {"reason", WhyTakenBack(*target.progress)}});
    target.progress.reset();
  }
  const Lsn applied = target.progress ? std::max(target.progress->lsn, acknowledged) : Lsn{};
  Status planned = PlanFor(target, stored, applied);
  if (!planned && planned.error().kind() == ErrorKind::kInvalidConfig && was_copied && IsAltered(stored, source)) {
    // The configuration has fitted: it is this table's matter, and no reason to stop the others at a start.
    planned = std::move(planned.error()).WithKind(ErrorKind::kSchemaMismatch);
    planned = std::move(planned).Context(
        "it was altered in PostgreSQL, and what the configuration says of it doesn't fit any more; see tables.{}",
        source.name);
  }
  TRY_VOID(std::move(planned).Context("{}", where));
  return std::optional<TargetTable>(std::move(target));
}

Status FollowSource(catalog::Catalog& catalog, TargetTable& target, const RetryPolicy& retry, std::stop_token stop,
                    Metrics& metrics) {
  if (!target.change) return {};
  for (const std::string& step : target.change->steps) {
    LogInfo("following a change of the source table", {{"table", ToString(target.source.name)}, {"change", step}});
  }
  if (!target.change->copy_again.empty()) {
    if (target.progress) {
      LogInfo("the table is copied again",
              {{"table", ToString(target.source.name)}, {"reason", target.change->copy_again}});
    }
    target.progress.reset();
  }
  if (!target.progress) return {};
  const iceberg::TableMetadataPtr base = target.table.metadata;
  TRY(target.table, catalog::CommitMetadata(
                        catalog, target.table,
                        [&](const catalog::LoadedTable& fresh) -> Result<std::optional<iceberg::CommitRequest>> {
                          TRY_VOID(CheckOnlyWriter(*base, *fresh.metadata));
                          if (IsMade(*target.change, *fresh.metadata)) return std::nullopt;
                          TRY_VOID(CheckPlannedOn(*base, *fresh.metadata));
                          return SchemaChangeRequest(*target.change, fresh.ident, *fresh.metadata);
                        },
                        retry, stop, &metrics)
                        .Context("changing the schema of {}", ToString(target.table.ident)));
  // What a catalog makes the commit on itself, nobody has looked at before.
  TRY_VOID(CheckOnlyWriter(*base, *target.table.metadata).Context("table {}", ToString(target.table.ident)));
  target.change.reset();
  target.planned = target.table.metadata;
  return {};
}

Status CheckNewTargetTable(const SourceTable& source, const TableSettings& settings) {
  TRY([[maybe_unused]] const auto plan, PlanNewTable(source, settings));
  return {};
}

Result<TargetTable> CreateTargetTable(catalog::Catalog& catalog, const SourceTable& source, const TargetNaming& naming,
                                      const TableSettings& settings) {
  const iceberg::TableIdent ident = naming.IdentOf(source.name);
  TRY(NewTablePlan plan, PlanNewTable(source, settings));
  iceberg::NewTable table{.schema = plan.layout.schema,
                          .spec = std::move(plan.spec),
                          .sort_order = std::move(plan.sort_order),
                          .format_version = settings.format_version};
  AttnumToField columns;
  for (const encode::ColumnMapping& column : plan.mapping.columns) columns.emplace_back(column.attnum, column.field.id);
  table.properties = DefinitionProperties(source, columns, {});
  table.properties.insert({
      {kChangeModeProperty, std::string(ToString(settings.mode))},
      {"write.parquet.compression-codec", settings.compression_codec},
      // Other engines that change the table are asked to leave rows where they are, as firn does.
      {"write.delete.mode", "merge-on-read"},
      {"write.update.mode", "merge-on-read"},
      {"write.merge.mode", "merge-on-read"},
  });
  TRY_VOID(catalog.EnsureNamespace(ident.namespace_levels));
  TRY_VOID(BeforeStep(Failpoint::kTableCreateBefore));
  TRY(auto created, catalog.CreateTable(ident, table).Context("making Iceberg table {}", ToString(ident)));
  AfterStep(Failpoint::kTableCreateAfter);
  const iceberg::TableMetadataPtr metadata = created.metadata;
  return TargetTable{.source = source,
                     .settings = settings,
                     .mapping = std::move(plan.mapping),
                     .layout = std::move(plan.layout),
                     .table = std::move(created),
                     .planned = metadata};
}

}  // namespace firn::pipeline
