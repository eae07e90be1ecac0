// <firn/replication.h>: `firn run` without its command line.

#include <utility>

#include "base/try.h"
#include "cli/commands.h"
#include "cli/table_settings.h"
#include "config/config.h"
#include "config/expand.h"
#include "firn/replication.h"
#include "observe/log.h"
#include "observe/redact.h"

namespace firn {

namespace {

Status ReplicateAs(const Replication& replication, std::stop_token stop) {
  TRY(const config::Config config,
      config::ParseConfig(replication.configuration, "configuration", config::ProcessEnvironment()));
  TRY_VOID(cli::CheckTableSettings(config));
  TRY(const LogLevel level, ParseLogLevel(config.log.level));
  TRY(const LogFormat format, ParseLogFormat(config.log.format));
  SetUpLogging(level, format);
  return cli::Run(config, {.until_caught_up = replication.until_caught_up}, std::move(stop));
}

}  // namespace

Status Replicate(const Replication& replication, std::stop_token stop) {
  Status ended = ReplicateAs(replication, std::move(stop));
  if (!ended) return Redacted(ended.error());
  return ended;
}

}  // namespace firn
