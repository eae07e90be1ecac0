// What becomes of a value that PostgreSQL's type has and the column's Iceberg type has not: infinity, 24:00:00, NaN in
// a decimal, an array of arrays (docs/types.md lists them all).
#pragma once

#include <cstdint>
#include <string_view>

#include "firn/result.h"

namespace firn::encode {

enum class ValuePolicy : uint8_t {
  kError,   ///< The table stops, with a message that names the value.
  kClamp,   ///< The nearest value that there is; NULL where none is near (NaN, an array of arrays).
  kNull,    ///< NULL
  kString,  ///< Columns that may have such values are made as string, which holds all of them.
};

/// "error", "clamp", "null", "string": the words of the configuration, and the metric's label.
std::string_view ToString(ValuePolicy policy);
/// kInvalidConfig for another word.
Result<ValuePolicy> ParseValuePolicy(std::string_view text);

}  // namespace firn::encode
