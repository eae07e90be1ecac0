// 64-bit Roaring bitmaps in their portable format (RoaringFormatSpec), from bytes that may be anything.
#pragma once

#include <string_view>

#include "firn/result.h"
#include "iceberg/row_positions.h"

namespace firn::iceberg {

/// The bitmap that `bytes` hold, all of them. kCorrupt for any other bytes: unlike the library's own reader, this one
/// checks what the library's operations rely on (sorted keys and values, cardinalities that are true).
Result<RowPositions> ReadRoaring64(std::string_view bytes);

}  // namespace firn::iceberg
