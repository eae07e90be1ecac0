// The order that rewritten rows get: the table's sort order, whoever has set it. Pure.
#pragma once

#include <string>

#include "iceberg/table_metadata.h"

namespace firn::maintenance {

/// The default sort order of the table; null where it has none, or has one that firn can't sort by (of a field in a
/// struct), and for a table of changes (docs/change_modes.md), whose order within a transaction is that of its rows.
const iceberg::SortOrder* RewriteOrder(const iceberg::TableMetadata& metadata);

/// For people: "region, created_at desc nulls first", with the names of the current schema. Empty for null.
std::string Describe(const iceberg::SortOrder* order, const iceberg::TableMetadata& metadata);

}  // namespace firn::maintenance
