#include "pipeline/shared_names.h"

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "catalog/find_table.h"
#include "pipeline/source_definition.h"

namespace firn::pipeline {
namespace {

/// The source table that the Iceberg table was made for; none where there is no table, or another program's.
Result<TableOid> MadeFor(catalog::Catalog& catalog, const iceberg::TableIdent& ident) {
  TRY(const auto loaded, catalog::FindTable(catalog, ident));
  if (!loaded) return TableOid{};
  TRY(const StoredDefinition stored, ReadStoredDefinition(*loaded->metadata).Context("{}", ToString(ident)));
  return stored.oid;
}

}  // namespace

std::vector<SharedName> FindSharedNames(const std::vector<SourceTable>& tables, const TargetNaming& naming) {
  std::map<iceberg::TableIdent, std::vector<const SourceTable*>> names;
  for (const SourceTable& table : tables) names[naming.IdentOf(table.name)].push_back(&table);
  std::vector<SharedName> shared;
  for (auto& [ident, sources] : names) {
    if (sources.size() < 2) continue;
    std::ranges::sort(sources, {}, &SourceTable::name);
    shared.push_back({.ident = ident, .tables = std::move(sources)});
  }
  return shared;
}

Error NameProblem(const iceberg::TableIdent& ident, const TableName& owner, const TableName& other) {
  return MakeError(ErrorKind::kAlreadyExists,
                   "table {} can't be replicated beside table {}: both would be Iceberg table {}; set "
                   "destination.namespace or destination.table_prefix to one with the schema's name in it, as in "
                   "table_prefix: \"{{schema}}_\", or leave one of the tables out (source.tables)",
                   other, owner, ToString(ident));
}

Result<std::map<TableOid, Error>> FindNameProblems(catalog::Catalog& catalog, const std::vector<SourceTable>& tables,
                                                   const TargetNaming& naming,
                                                   const std::function<bool(TableOid)>& is_copied) {
  std::map<TableOid, Error> problems;
  for (const SharedName& shared : FindSharedNames(tables, naming)) {
    TRY(const TableOid made_for, MadeFor(catalog, shared.ident));
    auto owner = std::ranges::find(shared.tables, made_for, &SourceTable::oid);
    if (owner == shared.tables.end()) owner = std::ranges::find_if(shared.tables, is_copied, &SourceTable::oid);
    if (owner == shared.tables.end()) owner = shared.tables.begin();
    for (const SourceTable* table : shared.tables) {
      if (table == *owner) continue;
      problems.emplace(table->oid, NameProblem(shared.ident, (*owner)->name, table->name));
    }
  }
  return problems;
}

}  // namespace firn::pipeline
