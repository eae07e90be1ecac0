// What `tables.NAME.sort_by` asks for, and the sort order that it makes of a table. Pure.
//
//   region                        ascending, NULLs first, as Iceberg and Spark have it
//   created_at desc               descending, NULLs last
//   day(created_at) asc nulls last, bucket(16, id), "a column" desc nulls first
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "firn/result.h"
#include "iceberg/schema.h"
#include "iceberg/table_metadata.h"
#include "pipeline/partition_by.h"
#include "pipeline/table_layout.h"

namespace firn::pipeline {

struct SortTerm {
  PartitionTerm term;  ///< The column, or what is made of it.
  bool descending = false;
  bool nulls_first = true;
};

/// kInvalidConfig says what is wrong with the text and what would be right.
Result<SortTerm> ParseSortTerm(std::string_view text);
/// As it is written in sort_by, without what goes without saying.
std::string Written(const SortTerm& term);

/// kInvalidConfig for a table of changes: their order within a transaction is that of the rows.
Status CheckSortBy(std::span<const SortTerm> terms, ChangeMode mode);

/// The order of a new table. kInvalidConfig names a column that isn't there, or one that can't be sorted by so.
Result<iceberg::SortOrder> MakeSortOrder(std::span<const SortTerm> terms, const iceberg::Schema& schema);

/// The order with these fields that the table has had, else with a new id.
iceberg::SortOrder WithIdIn(const iceberg::TableMetadata& table, iceberg::SortOrder order);

/// The order that `table`, whose schema becomes `schema`, is to have from now on, with its id; nothing where its
/// default order is that already.
Result<std::optional<iceberg::SortOrder>> EvolveSortOrder(std::span<const SortTerm> terms,
                                                          const iceberg::Schema& schema,
                                                          const iceberg::TableMetadata& table);

}  // namespace firn::pipeline
