#include "pipeline/slot_check.h"

namespace firn::pipeline {
namespace {

constexpr char kRemedy[] =
    "to have firn make a new slot and copy all tables again, start it with source.on_lost_slot: copy";

template <typename... Args>
Error SourceLost(fmt::format_string<Args...> format, Args&&... args) {
  return MakeError(ErrorKind::kSourceLost, ErrorOrigin::kSource, format, std::forward<Args>(args)...);
}

}  // namespace

std::optional<Error> FindSlotProblem(const SlotSituation& situation) {
  if (!situation.committed) return std::nullopt;  // All tables are to be copied.
  const Lsn committed = *situation.committed;
  if (!situation.slot) {
    return SourceLost(
        "table {} was copied before, but slot '{}' is gone from PostgreSQL, and with it the changes since {}: it was "
        "dropped, or this is a standby that was promoted without it, or a restored backup; give back the slot's name, "
        "or "
        "{}",
        situation.table, situation.name, committed, kRemedy);
  }
  if (situation.server_end < committed) {
    return SourceLost(
        "table {} holds changes up to {}, but the server's log ends at {}: it was restored from a backup, or is a "
        "standby "
        "that was promoted before it had them; {}",
        situation.table, committed, situation.server_end, kRemedy);
  }
  // What is written down is the last word only where no later commit is in the tables: that may be of a firn with
  // another state_dir, which acknowledged more.
  const bool is_known = situation.acknowledged && *situation.acknowledged >= committed;
  const Lsn confirmed = situation.slot->confirmed_flush_lsn;
  if (is_known && confirmed > *situation.acknowledged) {
    return SourceLost(
        "slot '{}' is at {}, but firn has confirmed no more than {}: it was dropped and made again, or moved, and the "
        "changes in between are missing. If another firn with another state_dir has used it meanwhile, nothing is "
        "missing: delete {}. Else, {}",
        situation.name, confirmed, *situation.acknowledged, situation.acknowledged_file, kRemedy);
  }
  return std::nullopt;
}

std::optional<Error> FindTimelineProblem(std::span<const CommittedTable> tables, int timeline,
                                         const std::map<int, Lsn>& left_at) {
  for (const CommittedTable& table : tables) {
    if (table.timeline == timeline) continue;
    const auto left = left_at.find(table.timeline);
    if (left == left_at.end()) {
      return SourceLost(
          "table {} holds changes up to {} of timeline {}, but the server's log, which is on timeline {}, was never on "
          "that one: it is another server's, or it was restored from a backup; {}",
          table.name, table.lsn, table.timeline, timeline, kRemedy);
    }
    if (left->second < table.lsn) {
      return SourceLost(
          "table {} holds changes up to {} of timeline {}, but the server's log left that timeline at {}: it was "
          "restored from a backup, or is a standby that was promoted before it had them; {}",
          table.name, table.lsn, table.timeline, left->second, kRemedy);
    }
  }
  return std::nullopt;
}

}  // namespace firn::pipeline
