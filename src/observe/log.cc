#include "observe/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "observe/log_limiter.h"
#include "observe/log_line.h"
#include "observe/log_pipeline.h"

namespace firn {
namespace {

/// spdlog holds the sink, its lock and the level; observe/log_line makes the line.
struct Output {
  std::shared_ptr<spdlog::logger> logger;
  std::atomic<LogFormat> format = LogFormat::kText;
  bool colour = false;
  bool terminal = false;  ///< One that can move its cursor.

  // Only on a terminal: what ShowLiveText was given last, and the order of what is written around it.
  std::mutex live_mutex;
  std::string live;

  std::mutex limiter_mutex;
  LogLimiter limiter;  ///< Under limiter_mutex.
};

bool IsTerminal() {
  const char* term = std::getenv("TERM");
  return term != nullptr && std::string_view(term) != "dumb" && isatty(STDERR_FILENO) == 1;
}

bool ColourRefused() {
  const char* no_color = std::getenv("NO_COLOR");  // no-color.org: set and not empty
  return no_color != nullptr && *no_color != '\0';
}

/// Never destroyed: threads may log at exit.
Output& CurrentOutput() {
  static Output& output = *[] {
    auto* made = new Output;
    made->logger = std::make_shared<spdlog::logger>("firn", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->logger->set_level(spdlog::level::warn);
    made->logger->set_pattern("%v");
    made->logger->set_error_handler([](const std::string&) {});  // a full disk must not stop a replication
    made->logger->flush_on(spdlog::level::trace);
    made->terminal = IsTerminal();
    made->colour = made->terminal && !ColourRefused();
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

/// Errors are always written. Each pipeline has lines of its own.
std::optional<int64_t> MayWrite(Output& output, LogLevel level, std::string_view message) {
  if (level == LogLevel::kError) return 0;
  const std::string& pipeline = LogPipeline::Current();
  const std::string key = pipeline.empty() ? std::string(message) : fmt::format("{}\n{}", pipeline, message);
  std::lock_guard lock(output.limiter_mutex);
  return output.limiter.Admit(key, std::chrono::steady_clock::now());
}

std::string& ThreadPipeline() {
  thread_local std::string name;
  return name;
}

}  // namespace

void SetUpLogging(LogLevel level, LogFormat format) {
  Output& output = CurrentOutput();
  output.logger->set_level(ToSpdlog(level));
  output.format = format;
}

bool CanShowLiveText() { return CurrentOutput().terminal && CurrentOutput().format == LogFormat::kText; }

void ShowLiveText(std::string_view lines) {
  if (!CanShowLiveText()) return;
  Output& output = CurrentOutput();
  std::lock_guard lock(output.live_mutex);
  const std::string erase = EraseLines(output.live);
  output.live = lines;
  if (!output.live.empty() && !output.live.ends_with('\n')) output.live += '\n';
  const std::string bytes = erase + output.live;
  std::fwrite(bytes.data(), 1, bytes.size(), stderr);
  std::fflush(stderr);
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

LogPipeline::LogPipeline(std::string name) : before_(std::exchange(ThreadPipeline(), std::move(name))) {}
LogPipeline::~LogPipeline() { ThreadPipeline() = std::move(before_); }
const std::string& LogPipeline::Current() { return ThreadPipeline(); }

bool IsLogged(LogLevel level) { return CurrentOutput().logger->should_log(ToSpdlog(level)); }

void LogFields(LogLevel level, std::string_view message, std::span<const LogField> fields) {
  try {
    Output& output = CurrentOutput();
    const spdlog::level::level_enum spdlog_level = ToSpdlog(level);
    if (!output.logger->should_log(spdlog_level)) return;
    const auto left_out = MayWrite(output, level, message);
    if (!left_out) return;
    const auto now = std::chrono::system_clock::now();
    std::vector<LogField> all;
    if (!LogPipeline::Current().empty()) all.emplace_back("pipeline", LogPipeline::Current());
    all.insert(all.end(), fields.begin(), fields.end());
    if (*left_out > 0) all.emplace_back("lines_left_out", *left_out);
    const std::string line = output.format == LogFormat::kJson
                                 ? FormatJsonLine(now, level, message, all)
                                 : FormatTextLine(now, level, message, all, output.colour);
    if (!CanShowLiveText()) {
      output.logger->log(spdlog_level, spdlog::string_view_t(line));
      return;
    }
    std::lock_guard lock(output.live_mutex);
    std::string around = EraseLines(output.live) + line + "\n" + output.live;
    around.pop_back();  // spdlog ends the line
    output.logger->log(spdlog_level, spdlog::string_view_t(around));
  } catch (...) {  // Out of memory is the only way here. A line that is lost is better than a process that is.
    return;
  }
}

}  // namespace firn
