#include "observe/log_line.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "observe/redact.h"

namespace firn {
namespace {

std::string_view Colour(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "\x1b[2m";
    case LogLevel::kInfo:
      return "\x1b[32m";
    case LogLevel::kWarn:
      return "\x1b[33m";
    case LogLevel::kError:
      return "\x1b[31m";
  }
  return "";
}

std::string_view TextName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "DEBUG";
    case LogLevel::kInfo:
      return "INFO ";
    case LogLevel::kWarn:
      return "WARN ";
    case LogLevel::kError:
      return "ERROR";
  }
  return "?";
}

/// Control characters would break the line, or the terminal.
void AppendEscaped(std::string& out, std::string_view text, bool in_quotes) {
  for (const char c : text) {
    switch (c) {
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '"':
        out += in_quotes ? "\\\"" : "\"";
        break;
      case '\\':
        out += in_quotes ? "\\\\" : "\\";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
        } else {
          out += c;
        }
    }
  }
}

bool NeedsQuotes(std::string_view value) {
  return value.empty() ||
         std::ranges::any_of(value, [](unsigned char c) { return c <= ' ' || c == '"' || c == '=' || c == 0x7f; });
}

void AppendTextValue(std::string& out, const std::variant<int64_t, double, bool, std::string>& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    const std::string redacted = RedactSecrets(*text);
    if (!NeedsQuotes(redacted)) {
      out += redacted;
      return;
    }
    out += '"';
    AppendEscaped(out, redacted, /*in_quotes=*/true);
    out += '"';
    return;
  }
  std::visit(
      [&](const auto& v) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(v)>, std::string>) {
          fmt::format_to(std::back_inserter(out), "{}", v);
        }
      },
      value);
}

}  // namespace

std::string_view ToString(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "unknown";
}

std::string FormatUtcTime(std::chrono::system_clock::time_point time) {
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(time);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(ms);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                     (ms - seconds).count());
}

std::string FormatTextLine(std::chrono::system_clock::time_point time, LogLevel level, std::string_view message,
                           std::span<const LogField> fields, bool colour) {
  std::string line = FormatUtcTime(time);
  line += ' ';
  if (colour) line += Colour(level);
  line += TextName(level);
  if (colour) line += "\x1b[0m";
  line += ' ';
  AppendEscaped(line, RedactSecrets(message), /*in_quotes=*/false);
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    AppendTextValue(line, field.value);
  }
  return line;
}

std::string FormatJsonLine(std::chrono::system_clock::time_point time, LogLevel level, std::string_view message,
                           std::span<const LogField> fields) {
  nlohmann::ordered_json line;
  line["time"] = FormatUtcTime(time);
  line["level"] = ToString(level);
  line["message"] = RedactSecrets(message);
  for (const LogField& field : fields) {
    std::string key(field.key);
    if (key == "time" || key == "level" || key == "message") key += '_';
    std::visit(
        [&](const auto& value) {
          if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>) {
            line[key] = RedactSecrets(value);
          } else {
            line[key] = value;
          }
        },
        field.value);
  }
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string EraseLines(std::string_view lines) {
  const auto count = std::ranges::count(lines, '\n');
  return count == 0 ? "" : fmt::format("\x1b[{}A\r\x1b[J", count);
}

}  // namespace firn
