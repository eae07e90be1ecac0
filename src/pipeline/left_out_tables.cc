#include "pipeline/left_out_tables.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "base/try.h"
#include "observe/log.h"
#include "pipeline/parked_tables.h"
#include "pipeline/source_definition.h"

namespace firn::pipeline {
namespace {

using Levels = std::vector<std::string>;

/// Of a namespace that may not be there.
Result<std::set<std::string>> ReadNames(catalog::Catalog& catalog, const Levels& levels) {
  std::set<std::string> names;
  const auto idents = catalog.ListTables(levels);
  if (!idents && idents.error().kind() == ErrorKind::kNotFound) return names;
  if (!idents) return idents.error();
  for (const iceberg::TableIdent& ident : *idents) names.insert(ident.name);
  return names;
}

}  // namespace

Status MarkLeftOutTables(catalog::Catalog& catalog, const SourceState& source, const TargetNaming& naming,
                         const PipelineIdentity& writer, const RetryPolicy& retry, std::stop_token stop) {
  if (!source.publication) return {};
  std::map<Levels, std::set<std::string>> known;
  for (const TableName& name : source.publication->tables) {
    if (std::ranges::find(source.tables, name, &SourceTable::name) != source.tables.end()) continue;
    const iceberg::TableIdent ident = naming.IdentOf(name);
    auto names = known.find(ident.namespace_levels);
    if (names == known.end()) {
      TRY(auto read, ReadNames(catalog, ident.namespace_levels));
      names = known.emplace(ident.namespace_levels, std::move(read)).first;
    }
    if (!names->second.contains(ident.name)) continue;
    const auto loaded = catalog.LoadTable(ident);
    if (!loaded) continue;  // Nothing that firn could go on with.
    TRY(const StoredDefinition stored, ReadStoredDefinition(*loaded->metadata));
    TRY(const auto progress, ReadProgress(*loaded->metadata));
    const bool is_ours = stored.table == ToString(name) && progress && progress->writer == writer;
    if (!is_ours || ReadMark(*loaded->metadata)) continue;
    LogInfo("a table is left out of source.tables: should it be chosen again, it is copied anew",
            {{"table", ToString(name)}});
    TRY_VOID(MarkTable(catalog, ident, writer, "it was left out of source.tables for a time", retry, stop)
                 .Context("table {}", name));
  }
  return {};
}

}  // namespace firn::pipeline
