#include "pipeline/progress.h"

#include "base/try.h"

namespace firn::pipeline {
namespace {

std::string Find(const iceberg::Properties& summary, const char* key) {
  auto position = summary.find(key);
  return position == summary.end() ? std::string() : position->second;
}

}  // namespace

Result<std::optional<TableProgress>> ReadProgress(const iceberg::TableMetadata& metadata) {
  const iceberg::Snapshot* snapshot = metadata.CurrentSnapshot();
  // Expired parents end the walk; a chain can't be longer than the snapshots there are.
  for (size_t steps = 0; snapshot != nullptr && steps <= metadata.snapshots.size(); ++steps) {
    const iceberg::Properties& summary = snapshot->summary;
    if (const std::string lsn = Find(summary, kLsnKey); !lsn.empty()) {
      TableProgress progress;
      TRY(progress.lsn, Lsn::Parse(lsn).Context("summary of snapshot {}", snapshot->snapshot_id));
      progress.writer = {.pipeline = Find(summary, kPipelineKey),
                         .system_identifier = Find(summary, kSystemIdentifierKey)};
      progress.commit_id = Find(summary, catalog::kCommitIdKey);
      return progress;
    }
    snapshot = snapshot->parent_snapshot_id ? metadata.FindSnapshot(*snapshot->parent_snapshot_id) : nullptr;
  }
  return std::nullopt;
}

iceberg::Properties ProgressSummary(const PipelineIdentity& writer, Lsn lsn, const std::string& commit_id) {
  iceberg::Properties summary{
      {kLsnKey, ToString(lsn)}, {kPipelineKey, writer.pipeline}, {catalog::kCommitIdKey, commit_id}};
  if (!writer.system_identifier.empty()) summary.emplace(kSystemIdentifierKey, writer.system_identifier);
  return summary;
}

Status CheckOnlyWriter(const iceberg::TableMetadata& base, const iceberg::TableMetadata& fresh) {
  TRY(const auto ours, ReadProgress(base));
  TRY(const auto theirs, ReadProgress(fresh));
  const std::string our_commit = ours ? ours->commit_id : "";
  if (base.table_uuid != fresh.table_uuid) {
    return MakeError(ErrorKind::kAlreadyExists, "the Iceberg table was dropped and made again by somebody else");
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
