// The progress of initial copies: bars on a terminal, lines of the log elsewhere. What to show is computed here without
// I/O or a clock; ProgressDisplay is the thin part that shows it.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "observe/log.h"
#include "observe/pipeline_status.h"

namespace firn::cli {

enum class ProgressStyle : uint8_t {
  kLive,   ///< A bar for each table that is being copied, drawn again at most 10 times a second.
  kLines,  ///< A line for each such table, at most every 5 seconds.
};

/// Single-threaded.
class ProgressRenderer {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// For the log.
  struct Line {
    std::string_view message;
    std::vector<LogField> fields;
  };
  struct Output {
    std::vector<Line> lines;
    std::optional<std::string> live;  ///< The bars, one a line of at most `columns`; nothing: leave them as they are.
  };

  explicit ProgressRenderer(ProgressStyle style) : style_(style) {}

  /// What `status` adds to what was shown before. `now` must not go back.
  Output Update(const PipelineStatus& status, TimePoint now, size_t columns);

 private:
  struct Sample {
    TimePoint time;
    int64_t rows;
  };
  struct Table {
    TableState state = TableState::kPending;
    std::optional<TimePoint> copy_start;
    std::deque<Sample> samples;  ///< Of the last seconds: the rate's base.
  };

  void Track(const TableStatus& status, TimePoint now);
  double RowsPerSecond(const Table& table) const;
  Line LineOf(const TableStatus& status) const;
  std::string Bars(const PipelineStatus& status, size_t columns) const;

  const ProgressStyle style_;
  std::map<std::string, Table> tables_;
  std::optional<TimePoint> last_shown_;
  bool live_shown_ = false;
  int64_t tables_copied_ = 0;
  int64_t rows_copied_ = 0;
  std::optional<TimePoint> first_copy_start_;
};

/// Shows progress on stderr, above which log lines keep scrolling (observe/log.h). Single-threaded.
class ProgressDisplay {
 public:
  ProgressDisplay();
  ~ProgressDisplay();  ///< Takes the bars away.
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  /// Call it as often as is convenient; it draws no more than it should.
  void Update(const PipelineStatus& status);

 private:
  ProgressRenderer renderer_;
};

}  // namespace firn::cli
