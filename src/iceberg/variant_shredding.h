// Shredded variants put together again (Parquet's VariantShredding.md): a writer may store parts of variants in columns
// of their own, beside the rest.
//
//   metadata | value: what is not shredded | typed_value: a primitive, a list of, or a struct of {value, typed_value}
#pragma once

#include <arrow/type_fwd.h>

#include <memory>

#include "firn/result.h"

namespace firn::iceberg {

/// A variant column of a Parquet, Avro or ORC file as `type`, struct<metadata, value>. kCorrupt when it is no variant.
Result<std::shared_ptr<arrow::ArrayData>> AssembleVariants(const std::shared_ptr<arrow::ArrayData>& data,
                                                           const std::shared_ptr<arrow::DataType>& type);

}  // namespace firn::iceberg
