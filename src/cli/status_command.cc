#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/try.h"
#include "base/unix_time.h"
#include "cli/commands.h"
#include "cli/human_numbers.h"
#include "cli/pipeline_services.h"
#include "cli/table_settings.h"
#include "cli/text_table.h"
#include "pipeline/slot_watch.h"
#include "pipeline/table_contents.h"

namespace firn::cli {
namespace {

struct TableRow {
  std::string source;
  std::string target;
  std::string state = "pending";
  TableContents contents;
  std::string lsn;
  int64_t snapshot_id = 0;
  int64_t last_commit_ms = 0;
  std::string problem;
};

struct Report {
  std::string slot;
  bool slot_exists = false;
  bool slot_active = false;
  std::string wal_status;
  std::string slot_warning;
  std::string confirmed_lsn;
  std::string server_lsn;
  int64_t lag_bytes = 0;
  std::vector<TableRow> tables;
};

Result<std::optional<pipeline::TargetTable>> FindTarget(const config::Config& config, const SourceTable& table,
                                                        const pipeline::PipelineIdentity& identity,
                                                        catalog::Catalog& catalog) {
  TRY(const pipeline::TableSettings settings, TableSettingsOf(config, table.name));
  return pipeline::FindTargetTable(catalog, table, TargetNamingOf(config), settings, identity);
}

TableRow DescribeTable(const config::Config& config, const SourceTable& table,
                       const pipeline::PipelineIdentity& identity, catalog::Catalog* catalog) {
  TableRow row{.source = ToString(table.name), .target = ToString(TargetNamingOf(config).IdentOf(table.name))};
  if (catalog == nullptr) return row;
  const auto target = FindTarget(config, table, identity, *catalog);
  if (!target) {
    row.state = "error";
    row.problem = target.error().message();
    return row;
  }
  if (!*target) return row;
  if ((*target)->mark) {
    row.state = "parked";
    row.problem = *(*target)->mark;
    return row;
  }
  if (!(*target)->progress) return row;
  const iceberg::Snapshot& snapshot = *(*target)->table.metadata->CurrentSnapshot();
  row.state = "streaming";
  row.contents = pipeline::ContentsOf(*(*target)->table.metadata).value_or(TableContents{});
  row.lsn = ToString((*target)->progress->lsn);
  row.snapshot_id = snapshot.snapshot_id;
  row.last_commit_ms = snapshot.timestamp_ms;
  return row;
}

Result<Report> MakeReport(const config::Config& config) {
  const pipeline::SourceOptions options = SourceOptionsOf(config);
  TRY(const pipeline::SourceState source, pipeline::InspectSource(options));
  TRY(postgres::Connection connection, postgres::Connection::Open(options.connection));
  TRY(const Lsn server_lsn, postgres::ReadCurrentLsn(connection));

  Report report{.slot = options.slot, .server_lsn = ToString(server_lsn)};
  if (source.slot) {
    report.slot_exists = true;
    report.slot_active = source.slot->active;
    report.wal_status = source.slot->wal_status;
    TRY(const auto wal, postgres::ReadSlotWal(connection, options.slot));
    if (wal) report.slot_warning = pipeline::SlotWarning(options.slot, *wal);
    report.confirmed_lsn = ToString(source.slot->confirmed_flush_lsn);
    report.lag_bytes =
        std::max<int64_t>(0, static_cast<int64_t>(server_lsn.value - source.slot->confirmed_flush_lsn.value));
  }
  // A catalog that no run has made yet is not made by looking.
  Lake lake;
  TRY(const bool catalog_exists, CatalogExists(config));
  if (catalog_exists) {
    TRY(lake, OpenLake(config, LakeUse::kRead));
  }
  const pipeline::PipelineIdentity identity{.pipeline = options.slot,
                                            .system_identifier = source.facts.system_identifier};
  for (const SourceTable& table : source.tables) {
    report.tables.push_back(DescribeTable(config, table, identity, lake.bare_catalog.get()));
  }
  return report;
}

std::string ToJson(const Report& report) {
  nlohmann::ordered_json tables = nlohmann::ordered_json::array();
  for (const TableRow& row : report.tables) {
    nlohmann::ordered_json table{{"source", row.source},
                                 {"target", row.target},
                                 {"state", row.state},
                                 {"rows", row.contents.rows},
                                 {"data_files", row.contents.data_files},
                                 {"delete_files", row.contents.delete_files},
                                 {"deleted_rows", row.contents.deleted_rows},
                                 {"bytes", row.contents.bytes},
                                 {"lsn", row.lsn},
                                 {"snapshot_id", row.snapshot_id},
                                 {"last_commit_ms", row.last_commit_ms}};
    if (!row.problem.empty()) table["problem"] = row.problem;
    tables.push_back(std::move(table));
  }
  return nlohmann::ordered_json{{"pipeline", report.slot},
                                {"slot",
                                 {{"exists", report.slot_exists},
                                  {"active", report.slot_active},
                                  {"wal_status", report.wal_status},
                                  {"warning", report.slot_warning},
                                  {"confirmed_lsn", report.confirmed_lsn}}},
                                {"server_lsn", report.server_lsn},
                                {"lag_bytes", report.lag_bytes},
                                {"tables", std::move(tables)}}
      .dump(2);
}

Ink InkOf(const std::string& state) {
  if (state == "streaming") return Ink::kGood;
  if (state == "pending") return Ink::kBusy;
  return Ink::kBad;
}

std::string Ago(int64_t unix_ms) {
  if (unix_ms == 0) return "";
  return FormatSeconds(static_cast<double>(std::max<int64_t>(0, UnixMillisNow() - unix_ms)) / 1000) + " ago";
}

void PrintSlot(const Report& report, bool colours) {
  const std::string slot = Inked(report.slot, Ink::kBold, colours);
  if (!report.slot_exists) {
    fmt::print("slot {}: not made yet (firn run makes it)\n\n", slot);
    return;
  }
  fmt::print("slot {}: {}, confirmed {}, server at {}, {} behind\n\n", slot,
             report.slot_active ? Inked("in use by a running firn", Ink::kGood, colours)
                                : Inked("not in use", Ink::kBusy, colours),
             report.confirmed_lsn, report.server_lsn, FormatBytes(report.lag_bytes));
  if (!report.slot_warning.empty()) fmt::print("{}\n\n", Inked("warning: " + report.slot_warning, Ink::kBad, colours));
}

void PrintText(const Report& report, bool colours) {
  PrintSlot(report, colours);
  TextTable table({{"table"},
                   {"iceberg table"},
                   {"state"},
                   {"rows", Align::kRight},
                   {"files", Align::kRight},
                   {"deleted", Align::kRight},
                   {"size", Align::kRight},
                   {"lsn", Align::kRight},
                   {"last commit", Align::kRight}},
                  colours);
  for (const TableRow& row : report.tables) {
    table.AddRow({{row.source, Ink::kBold},
                  row.target,
                  {row.state, InkOf(row.state)},
                  FormatCount(row.contents.rows),
                  FormatCount(row.contents.data_files),
                  FormatCount(row.contents.deleted_rows),
                  FormatBytes(row.contents.bytes),
                  row.lsn,
                  Ago(row.last_commit_ms)});
  }
  fmt::print("{}", table.Render());
  for (const TableRow& row : report.tables) {
    if (!row.problem.empty()) fmt::print("\n{}: {}\n", row.source, Inked(row.problem, Ink::kBad, colours));
  }
}

}  // namespace

Status ShowStatus(const config::Config& config, const StatusCommand& command) {
  TRY(const Report report, MakeReport(config));
  if (command.json) {
    fmt::print("{}\n", ToJson(report));
  } else {
    PrintText(report, StdoutHasColours());
  }
  return {};
}

}  // namespace firn::cli
