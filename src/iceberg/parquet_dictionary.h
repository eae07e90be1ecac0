// Which columns of a Parquet file are worth a dictionary. Pure.
#pragma once

#include <arrow/type_fwd.h>

namespace firn::iceberg {

/// False when nearly every value of a sample is different, as in keys and precise times: looking each value up would
/// find nothing, and Parquet would give the dictionary up once it is a megabyte large. True for what can't be sampled.
bool WorthDictionary(const arrow::ArrayVector& column);

}  // namespace firn::iceberg
