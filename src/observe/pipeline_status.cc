#include "observe/pipeline_status.h"

#include <chrono>
#include <nlohmann/json.hpp>

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
  json["rows_estimated"] = table.rows_estimated;
  json["rows_copied"] = table.rows_copied;
  json["rows_written"] = table.rows_written;
  json["snapshot_id"] = table.snapshot_id == 0 ? Json(nullptr) : Json(table.snapshot_id);
  json["committed_lsn"] = TextOrNull(table.committed_lsn);
  json["last_commit"] = TimeOrNull(table.last_commit_ms);
  return json;
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
  }
  return "unknown";
}

std::string ToJson(const PipelineStatus& status) {
  Json json;
  json["pipeline"] = status.pipeline;
  json["state"] = status.state;
  json["received_lsn"] = TextOrNull(status.received_lsn);
  json["committed_lsn"] = TextOrNull(status.committed_lsn);
  json["acknowledged_lsn"] = TextOrNull(status.acknowledged_lsn);
  json["lag_bytes"] = status.lag_bytes;
  json["lag_seconds"] = status.lag_seconds;
  json["tables"] = Json::array();
  for (const TableStatus& table : status.tables) json["tables"].push_back(TableToJson(table));
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace firn
