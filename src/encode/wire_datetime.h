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
#include <limits>
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

/// Binary values as PostgreSQL prints them, timestamptz in UTC ("2024-02-29 23:59:59.5+00"): written at `out`, which
/// has room for kMaxDatetimeText and is moved behind. Every value has a text, infinity and 24:00:00 included.
inline constexpr size_t kMaxDatetimeText = 40;
Fault FormatBinaryDate(std::string_view bytes, char*& out);
Fault FormatBinaryTime(std::string_view bytes, char*& out);
Fault FormatBinaryTimestamp(std::string_view bytes, char*& out);
Fault FormatBinaryTimestampTz(std::string_view bytes, char*& out);

/// What kClamp puts in the place of infinity, and of timestamps past the last one that 64-bit microseconds since 1970
/// hold: the ends of what PostgreSQL and Iceberg both have. 4714-11-24 BC, 5874897-12-31, 294247-01-10 04:00:54.775807.
inline constexpr int32_t kFirstDate = -2'440'588;
inline constexpr int32_t kLastDate = 2'145'042'905;
inline constexpr int64_t kFirstTimestamp = int64_t{kFirstDate} * 86'400'000'000;
inline constexpr int64_t kLastTimestamp = std::numeric_limits<int64_t>::max();
inline constexpr int64_t kLastTime = 86'399'999'999;

}  // namespace firn::encode
