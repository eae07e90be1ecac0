#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "base/try.h"
#include "cli/commands.h"
#include "cli/pipeline_services.h"
#include "pipeline/source_setup.h"
#include "pipeline/table_request.h"

namespace firn::cli {
namespace {

/// The table that is named as in messages: with its schema, or one of schema public.
const SourceTable* FindTable(const pipeline::SourceState& source, const std::string& name) {
  const auto table = std::ranges::find_if(source.tables, [&](const SourceTable& candidate) {
    return ToString(candidate.name) == name || ToString(candidate.name) == "public." + name;
  });
  return table == source.tables.end() ? nullptr : &*table;
}

}  // namespace

Result<CopyRequests> RequestCopies(const config::Config& config, const std::vector<std::string>& names) {
  const pipeline::SourceOptions options = SourceOptionsOf(config);
  TRY(const pipeline::SourceState source, pipeline::InspectSource(options));
  std::vector<const SourceTable*> tables;
  for (const std::string& name : names) {
    tables.push_back(FindTable(source, name));
    if (tables.back() != nullptr) continue;
    return MakeError(ErrorKind::kInvalidConfig,
                     "{} is not a table that slot '{}' replicates (source.tables and the publication say which); firn "
                     "status names them",
                     name, options.slot);
  }
  CopyRequests requests{.slot = options.slot, .slot_exists = source.slot.has_value()};
  if (!source.slot) return requests;
  requests.slot_active = source.slot->active;
  TRY(postgres::Connection connection, postgres::Connection::Open(options.connection));
  for (const SourceTable* table : tables) {
    TRY_VOID(pipeline::SendCopyRequest(connection, options.slot, table->oid)
                 .Context("asking for a copy of {}", table->name));
    requests.tables.push_back(ToString(table->name));
  }
  return requests;
}

Status Resync(const config::Config& config, const ResyncCommand& command) {
  TRY(const CopyRequests requests, RequestCopies(config, command.tables));
  if (!requests.slot_exists) {
    fmt::print("slot {} is not made yet: firn run copies every table when it first starts\n", requests.slot);
    return {};
  }
  for (const std::string& table : requests.tables) {
    fmt::print("{}: {}; readers see its rows of before until the new ones are whole\n", table,
               requests.slot_active ? "the firn that runs copies it again now"
                                    : "no firn runs, so it is copied again when firn run is started");
  }
  return {};
}

}  // namespace firn::cli
