// A few threads for work that is mostly waiting: for a store, for a disk.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <optional>
#include <thread>
#include <vector>

#include "firn/result.h"
#include "observe/log_pipeline.h"

namespace firn {

/// Calls `work(i)`, a Status, for each i below `count`, on `threads` threads at most (this one is one of them), and
/// waits for the end. They begin in order; after one that failed no other begins. Gives the error of the lowest i that
/// failed: all below it were done. Their log lines name this thread's pipeline.
template <typename Work>
Status ForEachParallel(size_t count, int threads, Work work) {
  std::vector<std::optional<Error>> errors(count);
  std::atomic<size_t> next = 0;
  std::atomic<bool> failed = false;
  const auto run = [&] {
    while (!failed) {
      const size_t i = next++;
      if (i >= count) return;
      if (Status done = work(i); !done) {
        errors[i] = std::move(done).error();
        failed = true;
      }
    }
  };
  {
    std::vector<std::jthread> others;
    const size_t wanted = std::min(count, static_cast<size_t>(std::max(threads, 1)));
    for (size_t i = 1; i < wanted; ++i) others.emplace_back(InLogPipeline(run));
    run();
  }
  for (std::optional<Error>& error : errors) {
    if (error) return std::move(*error);
  }
  return {};
}

}  // namespace firn
