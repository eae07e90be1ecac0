// PostgreSQL arrays on the wire (array_send, array_out in src/backend/utils/adt/arrayfuncs.c) → their elements' values.
// Pure.
//
//   binary: int32 dimensions (0: empty) | int32 has nulls | uint32 element oid | per dimension: int32 size, int32 lower
//           bound | per element: int32 size (-1: NULL), bytes
//   text:   {1,NULL,"a \"quoted\" \\ one"}   [0:1]={7,8} with another lower bound   {{1,2},{3,4}}
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "encode/wire_fault.h"
#include "model/wire_value.h"

namespace firn::encode {

inline constexpr size_t kMaxArrayDimensions = 6;  // MAXDIM

struct ArrayHeader {
  size_t dimensions = 0;
  std::array<int32_t, kMaxArrayDimensions> sizes{};
  std::array<int32_t, kMaxArrayDimensions> lower_bounds{};
  size_t elements = 0;  ///< Over all dimensions.
};

/// Takes the header off the front of `bytes`. There are 4 bytes at least for each element that it promises.
Fault TakeArrayHeader(std::string_view& bytes, uint32_t element_oid, ArrayHeader& header);
/// Takes the next element off the front of `bytes`.
Fault TakeArrayElement(std::string_view& bytes, WireValue& element);

/// An Iceberg list is of one dimension and starts at index 1. kAny: the elements of one that starts elsewhere, too.
enum class LowerBounds : uint8_t { kOne, kAny };

/// Appends the elements to `elements`; they borrow from `bytes`. After a fault `elements` holds a part of them.
Fault SplitBinaryArray(std::string_view bytes, uint32_t element_oid, LowerBounds bounds,
                       std::vector<WireValue>& elements);

/// Appends the elements to `elements`; they borrow from `text`, or from `scratch` where an escape was taken out. Writes
/// at most text.size() bytes to `scratch` and moves it behind what it wrote. `delimiter`: the element type's typdelim.
Fault SplitTextArray(std::string_view text, char delimiter, LowerBounds bounds, char*& scratch,
                     std::vector<WireValue>& elements);

}  // namespace firn::encode
