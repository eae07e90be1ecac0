#include "pipeline/target_table.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>
#include <vector>

#include "base/try.h"
#include "observe/log.h"
#include "pipeline/own_columns.h"

namespace firn::pipeline {
namespace {

using AttnumToField = std::vector<std::pair<int16_t, iceberg::FieldId>>;

std::string FormatColumns(const encode::TableMapping& mapping) {
  std::string text;
  for (const encode::ColumnMapping& column : mapping.columns) {
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", column.attnum, column.field.id);
  }
  return text;
}

Result<AttnumToField> ParseColumns(std::string_view text) {
  AttnumToField columns;
  const char* end = text.data() + text.size();
  for (const char* at = text.data(); at < end;) {
    std::pair<int16_t, iceberg::FieldId> column;
    const auto attnum = std::from_chars(at, end, column.first);
    if (attnum.ec != std::errc() || attnum.ptr == end || *attnum.ptr != ':') break;
    const auto field = std::from_chars(attnum.ptr + 1, end, column.second);
    if (field.ec != std::errc()) break;
    columns.push_back(column);
    if (field.ptr == end) return columns;
    if (*field.ptr != ',') break;
    at = field.ptr + 1;
  }
  return MakeError(ErrorKind::kCorrupt, "table property {} is '{}', not a list of attnum:field", kSourceColumnsProperty,
                   text);
}

std::string PropertyOf(const iceberg::TableMetadata& metadata, const char* key) {
  auto position = metadata.properties.find(key);
  return position == metadata.properties.end() ? std::string() : position->second;
}

std::string_view ToString(ChangeMode mode) {
  switch (mode) {
    case ChangeMode::kMirror:
      return "mirror";
    case ChangeMode::kSoftDelete:
      return "soft-delete";
    case ChangeMode::kHistory:
      return "history";
    case ChangeMode::kAppend:
      return "append";
  }
  std::unreachable();
}

/// Whether a row of the source has at most one row of the table.
bool KeepsKeysUnique(ChangeMode mode) { return mode == ChangeMode::kMirror || mode == ChangeMode::kSoftDelete; }

/// The columns that firn fills in a table whose whole schema is `existing`: the source's, then firn's own.
Result<TableLayout> MakeLayout(const encode::TableMapping& mapping, RowIdentity identity, const TableSettings& settings,
                               const iceberg::Schema& existing, iceberg::FieldId last_column_id) {
  TableLayout layout{.schema = mapping.schema, .mode = settings.mode, .identity = identity};
  if (identity == RowIdentity::kKey) layout.key_columns = mapping.key_columns;
  if (identity == RowIdentity::kWholeRow) {
    for (size_t i = 0; i < mapping.columns.size(); ++i) layout.key_columns.push_back(static_cast<int>(i));
  }
  const auto own = OwnColumnsOf(settings.mode, settings.track_changes);
  TRY_VOID(AddOwnColumns(own, existing, last_column_id, layout));
  return layout;
}

/// A mirror can be told to keep deleted rows from now on; what any other change would need is gone.
Status CheckMode(const iceberg::TableMetadata& metadata, ChangeMode mode) {
  const std::string written = PropertyOf(metadata, kChangeModeProperty);
  const std::string_view before = written.empty() ? ToString(ChangeMode::kMirror) : std::string_view(written);
  if (before == ToString(mode)) return {};
  if (before == ToString(ChangeMode::kMirror) && mode == ChangeMode::kSoftDelete) return {};
  return MakeError(ErrorKind::kInvalidConfig,
                   "it has been written in the change mode '{}' and can't go on as '{}'; set cdc.mode (and "
                   "cdc.enable_deletes) as they were, or drop the table in the catalog to copy it anew",
                   before, ToString(mode));
}

/// Whether the table is this pipeline's, from this cluster and this very source table.
Status CheckOrigin(const catalog::LoadedTable& table, const SourceTable& source,
                   const std::optional<TableProgress>& progress, const PipelineIdentity& writer) {
  const std::string made_from = PropertyOf(*table.metadata, kSourceTableProperty);
  if (made_from.empty()) {
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
  if (!writer.system_identifier.empty() && progress->writer.system_identifier != writer.system_identifier) {
    return MakeError(
        ErrorKind::kSourceLost,
        "it was copied from another PostgreSQL cluster (system identifier {}, now {}); check source.url, or "
        "drop the table in the catalog to copy it anew",
        progress->writer.system_identifier, writer.system_identifier);
  }
  if (PropertyOf(*table.metadata, kSourceOidProperty) != fmt::to_string(source.oid.value)) {
    return MakeError(
        ErrorKind::kSourceLost,
        "{} has been dropped and made again in PostgreSQL since it was copied; drop the table in the catalog "
        "to copy it anew",
        made_from);
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
};

Result<NewTablePlan> PlanNewTable(const SourceTable& source, const TableSettings& settings) {
  NewTablePlan plan;
  TRY(plan.mapping, MapSource(source, settings));
  TRY(plan.layout, MakeLayout(plan.mapping, IdentityOf(source), settings, {}, plan.mapping.schema.HighestFieldId()));
  if (settings.partition_by) {
    TRY(plan.spec, MakePartitionSpec(*settings.partition_by, plan.layout.schema));
  }
  return plan;
}

}  // namespace

iceberg::TableIdent TargetNaming::IdentOf(const TableName& source) const {
  iceberg::TableIdent ident{.name = table_prefix + source.name};
  std::string_view rest = name_space;
  while (true) {
    const size_t dot = rest.find('.');
    std::string level(rest.substr(0, dot));
    if (const size_t brace = level.find("{schema}"); brace != std::string::npos) level.replace(brace, 8, source.schema);
    ident.namespace_levels.push_back(std::move(level));
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
                                                   const PipelineIdentity& writer) {
  const iceberg::TableIdent ident = naming.IdentOf(source.name);
  auto loaded = catalog.LoadTable(ident);
  if (!loaded &&
      (loaded.error().kind() == ErrorKind::kTableNotFound || loaded.error().kind() == ErrorKind::kNotFound)) {
    return std::optional<TargetTable>();
  }
  TRY(catalog::LoadedTable table, std::move(loaded));
  const std::string where = fmt::format("Iceberg table {}", ToString(ident));
  TRY(auto progress, ReadProgress(*table.metadata).Context("{}", where));
  TRY_VOID(CheckOrigin(table, source, progress, writer).Context("{}", where));
  TRY(const AttnumToField columns,
      ParseColumns(PropertyOf(*table.metadata, kSourceColumnsProperty)).Context("{}", where));
  TRY(auto mapping,
      encode::MapTableOnto(source, table.metadata->CurrentSchema(), columns, settings.columns).Context("{}", where));
  TargetTable target{.source = source,
                     .settings = settings,
                     .mapping = std::move(mapping),
                     .table = std::move(table),
                     .progress = progress};
  const iceberg::TableMetadata& metadata = *target.table.metadata;
  TRY_VOID(CheckMode(metadata, settings.mode).Context("{}", where));
  TRY(target.layout,
      MakeLayout(target.mapping, IdentityOf(source), settings, metadata.CurrentSchema(), metadata.last_column_id)
          .Context("{}", where));
  return std::optional<TargetTable>(std::move(target));
}

Status CheckNewTargetTable(const SourceTable& source, const TableSettings& settings) {
  TRY([[maybe_unused]] const auto plan, PlanNewTable(source, settings));
  return {};
}

Result<TargetTable> CreateTargetTable(catalog::Catalog& catalog, const SourceTable& source, const TargetNaming& naming,
                                      const TableSettings& settings) {
  const iceberg::TableIdent ident = naming.IdentOf(source.name);
  TRY(NewTablePlan plan, PlanNewTable(source, settings));
  iceberg::NewTable table{.schema = plan.layout.schema, .spec = std::move(plan.spec)};
  table.properties = {
      {kSourceTableProperty, ToString(source.name)},
      {kSourceOidProperty, fmt::to_string(source.oid.value)},
      {kSourceColumnsProperty, FormatColumns(plan.mapping)},
      {kChangeModeProperty, std::string(ToString(settings.mode))},
      {"write.parquet.compression-codec", settings.compression_codec},
      // Other engines that change the table are asked to leave rows where they are, as firn does.
      {"write.delete.mode", "merge-on-read"},
      {"write.update.mode", "merge-on-read"},
      {"write.merge.mode", "merge-on-read"},
  };
  TRY_VOID(catalog.EnsureNamespace(ident.namespace_levels));
  TRY(auto created, catalog.CreateTable(ident, table).Context("making Iceberg table {}", ToString(ident)));
  return TargetTable{.source = source,
                     .settings = settings,
                     .mapping = std::move(plan.mapping),
                     .layout = std::move(plan.layout),
                     .table = std::move(created)};
}

Status AdoptSettings(catalog::Catalog& catalog, TargetTable& target) {
  const iceberg::TableMetadata& metadata = *target.table.metadata;
  iceberg::Schema schema = metadata.CurrentSchema();
  for (const iceberg::Field& field : target.layout.schema.fields) {
    if (schema.FindField(field.id) == nullptr) schema.fields.push_back(field);
  }
  iceberg::CommitRequest request{.table = target.table.ident};
  std::optional<iceberg::PartitionSpec> spec;
  if (target.settings.partition_by) {
    TRY(spec, EvolvePartitionSpec(*target.settings.partition_by, schema, metadata));
  }
  if (schema.fields.size() != metadata.CurrentSchema().fields.size()) {
    request.requirements = {iceberg::AssertCurrentSchemaId{metadata.current_schema_id},
                            iceberg::AssertLastAssignedFieldId{metadata.last_column_id}};
    request.updates = {iceberg::AddSchema{std::move(schema)}, iceberg::SetCurrentSchema{-1}};
  }
  if (spec) {
    request.requirements.push_back(iceberg::AssertDefaultSpecId{metadata.default_spec_id});
    request.requirements.push_back(iceberg::AssertLastAssignedPartitionId{metadata.last_partition_id});
    request.updates.push_back(iceberg::AddPartitionSpec{std::move(*spec)});
    request.updates.push_back(iceberg::SetDefaultSpec{-1});
  }
  const std::string mode(ToString(target.settings.mode));
  if (target.settings.mode != ChangeMode::kMirror && PropertyOf(metadata, kChangeModeProperty) != mode) {
    request.updates.push_back(iceberg::SetProperties{{{kChangeModeProperty, mode}}});
  }
  if (request.updates.empty()) return {};
  request.requirements.push_back(iceberg::AssertTableUuid{metadata.table_uuid});
  const int32_t spec_id = metadata.default_spec_id;
  TRY(auto tables, catalog.CommitTables(std::span(&request, 1))
                       .Context("adopting the settings of Iceberg table {}", ToString(target.table.ident)));
  target.table = std::move(tables.front());
  if (target.table.metadata->default_spec_id != spec_id) {
    LogInfo("changed how new files of the table are partitioned; the files that it has stay as they are",
            {{"table", ToString(target.source.name)}, {"spec_id", target.table.metadata->default_spec_id}});
  }
  return {};
}

}  // namespace firn::pipeline
