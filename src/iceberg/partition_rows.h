// Which partition each row of a batch belongs to.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "firn/result.h"
#include "iceberg/data_file.h"
#include "iceberg/schema.h"

namespace arrow {
class RecordBatch;
}

namespace firn::iceberg {

struct PartitionRows {
  PartitionValues partition;
  std::vector<int32_t> rows;  ///< Ascending.
};

/// Divides batches by a table's partition spec. Immutable: may be used by several threads.
class Partitioner {
 public:
  /// `schema`: that of the batches, which have ToArrowSchema(schema)'s columns. kSchemaMismatch when a field of the
  /// spec is made of a column that the schema lacks; kUnsupported when its transform isn't one for the column's type.
  static Result<Partitioner> Make(const Schema& schema, const PartitionSpec& spec);

  int32_t spec_id() const { return spec_id_; }
  bool is_partitioned() const { return !fields_.empty(); }

  /// Every row in exactly one partition, partitions in the order of their first rows. An unpartitioned spec gives one
  /// (none for an empty batch).
  Result<std::vector<PartitionRows>> Divide(const arrow::RecordBatch& batch) const;

  /// The folders of a partition below the table's data folder as Java names them,
  /// "created_at_day=2024-01-30/region=eu"; empty for an unpartitioned spec. For people: readers go by the manifest
  /// alone.
  std::string PathOf(const PartitionValues& partition) const;

 private:
  struct FieldPlan {
    int column = 0;
    std::string name;
    Transform transform;
    Type source;
    Type result;
  };
  int32_t spec_id_ = 0;
  std::vector<FieldPlan> fields_;
};

}  // namespace firn::iceberg
