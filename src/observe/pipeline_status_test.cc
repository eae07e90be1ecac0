#include "observe/pipeline_status.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace firn {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

nlohmann::json AsJson(const PipelineStatus& status) {
  return nlohmann::json::parse(ToJson(status, system_clock::time_point(milliseconds(1'777'889'480'000))));
}

PipelineStatus Example() {
  TableStatus orders;
  orders.source = "public.orders";
  orders.target = "shop.orders";
  orders.state = TableState::kStreaming;
  orders.rows_estimated = 5'000'000;
  orders.rows_copied = 4'999'999;
  orders.rows_written = 12;
  orders.snapshot_id = 8'123'456'789'012'345'678;
  orders.committed_lsn = "0/16B3748";
  orders.last_commit_ms = 1'777'889'472'345;
  orders.contents = TableContents{.rows = 10, .data_files = 3, .delete_files = 1, .deleted_rows = 2, .bytes = 4096};
  TableStatus broken;
  broken.source = "public.broken";
  broken.state = TableState::kParked;
  broken.reason = "cannot reach postgresql://firn:hunter2@db";
  PipelineStatus status;
  status.pipeline = "firn";
  status.state = "streaming";
  status.received_lsn = "0/16B3800";
  status.lag_bytes = 184;
  status.lag_seconds = 0.25;
  status.tables = {orders, broken};
  return status;
}

TEST(PipelineStatus, JsonHoldsEveryField) {
  const auto json = AsJson(Example());
  EXPECT_EQ(json["pipeline"], "firn");
  EXPECT_EQ(json["state"], "streaming");
  EXPECT_EQ(json["received_lsn"], "0/16B3800");
  EXPECT_EQ(json["lag_bytes"], 184);
  EXPECT_EQ(json["lag_seconds"], 0.25);
  ASSERT_EQ(json["tables"].size(), 2U);
  const auto& orders = json["tables"][0];
  EXPECT_EQ(orders["source"], "public.orders");
  EXPECT_EQ(orders["target"], "shop.orders");
  EXPECT_EQ(orders["state"], "streaming");
  EXPECT_EQ(orders["rows_estimated"], 5'000'000);
  EXPECT_EQ(orders["rows_copied"], 4'999'999);
  EXPECT_EQ(orders["rows_written"], 12);
  EXPECT_EQ(orders["snapshot_id"], 8'123'456'789'012'345'678);
  EXPECT_EQ(orders["committed_lsn"], "0/16B3748");
  EXPECT_EQ(orders["last_commit"], "2026-05-04T10:11:12.345Z");
  EXPECT_EQ(orders["contents"]["rows"], 10);
  EXPECT_EQ(orders["contents"]["data_files"], 3);
  EXPECT_EQ(orders["contents"]["delete_files"], 1);
  EXPECT_EQ(orders["contents"]["deleted_rows"], 2);
  EXPECT_EQ(orders["contents"]["bytes"], 4096);
  EXPECT_EQ(json["time"], "2026-05-04T10:11:20.000Z");
}

TEST(PipelineStatus, JsonHasNullForWhatIsNotKnownYet) {
  const auto json = AsJson(Example());
  EXPECT_TRUE(json["committed_lsn"].is_null());
  EXPECT_TRUE(json["tables"][0]["reason"].is_null());
  EXPECT_TRUE(json["tables"][0]["next_try"].is_null());
  EXPECT_TRUE(json["tables"][1]["snapshot_id"].is_null());
  EXPECT_TRUE(json["tables"][1]["last_commit"].is_null());
  EXPECT_TRUE(json["tables"][1]["contents"].is_null());
  EXPECT_TRUE(json["slot"].is_null());
  EXPECT_TRUE(json["last_failure"].is_null());
}

TEST(PipelineStatus, JsonOfAReasonHoldsNoPassword) {
  const auto json = AsJson(Example());
  EXPECT_EQ(json["tables"][1]["reason"], "cannot reach postgresql://firn:***@db");
}

TEST(PipelineStatus, JsonWithoutTablesHasAnEmptyArray) { EXPECT_TRUE(AsJson(PipelineStatus{})["tables"].is_array()); }

TEST(StatusBoard, GivesBackTheLatestStatus) {
  StatusBoard board;
  board.Set(Example());
  EXPECT_EQ(board.Get().tables.size(), 2U);
}

TEST(StatusBoard, KeepsWhatIsAroundThePipelineFromOneStatusToTheNext) {
  StatusBoard board;
  board.SetSurroundings(
      {.slot = SlotStatus{.exists = true, .active = true, .wal_status = "reserved"}, .index_bytes = 7});
  board.Set(Example());
  const auto json = AsJson(board.Get());
  EXPECT_EQ(json["slot"]["active"], true);
  EXPECT_EQ(json["slot"]["wal_status"], "reserved");
  EXPECT_EQ(json["index_bytes"], 7);
}

TEST(StatusBoard, IsBehindByWhatWaitsInPostgresWhileNobodyReadsTheStream) {
  StatusBoard board;
  PipelineStatus status = Example();
  status.state = "copying";
  status.lag_bytes = 0;
  status.lag_seconds = 0;
  board.Set(status);
  board.SetWaitingWal(WaitingWal{.server_lsn = "0/2000000", .bytes = 4096, .since_ms = 1});
  EXPECT_EQ(board.Get().server_lsn, "0/2000000");
  EXPECT_EQ(board.Get().lag_bytes, 4096);
  EXPECT_GT(board.Get().lag_seconds, 1e9);
  status.state = "streaming";
  status.lag_bytes = 7;
  board.Set(status);
  EXPECT_EQ(board.Get().lag_bytes, 7) << "the stream knows better";
  EXPECT_EQ(board.Get().lag_seconds, 0);
  board.SetWaitingWal(std::nullopt);
}

TEST(ShowWaitingWal, CountsFromWhenSomethingWaits) {
  PipelineStatus status;
  status.state = "copying";
  ShowWaitingWal({.server_lsn = "0/2", .bytes = 2, .since_ms = 1'000}, 3'500, status);
  EXPECT_EQ(status.lag_seconds, 2.5);
  ShowWaitingWal({.server_lsn = "0/2", .bytes = 0, .since_ms = 1'000}, 3'500, status);
  EXPECT_EQ(status.lag_bytes, 0);
  EXPECT_EQ(status.lag_seconds, 0);
  status.state = "paused";
  status.lag_seconds = 9;
  ShowWaitingWal({.server_lsn = "0/9", .bytes = 9, .since_ms = 1'000}, 3'500, status);
  EXPECT_EQ(status.lag_bytes, 9);
  EXPECT_EQ(status.lag_seconds, 9) << "since the pause, as the stream says";
  EXPECT_EQ(status.server_lsn, "0/9");
}

TEST(StatusBoard, RetriesAfterAFailureUntilThePipelineSaysMore) {
  StatusBoard board;
  board.Set(Example());
  board.SetFailure("connecting to postgresql://firn:hunter2@db: refused", 1'777'889'472'345);
  EXPECT_EQ(board.Get().state, "retrying");
  board.Set(Example());
  const auto json = AsJson(board.Get());
  EXPECT_EQ(json["state"], "streaming");
  EXPECT_EQ(json["last_failure"]["message"], "connecting to postgresql://firn:***@db: refused");
  EXPECT_EQ(json["last_failure"]["at"], "2026-05-04T10:11:12.345Z");
}

}  // namespace
}  // namespace firn
