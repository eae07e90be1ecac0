#include "base/try.h"
#include "cli/commands.h"
#include "cli/pipeline_services.h"
#include "observe/log.h"

namespace firn::cli {

Status Cleanup(const config::Config& config) {
  const pipeline::SourceOptions options = SourceOptionsOf(config);
  TRY(postgres::Connection connection, postgres::Connection::Open(options.connection));
  TRY_VOID(postgres::DropSlot(connection, options.slot).Context("dropping slot '{}'", options.slot));
  TRY_VOID(postgres::DropPublication(connection, options.publication)
               .Context("dropping publication '{}'", options.publication));
  LogInfo("dropped slot and publication; the Iceberg tables stay",
          {{"slot", options.slot}, {"publication", options.publication}});
  return {};
}

}  // namespace firn::cli
