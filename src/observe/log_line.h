// One log line as a string: pure, so that every rule of the two formats can be tested.
//
//   text   2026-05-04T10:11:12.345Z INFO  committed table=public.orders rows=1000 reason="no space left"
//   json   {"time":"2026-05-04T10:11:12.345Z","level":"info","message":"committed","table":"public.orders","rows":1000}
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "observe/log.h"

namespace firn {

std::string_view ToString(LogLevel level);

/// RFC 3339 in UTC with milliseconds: "2026-05-04T10:11:12.345Z".
std::string FormatUtcTime(std::chrono::system_clock::time_point time);

/// Both forms are one line without its line break, whatever the message and values hold; secrets are taken out
/// (observe/redact.h). `colour`: the level in ANSI colours.
std::string FormatTextLine(std::chrono::system_clock::time_point time, LogLevel level, std::string_view message,
                           std::span<const LogField> fields, bool colour);
/// Bytes that are not UTF-8 become U+FFFD. A field named like one of the line's own keys ("time", "level", "message")
/// gets a "_".
std::string FormatJsonLine(std::chrono::system_clock::time_point time, LogLevel level, std::string_view message,
                           std::span<const LogField> fields);

/// The bytes that take away `lines`, written last on a terminal, and leave the cursor where they began.
std::string EraseLines(std::string_view lines);

}  // namespace firn
