#include <fmt/core.h>

#include <algorithm>

#include "base/try.h"
#include "base/unix_time.h"
#include "catalog/find_table.h"
#include "cli/commands.h"
#include "cli/human_numbers.h"
#include "cli/pipeline_services.h"
#include "cli/spark_settings.h"
#include "cli/text_table.h"
#include "cli/upkeep_options.h"
#include "config/expand.h"
#include "lake/lake.h"
#include "maintenance/rewrite_order.h"
#include "maintenance/spark_compaction.h"
#include "maintenance/table_maintenance.h"
#include "observe/redact.h"
#include "pipeline/copy_checkpoints.h"

namespace firn::cli {
namespace {

constexpr size_t kOrphansShown = 20;

/// The Iceberg tables to look after that are there.
Result<std::vector<catalog::LoadedTable>> LoadTables(const config::Config& config, catalog::Catalog& catalog,
                                                     const std::vector<SourceTable>& sources) {
  std::vector<catalog::LoadedTable> tables;
  for (const SourceTable& source : sources) {
    TRY(auto table, catalog::FindTable(catalog, TargetNamingOf(config).IdentOf(source.name)));
    if (table) tables.push_back(*std::move(table));
  }
  return tables;
}

Status CheckNames(const std::vector<std::string>& wanted, const std::vector<SourceTable>& sources) {
  for (const std::string& name : wanted) {
    if (std::ranges::any_of(sources, [&](const SourceTable& source) { return ToString(source.name) == name; }))
      continue;
    std::string known;
    for (const SourceTable& source : sources) known += (known.empty() ? "" : ", ") + ToString(source.name);
    return MakeError(ErrorKind::kInvalidConfig, "--table {}: the pipeline has no such table; it has {}", name,
                     known.empty() ? "none" : known);
  }
  return {};
}

class Maintenance {
 public:
  Maintenance(const config::Config& config, const MaintainCommand& command, lake::Lake& lake, std::stop_token stop)
      : config_(config),
        command_(command),
        context_{.catalog = lake.catalog(), .store = lake.store(), .metrics = metrics_, .retry = {}},
        stop_(std::move(stop)) {}

  Status Run(const std::vector<catalog::LoadedTable>& all, const std::vector<iceberg::TableIdent>& wanted) {
    TRY(options_, PipelineOptionsOf(config_));
    context_.retry = options_.retry;
    if (Does("compact") && command_.engine == "spark") {
      TRY_VOID(CompactBySpark(all, wanted));
    } else if (Does("compact")) {
      Each(wanted, [&](const auto& ident) { return Compact(ident); });
    }
    if (Does("expire")) Each(wanted, [&](const auto& ident) { return Expire(ident); });
    if (Does("orphans")) Each(wanted, [&](const auto& ident) { return Orphans(ident, all); });
    for (const TextTable* table : {&compacted_, &compacted_by_spark_, &expired_, &orphans_}) {
      if (!table->empty()) fmt::print("{}\n", table->Render());
    }
    if (!command_.delete_orphans && orphans_found_ > 0) {
      fmt::print("Nothing was deleted: --delete deletes the orphans.\n");
    }
    if (problems_ == 0) return {};
    return MakeError(ErrorKind::kWriteFailed, "{} of {} table{} could not be looked after (above)", problems_,
                     wanted.size(), wanted.size() == 1 ? "" : "s");
  }

 private:
  bool Does(std::string_view task) const { return command_.task == task || command_.task == "all"; }

  template <typename Work>
  void Each(const std::vector<iceberg::TableIdent>& tables, Work work) {
    for (const iceberg::TableIdent& ident : tables) {
      if (stop_.stop_requested()) return;
      if (const Status done = work(ident); !done) {
        fmt::print(stderr, "firn: {}\n", RedactSecrets(done.error().message()));
        ++problems_;
      }
    }
  }

  Status Compact(const iceberg::TableIdent& ident) {
    const maintenance::RewriteLimits limits{.target_file_size_bytes = options_.writer.files.target_file_size_bytes};
    TRY(const auto report, maintenance::CompactTable(context_, ident, limits, options_.writer.files, stop_));
    const auto change = [](int64_t before, int64_t after) {
      return fmt::format("{} → {}", FormatCount(before), FormatCount(after));
    };
    compacted_.AddRow({ToString(ident), change(report.before.data_files, report.after.data_files),
                       change(report.before.delete_files, report.after.delete_files),
                       fmt::format("{} → {}", FormatBytes(report.before.bytes), FormatBytes(report.after.bytes)),
                       FormatBytes(report.bytes_written), report.sorted_by});
    return {};
  }

  Status CompactBySpark(const std::vector<catalog::LoadedTable>& all, const std::vector<iceberg::TableIdent>& wanted) {
    std::vector<maintenance::SparkTable> tables;
    for (const catalog::LoadedTable& table : all) {
      if (std::ranges::find(wanted, table.ident) == wanted.end()) continue;
      tables.push_back({.ident = table.ident,
                        .format_version = table.metadata->format_version,
                        .is_sorted = maintenance::RewriteOrder(*table.metadata) != nullptr,
                        .rewrite_options = RewriteOptionsOf(config_, *table.metadata)});
    }
    if (tables.empty()) return {};
    TRY(const maintenance::SparkOptions spark,
        SparkOptionsOf(config_, command_.spark_submit, config::ProcessEnvironment()));
    TRY(const auto outcomes, maintenance::CompactWithSpark(spark, tables, stop_));
    for (const maintenance::SparkOutcome& outcome : outcomes) {
      if (!outcome.result) {
        fmt::print(stderr, "firn: {}\n", RedactSecrets(outcome.result.error().message()));
        ++problems_;
        continue;
      }
      const maintenance::SparkCounts& counts = *outcome.result;
      const auto change = [](int64_t before, int64_t after) {
        return fmt::format("{} → {}", FormatCount(before), FormatCount(after));
      };
      compacted_by_spark_.AddRow({ToString(outcome.ident), change(counts.data_files_rewritten, counts.data_files_added),
                                  change(counts.delete_files_gone, counts.delete_files_added),
                                  change(counts.manifests_rewritten, counts.manifests_added),
                                  FormatBytes(counts.bytes_rewritten)});
    }
    return {};
  }

