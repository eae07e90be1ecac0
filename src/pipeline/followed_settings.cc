#include "pipeline/followed_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <utility>

namespace firn::pipeline {
namespace {

class Follower {
 public:
  Follower(const TableSettings& settings, const iceberg::TableMetadata& table, const StoredDefinition& stored,
           const SourceTable& source)
      : table_(table), stored_(stored), source_(source), followed_{.settings = settings} {}

  FollowedSettings Follow() && {
    TableSettings& settings = followed_.settings;
    FollowKeys("columns", settings.columns.types);
    FollowKeys("unrepresentable_columns", settings.columns.column_policies);
    std::erase_if(settings.computed, [&](ComputedColumn& computed) {
      if (FollowExpression(fmt::format("computed column \"{}\"", computed.name), computed.expression)) return false;
      gone_.push_back(computed.name);
      return true;
    });
    if (settings.partition_by) {
      std::erase_if(*settings.partition_by, [&](PartitionTerm& term) { return !FollowTerm("partition_by", term); });
    }
    if (settings.sort_by) {
      std::erase_if(*settings.sort_by, [&](SortTerm& term) { return !FollowTerm("sort_by", term.term); });
    }
    return std::move(followed_);
  }

 private:
  /// False for one of a column that is gone.
  bool FollowTerm(std::string_view key, PartitionTerm& term) {
    const std::vector<ComputedColumn>& computed = followed_.settings.computed;
    if (std::ranges::find(computed, term.column, &ComputedColumn::name) != computed.end()) return true;
    return std::ranges::find(gone_, term.column) == gone_.end() && FollowName(key, term.column);
  }

  /// False for a column that is gone.
  bool FollowName(std::string_view key, std::string& name) {
    const auto has_name = [&](const std::string& candidate) {
      return std::ranges::find(source_.columns, candidate, &SourceColumn::name) != source_.columns.end();
    };
    if (has_name(name)) return true;
    const std::optional<iceberg::FieldId> field = FieldThatHad(name);
    if (!field) return true;  // It never was: an error, where the settings are used.
    const auto column = std::ranges::find(stored_.columns, *field, &AttnumToField::value_type::second);
    const auto now = column == stored_.columns.end() || stored_.oid != source_.oid
                         ? source_.columns.end()
                         : std::ranges::find(source_.columns, column->first, &SourceColumn::attnum);
    if (now == source_.columns.end()) {
      followed_.warnings.push_back(fmt::format("{} names column \"{}\", which is gone; take it out", key, name));
      return false;
    }
    followed_.warnings.push_back(
        fmt::format("{} names column \"{}\", which is \"{}\" now; write that", key, name, now->name));
    name = now->name;
    return true;
  }

  /// The source column's field that had this name last.
  std::optional<iceberg::FieldId> FieldThatHad(const std::string& name) const {
    const auto is_of_source = [&](iceberg::FieldId id) {
      const auto has_id = [&](const auto& column) { return column.second == id; };
      return std::ranges::any_of(stored_.columns, has_id) || std::ranges::any_of(stored_.dropped, has_id);
    };
    std::vector<const iceberg::Schema*> schemas;
    for (const iceberg::Schema& schema : table_.schemas) schemas.push_back(&schema);
    std::ranges::sort(schemas, std::ranges::greater(), &iceberg::Schema::schema_id);
    schemas.insert(schemas.begin(), &table_.CurrentSchema());
    for (const iceberg::Schema* schema : schemas) {
      const iceberg::Field* field = schema->FindField(name);
      if (field != nullptr && is_of_source(field->id)) return field->id;
    }
    return std::nullopt;
  }

  template <typename Value>
  void FollowKeys(std::string_view key, std::map<std::string, Value, std::less<>>& settings) {
    std::map<std::string, Value, std::less<>> followed;
    for (auto& [name, value] : settings) {
      std::string now = name;
      if (FollowName(key, now)) followed.insert_or_assign(std::move(now), std::move(value));
    }
    settings = std::move(followed);
  }

  bool FollowExpression(std::string_view key, ParsedExpression& expression) {
    if (expression.kind == ParsedExpression::Kind::kColumn) return FollowName(key, expression.name);
    return std::ranges::all_of(expression.arguments,
                               [&](ParsedExpression& argument) { return FollowExpression(key, argument); });
  }

  const iceberg::TableMetadata& table_;
  const StoredDefinition& stored_;
  const SourceTable& source_;
  std::vector<std::string> gone_;  ///< Computed columns that can't be made any more.
  FollowedSettings followed_;
};

}  // namespace

FollowedSettings FollowColumns(const TableSettings& settings, const iceberg::TableMetadata& table,
                               const StoredDefinition& stored, const SourceTable& source) {
  return Follower(settings, table, stored, source).Follow();
}

}  // namespace firn::pipeline
