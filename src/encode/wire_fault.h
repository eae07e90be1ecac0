// Why the bytes of one value did not become a value. The decoders give only this, so that a loop over values carries no
// messages; unrepresentable_values replaces the value or makes an Error that names table, column and value.
#pragma once

#include <cstdint>

namespace firn::encode {

enum class [[nodiscard]] Fault : uint8_t {
  kNone,
  kMalformed,        ///< Not what PostgreSQL's format says.
  kNoBinaryDecoder,  ///< A binary value of a type that firn reads by its text form only.
  kInfinity,         ///< 'infinity' or '-infinity'
  kNaN,              ///< NaN in a decimal
  kTooManyDigits,    ///< More digits than the decimal's precision has.
  kTooFine,          ///< Digits after the point that the decimal's scale would cut off.
  kOutOfRange,       ///< A timestamp outside 64-bit microseconds since 1970.
  kEndOfDay,         ///< The time 24:00:00
  kManyDimensions,   ///< An array of arrays
  kLowerBound,       ///< An array that does not start at index 1
  kInexactNumber,    ///< A number in JSON that no decimal of 38 digits and no double is.
  kNotUnicode,       ///< A string in JSON with half a surrogate pair
  kTooDeep,          ///< JSON with more arrays and objects within each other than firn follows.
};

}  // namespace firn::encode
