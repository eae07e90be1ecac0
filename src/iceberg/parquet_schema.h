// The Parquet form of a table schema (spec: Appendix A, "Parquet"), each node with its field id.
#pragma once

#include <memory>

#include "firn/result.h"
#include "iceberg/schema.h"

namespace parquet::schema {
class GroupNode;
}

namespace firn::iceberg {

/// The root group "table". kUnsupported as ToArrowSchema.
Result<std::shared_ptr<parquet::schema::GroupNode>> ToParquetSchema(const Schema& schema);

}  // namespace firn::iceberg
