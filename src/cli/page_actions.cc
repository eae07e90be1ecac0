#include "cli/page_actions.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/try.h"
#include "cli/commands.h"

namespace firn::cli {
namespace {

/// kTableNotFound where there is none of that name.
Result<TableState> StateOf(const PipelineStatus& status, const std::string& table) {
  const auto row = std::ranges::find(status.tables, table, &TableStatus::source);
  if (row == status.tables.end()) return MakeError(ErrorKind::kTableNotFound, "no table is called {}", table);
  return row->state;
}

Result<std::string> ResyncThroughSource(const config::Config& config, const StatusBoard& board,
                                        const std::string& table) {
  const PipelineStatus status = board.Get();
  TRY(const TableState state, StateOf(status, table));
  if (state == TableState::kCopying) return MakeError(ErrorKind::kConflict, "{} is being copied now", table);
  if (state == TableState::kStopped) {
    return MakeError(ErrorKind::kConflict, "{} is no longer in the source or its publication", table);
  }
  TRY(const CopyRequests requests, RequestCopies(config, {table}));
  if (!requests.slot_exists)
    return MakeError(ErrorKind::kConflict, "{} is about to be copied for the first time", table);
  return fmt::format("{} is copied again{}; readers see its rows of before until the new ones are whole", table,
                     status.state == "paused" ? " once the stream goes on" : "");
}

}  // namespace

serve::Actions PageActionsOf(const config::Config& config, const StatusBoard& status, pipeline::PauseSwitch& pause,
                             maintenance::Upkeep& upkeep) {
  return {.token = config.http.token,
          .resync = [&config, &status](const std::string& table) { return ResyncThroughSource(config, status, table); },
          .compact = [&status, &upkeep](const std::string& table) -> Result<std::string> {
            TRY_VOID(StateOf(status.Get(), table));
            TRY_VOID(upkeep.Request(table));
            return fmt::format("{} is compacted; the log tells what became of its files", table);
          },
          .pause = [&pause]() -> Result<std::string> {
            if (pause.Set(true)) return "the stream is paused; PostgreSQL keeps WAL until it goes on";
            return MakeError(ErrorKind::kConflict, "the stream is paused already");
          },
          .resume = [&pause]() -> Result<std::string> {
            if (pause.Set(false)) return "the stream goes on";
            return MakeError(ErrorKind::kConflict, "the stream is not paused");
          }};
}

}  // namespace firn::cli
