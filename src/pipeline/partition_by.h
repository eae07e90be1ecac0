// What `tables.NAME.partition_by` asks for, and the partition spec that it makes of a table. Pure.
//
//   region            identity(region)    year(ts)  month(ts)  day(ts)  hour(ts)
//   bucket(16, id)    truncate(4, code)   day("a column, in double quotes where it needs them")
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firn/result.h"
#include "iceberg/schema.h"
#include "iceberg/table_metadata.h"

namespace firn::pipeline {

struct PartitionTerm {
  std::string column;
  iceberg::Transform transform;
};

/// kInvalidConfig says what is wrong with the text and what would be right.
Result<PartitionTerm> ParsePartitionTerm(std::string_view text);

/// As it is written in partition_by.
std::string Written(const PartitionTerm& term);

/// The column that the term is made of. kInvalidConfig where it isn't there, or the transform is not legal for it.
Result<const iceberg::Field*> ColumnOf(const PartitionTerm& term, const iceberg::Schema& schema);

/// The spec of a new table. Its fields are named as Java and Spark name them ("created_at_day", "id_bucket",
/// "code_trunc", a column's own name for identity). kInvalidConfig names a column that isn't there, or one that the
/// transform can't be made of and what is legal for it.
Result<iceberg::PartitionSpec> MakePartitionSpec(std::span<const PartitionTerm> terms, const iceberg::Schema& schema);

/// The spec that the files of `table`, whose schema becomes `schema`, are to have from now on; nothing where its
/// default spec is that already (in any order). A field that the table has had before keeps its id and name, whatever
/// spec it was in; a new one gets an id above last_partition_id.
Result<std::optional<iceberg::PartitionSpec>> EvolvePartitionSpec(std::span<const PartitionTerm> terms,
                                                                  const iceberg::Schema& schema,
                                                                  const iceberg::TableMetadata& table);

}  // namespace firn::pipeline
