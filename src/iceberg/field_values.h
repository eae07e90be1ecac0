// Values of a field that stand outside of data files, as Arrow has them: v3 default values (spec: "JSON single-value
// serialization") and partition values; and the columns that files lack, which are made of these.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <map>
#include <memory>

#include "firn/result.h"
#include "iceberg/data_file.h"
#include "iceberg/json_member.h"

namespace firn::iceberg {

/// kCorrupt when the value is none of the type.
Result<std::shared_ptr<arrow::Scalar>> ScalarFromJson(const Type& type, const Json& value);
Result<std::shared_ptr<arrow::Scalar>> ScalarFromLiteral(const Type& type, const Literal& value);

/// What the rows of a file have for `field`, which the file lacks: its initial default, else null.
Result<std::shared_ptr<arrow::Scalar>> InitialValue(const Field& field);

}  // namespace firn::iceberg
