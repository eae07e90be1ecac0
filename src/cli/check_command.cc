#include <fmt/core.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/try.h"
#include "catalog/sql/sql_catalog.h"
#include "cli/commands.h"
#include "cli/pipeline_services.h"
#include "cli/table_settings.h"
#include "pipeline/start_over.h"
#include "pipeline/target_table.h"

namespace firn::cli {
namespace {

/// A local warehouse's nearest folder that exists must let firn write; nothing is made.
Status CheckLocalWarehouse(const std::string& location) {
  constexpr std::string_view kScheme = "file://";
  std::filesystem::path folder = location.substr(kScheme.size());
  std::error_code error;
  while (!std::filesystem::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  if (std::filesystem::is_directory(folder, error) && ::access(folder.c_str(), W_OK | X_OK) == 0) return {};
  return MakeError(ErrorKind::kPermission, ErrorOrigin::kStorage,
                   "catalog.warehouse {} can't be written: {} is not a folder that this user may write to", location,
                   folder.string());
}

Status CheckWarehouse(const config::Config& config) {
  TRY(const std::string location, storage::NormalizeLocation(config.catalog.warehouse));
  TRY(const auto store, OpenStore(config));
  if (!location.starts_with("file://")) return CheckWarehouseWritable(config, *store);
  return CheckLocalWarehouse(location);
}

/// What is wrong with a catalog.
struct CatalogFindings {
  std::vector<Error> problems;
  std::string note;  ///< What could not be looked at; empty: nothing.
};

/// A REST catalog hands out a table's store with the table, so that of a table that exists is tried.
void CheckStoreOf(const std::optional<catalog::LoadedTable>& table, Lake& lake, CatalogFindings& findings) {
  if (!table) {
    findings.note = "whether files can be written is not known before there is a table: its REST catalog says where";
    return;
  }
  const std::string name = fmt::format("the location of table {}", ToString(table->ident));
  const Status writable = CheckWritable(lake.store(), table->metadata->location, name);
  if (!writable) findings.problems.push_back(writable.error());
}

/// A catalog that is a server must answer, let firn in, and take the tables' names. Makes nothing.
CatalogFindings CheckServer(const config::Config& config, const std::vector<SourceTable>& tables) {
  CatalogFindings findings;
  auto lake = OpenLake(config, LakeUse::kRead);
  if (!lake) return {.problems = {lake.error()}};
  std::optional<catalog::LoadedTable> first;
  std::set<std::string> told;
  for (const SourceTable& table : tables) {
    auto loaded = lake->catalog().LoadTable(TargetNamingOf(config).IdentOf(table.name));
    if (loaded) {
      if (!first) first = std::move(*loaded);
      continue;
    }
    const Error& error = loaded.error();
    if (error.kind() == ErrorKind::kTableNotFound || error.kind() == ErrorKind::kNotFound) continue;
    // Tables share the name of their namespace.
    if (told.insert(error.message()).second) findings.problems.push_back(error);
    if (error.kind() != ErrorKind::kUnsupported) return findings;  // It is no matter of this table alone.
  }
  if (config.catalog.type == "rest") CheckStoreOf(first, *lake, findings);
  return findings;
}

CatalogFindings CheckCatalog(const config::Config& config, const std::vector<SourceTable>& tables) {
  if (config.catalog.type != "sql") return CheckServer(config, tables);
  if (const Status usable = catalog::CheckSqlCatalog(config.catalog.uri); !usable)
    return {.problems = {usable.error()}};
  return {};
}

/// Whether each of its columns can be stored, and the table partitioned, as the configuration asks.
Status CheckTable(const config::Config& config, const SourceTable& table) {
  TRY(const pipeline::TableSettings settings, TableSettingsOf(config, table.name));
  return pipeline::CheckNewTargetTable(table, settings);
}

}  // namespace

Status Check(const config::Config& config) {
  int problems = 0;
  auto report = [&](const std::string& problem) {
    fmt::print("problem: {}\n", problem);
    ++problems;
  };

  auto source = pipeline::InspectSource(SourceOptionsOf(config));
  if (!source) {
    report(source.error().message());
  } else {
    for (const Error& problem : source->problems) {
      if (pipeline::StartsOver(SourceOptionsOf(config), problem)) {
        fmt::print("warning: {}; `firn run` copies them by itself (source.on_lost_slot)\n", problem.message());
      } else {
        report(problem.message());
      }
    }
    for (const auto& [oid, problem] : source->table_problems) report(problem.message());
    for (const std::string& warning : source->warnings) fmt::print("warning: {}\n", warning);
    for (const SourceTable& table : source->tables) {
      if (Status usable = CheckTable(config, table); !usable)
        report(fmt::format("table {}: {}", table.name, usable.error().message()));
    }
  }
  if (config.catalog.type != "rest") {
    if (Status warehouse = CheckWarehouse(config); !warehouse) report(warehouse.error().message());
  }
  const std::vector<SourceTable> tables = source ? source->tables : std::vector<SourceTable>();
  const CatalogFindings catalog = CheckCatalog(config, tables);
  for (const Error& problem : catalog.problems) report("catalog: " + problem.message());
  if (!catalog.note.empty()) fmt::print("note: {}\n", catalog.note);

  if (problems == 0) {
    fmt::print("ok: {} tables are ready to be replicated\n", source->tables.size());
    return {};
  }
  return MakeError(ErrorKind::kPermission, "{} problem{} found", problems, problems == 1 ? "" : "s");
}

}  // namespace firn::cli
