#include "iceberg/statistics_files.h"

#include <optional>
#include <utility>

#include "iceberg/json_member.h"

namespace firn::iceberg {
namespace {

constexpr const char* kStatisticsMembers[] = {"statistics", "partition-statistics"};

/// The member's array; nothing where it is missing or something else.
std::optional<Json> StatisticsMember(const TableMetadata& metadata, const char* name) {
  const auto member = metadata.unread_json.find(name);
  if (member == metadata.unread_json.end()) return std::nullopt;
  auto files = ParseJson(member->second);
  if (!files || !files->is_array()) return std::nullopt;
  return std::move(*files);
}

std::optional<SnapshotId> SnapshotOf(const Json& file) {
  const auto id = Member<int64_t>(file, "snapshot-id");
  return id ? std::optional(*id) : std::nullopt;
}

}  // namespace

std::vector<StatisticsFile> StatisticsFiles(const TableMetadata& metadata) {
  std::vector<StatisticsFile> found;
  for (const char* name : kStatisticsMembers) {
    const auto files = StatisticsMember(metadata, name);
    if (!files) continue;
    for (const Json& file : *files) {
      auto path = Member<std::string>(file, "statistics-path");
      if (path) found.push_back({.snapshot_id = SnapshotOf(file), .path = std::move(*path)});
    }
  }
  return found;
}

void RemoveStatistics(TableMetadata& metadata, const std::set<SnapshotId>& snapshots) {
  for (const char* name : kStatisticsMembers) {
    const auto files = StatisticsMember(metadata, name);
    if (!files) continue;
    Json kept = Json::array();
    for (const Json& file : *files) {
      const auto snapshot_id = SnapshotOf(file);
      if (!snapshot_id || !snapshots.contains(*snapshot_id)) kept.push_back(file);
    }
    if (kept.size() < files->size()) metadata.unread_json[name] = DumpJson(kept);
  }
}

}  // namespace firn::iceberg
