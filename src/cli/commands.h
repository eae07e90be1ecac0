// The commands of the firn program, one file each. Data goes to stdout, everything else to stderr.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/config_folder.h"
#include "firn/result.h"

namespace firn::cli {

struct RunCommand {
  bool until_caught_up = false;
  std::string copy_engine;     ///< Over source.copy_engine, where it isn't empty.
  std::string spark_submit;    ///< The same over spark.submit.
  bool shows_progress = true;  ///< Of copies, where stderr is a terminal.
};
/// Blocks until the end of the pipeline, or until `stop` (SIGTERM, SIGINT).
Status Run(const config::Config& config, const RunCommand& command, std::stop_token stop);
/// All pipelines of a folder, each on threads of its own and named in its log lines. One that fails starts again after
/// a pause, whatever the others do; with `until_caught_up` it does not. Blocks until all have ended: by themselves
/// where they catch up, else after `stop`. kWriteFailed names those that failed and were not running at the end.
Status RunFolder(const std::vector<config::PipelineConfig>& pipelines, const RunCommand& command, std::stop_token stop);

struct StatusCommand {
  bool json = false;
};
/// Asks PostgreSQL and the catalog, so that it works whether `firn run` is running or not; and the firn that runs, at
/// its http.listen, where it answers.
Status ShowStatus(const config::Config& config, const StatusCommand& command);

struct HealthCommand {
  bool ready = false;  ///< Whether it copies or streams, too.
};
/// Asks the firn that runs with this configuration, at its http.listen: an error when it doesn't answer.
Status Health(const config::Config& config, const HealthCommand& command);

struct VerifyCommand {
  std::vector<std::string> tables;  ///< Patterns; none: all.
  bool json = false;
  int wait_s = 300;
};
/// Compares the contents of both sides while `firn run` goes on: an error where they differ or can't be compared, after
/// what was found is printed.
Status VerifyTables(const config::Config& config, const VerifyCommand& command, std::stop_token stop);

/// Looks at both sides and prints every problem. Where there are any: kInvalidConfig if all are of the configuration,
/// else kPermission.
Status Check(const config::Config& config);

struct ResyncCommand {
  std::vector<std::string> tables;  ///< "public.orders"; a name alone is in schema public.
};
/// What has been asked for.
struct CopyRequests {
  std::string slot;
  bool slot_exists = false;  ///< Else nothing was asked for: the first start copies every table.
  bool slot_active = false;  ///< A firn hears it now, else the next one to start.
  std::vector<std::string> tables;
};
/// Asks for a copy of the tables through the source. kInvalidConfig for a table that the pipeline doesn't replicate;
/// then nothing is asked for.
Result<CopyRequests> RequestCopies(const config::Config& config, const std::vector<std::string>& tables);
/// Asks the pipeline to copy tables again, whether it is running or not. kInvalidConfig for a table that it doesn't
/// replicate; then nothing is asked for.
Status Resync(const config::Config& config, const ResyncCommand& command);

struct MaintainCommand {
  std::string task = "all";         ///< compact, expire, orphans or all
  std::vector<std::string> tables;  ///< "schema.table" as PostgreSQL has them; none: every one.
  bool delete_orphans = false;      ///< Else they are only shown.
  std::string engine = "firn";      ///< firn or spark: who compacts.
  std::string spark_submit;         ///< Over spark.submit; empty: as that says.
};
/// The upkeep of the tables, now; `firn run` may go on beside it. Goes on with the next table after an error, and fails
/// at the end.
Status Maintain(const config::Config& config, const MaintainCommand& command, std::stop_token stop);

/// Drops the slot and the publication; the Iceberg tables stay.
Status Cleanup(const config::Config& config);

}  // namespace firn::cli
