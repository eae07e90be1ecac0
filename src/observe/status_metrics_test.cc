#include "observe/status_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "observe/documented_metrics.h"

namespace firn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

PipelineStatus Example() {
  PipelineStatus status;
  status.state = "streaming";
  status.tables.push_back(
      {.source = "public.orders",
       .state = TableState::kStreaming,
       .last_commit_ms = 1'500,
       .contents = TableContents{.rows = 10, .data_files = 3, .delete_files = 1, .deleted_rows = 2, .bytes = 4096}});
  status.tables.push_back({.source = "public.items", .state = TableState::kCopying, .rows_estimated = 500});
  status.surroundings = {
      .slot = SlotStatus{.exists = true, .active = true, .wal_status = "reserved", .retained_bytes = 9},
      .memory_bytes = 1,
      .index_bytes = 2,
      .spool_bytes = 3};
  status.last_failure = Failure{.message = "gone", .at_ms = 2'000};
  return status;
}

TEST(StatusMetrics, ShowTheStateOfPipelineAndTables) {
  const std::string text = ExposeStatus(Example());
  for (const char* line :
       {"firn_pipeline_state{state=\"streaming\"} 1\n", "firn_pipeline_state{state=\"retrying\"} 0\n",
        "firn_tables{state=\"streaming\"} 1\n", "firn_tables{state=\"copying\"} 1\n",
        "firn_tables{state=\"parked\"} 0\n", "firn_last_failure_timestamp_seconds 2\n",
        "firn_table_rows{table=\"public.orders\"} 10\n", "firn_table_data_files{table=\"public.orders\"} 3\n",
        "firn_table_delete_files{table=\"public.orders\"} 1\n", "firn_table_deleted_rows{table=\"public.orders\"} 2\n",
        "firn_table_size_bytes{table=\"public.orders\"} 4096\n",
        "firn_table_last_commit_timestamp_seconds{table=\"public.orders\"} 1.5\n",
        "firn_copy_rows_estimated{table=\"public.items\"} 500\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(StatusMetrics, ShowTheSlotAndWhatFirnKeepsHere) {
  const std::string text = ExposeStatus(Example());
  for (const char* line : {"firn_slot_retained_wal_bytes 9\n", "firn_slot_active 1\n", "firn_slot_lost 0\n",
                           "process_resident_memory_bytes 1\n", "firn_index_bytes 2\n", "firn_spool_bytes 3\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(StatusMetrics, HaveNoSeriesForWhatIsNotKnown) {
  PipelineStatus status = Example();
  status.surroundings.slot.reset();
  status.tables.pop_back();
  status.tables.front().contents.reset();
  const std::string text = ExposeStatus(status);
  for (const char* name : {"firn_slot", "firn_table_rows", "firn_copy_rows_estimated"}) {
    EXPECT_THAT(text, Not(HasSubstr(name)));
  }
}

TEST(StatusMetrics, KnowALostSlot) {
  PipelineStatus status = Example();
  status.surroundings.slot->wal_status = "lost";
  EXPECT_THAT(ExposeStatus(status), HasSubstr("firn_slot_lost 1\n"));
}

TEST(StatusMetrics, AreAllDocumented) { ExpectDocumented(ExposeStatus(Example()), 16); }

}  // namespace
}  // namespace firn
