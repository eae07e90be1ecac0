#include <fmt/core.h>

#include "base/try.h"
#include "cli/commands.h"
#include "cli/pipeline_services.h"
#include "observe/log.h"

namespace firn::cli {
namespace {

constexpr char kObjectInUse[] = "55006";

/// False where there is none.
Result<bool> DropOwnSlot(postgres::Connection& connection, const std::string& name) {
  TRY(const auto slot, postgres::ReadSlot(connection, name));
  if (!slot) return false;
  if (slot->plugin != "pgoutput" || slot->database != connection.database()) {
    return MakeError(ErrorKind::kInvalidConfig,
                     "slot '{}' belongs to something else (plugin {}, database {}), and nothing was dropped: see "
                     "source.slot",
                     name, slot->plugin, slot->database);
  }
  Status dropped = postgres::DropSlot(connection, name);
  if (!dropped && dropped.error().native_code() == kObjectInUse) {
    return MakeError(ErrorKind::kTransient, ErrorOrigin::kSource,
                     "{}; nothing was dropped: stop firn first (on Kubernetes, scale its StatefulSet to 0), and end a "
                     "session that was left behind with SELECT pg_terminate_backend(pid)",
                     dropped.error().message());
  }
  TRY_VOID(dropped);
  return true;
}

}  // namespace

Status Cleanup(const config::Config& config) {
  const pipeline::SourceOptions options = SourceOptionsOf(config);
  TRY(postgres::Connection connection, postgres::Connection::Open(options.connection));
  TRY(const bool dropped_slot, DropOwnSlot(connection, options.slot));
  TRY(const auto publication, postgres::ReadPublication(connection, options.publication));
  const bool drops_publication = publication && publication->made_by_firn;
  if (drops_publication) TRY_VOID(postgres::DropPublication(connection, options.publication));
  LogInfo(fmt::format("{}; {}; the Iceberg tables stay",
                      dropped_slot ? fmt::format("dropped slot '{}'", options.slot)
                                   : fmt::format("there is no slot '{}' to drop", options.slot),
                      drops_publication ? fmt::format("dropped publication '{}'", options.publication)
                      : publication
                          ? fmt::format("publication '{}' stays, which firn did not make", options.publication)
                          : fmt::format("there is no publication '{}' to drop", options.publication)));
  return {};
}

}  // namespace firn::cli
