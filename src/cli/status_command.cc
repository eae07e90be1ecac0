#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/try.h"
#include "base/unix_time.h"
#include "cli/commands.h"
#include "cli/human_numbers.h"
#include "cli/pipeline_services.h"
#include "cli/running_firn.h"
#include "cli/table_settings.h"
#include "cli/text_table.h"
#include "lake/lake.h"
#include "observe/redact.h"
#include "pipeline/acknowledged_position.h"
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
  // What a running firn alone knows.
  std::optional<int64_t> rows_estimated;
  std::optional<int64_t> rows_copied;
  std::optional<int64_t> rows_written;
  std::string next_try;
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
  std::optional<double> lag_seconds;  ///< At most, where no firn answers.
  std::string state;                  ///< Of the running pipeline; empty: none answers.
  nlohmann::json last_failure;        ///< As at /status.
  std::vector<TableRow> tables;

  bool is_running() const { return !state.empty(); }
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
    row.problem = RedactSecrets(target.error().message());
    return row;
  }
  if (!*target) return row;
  if ((*target)->mark) {
    row.state = "parked";
    row.problem = RedactSecrets(*(*target)->mark);
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

/// Without a firn that could tell: no change that waits is older than the last one that was committed, or the last time
/// that the slot was told of one from here.
std::optional<double> SecondsBehindAtMost(const config::Config& config, const Report& report) {
  if (report.lag_bytes == 0) return 0;
  int64_t known_ms = 0;
  for (const TableRow& row : report.tables) known_ms = std::max(known_ms, row.last_commit_ms);
  std::error_code missing;
  const auto told = std::filesystem::last_write_time(pipeline::AcknowledgedFile(StateDirOf(config)), missing);
  if (!missing) {
    const auto age = std::filesystem::file_time_type::clock::now() - told;
    const int64_t age_ms = std::chrono::duration_cast<std::chrono::milliseconds>(age).count();
    known_ms = std::max(known_ms, UnixMillisNow() - age_ms);
  }
  if (known_ms == 0) return std::nullopt;
  return static_cast<double>(std::max<int64_t>(0, UnixMillisNow() - known_ms)) / 1000;
}

void TakeTable(const nlohmann::json& told, TableRow& row) {
  // What keeps this command from looking is not its reason.
  const std::string reason = ValueOf<std::string>(told, "reason");
  if (!reason.empty() || row.state != "error") row.problem = reason;
  row.state = ValueOf<std::string>(told, "state", row.state);
  row.rows_estimated = ValueOf<int64_t>(told, "rows_estimated");
  row.rows_copied = ValueOf<int64_t>(told, "rows_copied");
  row.rows_written = ValueOf<int64_t>(told, "rows_written");
  row.next_try = ValueOf<std::string>(told, "next_try");
}

/// What the firn that runs says of itself goes before what its tables and its slot show.
void TakeRunning(const nlohmann::json& told, Report& report) {
  report.state = ValueOf<std::string>(told, "state");
  if (report.state.empty()) report.state = "starting";
  if (const std::string lsn = ValueOf<std::string>(told, "server_lsn"); !lsn.empty()) {
    report.server_lsn = lsn;
    report.lag_bytes = ValueOf<int64_t>(told, "lag_bytes");
    report.lag_seconds = ValueOf<double>(told, "lag_seconds");
  }
  report.last_failure = told.value("last_failure", nlohmann::json());
  for (const nlohmann::json& table : told["tables"]) {
    const std::string source = ValueOf<std::string>(table, "source");
    auto row = std::ranges::find(report.tables, source, &TableRow::source);
    if (row == report.tables.end()) {  // No longer in the source.
      report.tables.push_back({.source = source, .target = ValueOf<std::string>(table, "target")});
      row = report.tables.end() - 1;
    }
    TakeTable(table, *row);
  }
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
    // One that is being made has confirmed nothing yet.
    const Lsn confirmed = source.slot->confirmed_flush_lsn;
    if (confirmed.valid() && server_lsn > confirmed) {
      report.lag_bytes = static_cast<int64_t>(server_lsn.value - confirmed.value);
    }
  }
  // A catalog that no run has made yet is not made by looking.
  lake::Lake lake;
  TRY(const bool catalog_exists, lake::CatalogExists(config));
  if (catalog_exists) {
    TRY(lake, lake::OpenLake(config, lake::LakeUse::kRead));
  }
  const pipeline::PipelineIdentity identity{.pipeline = options.slot,
                                            .system_identifier = source.facts.system_identifier};
  for (const SourceTable& table : source.tables) {
    report.tables.push_back(DescribeTable(config, table, identity, lake.bare_catalog.get()));
  }
  if (const auto told = AskRunning(config)) TakeRunning(*told, report);
  if (!report.lag_seconds && report.slot_exists) report.lag_seconds = SecondsBehindAtMost(config, report);
  return report;
}

nlohmann::ordered_json OrNull(const std::string& text) {
  return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(text);
}

