// PostgreSQL's arrays on the wire (array_send, array_out in src/backend/utils/adt/arrayfuncs.c) → their elements'
// values. One dimension that starts at index 1: what an Iceberg list can say. Pure.
//
//   binary: int32 dimensions (0: empty) | int32 has nulls | uint32 element oid | per dimension: int32 size, int32 lower
//           bound | per element: int32 size (-1: NULL), bytes
//   text:   {1,NULL,"a \"quoted\" \\ one"}   [0:1]={7,8} with another lower bound
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "encode/wire_fault.h"
#include "model/wire_value.h"

namespace firn::encode {

/// Appends the elements to `elements`; they borrow from `bytes`.
Fault SplitBinaryArray(std::string_view bytes, uint32_t element_oid, std::vector<WireValue>& elements);

/// Appends the elements to `elements`; they borrow from `text`, or from `scratch` where an escape was taken out. Writes
/// at most text.size() bytes to `scratch` and moves it behind what it wrote.
Fault SplitTextArray(std::string_view text, char*& scratch, std::vector<WireValue>& elements);

}  // namespace firn::encode
