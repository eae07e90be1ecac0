#include "base/try.h"
#include "cli/commands.h"
#include "cli/pipeline_services.h"
#include "observe/log.h"

namespace firn::cli {

Status Cleanup(const config::Config& config) {
  const pipeline::SourceOptions options = SourceOptionsOf(config);
  TRY(postgres::Connection connection, postgres::Connection::Open(options.connection));
  TRY_VOID(postgres::DropSlot(connection, options.slot).Context("dropping slot '{}'", options.slot));
  TRY(const auto publication, postgres::ReadPublication(connection, options.publication));
  const bool drop_publication = publication && publication->made_by_firn;
  if (drop_publication) TRY_VOID(postgres::DropPublication(connection, options.publication));
  LogInfo(drop_publication ? "dropped slot and publication; the Iceberg tables stay"
                           : "dropped the slot; the Iceberg tables stay, and a publication that firn did not make",
          {{"slot", options.slot}, {"publication", options.publication}});
  return {};
}

}  // namespace firn::cli
