#include "cli/table_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "config/suggestion.h"

namespace firn::cli {
namespace {

/// `own`: the table's mode, where it has one of its own.
Result<pipeline::ChangeMode> ChangeModeOf(const config::CdcConfig& cdc, const std::string& own) {
  const std::string& mode = own.empty() ? cdc.mode : own;
  if (mode == "mirror") {
    return cdc.enable_deletes ? pipeline::ChangeMode::kMirror : pipeline::ChangeMode::kSoftDelete;
  }
  if (!cdc.enable_deletes && own.empty()) {
    return MakeError(ErrorKind::kInvalidConfig,
                     "cdc.enable_deletes: false goes with cdc.mode: mirror; in {} tables deleted rows stay anyway",
                     mode);
  }
  return mode == "history" ? pipeline::ChangeMode::kHistory : pipeline::ChangeMode::kAppend;
}

/// Reads the settings of one table, and goes on after what is wrong.
class SettingsReader {
 public:
  SettingsReader(const config::Config& config, const std::string& name) : config_(config), name_(name) {
    const auto found = config.tables.find(name);
    if (found != config.tables.end()) own_ = &found->second;
  }

  pipeline::TableSettings Read() {
    pipeline::TableSettings settings;
    settings.compression_codec = config_.writer.compression == "none" ? "uncompressed" : config_.writer.compression;
    Take(settings.mode, ChangeModeOf(config_.cdc, own_ == nullptr ? "" : own_->cdc_mode));
    settings.track_changes = config_.cdc.track_changes;
    if (config_.destination.type_changes == "new_field") settings.type_changes = pipeline::TypeChangePolicy::kNewField;
    settings.format_version = config_.destination.format_version;
    settings.deletes =
        config_.destination.deletes == "equality" ? pipeline::DeleteForm::kEquality : pipeline::DeleteForm::kPosition;
    Take(settings.columns.policy,
         encode::ParseValuePolicy(config_.destination.unrepresentable).Context("destination.unrepresentable"));
    if (own_ == nullptr) return settings;
    ReadColumns(settings.columns);
    if (own_->partition_by) {
      settings.partition_by.emplace();
      for (const std::string& text : *own_->partition_by) {
        Add(*settings.partition_by, pipeline::ParsePartitionTerm(text).Context("tables.{}.partition_by", name_));
      }
    }
    if (own_->sort_by) {
      settings.sort_by.emplace();
      for (const std::string& text : *own_->sort_by) {
        Add(*settings.sort_by, pipeline::ParseSortTerm(text).Context("tables.{}.sort_by", name_));
      }
    }
    for (const auto& [column, expression] : own_->computed) {
      Add(settings.computed,
          pipeline::ParseComputedColumn(column, expression).Context("tables.{}.computed: {}", name_, column));
    }
    return settings;
  }

  const std::vector<Error>& problems() const { return problems_; }

 private:
  template <typename T>
  void Take(T& to, Result<T> value) {
    if (value) {
      to = *std::move(value);
    } else {
      problems_.push_back(std::move(value).error());
    }
  }
  template <typename T>
  void Add(std::vector<T>& to, Result<T> value) {
    if (value) {
      to.push_back(*std::move(value));
    } else {
      problems_.push_back(std::move(value).error());
    }
  }

  /// Types and policies of the table's columns.
  void ReadColumns(encode::ColumnSettings& columns) {
    if (!own_->unrepresentable.empty()) {
      Take(columns.policy, encode::ParseValuePolicy(own_->unrepresentable).Context("tables.{}.unrepresentable", name_));
    }
    for (const auto& [column, text] : own_->unrepresentable_columns) {
      Take(columns.column_policies[column],
           encode::ParseValuePolicy(text).Context("tables.{}.unrepresentable_columns: {}", name_, column));
    }
    for (const auto& [column, text] : own_->columns) {
      auto type = iceberg::ParseType(text);
      if (!type) {
        problems_.push_back(MakeError(ErrorKind::kInvalidConfig,
                                      "tables.{}.columns: {}: {}; write an Iceberg type, as in string, long, "
                                      "decimal(38,9), list<string> or variant",
                                      name_, column, type.error().message()));
      } else if (type->id == iceberg::TypeId::kVariant && config_.destination.format_version < 3) {
        problems_.push_back(MakeError(ErrorKind::kInvalidConfig,
                                      "tables.{}.columns: {}: the type variant needs destination.format_version: 3",
                                      name_, column));
      } else {
        columns.types.emplace(column, std::move(*type));
      }
    }
  }

  const config::Config& config_;
  const std::string& name_;
  const config::TableConfig* own_ = nullptr;  ///< Null: the table has no settings of its own.
  std::vector<Error> problems_;
};

}  // namespace

Result<pipeline::TableSettings> TableSettingsOf(const config::Config& config, const TableName& table) {
  const std::string name = ToString(table);
  SettingsReader reader(config, name);
  pipeline::TableSettings settings = reader.Read();
  if (!reader.problems().empty()) return reader.problems().front();
  return settings;
}

Status CheckTableSettings(const config::Config& config) {
  std::set<std::string> told;  // What is wrong with the section cdc is so for each table.
  std::string text;
  for (const auto& [name, table] : config.tables) {
    SettingsReader reader(config, name);
    reader.Read();
    for (const Error& problem : reader.problems()) {
      const std::string line = config::Located(config, problem).message();
      if (told.insert(line).second) text += (text.empty() ? "" : "\n") + line;
    }
  }
  if (text.empty()) return {};
  return Error(ErrorKind::kInvalidConfig, std::move(text));
}

std::vector<std::string> UnusedTableSettings(const config::Config& config, const pipeline::Shard& shard,
                                             std::span<const SourceTable> tables) {
  std::vector<std::string> known;
  for (const SourceTable& table : tables) known.push_back(ToString(table.name));
  std::vector<std::string> unused;
  for (const auto& [name, table] : config.tables) {
    const size_t dot = name.find('.');
    // Those of another shard's tables may stand in one file for all.
    if (std::ranges::find(known, name) != known.end() ||
        !pipeline::Takes(shard, {.schema = name.substr(0, dot), .name = name.substr(dot + 1)})) {
      continue;
    }
    const auto near = config::Suggest(name, known);
    const auto origin = config.origins.lower_bound(fmt::format("tables.{}.", name));
    const bool has_origin =
        origin != config.origins.end() && origin->first.starts_with(fmt::format("tables.{}.", name));
    unused.push_back(fmt::format(
        "{}tables.{}: the pipeline replicates no table of this name{}; these settings have no "
        "effect",
        has_origin ? origin->second + ": " : "", name, near ? fmt::format(" (did you mean '{}'?)", *near) : ""));
  }
  return unused;
}

}  // namespace firn::cli
