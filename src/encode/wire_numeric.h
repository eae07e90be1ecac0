// PostgreSQL's numeric on the wire (numeric_send, numeric_out in src/backend/utils/adt/numeric.c) → a decimal's
// unscaled integer, or the text that PostgreSQL prints. Pure; no allocation.
//
//   binary: int16 ndigits | int16 weight | uint16 sign | uint16 dscale | ndigits × int16, each 0 … 9999
//
//   value = ± Σ digit[i] × 10000^(weight - i)      dscale: decimal digits printed after the point
#pragma once

#include <cstdint>
#include <string_view>

#include "encode/wire_fault.h"

namespace firn::encode {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 UInt128;

/// A decimal type's limits, worked out once a column.
struct DecimalLimits {
  DecimalLimits(int32_t precision_digits, int32_t scale_digits);

  int32_t precision = 0;
  int32_t scale = 0;
  UInt128 bound = 0;                  ///< 10^precision: unscaled values lie below it.
  int32_t whole_fraction_groups = 0;  ///< scale / 4: base-10000 digits after the point that are kept whole.
  int32_t partial_digits = 0;         ///< scale % 4: decimal digits kept of the next one.
};

Fault DecodeBinaryNumeric(std::string_view bytes, const DecimalLimits& limits, Int128& unscaled);
Fault DecodeTextNumeric(std::string_view text, const DecimalLimits& limits, Int128& unscaled);

/// The decimal nearest to a number's text: rounded half away from zero, as PostgreSQL's round() does, and the largest
/// or least one where it lies beyond, infinities included. False for NaN.
bool NearestDecimal(std::string_view text, const DecimalLimits& limits, Int128& unscaled);

/// No less than the bytes that FormatBinaryNumeric writes for this value; 0 for a malformed one.
size_t BinaryNumericTextBound(std::string_view bytes);
/// Writes the text form; `out` has room for BinaryNumericTextBound. `written` is set only for kNone.
Fault FormatBinaryNumeric(std::string_view bytes, char* out, size_t& written);

}  // namespace firn::encode
