#include "serve/status_history.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace firn::serve {
namespace {

using namespace std::chrono_literals;

const StatusHistory::TimePoint kStart{1h};

PipelineStatus Behind(int64_t bytes) {
  PipelineStatus status;
  status.lag_bytes = bytes;
  status.tables = {{.source = "a", .rows_copied = 1, .rows_written = 10}, {.source = "b", .rows_written = 5}};
  return status;
}

TEST(StatusHistory, StartsWithEmptyColumns) {
  const auto json = nlohmann::json::parse(StatusHistory().ToJson(kStart));
  EXPECT_EQ(json["age_s"].size(), 0U);
  EXPECT_TRUE(json["lag_bytes"].is_array());
}

TEST(StatusHistory, KeepsSamplesOldestFirstAndAddsUpTables) {
  StatusHistory history;
  history.Add(Behind(100), kStart);
  history.Add(Behind(200), kStart + 2s);
  const auto json = nlohmann::json::parse(history.ToJson(kStart + 3s));
  EXPECT_EQ(json["age_s"], nlohmann::json({3.0, 1.0}));
  EXPECT_EQ(json["lag_bytes"], nlohmann::json({100, 200}));
  EXPECT_EQ(json["rows_written"], nlohmann::json({15, 15}));
  EXPECT_EQ(json["rows_copied"], nlohmann::json({1, 1}));
}

TEST(StatusHistory, ForgetsWhatIsOlderThanItsSpan) {
  StatusHistory history;
  history.Add(Behind(1), kStart);
  history.Add(Behind(2), kStart + StatusHistory::kSpan);
  history.Add(Behind(3), kStart + StatusHistory::kSpan + 1s);
  const auto json = nlohmann::json::parse(history.ToJson(kStart + StatusHistory::kSpan + 1s));
  EXPECT_EQ(json["lag_bytes"], nlohmann::json({2, 3}));
}

}  // namespace
}  // namespace firn::serve
