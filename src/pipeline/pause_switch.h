// Whether the stream is to stand still: asked for by a person through the page, obeyed by the replicator.
#pragma once

#include <atomic>

namespace firn::pipeline {

/// Thread-safe. It holds until it is switched back, or the process ends.
class PauseSwitch {
 public:
  /// False where it was so already.
  bool Set(bool paused) { return paused_.exchange(paused) != paused; }
  bool paused() const { return paused_; }

 private:
  std::atomic<bool> paused_ = false;
};

}  // namespace firn::pipeline
