#include "pipeline/target_table.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>
#include <vector>

#include "base/try.h"

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

TableLayout MakeLayout(const encode::TableMapping& mapping, RowIdentity identity) {
  TableLayout layout{.schema = mapping.schema, .identity = identity};
  if (identity == RowIdentity::kKey) layout.key_columns = mapping.key_columns;
  if (identity == RowIdentity::kWholeRow) {
    for (size_t i = 0; i < mapping.columns.size(); ++i) layout.key_columns.push_back(static_cast<int>(i));
  }
  return layout;
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
      encode::MapTableOnto(source, table.metadata->CurrentSchema(), columns, settings.types).Context("{}", where));
  TargetTable target{.source = source,
                     .settings = settings,
                     .mapping = std::move(mapping),
                     .table = std::move(table),
                     .progress = progress};
  target.layout = MakeLayout(target.mapping, IdentityOf(source));
  return std::optional<TargetTable>(std::move(target));
}

Result<TargetTable> CreateTargetTable(catalog::Catalog& catalog, const SourceTable& source, const TargetNaming& naming,
                                      const TableSettings& settings) {
  const iceberg::TableIdent ident = naming.IdentOf(source.name);
  TRY(auto mapping, encode::MapTable(source, settings.types));
  iceberg::NewTable table{.schema = mapping.schema};
  table.properties = {
      {kSourceTableProperty, ToString(source.name)},
      {kSourceOidProperty, fmt::to_string(source.oid.value)},
      {kSourceColumnsProperty, FormatColumns(mapping)},
      {"write.parquet.compression-codec", settings.compression_codec},
      // Other engines that change the table are asked to leave rows where they are, as firn does.
      {"write.delete.mode", "merge-on-read"},
      {"write.update.mode", "merge-on-read"},
      {"write.merge.mode", "merge-on-read"},
  };
  TRY_VOID(catalog.EnsureNamespace(ident.namespace_levels));
  TRY(auto created, catalog.CreateTable(ident, table).Context("making Iceberg table {}", ToString(ident)));
  TargetTable target{
      .source = source, .settings = settings, .mapping = std::move(mapping), .table = std::move(created)};
  target.layout = MakeLayout(target.mapping, IdentityOf(source));
  return target;
}

}  // namespace firn::pipeline
