// The spec's binary form of single values (Appendix D, "Binary single-value serialization"): bounds of columns in
// manifests and of partitions in manifest lists. Pure.
//
//   boolean  00 or 01            decimal        big-endian two's complement, fewest bytes
//   int, date      4 bytes LE    string         UTF-8
//   long, time, timestamps 8 LE  uuid, fixed    the bytes as they are
//   float, double  4, 8 LE       binary         the bytes as they are
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "iceberg/data_file.h"

namespace firn::iceberg {

std::string SingleValue(bool value);
std::string SingleValue(int32_t value);
std::string SingleValue(int64_t value);
std::string SingleValue(float value);
std::string SingleValue(double value);
/// Nothing for null. A Literal's string holds single-value bytes already.
std::optional<std::string> SingleValue(const Literal& literal);

/// A decimal's unscaled value, from a big-endian two's complement number of any length or from an integer.
std::string DecimalSingleValue(std::string_view big_endian);
/// The end of a big-endian two's complement number that says it all.
std::string_view FewestBytes(std::string_view big_endian);
std::string DecimalSingleValue(int64_t unscaled);

/// The first `code_points` of a UTF-8 string.
std::string_view PrefixOfString(std::string_view value, size_t code_points);
/// The same as a bound: at most `value` in order.
std::string LowerBoundOfString(std::string_view value, size_t code_points);
/// The least string of at most `code_points` that no string with `value`'s start exceeds: the cut string with its last
/// code point that can be raised raised by one. Nothing where none can.
std::optional<std::string> UpperBoundOfString(std::string_view value, size_t code_points);
/// The same for bytes.
std::string LowerBoundOfBinary(std::string_view value, size_t bytes);
std::optional<std::string> UpperBoundOfBinary(std::string_view value, size_t bytes);

}  // namespace firn::iceberg
