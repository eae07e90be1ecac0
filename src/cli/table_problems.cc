#include "cli/table_problems.h"

#include <algorithm>
#include <utility>

#include "pipeline/target_table.h"

namespace firn::cli {

std::vector<Error> NewTableProblems(const SourceTable& source, const pipeline::TableSettings& settings) {
  const Status all = pipeline::CheckNewTargetTable(source, settings);
  if (all) return {};
  pipeline::TableSettings kept = settings;  // Those of the table that can be used.
  kept.columns.types.clear();
  kept.columns.column_policies.clear();
  kept.partition_by.reset();
  kept.sort_by.reset();
  kept.computed.clear();
  if (!pipeline::CheckNewTargetTable(source, kept)) return {all.error()};

  std::vector<Error> problems;
  const auto keep_if_usable = [&](auto add) {
    pipeline::TableSettings more = kept;
    add(more);
    const Status usable = pipeline::CheckNewTargetTable(source, more);
    if (usable) {
      kept = std::move(more);
    } else if (std::ranges::find(problems, usable.error().message(), &Error::message) == problems.end()) {
      problems.push_back(usable.error());
    }
  };
  for (const auto& type : settings.columns.types) {
    keep_if_usable([&](pipeline::TableSettings& more) { more.columns.types.insert(type); });
  }
  for (const auto& policy : settings.columns.column_policies) {
    keep_if_usable([&](pipeline::TableSettings& more) { more.columns.column_policies.insert(policy); });
  }
  for (const pipeline::ComputedColumn& column : settings.computed) {
    keep_if_usable([&](pipeline::TableSettings& more) { more.computed.push_back(column); });
  }
  const auto add_term = [](auto& terms, const auto& term) {
    if (!terms) terms.emplace();
    terms->push_back(term);
  };
  if (settings.partition_by) {
    for (const pipeline::PartitionTerm& term : *settings.partition_by) {
      keep_if_usable([&](pipeline::TableSettings& more) { add_term(more.partition_by, term); });
    }
  }
  if (settings.sort_by) {
    for (const pipeline::SortTerm& term : *settings.sort_by) {
      keep_if_usable([&](pipeline::TableSettings& more) { add_term(more.sort_by, term); });
    }
  }
  if (problems.empty()) problems.push_back(all.error());
  return problems;
}

}  // namespace firn::cli
