#include "observe/status_metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace firn {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<std::pair<std::string, std::string>>;

constexpr const char* kPipelineStates[] = {"starting", "copying", "streaming", "paused", "retrying", "stopping"};
constexpr TableState kTableStates[] = {TableState::kPending, TableState::kCopying, TableState::kStreaming,
                                       TableState::kParked, TableState::kStopped};

MetricFamily MakeGauge(const char* name, const char* help) {
  return {.name = name, .help = help, .type = MetricType::Gauge, .metric = {}};
}

void AddSample(MetricFamily& family, double value, const Labels& labels = {}) {
  ClientMetric metric;
  for (const auto& [label, text] : labels) metric.label.push_back({label, text});
  metric.gauge.value = value;
  family.metric.push_back(std::move(metric));
}

MetricFamily Single(const char* name, const char* help, double value) {
  MetricFamily family = MakeGauge(name, help);
  AddSample(family, value);
  return family;
}

double Seconds(int64_t unix_ms) { return static_cast<double>(unix_ms) / 1000; }

/// One sample for each table that `value` knows something of.
template <typename Value>
MetricFamily ForTables(const PipelineStatus& status, const char* name, const char* help, Value&& value) {
  MetricFamily family = MakeGauge(name, help);
  for (const TableStatus& table : status.tables) {
    if (const std::optional<double> known = value(table)) AddSample(family, *known, {{"table", table.source}});
  }
  return family;
}

MetricFamily OfContents(const PipelineStatus& status, const char* name, const char* help,
                        int64_t TableContents::* count) {
  return ForTables(status, name, help, [count](const TableStatus& table) -> std::optional<double> {
    if (!table.contents) return std::nullopt;
    return static_cast<double>((*table.contents).*count);
  });
}

void AddPipeline(const PipelineStatus& status, std::vector<MetricFamily>& families) {
  MetricFamily state = MakeGauge("firn_pipeline_state", "1 for the state that the pipeline is in.");
  for (const char* name : kPipelineStates) AddSample(state, status.state == name ? 1 : 0, {{"state", name}});
  families.push_back(std::move(state));
  MetricFamily tables = MakeGauge("firn_tables", "Tables by state.");
  for (const TableState table_state : kTableStates) {
    const auto count = std::ranges::count(status.tables, table_state, &TableStatus::state);
    AddSample(tables, static_cast<double>(count), {{"state", std::string(ToString(table_state))}});
  }
  families.push_back(std::move(tables));
  families.push_back(Single("firn_last_failure_timestamp_seconds",
                            "When the pipeline last failed and started again; 0 where it never did.",
                            status.last_failure ? Seconds(status.last_failure->at_ms) : 0));
}

void AddTables(const PipelineStatus& status, std::vector<MetricFamily>& families) {
  families.push_back(OfContents(status, "firn_table_rows", "Live rows of the table.", &TableContents::rows));
  families.push_back(
      OfContents(status, "firn_table_data_files", "Data files of the table.", &TableContents::data_files));
  families.push_back(OfContents(status, "firn_table_delete_files", "Delete files and deletion vectors of the table.",
                                &TableContents::delete_files));
  families.push_back(OfContents(status, "firn_table_deleted_rows",
                                "Rows still in data files that delete files mark as deleted.",
                                &TableContents::deleted_rows));
  families.push_back(
      OfContents(status, "firn_table_size_bytes", "Size of the table's data and delete files.", &TableContents::bytes));
  families.push_back(ForTables(status, "firn_table_last_commit_timestamp_seconds", "When the table last had a commit.",
                               [](const TableStatus& table) -> std::optional<double> {
                                 if (table.last_commit_ms == 0) return std::nullopt;
                                 return Seconds(table.last_commit_ms);
                               }));
  families.push_back(ForTables(status, "firn_copy_rows_estimated",
                               "Rows that PostgreSQL estimates for a table whose copy isn't done.",
                               [](const TableStatus& table) -> std::optional<double> {
                                 if (table.state != TableState::kCopying && table.state != TableState::kPending)
                                   return std::nullopt;
                                 return static_cast<double>(table.rows_estimated);
                               }));
}

void AddSurroundings(const Surroundings& around, std::vector<MetricFamily>& families) {
  if (around.slot) {
    families.push_back(Single("firn_slot_retained_wal_bytes", "WAL that PostgreSQL keeps for the replication slot.",
                              static_cast<double>(around.slot->retained_bytes)));
    families.push_back(
        Single("firn_slot_active", "Whether a client reads from the replication slot.", around.slot->active ? 1 : 0));
    families.push_back(Single("firn_slot_lost", "Whether PostgreSQL has removed WAL that the slot needs.",
                              around.slot->wal_status == "lost" ? 1 : 0));
  }
  families.push_back(
      Single("firn_index_bytes", "Size of the key index on disk.", static_cast<double>(around.index_bytes)));
  families.push_back(Single("firn_spool_bytes", "Large transactions in progress that are spooled to disk.",
                            static_cast<double>(around.spool_bytes)));
  families.push_back(Single("process_resident_memory_bytes", "Memory of the process that is resident.",
                            static_cast<double>(around.memory_bytes)));
}

}  // namespace

std::string ExposeStatus(const PipelineStatus& status) {
  std::vector<MetricFamily> families;
  AddPipeline(status, families);
  AddTables(status, families);
  AddSurroundings(status.surroundings, families);
  std::erase_if(families, [](const MetricFamily& family) { return family.metric.empty(); });
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace firn
