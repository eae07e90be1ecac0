// Whose log lines these are, where one process runs several pipelines.
#pragma once

#include <concepts>
#include <string>
#include <utility>

namespace firn {

/// Names a pipeline in this thread's log lines, as the field "pipeline", for as long as it lives.
class LogPipeline {
 public:
  explicit LogPipeline(std::string name);
  ~LogPipeline();
  LogPipeline(const LogPipeline&) = delete;
  LogPipeline& operator=(const LogPipeline&) = delete;

  /// Of this thread; empty where none is named.
  static const std::string& Current();

 private:
  std::string before_;
};
/// `work` for a thread that is made now: its log lines name the pipeline of the thread that makes it.
template <typename Work>
auto InLogPipeline(Work work) {
  return [name = LogPipeline::Current(), work = std::move(work)]<typename... Args>(Args&&... args) mutable
    requires std::invocable<Work&, Args...>
  {
    const LogPipeline pipeline(name);
    work(std::forward<Args>(args)...);
  };
}

}  // namespace firn