template <typename Number>
nlohmann::ordered_json OrNull(const std::optional<Number>& number) {
  return number ? nlohmann::ordered_json(*number) : nlohmann::ordered_json(nullptr);
}

std::string ToJson(const Report& report) {
  nlohmann::ordered_json tables = nlohmann::ordered_json::array();
  for (const TableRow& row : report.tables) {
    nlohmann::ordered_json table{{"source", row.source},
                                 {"target", row.target},
                                 {"state", row.state},
                                 {"reason", OrNull(row.problem)},
                                 {"next_try", OrNull(row.next_try)},
                                 {"rows_estimated", OrNull(row.rows_estimated)},
                                 {"rows_copied", OrNull(row.rows_copied)},
                                 {"rows_written", OrNull(row.rows_written)},
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
                                {"running", report.is_running()},
                                {"state", OrNull(report.state)},
                                {"last_failure", report.last_failure},
                                {"slot",
                                 {{"exists", report.slot_exists},
                                  {"active", report.slot_active},
                                  {"wal_status", report.wal_status},
                                  {"warning", report.slot_warning},
                                  {"confirmed_lsn", report.confirmed_lsn}}},
                                {"server_lsn", report.server_lsn},
                                {"lag_bytes", report.lag_bytes},
                                {"lag_seconds", OrNull(report.lag_seconds)},
                                {"tables", std::move(tables)}}
      .dump(2);
}

Ink InkOf(const std::string& state) {
  if (state == "streaming") return Ink::kGood;
  if (state == "pending" || state == "copying" || state == "starting" || state == "stopped") return Ink::kBusy;
  return Ink::kBad;
}

std::string Ago(int64_t unix_ms) {
  if (unix_ms == 0) return "";
  return FormatSeconds(static_cast<double>(std::max<int64_t>(0, UnixMillisNow() - unix_ms)) / 1000) + " ago";
}

std::string Behind(const Report& report) {
  const std::string bytes = FormatBytes(report.lag_bytes);
  if (!report.lag_seconds) return bytes + " behind";
  const bool is_exact = report.is_running() || report.lag_bytes == 0;
  return fmt::format("{} and {}{} behind", bytes, is_exact ? "" : "at most ", FormatSeconds(*report.lag_seconds));
}

std::string StateText(const TableRow& row) {
  const int64_t estimated = row.rows_estimated.value_or(0);
  if (row.state != "copying" || estimated <= 0) return row.state;
  return fmt::format("{} {}%", row.state, std::min<int64_t>(99, row.rows_copied.value_or(0) * 100 / estimated));
}

void PrintSlot(const Report& report, bool colours) {
  const std::string slot = Inked(report.slot, Ink::kBold, colours);
  if (report.is_running()) {
    fmt::print("pipeline {}: {}, {}\n", slot, Inked(report.state, InkOf(report.state), colours), Behind(report));
    if (report.state == "retrying" && report.last_failure.is_object()) {
      const std::string message = Printable(ValueOf<std::string>(report.last_failure, "message"));
      fmt::print("{}\n", Inked(message, Ink::kBad, colours));
    }
  }
  if (!report.slot_exists) {
    fmt::print("slot {}: not made yet (firn run makes it)\n\n", slot);
    return;
  }
  const char* unused = report.is_running() ? "not in use now" : "not in use";
  fmt::print(
      "slot {}: {}, confirmed {}, server at {}{}\n\n", slot,
      report.slot_active ? Inked("in use by a running firn", Ink::kGood, colours) : Inked(unused, Ink::kBusy, colours),
      report.confirmed_lsn, report.server_lsn, report.is_running() ? "" : ", " + Behind(report));
  if (!report.slot_warning.empty()) fmt::print("{}\n\n", Inked("warning: " + report.slot_warning, Ink::kBad, colours));
}

void PrintText(const Report& report, bool colours) {
  PrintSlot(report, colours);
  TextTable table({{"table"},
                   {"iceberg table", Align::kLeft, 4},
                   {"state"},
                   {"rows", Align::kRight},
                   {"files", Align::kRight, 3},
                   {"deleted", Align::kRight, 5},
                   {"size", Align::kRight, 2},
                   {"lsn", Align::kRight, 6},
                   {"last commit", Align::kRight, 1}},
                  colours);
  for (const TableRow& row : report.tables) {
    table.AddRow({{row.source, Ink::kBold},
                  row.target,
                  {StateText(row), InkOf(row.state)},
                  FormatCount(row.contents.rows),
                  FormatCount(row.contents.data_files),
                  FormatCount(row.contents.deleted_rows),
                  FormatBytes(row.contents.bytes),
                  row.lsn,
                  Ago(row.last_commit_ms)});
  }
  fmt::print("{}", table.Render(StdoutColumns()));
  for (const TableRow& row : report.tables) {
    if (row.problem.empty()) continue;
    fmt::print("\n{}: {}\n", Printable(row.source), Inked(Printable(row.problem), Ink::kBad, colours));
    if (!row.next_try.empty()) fmt::print("It is tried again at {}.\n", row.next_try);
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
