// Partition transforms (spec: "Partition Transforms"), over whole columns.
//
//   identity, void      the value, null       bucket[n]           (murmur3 & 0x7fffffff) % n
//   year, month, hour   since 1970, floored   truncate[w]         numbers: down to a multiple of w; strings: w code
//   day                 a date                                    points; binaries: w bytes
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "firn/result.h"
#include "iceberg/data_file.h"
#include "iceberg/schema.h"

namespace arrow {
class Array;
}

namespace firn::iceberg {

/// Whether the spec allows the transform of a column of this type.
bool IsLegal(const Transform& transform, const Type& source);
/// The transforms that are legal for a type, for messages: "identity, bucket, truncate"; empty where none is.
std::string LegalTransforms(const Type& source);

/// The transformed values of a column, null where the column is: an array of ToArrowSchema's type for
/// ResultType(transform, source). `column` has that type for `source`, or is a dictionary of it. kUnsupported for a
/// value whose result the type can't hold. Values under a null are not looked at.
Result<std::shared_ptr<arrow::Array>> TransformColumn(const Transform& transform, const Type& source,
                                                      const std::shared_ptr<arrow::Array>& column);

/// A value of a column of `type`, as partition tuples hold it (NaN in its one form).
Literal LiteralAt(const Type& type, const arrow::Array& column, int64_t row);

}  // namespace firn::iceberg
