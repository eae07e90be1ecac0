// The last minutes of a pipeline, for the charts of the page: samples of its status in a ring. Single-threaded.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>

#include "observe/pipeline_status.h"

namespace firn::serve {

class StatusHistory {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds kInterval{2};
  static constexpr std::chrono::minutes kSpan{15};

  /// `now` must not go back. Samples older than kSpan go.
  void Add(const PipelineStatus& status, TimePoint now);

  /// Columns of equal length, oldest sample first: its age in seconds, the lag, and what was received, decoded, written
  /// and copied since the process started. {"age_s": […], "lag_seconds": […], …}
  std::string ToJson(TimePoint now) const;

 private:
  struct Sample {
    TimePoint time;
    double lag_seconds;
    int64_t lag_bytes;
    int64_t received_bytes;
    int64_t decoded_changes;
    int64_t rows_written;
    int64_t rows_copied;
  };
  std::deque<Sample> samples_;
};

}  // namespace firn::serve
