#include "pipeline/parked_tables.h"

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "catalog/find_table.h"
#include "observe/redact.h"
#include "pipeline/source_definition.h"

namespace firn::pipeline {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kParkedDelayMax = std::chrono::hours(1);
constexpr int kParkedDelayFactor = 50;
/// A table that streamed this long has recovered.
constexpr std::chrono::minutes kRecovered{1};
/// Reasons stand in a table property: an error that quotes a large value is cut.
constexpr size_t kReasonBytesMax = 1000;

milliseconds ParkedDelay(const RetryPolicy& retry, int tries) {
  const milliseconds first = retry.base_delay * kParkedDelayFactor;
  return std::min(kParkedDelayMax, first * (int64_t{1} << std::min(tries, 20)));
}

milliseconds PassingDelay(const RetryPolicy& retry, int tries) {
  return std::min(retry.max_delay, retry.base_delay * (int64_t{1} << std::min(tries, 20)));
}

/// Cut between characters.
std::string Shortened(std::string text) {
  if (text.size() <= kReasonBytesMax) return text;
  size_t end = kReasonBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  return text + "…";
}

}  // namespace

bool IsTableError(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::kUnsupported:
    case ErrorKind::kSchemaMismatch:
    case ErrorKind::kInvalidConfig:
    case ErrorKind::kTableNotFound:
    case ErrorKind::kAlreadyExists:
    case ErrorKind::kCorrupt:
      return true;
    case ErrorKind::kNotFound:
      return error.origin() == ErrorOrigin::kStorage;  // One of its files.
    case ErrorKind::kPermission:
      return error.origin() == ErrorOrigin::kSource;  // A catalog or a store that refuses, refuses all.
    case ErrorKind::kTransient:
    case ErrorKind::kConflict:
    case ErrorKind::kCommitUnknown:
    case ErrorKind::kSourceLost:
    case ErrorKind::kWriteFailed:
    case ErrorKind::kCancelled:
    case ErrorKind::kInternal:
      return false;
  }
  return false;
}

std::optional<std::string> ReadMark(const iceberg::TableMetadata& metadata) {
  const auto mark = metadata.properties.find(kParkedProperty);
  return mark == metadata.properties.end() ? std::nullopt : std::optional(mark->second);
}

Status MarkTable(catalog::Catalog& catalog, const iceberg::TableIdent& ident, const PipelineIdentity& writer,
                 const std::string& reason, const RetryPolicy& retry, std::stop_token stop) {
  TRY(auto table, catalog::FindTable(catalog, ident));
  if (!table) return {};
  const std::string text = Shortened(RedactSecrets(reason));
  const auto build = [&](const catalog::LoadedTable& fresh) -> Result<std::optional<iceberg::CommitRequest>> {
    TRY(const auto progress, ReadProgress(*fresh.metadata));
    const bool is_ours = progress && progress->writer.pipeline == writer.pipeline;
    if (!is_ours || ReadMark(*fresh.metadata) == text) return std::nullopt;
    return iceberg::CommitRequest{.table = fresh.ident,
                                  .requirements = {iceberg::AssertTableUuid{fresh.metadata->table_uuid}},
                                  .updates = {iceberg::SetProperties{{{kParkedProperty, text}}}}};
  };
  TRY_VOID(catalog::CommitMetadata(catalog, *std::move(table), build, retry, std::move(stop))
               .Context("marking {} as to be copied anew", ToString(ident)));
  return {};
}

void ParkedTables::Failed(const SourceTable& table, const Error& error, TimePoint now) {
  auto [position, is_first] = entries_.try_emplace(table.oid);
  Kept& kept = position->second;
  if (is_first || kept.stage == Stage::kWaiting) kept.entry.began = now;
  const bool had_recovered = kept.stage == Stage::kStreaming && now - kept.streams_since > kRecovered;
  if (had_recovered) kept.entry = {.began = now};
  Entry& entry = kept.entry;
  const bool may_pass = !IsTableError(error);
  entry.reason = error.message();
  entry.fingerprint = table.version.fingerprint;
  entry.is_parked = !may_pass || entry.tries >= retry_.max_retries;
  const milliseconds pause = entry.is_parked ? ParkedDelay(retry_, entry.tries) : PassingDelay(retry_, entry.tries);
  ++entry.tries;
  const auto took = kept.stage == Stage::kTrying ? now - entry.began : TimePoint::duration{};
  entry.due = now + std::max<TimePoint::duration>(pause, took);
  kept.stage = Stage::kWaiting;
}

void ParkedTables::Begin(TableOid table, TimePoint now) {
  const auto position = entries_.find(table);
  if (position == entries_.end()) return;
  position->second.stage = Stage::kTrying;
  position->second.entry.began = now;
}

void ParkedTables::Streams(TableOid table, TimePoint now) {
  const auto position = entries_.find(table);
  if (position == entries_.end() || position->second.stage == Stage::kStreaming) return;
  position->second.stage = Stage::kStreaming;
  position->second.streams_since = now;
}

void ParkedTables::Keep(const std::vector<SourceTable>& tables) {
  std::erase_if(entries_, [&](const auto& entry) {
    return std::ranges::find(tables, entry.first, &SourceTable::oid) == tables.end();
  });
}

const ParkedTables::Entry* ParkedTables::Waiting(const SourceTable& table, TimePoint now) const {
  const auto position = entries_.find(table.oid);
  if (position == entries_.end() || position->second.stage != Stage::kWaiting) return nullptr;
  const Entry& entry = position->second.entry;
  const bool is_due = now >= entry.due || entry.fingerprint != table.version.fingerprint;
  return is_due ? nullptr : &entry;
}

std::optional<ParkedTables::TimePoint> ParkedTables::NextDue() const {
  std::optional<TimePoint> next;
  for (const auto& [oid, kept] : entries_) {
    if (kept.stage == Stage::kWaiting && (!next || kept.entry.due < *next)) next = kept.entry.due;
  }
  return next;
}

bool ParkedTables::HasPassing() const {
  return std::ranges::any_of(entries_, [this](const auto& entry) { return IsPassing(entry.first); });
}

bool ParkedTables::IsPassing(TableOid table) const {
  const auto position = entries_.find(table);
  return position != entries_.end() && position->second.stage == Stage::kWaiting && !position->second.entry.is_parked;
}

}  // namespace firn::pipeline
