#include "observe/pipeline_status.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/unix_time.h"
#include "observe/log_line.h"
#include "observe/redact.h"

namespace firn {
namespace {

using Json = nlohmann::ordered_json;

/// "" → null: a script then tests one thing.
Json TextOrNull(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json TimeOrNull(int64_t unix_ms) {
  if (unix_ms == 0) return nullptr;
  return FormatUtcTime(std::chrono::system_clock::time_point(std::chrono::milliseconds(unix_ms)));
}

Json TableToJson(const TableStatus& table) {
  Json json;
  json["source"] = table.source;
  json["target"] = table.target;
  json["state"] = ToString(table.state);
  json["reason"] = TextOrNull(RedactSecrets(table.reason));
  json["next_try"] = TimeOrNull(table.next_try_ms);
  json["rows_estimated"] = table.rows_estimated;
  json["rows_copied"] = table.rows_copied;
  json["rows_written"] = table.rows_written;
  json["snapshot_id"] = table.snapshot_id == 0 ? Json(nullptr) : Json(table.snapshot_id);
  json["committed_lsn"] = TextOrNull(table.committed_lsn);
  json["last_commit"] = TimeOrNull(table.last_commit_ms);
  json["contents"] = nullptr;
  if (const auto& contents = table.contents) {
    json["contents"] = {{"rows", contents->rows},
                        {"data_files", contents->data_files},
                        {"delete_files", contents->delete_files},
                        {"deleted_rows", contents->deleted_rows},
                        {"bytes", contents->bytes}};
  }
  return json;
}

Json SlotToJson(const std::optional<SlotStatus>& slot) {
  if (!slot) return nullptr;
  return {{"exists", slot->exists},
          {"active", slot->active},
          {"wal_status", TextOrNull(slot->wal_status)},
          {"confirmed_lsn", TextOrNull(slot->confirmed_lsn)},
          {"retained_bytes", slot->retained_bytes}};
}

Json FailureToJson(const std::optional<Failure>& failure) {
  if (!failure) return nullptr;
  return {{"message", RedactSecrets(failure->message)}, {"at", TimeOrNull(failure->at_ms)}};
}

}  // namespace

std::string_view ToString(TableState state) {
  switch (state) {
    case TableState::kPending:
      return "pending";
    case TableState::kCopying:
      return "copying";
    case TableState::kStreaming:
      return "streaming";
    case TableState::kParked:
      return "parked";
    case TableState::kStopped:
      return "stopped";
  }
  return "unknown";
}

std::string ToJson(const PipelineStatus& status, std::chrono::system_clock::time_point now) {
  Json json;
  json["time"] = FormatUtcTime(now);
  json["pipeline"] = status.pipeline;
  json["state"] = status.state;
  json["server_lsn"] = TextOrNull(status.server_lsn);
  json["received_lsn"] = TextOrNull(status.received_lsn);
  json["applied_lsn"] = TextOrNull(status.applied_lsn);
  json["committed_lsn"] = TextOrNull(status.committed_lsn);
  json["acknowledged_lsn"] = TextOrNull(status.acknowledged_lsn);
  json["lag_bytes"] = status.lag_bytes;
  json["lag_seconds"] = status.lag_seconds;
  json["buffered_bytes"] = status.buffered_bytes;
  json["received_bytes"] = status.received_bytes;
  json["decoded_changes"] = status.decoded_changes;
  json["slot"] = SlotToJson(status.surroundings.slot);
  json["slot_warning"] = TextOrNull(status.slot_warning);
  json["memory_bytes"] = status.surroundings.memory_bytes;
  json["index_bytes"] = status.surroundings.index_bytes;
  json["spool_bytes"] = status.surroundings.spool_bytes;
  json["last_failure"] = FailureToJson(status.last_failure);
  json["tables"] = Json::array();
  for (const TableStatus& table : status.tables) json["tables"].push_back(TableToJson(table));
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

bool ReadsStream(const PipelineStatus& status) { return status.state == "streaming" || status.state == "stopping"; }

void ShowWaitingWal(const WaitingWal& waiting, int64_t now_ms, PipelineStatus& status) {
  if (ReadsStream(status)) return;
  status.server_lsn = waiting.server_lsn;
  if (status.state == "paused") {  // It knows since when, but not how much came.
    status.lag_bytes = std::max(status.lag_bytes, waiting.bytes);
    return;
  }
  status.lag_bytes = waiting.bytes;
  status.lag_seconds =
      waiting.bytes > 0 ? static_cast<double>(std::max<int64_t>(0, now_ms - waiting.since_ms)) / 1000 : 0;
}

void StatusBoard::Set(PipelineStatus status) {
  std::lock_guard lock(mutex_);
  status.surroundings = std::move(status_.surroundings);
  status.slot_warning = std::move(status_.slot_warning);
  status.last_failure = std::move(status_.last_failure);
  status_ = std::move(status);
}

void StatusBoard::SetSurroundings(Surroundings surroundings) {
  std::lock_guard lock(mutex_);
  status_.surroundings = std::move(surroundings);
}

void StatusBoard::SetSlotWarning(std::string warning) {
  std::lock_guard lock(mutex_);
  status_.slot_warning = std::move(warning);
}

void StatusBoard::SetFailure(std::string message, int64_t at_ms) {
  std::lock_guard lock(mutex_);
  status_.state = "retrying";
  status_.last_failure = Failure{.message = std::move(message), .at_ms = at_ms};
}

void StatusBoard::SetWaitingWal(std::optional<WaitingWal> waiting) {
  std::lock_guard lock(mutex_);
  waiting_ = std::move(waiting);
}

PipelineStatus StatusBoard::Get() const {
  std::lock_guard lock(mutex_);
  PipelineStatus status = status_;
  if (waiting_) ShowWaitingWal(*waiting_, UnixMillisNow(), status);
  return status;
}

}  // namespace firn
