#include "pipeline/renamed_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/try.h"
#include "catalog/find_table.h"
#include "observe/log.h"
#include "pipeline/parked_tables.h"

namespace firn::pipeline {
namespace {

/// The source table that `writer` replicates into an Iceberg table; nothing for a table that is not its own.
Result<std::optional<TableOid>> SourceOf(const iceberg::TableMetadata& metadata, const PipelineIdentity& writer) {
  TRY(const StoredDefinition stored, ReadStoredDefinition(metadata));
  TRY(const auto progress, ReadProgress(metadata));
  const bool is_ours = !stored.table.empty() && progress && progress->writer == writer;
  return is_ours ? std::optional(stored.oid) : std::nullopt;
}

/// Whether the table that has the name is the source table's.
Result<bool> HasItsName(catalog::Catalog& catalog, const SourceTable& table, const iceberg::TableIdent& ident,
                        const PipelineIdentity& writer) {
  TRY(const auto loaded, catalog::FindTable(catalog, ident));
  if (!loaded) return false;
  TRY(const StoredDefinition stored, ReadStoredDefinition(*loaded->metadata));
  TRY(const auto progress, ReadProgress(*loaded->metadata));
  // One that was made and not copied yet is in its place, too.
  return !stored.table.empty() && stored.oid == table.oid && (!progress || progress->writer == writer);
}

/// The Iceberg tables of `writer`, by their source's OID, wherever they are.
Result<std::map<TableOid, iceberg::TableIdent>> FindBySource(catalog::Catalog& catalog,
                                                             const PipelineIdentity& writer) {
  std::map<TableOid, iceberg::TableIdent> found;
  TRY(const auto namespaces, catalog.ListNamespaces());
  for (const std::vector<std::string>& levels : namespaces) {
    TRY(const auto idents, catalog.ListTables(levels));
    for (const iceberg::TableIdent& ident : idents) {
      const auto loaded = catalog.LoadTable(ident);
      if (!loaded && RetryPolicy::IsRetryable(loaded.error())) return loaded.error();
      if (!loaded) continue;  // Somebody else's, and damaged or just dropped.
      const auto oid = SourceOf(*loaded->metadata, writer);
      if (oid && *oid) found.emplace(**oid, ident);
    }
  }
  return found;
}

struct Move {
  TableName source;
  iceberg::TableIdent from, to;
};

Status Rename(catalog::Catalog& catalog, const iceberg::TableIdent& from, const iceberg::TableIdent& to) {
  TRY_VOID(catalog.EnsureNamespace(to.namespace_levels));
  return catalog.RenameTable(from, to).Context("renaming Iceberg table {} to {}", ToString(from), ToString(to));
}

}  // namespace

Status FollowRenamedTables(catalog::Catalog& catalog, const std::vector<SourceTable>& tables,
                           const TargetNaming& naming, const PipelineIdentity& writer) {
  std::vector<const SourceTable*> elsewhere;
  for (const SourceTable& table : tables) {
    TRY(const bool in_place, HasItsName(catalog, table, naming.IdentOf(table.name), writer));
    if (!in_place) elsewhere.push_back(&table);
  }
  if (elsewhere.empty()) return {};
  TRY(const auto by_source, FindBySource(catalog, writer));
  std::vector<Move> moves;
  for (const SourceTable* table : elsewhere) {
    const auto found = by_source.find(table->oid);
    if (found == by_source.end()) continue;
    moves.push_back({.source = table->name, .from = found->second, .to = naming.IdentOf(table->name)});
  }

  while (!moves.empty()) {
    // Where its name is another's that moves as well, that one goes first.
    const auto is_in_the_way = [&](const Move& move) {
      return std::ranges::any_of(moves, [&](const Move& other) { return other.from == move.to; });
    };
    auto next = std::ranges::find_if_not(moves, is_in_the_way);
    if (next == moves.end()) {
      // They wait for each other in a circle: one steps aside.
      iceberg::TableIdent aside = moves.front().from;
      aside.name = fmt::format("{}_firn_renaming", moves.front().to.name);
      TRY_VOID(Rename(catalog, moves.front().from, aside));
      moves.front().from = std::move(aside);
      continue;
    }
    const Status renamed = Rename(catalog, next->from, next->to);
    if (renamed) {
      LogInfo("renamed an Iceberg table with its source",
              {{"table", ToString(next->source)}, {"from", ToString(next->from)}, {"to", ToString(next->to)}});
    } else if (renamed.error().kind() != ErrorKind::kAlreadyExists) {
      return renamed;
    } else {
      LogWarn("a renamed table is copied into the Iceberg table that has its new name; the one of its old name stays",
              {{"table", ToString(next->source)}, {"old", ToString(next->from)}, {"new", ToString(next->to)}});
    }
    moves.erase(next);
  }
  return {};
}

Status MarkTableOf(catalog::Catalog& catalog, TableOid oid, const PipelineIdentity& writer, const std::string& reason,
                   const RetryPolicy& retry, std::stop_token stop) {
  TRY(const auto by_source, FindBySource(catalog, writer));
  const auto found = by_source.find(oid);
  if (found == by_source.end()) return {};
  return MarkTable(catalog, found->second, writer, reason, retry, std::move(stop));
}

}  // namespace firn::pipeline
