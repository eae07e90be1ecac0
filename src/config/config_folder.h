// A folder of configuration files, each a pipeline of its own, that one process runs.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "firn/result.h"

namespace firn::config {

struct PipelineConfig {
  std::string file;  ///< Its path.
  Config config;
};

/// Every *.yaml and *.yml of the folder, by name; hidden files and folders are left out. kInvalidConfig with the
/// problems of all files, one a line; among them what two files may not share: the slot, which is the pipeline's name
/// and its folder's below state_dir, and http.listen; and what all must share: the section log.
Result<std::vector<PipelineConfig>> LoadConfigFolder(const std::string& folder);

}  // namespace firn::config
