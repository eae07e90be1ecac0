// PostgreSQL's dates and times (src/backend/utils/adt/date.c, timestamp.c) → Iceberg's: days and microseconds since
// 1970-01-01, in the proleptic Gregorian calendar on both sides. The text form is that of DateStyle ISO:
//
//   date          2024-02-29   12024-01-01   0044-03-15 BC   infinity   -infinity
//   time          23:59:59.999999            24:00:00
//   timestamp     2024-02-29 23:59:59.5      0044-03-15 12:00:00 BC
//   timestamptz   2024-02-29 23:59:59.5+05:30 (or -08, +00:19:32)
//
// Binary: date is int32 days, the others int64 microseconds, since 2000-01-01 (time: since midnight). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "encode/wire_fault.h"

namespace firn::encode {

Fault DecodeBinaryDate(std::string_view bytes, int32_t& days);
Fault DecodeTextDate(std::string_view text, int32_t& days);

Fault DecodeBinaryTime(std::string_view bytes, int64_t& micros);
Fault DecodeTextTime(std::string_view text, int64_t& micros);

/// For timestamp and timestamptz alike: both are int64 on the wire.
Fault DecodeBinaryTimestamp(std::string_view bytes, int64_t& micros);
Fault DecodeTextTimestamp(std::string_view text, int64_t& micros);
Fault DecodeTextTimestampTz(std::string_view text, int64_t& micros);

/// Binary values as PostgreSQL prints them (timestamptz in UTC, without its offset), for messages; empty when
/// malformed.
std::string DescribeBinaryDate(std::string_view bytes);
std::string DescribeBinaryTimestamp(std::string_view bytes);

}  // namespace firn::encode
