#include "serve/status_history.h"

#include <nlohmann/json.hpp>

namespace firn::serve {
namespace {

int64_t Sum(const PipelineStatus& status, int64_t TableStatus::* count) {
  int64_t sum = 0;
  for (const TableStatus& table : status.tables) sum += table.*count;
  return sum;
}

}  // namespace

void StatusHistory::Add(const PipelineStatus& status, TimePoint now) {
  while (!samples_.empty() && now - samples_.front().time > kSpan) samples_.pop_front();
  samples_.push_back({.time = now,
                      .lag_seconds = status.lag_seconds,
                      .lag_bytes = status.lag_bytes,
                      .received_bytes = status.received_bytes,
                      .decoded_changes = status.decoded_changes,
                      .rows_written = Sum(status, &TableStatus::rows_written),
                      .rows_copied = Sum(status, &TableStatus::rows_copied)});
}

std::string StatusHistory::ToJson(TimePoint now) const {
  nlohmann::ordered_json json;
  const auto add = [&](const char* name, const auto& value_of) {
    auto& column = json[name] = nlohmann::ordered_json::array();
    for (const Sample& sample : samples_) column.push_back(value_of(sample));
  };
  add("age_s", [&](const Sample& sample) { return std::chrono::duration<double>(now - sample.time).count(); });
  add("lag_seconds", [](const Sample& sample) { return sample.lag_seconds; });
  add("lag_bytes", [](const Sample& sample) { return sample.lag_bytes; });
  add("received_bytes", [](const Sample& sample) { return sample.received_bytes; });
  add("decoded_changes", [](const Sample& sample) { return sample.decoded_changes; });
  add("rows_written", [](const Sample& sample) { return sample.rows_written; });
  add("rows_copied", [](const Sample& sample) { return sample.rows_copied; });
  return json.dump();
}

}  // namespace firn::serve
