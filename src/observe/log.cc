#include "observe/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "observe/log_line.h"

namespace firn {
namespace {

/// spdlog holds the sink, its lock and the level; observe/log_line makes the line.
struct Output {
  std::shared_ptr<spdlog::logger> logger;
  LogFormat format = LogFormat::kText;
  bool colour = false;
};

bool ColourWanted() {
  const char* no_color = std::getenv("NO_COLOR");  // no-color.org: set and not empty
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* term = std::getenv("TERM");
  if (term == nullptr || std::string_view(term) == "dumb") return false;
  return isatty(STDERR_FILENO) == 1;
}

/// Set once by SetUpLogging before other threads start, then only read. Never destroyed: threads may log at exit.
Output& CurrentOutput() {
  static Output& output = *[] {
    auto* made = new Output;
    made->logger = std::make_shared<spdlog::logger>("firn", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->logger->set_pattern("%v");
    made->logger->set_error_handler([](const std::string&) {});  // a full disk must not stop a replication
    made->logger->flush_on(spdlog::level::trace);
    made->colour = ColourWanted();
    return made;
  }();
  return output;
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

void SetUpLogging(LogLevel level, LogFormat format) {
  Output& output = CurrentOutput();
  output.logger->set_level(ToSpdlog(level));
  output.format = format;
}

Result<LogLevel> ParseLogLevel(std::string_view name) {
  for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) {
    if (name == ToString(level)) return level;
  }
  return MakeError(ErrorKind::kInvalidConfig, "unknown log level '{}'; use debug, info, warn or error", name);
}

Result<LogFormat> ParseLogFormat(std::string_view name) {
  if (name == "text") return LogFormat::kText;
  if (name == "json") return LogFormat::kJson;
  return MakeError(ErrorKind::kInvalidConfig, "unknown log format '{}'; use text or json", name);
}

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  try {
    Output& output = CurrentOutput();
    const spdlog::level::level_enum spdlog_level = ToSpdlog(level);
    if (!output.logger->should_log(spdlog_level)) return;
    const auto now = std::chrono::system_clock::now();
    const std::span<const LogField> all(fields.begin(), fields.size());
    const std::string line = output.format == LogFormat::kJson
                                 ? FormatJsonLine(now, level, message, all)
                                 : FormatTextLine(now, level, message, all, output.colour);
    output.logger->log(spdlog_level, spdlog::string_view_t(line));
  } catch (...) {  // Out of memory is the only way here. A line that is lost is better than a process that is.
    return;
  }
}

}  // namespace firn
