// Avro records as Arrow columns, by field id (spec: Appendix A, "Avro").
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <vector>

#include "firn/result.h"
#include "iceberg/avro_container.h"
#include "iceberg/column_projection.h"
#include "iceberg/schema.h"

namespace firn::iceberg {

/// Decodes records into batches of the projection's columns. Single-threaded.
class AvroColumns {
 public:
  /// `record`: the type of the file's records; it must outlive the columns.
  static Result<AvroColumns> Make(const AvroType& record, const Schema& projection, const ColumnContext& context);
  ~AvroColumns();
  AvroColumns(AvroColumns&&) noexcept;
  AvroColumns& operator=(AvroColumns&&) noexcept;

  /// The next records of a block that `decoder` reads, about kBatchBytes of them at a time; `left`, those that are
  /// still to come, is counted down.
  Result<std::shared_ptr<arrow::RecordBatch>> Decode(AvroDecoder& decoder, int64_t& left);

  /// How a value in the file becomes one in a column.
  struct Plan;

 private:
  AvroColumns();
  std::shared_ptr<arrow::Schema> schema_;
  std::unique_ptr<Plan> plan_;
};

}  // namespace firn::iceberg
