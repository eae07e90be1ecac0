// Looks from time to time at what is around a running pipeline: the slot in PostgreSQL, the memory of this process, and
// what lies in state_dir. For the status alone; nothing is decided by it.
#pragma once

#include <string>
#include <thread>

#include "observe/pipeline_status.h"
#include "pipeline/source_setup.h"

namespace firn::cli {

/// On a thread of its own from the constructor until the destructor. `status` outlives it.
class SurroundingsWatch {
 public:
  SurroundingsWatch(pipeline::SourceOptions source, std::string state_dir, StatusBoard& status);

 private:
  std::jthread thread_;
};

}  // namespace firn::cli