  /// Says so where not: as an error where it was just this that was asked of just this table.
  Result<bool> MayDeleteFiles(const iceberg::TableIdent& ident, std::string_view what) {
    TRY(const catalog::LoadedTable table, context_.catalog.LoadTable(ident));
    if (maintenance::MayDeleteFiles(*table.metadata)) return true;
    const std::string message = fmt::format(
        "table {}: {}, as the table's property gc.enabled is false: other tables may need its files. Set it to true "
        "where none does",
        ToString(ident), what);
    if (command_.task != "all" && !command_.tables.empty()) return MakeError(ErrorKind::kUnsupported, "{}", message);
    fmt::print("{}\n", message);
    return false;
  }

  Status Expire(const iceberg::TableIdent& ident) {
    TRY(const bool may_delete, MayDeleteFiles(ident, "no snapshot is expired"));
    if (!may_delete) return {};
    maintenance::SnapshotFiles kept;
    TRY(const auto report,
        maintenance::ExpireSnapshots(context_, ident, RetentionOf(config_), UnixMillisNow(), kept, stop_));
    expired_.AddRow({ToString(ident), FormatCount(report.snapshots), FormatCount(report.files)});
    return {};
  }

  Status Orphans(const iceberg::TableIdent& ident, const std::vector<catalog::LoadedTable>& all) {
    if (command_.delete_orphans) {
      TRY(const bool may_delete, MayDeleteFiles(ident, "no orphan is deleted"));
      if (!may_delete) return {};
    }
    const maintenance::OrphanOptions options{
        .grace_ms = DurationMillis(config_.maintenance.orphan_grace),
        .now_ms = UnixMillisNow(),
        .kept = pipeline::CopyCheckpoints(pipeline::CopyCheckpointsFolder(options_.state_dir)).FilesOfAll()};
    TRY(const auto files, maintenance::FindOrphans(context_.catalog, context_.store, ident, all, options));
    int64_t bytes = 0;
    for (const storage::FileInfo& file : files) bytes += file.size;
    orphans_.AddRow({ToString(ident), FormatCount(static_cast<int64_t>(files.size())), FormatBytes(bytes)});
    orphans_found_ += files.size();
    if (command_.delete_orphans) return maintenance::DeleteFiles(context_.store, files, stop_);
    for (size_t i = 0; i < std::min(files.size(), kOrphansShown); ++i) fmt::print("{}\n", files[i].location);
    if (files.size() > kOrphansShown) fmt::print("… and {} more\n", files.size() - kOrphansShown);
    return {};
  }

  const config::Config& config_;
  const MaintainCommand& command_;
  Metrics metrics_;
  maintenance::MaintenanceContext context_;
  const std::stop_token stop_;
  pipeline::PipelineOptions options_;
  TextTable compacted_{
      {{"compacted"}, {"data files"}, {"delete files"}, {"size"}, {"written", Align::kRight}, {"sorted by"}}};
  TextTable compacted_by_spark_{
      {{"rewritten by Spark"}, {"data files"}, {"delete files"}, {"manifests"}, {"bytes", Align::kRight}}};
  TextTable expired_{{{"expired"}, {"snapshots", Align::kRight}, {"files deleted", Align::kRight}}};
  TextTable orphans_{{{"orphans"}, {"files", Align::kRight}, {"size", Align::kRight}}};
  size_t orphans_found_ = 0;
  int problems_ = 0;
};

}  // namespace

Status Maintain(const config::Config& config, const MaintainCommand& command, std::stop_token stop) {
  TRY(const pipeline::SourceState source, pipeline::InspectSource(SourceOptionsOf(config)));
  TRY_VOID(CheckNames(command.tables, source.tables));
  TRY(const bool catalog_exists, lake::CatalogExists(config));
  if (!catalog_exists) {
    return MakeError(ErrorKind::kNotFound, "there is no catalog at {} yet: firn run makes it", config.catalog.uri);
  }
  TRY(lake::Lake lake, lake::OpenLake(config, lake::LakeUse::kWrite));
  TRY(const auto all, LoadTables(config, lake.catalog(), source.tables));
  std::vector<iceberg::TableIdent> wanted;
  for (const SourceTable& table : source.tables) {
    const iceberg::TableIdent ident = TargetNamingOf(config).IdentOf(table.name);
    const bool is_there = std::ranges::find(all, ident, &catalog::LoadedTable::ident) != all.end();
    const bool is_wanted =
        command.tables.empty() || std::ranges::find(command.tables, ToString(table.name)) != command.tables.end();
    if (is_there && is_wanted) wanted.push_back(ident);
  }
  return Maintenance(config, command, lake, std::move(stop)).Run(all, wanted);
}

}  // namespace firn::cli
