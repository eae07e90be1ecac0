#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/try.h"
#include "cli/commands.h"
#include "cli/human_numbers.h"
#include "cli/pipeline_services.h"
#include "cli/table_settings.h"
#include "cli/text_table.h"
#include "lake/lake.h"
#include "observe/redact.h"
#include "verify/verification.h"

namespace firn::cli {
namespace {

using verify::Difference;
using verify::Outcome;
using verify::TableReport;

std::string_view ToString(Outcome outcome) {
  switch (outcome) {
    case Outcome::kEqual:
      return "equal";
    case Outcome::kDifferent:
      return "different";
    case Outcome::kNotCompared:
      return "not compared";
  }
  std::unreachable();
}

bool IsBad(const TableReport& report) { return report.outcome == Outcome::kDifferent || report.is_failure; }

std::string Describe(const Difference& difference) {
  if (difference.table_rows == 0) return "missing in the Iceberg table";
  if (difference.source_rows == 0) return "only in the Iceberg table";
  if (difference.source_rows == difference.table_rows) {
    if (difference.columns.empty()) return "differs";
    return fmt::format("differs in {}", fmt::join(difference.columns, ", "));
  }
  return fmt::format("{} in PostgreSQL, {} in the Iceberg table", FormatRows(difference.source_rows),
                     FormatCount(difference.table_rows));
}

void PrintDifferences(const TableReport& report) {
  fmt::print("\n{}: {}{} key{} differ{}; PostgreSQL has {}, the Iceberg table {}\n", ToString(report.source),
             report.has_more ? "more than " : "", FormatCount(report.differing), report.differing == 1 ? "" : "s",
             report.differing == 1 ? "s" : "", FormatRows(report.source_rows), FormatCount(report.table_rows));
  for (const Difference& difference : report.differences) {
    std::string key;
    for (size_t i = 0; i < difference.key.size(); ++i) {
      key += fmt::format("{}{}={}", i == 0 ? "" : ", ", report.key_columns[i], difference.key[i]);
    }
    fmt::print("  {}: {}\n", Printable(key), Describe(difference));
  }
  if (report.has_more || report.differing > static_cast<int64_t>(report.differences.size())) fmt::print("  …\n");
}

void PrintText(const std::vector<TableReport>& reports) {
  TextTable table({{"table"}, {"iceberg table"}, {"result"}, {"rows", Align::kRight}, {"lsn"}});
  for (const TableReport& report : reports) {
    const bool compared = report.outcome != Outcome::kNotCompared;
    table.AddRow({ToString(report.source), report.target, std::string(ToString(report.outcome)),
                  compared ? FormatCount(report.source_rows) : "", compared ? ToString(report.lsn) : ""});
  }
  fmt::print("{}", table.Render());
  for (const TableReport& report : reports) {
    if (report.outcome == Outcome::kDifferent) PrintDifferences(report);
    if (!report.reason.empty()) fmt::print("\n{}: {}\n", ToString(report.source), RedactSecrets(report.reason));
  }
}

nlohmann::ordered_json ToJson(const TableReport& report, const Difference& difference) {
  nlohmann::ordered_json key;
  for (size_t i = 0; i < difference.key.size(); ++i) key[report.key_columns[i]] = difference.key[i];
  return {{"key", std::move(key)},
          {"source_rows", difference.source_rows},
          {"iceberg_rows", difference.table_rows},
          {"columns", difference.columns}};
}

nlohmann::ordered_json ToJson(const TableReport& report) {
  nlohmann::ordered_json table{
      {"source", ToString(report.source)}, {"target", report.target}, {"result", ToString(report.outcome)}};
  if (!report.reason.empty()) table["reason"] = RedactSecrets(report.reason);
  if (report.outcome == Outcome::kNotCompared) return table;
  table["lsn"] = ToString(report.lsn);
  table["snapshot_id"] = report.snapshot_id;
  table["source_rows"] = report.source_rows;
  table["iceberg_rows"] = report.table_rows;
  table["differing_keys"] = report.differing;
  table["has_more"] = report.has_more;
  table["differences"] = nlohmann::ordered_json::array();
  for (const Difference& difference : report.differences) table["differences"].push_back(ToJson(report, difference));
  return table;
}

void PrintJson(const std::vector<TableReport>& reports) {
  nlohmann::ordered_json tables = nlohmann::ordered_json::array();
  for (const TableReport& report : reports) tables.push_back(ToJson(report));
  const nlohmann::ordered_json all{{"equal", std::ranges::none_of(reports, IsBad)}, {"tables", std::move(tables)}};
  // A text that was cut or stored as bytes need not be UTF-8.
  fmt::print("{}\n", all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace

Status VerifyTables(const config::Config& config, const VerifyCommand& command, std::stop_token stop) {
  const verify::VerifyOptions options{
      .source = SourceOptionsOf(config),
      .naming = TargetNamingOf(config),
      .settings_of = [&config](const TableName& name) { return TableSettingsOf(config, name); },
      .tables = command.tables,
      .wait = std::chrono::seconds(command.wait_s)};
  TRY(const bool catalog_exists, lake::CatalogExists(config));
  if (!catalog_exists) {
    return MakeError(ErrorKind::kNotFound, "the catalog {} does not exist: `firn run` makes it, and copies the tables",
                     config.catalog.uri);
  }
  TRY(lake::Lake lake, lake::OpenLake(config, lake::LakeUse::kRead));
  TRY(const auto reports, verify::Verify(options, lake.catalog(), lake.store(), stop));
  if (command.json) {
    PrintJson(reports);
  } else {
    PrintText(reports);
  }
  const auto bad = std::ranges::count_if(reports, IsBad);
  if (bad == 0) return {};
  return MakeError(ErrorKind::kCorrupt, "{} of {} table{} {} not equal, or could not be compared", bad, reports.size(),
                   reports.size() == 1 ? "" : "s", bad == 1 ? "is" : "are");
}

}  // namespace firn::cli
