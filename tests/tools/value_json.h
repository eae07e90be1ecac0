// A value of a table as JSON: as tests/java/ReadTable.java has it. What JSON has no type for is an object of one member
// that names the type.
#pragma once

#include <arrow/array.h>

#include "iceberg/json_member.h"
#include "iceberg/type.h"

namespace firn::iceberg {

Result<Json> ValueToJson(const Type& type, const arrow::Array& column, int64_t row);

}  // namespace firn::iceberg
