#include "pipeline/sort_by.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <utility>

#include "base/trim.h"
#include "base/try.h"
#include "iceberg/transform.h"

namespace firn::pipeline {
namespace {

/// Takes a word from the end, if it stands there apart, in any case.
bool TakeLastWord(std::string_view& text, std::string_view word) {
  if (text.size() <= word.size() || text[text.size() - word.size() - 1] != ' ') return false;
  const std::string_view last = text.substr(text.size() - word.size());
  if (!std::ranges::equal(last, word, {}, [](unsigned char letter) { return std::tolower(letter); })) return false;
  text = Trim(text.substr(0, text.size() - word.size()));
  return true;
}

}  // namespace

Result<SortTerm> ParseSortTerm(std::string_view text) {
  std::string_view rest = Trim(text);
  std::optional<bool> nulls_first;
  std::string_view before = rest;
  const bool is_first = TakeLastWord(before, "first");
  if (is_first || TakeLastWord(before, "last")) {
    if (!TakeLastWord(before, "nulls")) {
      return MakeError(ErrorKind::kInvalidConfig,
                       "'{}': write `nulls first` or `nulls last` behind a column, as in created_at desc nulls last",
                       text);
    }
    nulls_first = is_first;
    rest = before;
  }
  SortTerm term;
  term.descending = TakeLastWord(rest, "desc");
  if (!term.descending) TakeLastWord(rest, "asc");
  term.nulls_first = nulls_first.value_or(!term.descending);
  TRY(term.term, ParsePartitionTerm(rest));
  if (!rest.starts_with('"') && term.term.column.contains(' ') && rest.find('"') == std::string_view::npos) {
    return MakeError(ErrorKind::kInvalidConfig,
                     "'{}': '{}' is no column's name; one with spaces stands in double quotes, and behind a column "
                     "asc or desc, nulls first or nulls last",
                     text, term.term.column);
  }
  return term;
}

std::string Written(const SortTerm& term) {
  std::string text = Written(term.term);
  if (term.descending) text += " desc";
  if (term.nulls_first == term.descending) text += term.nulls_first ? " nulls first" : " nulls last";
  return text;
}

Status CheckSortBy(std::span<const SortTerm> terms, ChangeMode mode) {
  if (terms.empty() || mode != ChangeMode::kAppend) return {};
  return MakeError(ErrorKind::kInvalidConfig,
                   "sort_by: a table of changes (cdc.mode: append) can't be sorted, as changes of one transaction are "
                   "told apart by the order of their rows alone; take sort_by out, or partition the table");
}

Result<iceberg::SortOrder> MakeSortOrder(std::span<const SortTerm> terms, const iceberg::Schema& schema) {
  iceberg::SortOrder order{.order_id = terms.empty() ? 0 : 1};
  for (const SortTerm& term : terms) {
    const PartitionTerm& wanted = term.term;
    TRY(const iceberg::Field* column, ColumnOf(wanted, schema).Context("sort_by '{}'", Written(term)));
    const auto is_same = [&](const iceberg::SortField& field) {
      return field.source_id == column->id && field.transform == wanted.transform;
    };
    if (std::ranges::any_of(order.fields, is_same)) {
      return MakeError(ErrorKind::kInvalidConfig, "sort_by '{}' stands there twice", Written(wanted));
    }
    order.fields.push_back({.source_id = column->id,
                            .transform = wanted.transform,
                            .descending = term.descending,
                            .nulls_first = term.nulls_first});
  }
  return order;
}

iceberg::SortOrder WithIdIn(const iceberg::TableMetadata& table, iceberg::SortOrder order) {
  order.order_id = order.fields.empty() ? 0 : 1;
  for (const iceberg::SortOrder& known : table.sort_orders) {
    if (known.fields == order.fields) return known;
    if (!order.fields.empty()) order.order_id = std::max(order.order_id, known.order_id + 1);
  }
  return order;
}

Result<std::optional<iceberg::SortOrder>> EvolveSortOrder(std::span<const SortTerm> terms,
                                                          const iceberg::Schema& schema,
                                                          const iceberg::TableMetadata& table) {
  TRY(iceberg::SortOrder made, MakeSortOrder(terms, schema));
  iceberg::SortOrder wanted = WithIdIn(table, std::move(made));
  if (wanted.order_id == table.default_sort_order_id) return std::optional<iceberg::SortOrder>();
  return std::optional(std::move(wanted));
}

}  // namespace firn::pipeline
