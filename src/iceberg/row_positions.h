// Positions of rows in a data file, from 0: what position delete files and deletion vectors hold.
#pragma once

#include <roaring/roaring64map.hh>

namespace firn::iceberg {

using RowPositions = Roaring64Map;

}  // namespace firn::iceberg
