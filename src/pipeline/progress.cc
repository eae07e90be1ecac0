#include "pipeline/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/try.h"
#include "iceberg/json_member.h"

namespace firn::pipeline {
namespace {

std::string Find(const iceberg::Properties& summary, const char* key) {
  auto position = summary.find(key);
  return position == summary.end() ? std::string() : position->second;
}

Result<TableProgress> ParseProgress(const iceberg::Properties& summary) {
  TableProgress progress;
  TRY(progress.lsn, Lsn::Parse(Find(summary, kLsnKey)));
  progress.writer = {.pipeline = Find(summary, kPipelineKey), .system_identifier = Find(summary, kSystemIdentifierKey)};
  const std::string timeline = Find(summary, kTimelineKey);
  std::from_chars(timeline.data(), timeline.data() + timeline.size(), progress.writer.timeline);
  progress.commit_id = Find(summary, catalog::kCommitIdKey);
  return progress;
}

/// By the table's snapshots.
Result<std::optional<TableProgress>> FindProgress(const iceberg::TableMetadata& metadata) {
  const iceberg::Snapshot* snapshot = metadata.CurrentSnapshot();
  // Expired parents end the walk; a chain can't be longer than the snapshots there are.
  for (size_t steps = 0; snapshot != nullptr && steps <= metadata.snapshots.size(); ++steps) {
    if (snapshot->summary.contains(kLsnKey)) {
      return ParseProgress(snapshot->summary).Context("summary of snapshot {}", snapshot->snapshot_id);
    }
    snapshot = snapshot->parent_snapshot_id ? metadata.FindSnapshot(*snapshot->parent_snapshot_id) : nullptr;
  }
  return std::nullopt;
}

/// By the table's property.
Result<std::optional<TableProgress>> StatedProgress(const iceberg::TableMetadata& metadata) {
  const auto property = metadata.properties.find(kProgressProperty);
  if (property == metadata.properties.end()) return std::nullopt;
  const auto parse = [&]() -> Result<TableProgress> {
    TRY(const iceberg::Json json, iceberg::ParseJson(property->second));
    iceberg::Properties summary;
    for (const auto& [key, value] : json.items()) {
      TRY(summary[key], iceberg::JsonValue<std::string>(value).Context("{}", key));
    }
    return ParseProgress(summary);
  };
  return parse().Context("property {}", kProgressProperty);
}

/// Whether a commit's snapshot is there, and newer than the table's.
bool IsAheadOfTable(const iceberg::TableMetadata& metadata, const std::string& commit_id) {
  const iceberg::Snapshot* current = metadata.CurrentSnapshot();
  return std::ranges::any_of(metadata.snapshots, [&](const iceberg::Snapshot& snapshot) {
    return Find(snapshot.summary, catalog::kCommitIdKey) == commit_id &&
           (current == nullptr || snapshot.sequence_number > current->sequence_number);
  });
}

}  // namespace

Result<std::optional<TableProgress>> ReadProgress(const iceberg::TableMetadata& metadata) {
  TRY(auto found, FindProgress(metadata));
  TRY(auto stated, StatedProgress(metadata));
  if (!stated || (found && found->lsn >= stated->lsn)) return found;
  if (found) {
    found->is_taken_back = true;
    return found;
  }
  // Else the snapshots between it and the table's have expired.
  if (IsAheadOfTable(metadata, stated->commit_id)) {
    stated->lsn = {};
    stated->is_taken_back = true;
  }
  return stated;
}

std::string WhyTakenBack(const TableProgress& progress) {
  return fmt::format("somebody rolled the Iceberg table back to a snapshot before firn's last commit{}",
                     progress.lsn == Lsn{} ? "" : ", as of " + ToString(progress.lsn));
}

void StateProgress(const iceberg::Properties& summary, iceberg::CommitRequest& request) {
  request.updates.emplace_back(
      iceberg::SetProperties{{{kProgressProperty, iceberg::DumpJson(iceberg::Json(summary))}}});
}

iceberg::Properties ProgressSummary(const PipelineIdentity& writer, Lsn lsn, const std::string& commit_id) {
  iceberg::Properties summary{
      {kLsnKey, ToString(lsn)}, {kPipelineKey, writer.pipeline}, {catalog::kCommitIdKey, commit_id}};
  if (!writer.system_identifier.empty()) summary.emplace(kSystemIdentifierKey, writer.system_identifier);
  if (writer.timeline != 0) summary.emplace(kTimelineKey, fmt::to_string(writer.timeline));
  return summary;
}

Status CheckOnlyWriter(const iceberg::TableMetadata& base, const iceberg::TableMetadata& fresh) {
  TRY(const auto ours, ReadProgress(base));
  TRY(const auto theirs, ReadProgress(fresh));
  const std::string our_commit = ours ? ours->commit_id : "";
  if (base.table_uuid != fresh.table_uuid) {
    return MakeError(ErrorKind::kAlreadyExists, "the Iceberg table was dropped and made again by somebody else");
  }
  if (theirs && theirs->is_taken_back && !(ours && ours->is_taken_back)) {
    return MakeError(ErrorKind::kAlreadyExists, "{}", WhyTakenBack(*theirs));
  }
  if ((theirs ? theirs->commit_id : "") == our_commit) return {};
  if (ours && theirs && theirs->writer.pipeline != ours->writer.pipeline) {
    return MakeError(
        ErrorKind::kAlreadyExists,
        "pipeline '{}' has begun to write this table; give one of the two another destination.namespace or "
        "destination.table_prefix",
        theirs->writer.pipeline);
  }
  return MakeError(
      ErrorKind::kSourceLost,
      "another process committed to this table at {} as pipeline '{}'; only one firn may write a table: stop "
      "one of them",
      ToString(theirs ? theirs->lsn : Lsn{}), theirs ? theirs->writer.pipeline : "");
}

}  // namespace firn::pipeline
