// Why the bytes of one value did not become a value. The decoders give only this, so that a loop over values carries no
// messages; column_decoder turns it into an Error that names table, column and value.
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
};

}  // namespace firn::encode
