#include "pipeline/partition_by.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "base/trim.h"
#include "base/try.h"
#include "iceberg/transform.h"

namespace firn::pipeline {
namespace {

using iceberg::TransformKind;

constexpr int32_t kFirstPartitionFieldId = 1000;  // Spec: "Partition Evolution".

struct Function {
  std::string_view name;
  TransformKind kind;
  bool takes_number = false;
};
constexpr Function kFunctions[] = {{"year", TransformKind::kYear},
                                   {"month", TransformKind::kMonth},
                                   {"day", TransformKind::kDay},
                                   {"hour", TransformKind::kHour},
                                   {"bucket", TransformKind::kBucket, true},
                                   {"truncate", TransformKind::kTruncate, true},
                                   {"identity", TransformKind::kIdentity}};

/// A column's name, which may stand in double quotes, with "" for one of its own.
Result<std::string> ParseColumn(std::string_view term, std::string_view text) {
  text = Trim(text);
  std::string name(text);
  if (text.starts_with('"')) {
    name.clear();
    size_t at = 1;
    for (; at < text.size(); ++at) {
      if (text[at] == '"' && !text.substr(at).starts_with("\"\"")) break;
      if (text[at] == '"') ++at;
      name.push_back(text[at]);
    }
    if (at + 1 != text.size()) {
      return MakeError(ErrorKind::kInvalidConfig, "'{}': the quotes around the column's name don't match", term);
    }
  }
  if (!name.empty()) return name;
  return MakeError(ErrorKind::kInvalidConfig, "'{}': the column's name is missing", term);
}

bool IsTime(TransformKind kind) {
  return kind == TransformKind::kYear || kind == TransformKind::kMonth || kind == TransformKind::kDay ||
         kind == TransformKind::kHour;
}

/// The column of each term; no two terms say the same.
Result<std::vector<const iceberg::Field*>> FindColumns(std::span<const PartitionTerm> terms,
                                                       const iceberg::Schema& schema) {
  std::vector<const iceberg::Field*> columns;
  for (size_t i = 0; i < terms.size(); ++i) {
    const PartitionTerm& term = terms[i];
    TRY(const iceberg::Field* column, ColumnOf(term, schema).Context("partition_by '{}'", Written(term)));
    for (size_t j = 0; j < i; ++j) {
      if (terms[j].column != term.column) continue;
      if (terms[j].transform == term.transform) {
        return MakeError(ErrorKind::kInvalidConfig, "partition_by '{}' stands there twice", Written(term));
      }
      if (IsTime(terms[j].transform.kind) && IsTime(term.transform.kind)) {
        return MakeError(ErrorKind::kInvalidConfig,
                         "partition_by '{}' and '{}': the finer one makes the coarser one needless; keep one of them",
                         Written(terms[j]), Written(term));
      }
    }
    columns.push_back(column);
  }
  return columns;
}

/// Names for a field, best first; the last one can be counted on.
std::vector<std::string> Names(const PartitionTerm& term, bool is_new_table) {
  const std::string& column = term.column;
  const int32_t parameter = term.transform.parameter;
  switch (term.transform.kind) {
    case TransformKind::kIdentity:
      return {column, column + "_identity"};
    case TransformKind::kBucket:
    case TransformKind::kTruncate: {
      const std::string name = column + (term.transform.kind == TransformKind::kBucket ? "_bucket" : "_trunc");
      // A table that evolves may get several: as Java's UpdatePartitionSpec, with the number.
      std::vector<std::string> names = {name, fmt::format("{}_{}", name, parameter)};
      if (!is_new_table) std::ranges::reverse(names);
      return names;
    }
    default:
      return {fmt::format("{}_{}", column, ToString(term.transform))};
  }
}

/// The first of the names that neither a column (but for identity, its own) nor another field has.
std::string ChooseName(const PartitionTerm& term, bool is_new_table, const iceberg::Schema& schema,
                       const std::set<std::string>& taken) {
  const auto is_free = [&](const std::string& name) {
    const bool own = term.transform.kind == TransformKind::kIdentity && name == term.column;
    return !taken.contains(name) && (own || schema.FindField(name) == nullptr);
  };
  const std::vector<std::string> names = Names(term, is_new_table);
  for (const std::string& name : names) {
    if (is_free(name)) return name;
  }
  for (int number = 2;; ++number) {
    std::string name = fmt::format("{}_{}", names.back(), number);
    if (is_free(name)) return name;
  }
}

bool SameFields(const iceberg::PartitionSpec& a, const iceberg::PartitionSpec& b) {
  const auto kept = [](const iceberg::PartitionField& field) { return field.transform.kind != TransformKind::kVoid; };
  const auto is_in = [&](const iceberg::PartitionSpec& spec) {
    return [&](const iceberg::PartitionField& field) {
      return !kept(field) ||
             std::ranges::find(spec.fields, field.field_id, &iceberg::PartitionField::field_id) != spec.fields.end();
    };
  };
  return std::ranges::all_of(a.fields, is_in(b)) && std::ranges::all_of(b.fields, is_in(a));
}

}  // namespace

Result<PartitionTerm> ParsePartitionTerm(std::string_view text) {
  const std::string_view term = Trim(text);
  const size_t open = term.find('(');
  if (open == std::string_view::npos || term.starts_with('"')) {
    TRY(std::string column, ParseColumn(term, term));
    return PartitionTerm{.column = std::move(column)};
  }
  const std::string_view name = Trim(term.substr(0, open));
  const auto* function = std::ranges::find(kFunctions, name, &Function::name);
  if (function == std::end(kFunctions)) {
    return MakeError(
        ErrorKind::kInvalidConfig,
        "'{}': there is no transform '{}'; use year, month, day, hour, bucket, truncate, or the column alone", term,
        name);
  }
  if (!term.ends_with(')'))
    return MakeError(ErrorKind::kInvalidConfig, "'{}': the closing parenthesis is missing", term);
  std::string_view arguments = term.substr(open + 1, term.size() - open - 2);
  PartitionTerm parsed{.transform = {.kind = function->kind}};
  if (function->takes_number) {
    arguments = Trim(arguments);
    const char* end = arguments.data() + arguments.size();
    const auto [stop, error] = std::from_chars(arguments.data(), end, parsed.transform.parameter);
    std::string_view rest = Trim(std::string_view(stop, static_cast<size_t>(end - stop)));
    if (error != std::errc() || parsed.transform.parameter < 1 || !rest.starts_with(',')) {
      return MakeError(ErrorKind::kInvalidConfig,
                       "'{}': {} takes a number of at least 1 and a column, as in {}(16, customer_id)", term, name,
                       name);
    }
    arguments = rest.substr(1);
  }
  TRY(parsed.column, ParseColumn(term, arguments));
  return parsed;
}

std::string Written(const PartitionTerm& term) {
  switch (term.transform.kind) {
    case TransformKind::kIdentity:
      return term.column;
    case TransformKind::kBucket:
      return fmt::format("bucket({}, {})", term.transform.parameter, term.column);
    case TransformKind::kTruncate:
      return fmt::format("truncate({}, {})", term.transform.parameter, term.column);
    default:
      return fmt::format("{}({})", ToString(term.transform), term.column);
  }
}

Result<const iceberg::Field*> ColumnOf(const PartitionTerm& term, const iceberg::Schema& schema) {
  const iceberg::Field* column = schema.FindField(term.column);
  if (column == nullptr) return MakeError(ErrorKind::kInvalidConfig, "the table has no column \"{}\"", term.column);
  if (IsLegal(term.transform, column->type)) return column;
  const std::string legal = iceberg::LegalTransforms(column->type);
  return MakeError(ErrorKind::kInvalidConfig, "column \"{}\" is stored as {}, which {}", term.column,
                   ToString(column->type), legal.empty() ? "has no order and no partitions" : "allows " + legal);
}

Result<iceberg::PartitionSpec> MakePartitionSpec(std::span<const PartitionTerm> terms, const iceberg::Schema& schema) {
  TRY(const auto columns, FindColumns(terms, schema));
  iceberg::PartitionSpec spec;
  std::set<std::string> taken;
  for (size_t i = 0; i < terms.size(); ++i) {
    std::string name = ChooseName(terms[i], /*is_new_table=*/true, schema, taken);
    taken.insert(name);
    spec.fields.push_back({.source_id = columns[i]->id,
                           .field_id = kFirstPartitionFieldId + static_cast<int32_t>(i),
                           .name = std::move(name),
                           .transform = terms[i].transform});
  }
  return spec;
}

Result<std::optional<iceberg::PartitionSpec>> EvolvePartitionSpec(std::span<const PartitionTerm> terms,
                                                                  const iceberg::Schema& schema,
                                                                  const iceberg::TableMetadata& table) {
  TRY(const auto columns, FindColumns(terms, schema));
  std::set<std::string> taken;  // By fields of any spec: engines show all specs' fields side by side.
  for (const iceberg::PartitionSpec& spec : table.partition_specs) {
    for (const iceberg::PartitionField& field : spec.fields) taken.insert(field.name);
  }
  iceberg::PartitionSpec wanted;
  int32_t next_id = std::max(table.last_partition_id, kFirstPartitionFieldId - 1) + 1;
  for (size_t i = 0; i < terms.size(); ++i) {
    const iceberg::PartitionField* known = nullptr;
    for (const iceberg::PartitionSpec& spec : table.partition_specs) {
      for (const iceberg::PartitionField& field : spec.fields) {
        if (field.source_id == columns[i]->id && field.transform == terms[i].transform) known = &field;
      }
    }
    if (known != nullptr) {
      wanted.fields.push_back(*known);
      continue;
    }
    std::string name = ChooseName(terms[i], /*is_new_table=*/false, schema, taken);
    taken.insert(name);
    wanted.fields.push_back(
        {.source_id = columns[i]->id, .field_id = next_id++, .name = std::move(name), .transform = terms[i].transform});
  }
  if (SameFields(wanted, table.DefaultSpec())) return std::optional<iceberg::PartitionSpec>();
  return std::optional(std::move(wanted));
}

}  // namespace firn::pipeline
