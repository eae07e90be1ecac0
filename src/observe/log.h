// Structured logs: a message and fields, as text or JSON, on stderr (spdlog). Thread-safe.
//
//   LogInfo("committed", {{"table", name}, {"lsn", ToString(lsn)}, {"rows", rows}, {"duration_ms", ms}});
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "firn/result.h"

namespace firn {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarn, kError };
enum class LogFormat : uint8_t { kText, kJson };

struct LogField {
  std::string_view key;
  std::variant<int64_t, double, bool, std::string> value;

  LogField(std::string_view k, std::string v) : key(k), value(std::move(v)) {}
  LogField(std::string_view k, std::string_view v) : key(k), value(std::string(v)) {}
  LogField(std::string_view k, const char* v) : key(k), value(std::string(v)) {}
  LogField(std::string_view k, bool v) : key(k), value(v) {}
  LogField(std::string_view k, double v) : key(k), value(v) {}
  template <typename Integer>
    requires(std::is_integral_v<Integer> && !std::is_same_v<Integer, bool>)
  LogField(std::string_view k, Integer v) : key(k), value(static_cast<int64_t>(v)) {}
};

/// Once, before other threads start. Until then: warnings and errors, as text.
void SetUpLogging(LogLevel level, LogFormat format);

/// Whether live text can be shown: stderr is a terminal that can move its cursor, and the format is text.
bool CanShowLiveText();
/// Lines that stay below the last log line (progress bars): erased before each log line and drawn again after it. They
/// replace the live text before them; "" takes it away. Each line must fit the terminal's width. Does nothing where
/// live text can't be shown.
void ShowLiveText(std::string_view lines);

Result<LogLevel> ParseLogLevel(std::string_view name);
Result<LogFormat> ParseLogFormat(std::string_view name);

/// Whether lines of the level are written: where their fields cost something.
bool IsLogged(LogLevel level);
void LogFields(LogLevel level, std::string_view message, std::span<const LogField> fields);
inline void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {}) {
  LogFields(level, message, std::span(fields.begin(), fields.size()));
}
inline void LogDebug(std::string_view message, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kDebug, message, fields);
}
inline void LogInfo(std::string_view message, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kInfo, message, fields);
}
inline void LogWarn(std::string_view message, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kWarn, message, fields);
}
inline void LogError(std::string_view message, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kError, message, fields);
}

}  // namespace firn
