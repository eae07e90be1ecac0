#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/try.h"
#include "catalog/sql/sql_catalog.h"
#include "cli/commands.h"
#include "cli/pipeline_services.h"
#include "cli/table_problems.h"
#include "cli/table_settings.h"
#include "lake/lake.h"
#include "observe/redact.h"
#include "pipeline/acknowledged_position.h"
#include "pipeline/parked_tables.h"
#include "pipeline/shared_names.h"
#include "pipeline/slot_check.h"
#include "pipeline/start_over.h"
#include "pipeline/target_table.h"

namespace firn::cli {
namespace {

/// Whether firn may write below `path`: its nearest folder that exists must let it. Nothing is made.
Status CheckLocalFolder(std::filesystem::path path, std::string_view name, ErrorOrigin origin) {
  std::filesystem::path folder = path;
  std::error_code error;
  while (!std::filesystem::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  if (folder.empty()) folder = ".";  // Of a relative path.
  if (std::filesystem::is_directory(folder, error) && ::access(folder.c_str(), W_OK | X_OK) == 0) return {};
  return MakeError(ErrorKind::kPermission, origin,
                   "{} {} can't be written: {} is not a folder that this user may write to", name, path.string(),
                   folder.string());
}

Status CheckWarehouse(const config::Config& config) {
  constexpr std::string_view kLocal = "file://";
  TRY(const std::string location, storage::NormalizeLocation(config.catalog.warehouse));
  TRY(const auto store, lake::OpenStore(config));
  if (!location.starts_with(kLocal)) return lake::CheckWarehouseWritable(config, *store);
  return CheckLocalFolder(location.substr(kLocal.size()), "catalog.warehouse", ErrorOrigin::kStorage);
}

/// What `firn run` would fail with on the two sides as they are.
class Checker {
 public:
  explicit Checker(const config::Config& config) : config_(config), options_(SourceOptionsOf(config)) {}

  Status Run() {
    auto source = pipeline::InspectSource(options_);
    if (source) {
      source_ = *std::move(source);
      ReportSource();
    } else {
      Report(source.error());
    }
    if (const Status state = CheckLocalFolder(StateDirOf(config_), "state_dir", ErrorOrigin::kFirn); !state) {
      Report(state.error());
    }
    if (config_.catalog.type != "rest") {
      if (const Status warehouse = CheckWarehouse(config_); !warehouse) Report(warehouse.error());
    }
    OpenCatalog();
    for (const SourceTable& table : source_.tables) CheckTable(table);
    if (lake_ && config_.catalog.type == "rest") CheckStoreOfTable();
    if (is_copied_) CheckSlot();
    WarnOfUpgrades();
    if (problems_ == 0) {
      const size_t tables = source_.tables.size();
      fmt::print("ok: {} table{} ready to be replicated\n", tables, tables == 1 ? " is" : "s are");
      return {};
    }
    return MakeError(all_of_configuration_ ? ErrorKind::kInvalidConfig : ErrorKind::kPermission, "{} problem{} found",
                     problems_, problems_ == 1 ? "" : "s");
  }

 private:
  /// Each once: a mistake in the configuration is one, however many tables it is about. `side`: where the message
  /// doesn't say it.
  void Report(const Error& problem, std::string_view side = "") {
    const std::string message = RedactSecrets(config::Located(config_, problem).message());
    if (!told_.insert(message).second) return;
    fmt::print("problem: {}{}\n", side, message);
    ++problems_;
    all_of_configuration_ =
        all_of_configuration_ && problem.kind() == ErrorKind::kInvalidConfig && problem.origin() == ErrorOrigin::kFirn;
  }
  void Warn(const std::string& warning) { fmt::print("warning: {}\n", RedactSecrets(warning)); }
  /// A loss of changes is a problem only where firn doesn't make it good.
  void ReportLoss(const Error& problem) {
    if (!pipeline::StartsOver(options_, problem)) {
      Report(problem);
    } else if (told_.insert(problem.message()).second) {
      Warn(problem.message() + "; `firn run` copies them by itself (source.on_lost_slot)");
    }
  }

  void ReportSource() {
    for (const Error& problem : source_.problems) ReportLoss(problem);
    for (const auto& [oid, problem] : source_.table_problems) Report(problem);
    for (const auto& [oid, problem] : source_.stream_problems) Report(problem);
    for (const std::string& warning : source_.warnings) Warn(warning);
    for (const std::string& warning : UnusedTableSettings(config_, options_.shard, source_.tables)) Warn(warning);
    for (const pipeline::SharedName& shared : pipeline::FindSharedNames(source_.tables, TargetNamingOf(config_))) {
      for (const SourceTable* other : std::span(shared.tables).subspan(1)) {
        Report(pipeline::NameProblem(shared.ident, shared.tables.front()->name, other->name));
      }
    }
  }

  /// A catalog must answer, and let firn in. One that is in a database is made by the first run.
  void OpenCatalog() {
    if (config_.catalog.type == "sql") {
      const Status usable = catalog::CheckSqlCatalog(config_.catalog.uri);
      if (!usable) return Report(usable.error(), "catalog: ");
      const auto exists = lake::CatalogExists(config_);
      if (!exists) return Report(exists.error(), "catalog: ");
      if (!*exists) return;
    }
    auto lake = lake::OpenLake(config_, lake::LakeUse::kRead);
    if (!lake) return Report(lake.error(), "catalog: ");
    lake_ = *std::move(lake);
  }

  /// Whether each of its columns can be stored, and the table partitioned, as the configuration asks; and what there is
  /// of it already.
  void CheckTable(const SourceTable& table) {
    const auto settings = TableSettingsOf(config_, table.name);
    if (!settings) return Report(settings.error());
    std::string told;
    if (lake_) {
      const pipeline::PipelineIdentity identity{.pipeline = options_.slot,
                                                .system_identifier = source_.facts.system_identifier};
      const auto target = pipeline::FindTargetTable(lake_->catalog(), table, TargetNamingOf(config_), *settings,
                                                    identity, source_.slot ? source_.slot->confirmed_flush_lsn : Lsn{});
      if (target && *target) return TakeTarget(**target, *settings);
      if (!target) {
        told = target.error().message();
        ReportTarget(table, target.error());
      }
    }
    for (const Error& problem : NewTableProblems(table, *settings)) {
      if (!told.ends_with(problem.message())) Report(OfTable(problem, table));
    }
  }

  static Error OfTable(Error problem, const SourceTable& table) {
    return std::move(problem).WithContext(fmt::format("table {}", table.name));
  }

  void ReportTarget(const SourceTable& table, const Error& problem) {
    if (problem.kind() == ErrorKind::kSourceLost) return ReportLoss(OfTable(problem, table));
    if (problem.origin() == ErrorOrigin::kCatalog) {
      Report(problem, "catalog: ");  // It names the table, or a namespace that is that of others, too.
    } else {
      Report(OfTable(problem, table));
    }
    if (!pipeline::IsTableError(problem)) lake_.reset();  // It would be the same for the others.
  }

  void TakeTarget(const pipeline::TargetTable& target, const pipeline::TableSettings& settings) {
    if (!first_) first_ = target.table;
    if (target.table.metadata->format_version < settings.format_version)
      upgraded_.push_back(ToString(target.table.ident));
    if (!target.progress) return;
    is_copied_ = true;
    if (situation_.committed && target.progress->lsn <= *situation_.committed) return;
    situation_.committed = target.progress->lsn;
    situation_.table = ToString(target.source.name);
  }

  /// Whether the stream goes on where the tables are. Source and state are read after the tables: a firn that runs now
  /// moves all of them on.
  void CheckSlot() {
    const bool is_lost = std::ranges::any_of(
        source_.problems, [](const Error& problem) { return problem.kind() == ErrorKind::kSourceLost; });
    if (is_lost) return;
    const auto look = [&]() -> Status {
      TRY(auto connection, postgres::Connection::Open(options_.connection));
      TRY(situation_.server_end, postgres::ReadCurrentLsn(connection));
      TRY(situation_.slot, postgres::ReadSlot(connection, options_.slot));
      TRY(situation_.acknowledged, pipeline::ReadAcknowledged(StateDirOf(config_)));
      return {};
    };
    situation_.name = options_.slot;
    situation_.acknowledged_file = pipeline::AcknowledgedFile(StateDirOf(config_));
    if (const Status looked = look(); !looked) return Report(looked.error());
    if (const auto problem = pipeline::FindSlotProblem(situation_)) ReportLoss(*problem);
  }

  /// A REST catalog hands out a table's store with the table, so that of a table that exists is tried.
  void CheckStoreOfTable() {
    if (!first_) {
      fmt::print(
          "note: whether files can be written is not known before there is a table: its REST catalog says where\n");
      return;
    }
    const std::string name = fmt::format("the location of table {}", ToString(first_->ident));
    const Status writable = lake::CheckWritable(lake_->store(), first_->metadata->location, name);
    if (!writable) Report(writable.error(), "catalog: ");
  }

  void WarnOfUpgrades() {
    if (upgraded_.empty()) return;
    Warn(fmt::format(
        "destination.format_version: `firn run` upgrades {} to format version {}, which can't be undone: {}",
        upgraded_.size() == 1 ? "a table" : "tables", config_.destination.format_version, fmt::join(upgraded_, ", ")));
  }

  const config::Config& config_;
  const pipeline::SourceOptions options_;
  pipeline::SourceState source_;
  std::optional<lake::Lake> lake_;             ///< Nothing: it is not there, or can't be asked.
  std::optional<catalog::LoadedTable> first_;  ///< Of the Iceberg tables that are there.
  std::vector<std::string> upgraded_;          ///< Of an older format version.
  pipeline::SlotSituation situation_;
  bool is_copied_ = false;
  std::set<std::string> told_;
  int problems_ = 0;
  bool all_of_configuration_ = true;
};

}  // namespace

Status Check(const config::Config& config) { return Checker(config).Run(); }

}  // namespace firn::cli
