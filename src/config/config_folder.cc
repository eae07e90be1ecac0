#include "config/config_folder.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include "base/try.h"
#include "config/listen_address.h"

namespace firn::config {
namespace {

namespace fs = std::filesystem;

Result<std::vector<std::string>> FilesOf(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code failed;
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) {
    const fs::path& path = it->path();
    const bool is_config = path.extension() == ".yaml" || path.extension() == ".yml";
    std::error_code ignored;
    // Links count: Kubernetes mounts a ConfigMap's files as such.
    if (is_config && !path.filename().string().starts_with('.') && fs::is_regular_file(path, ignored)) {
      files.push_back(path.string());
    }
  }
  if (failed) {
    return MakeError(ErrorKind::kInvalidConfig, "cannot read the folder {}: {}", folder, failed.message());
  }
  if (files.empty()) {
    return MakeError(ErrorKind::kInvalidConfig,
                     "the folder {} has no configuration: a pipeline is a file in it that ends in .yaml or .yml",
                     folder);
  }
  std::ranges::sort(files);
  return files;
}

/// Whether two servers would want the same port: 0 is any.
bool IsFixedPort(const std::string& listen) {
  const auto address = ParseListenAddress(listen);
  return address && address->port != 0;
}

/// What the files may not share, and what they must.
std::vector<std::string> ProblemsBetween(const std::vector<PipelineConfig>& pipelines) {
  std::vector<std::string> problems;
  std::map<std::string, std::string> file_of_slot;
  std::map<std::string, std::string> file_of_listen;
  for (const PipelineConfig& pipeline : pipelines) {
    const Config& config = pipeline.config;
    const auto slot = file_of_slot.emplace(config.source.slot, pipeline.file);
    if (!slot.second) {
      problems.push_back(fmt::format(
          "{}: source.slot: '{}' is that of {}, too; a pipeline needs a slot of its own, by which its folder below "
          "state_dir is named as well",
          pipeline.file, config.source.slot, slot.first->second));
    }
    if (IsFixedPort(config.http.listen)) {
      const auto listen = file_of_listen.emplace(config.http.listen, pipeline.file);
      if (!listen.second) {
        problems.push_back(fmt::format("{}: http.listen: {} is that of {}, too; give each pipeline a port of its own",
                                       pipeline.file, config.http.listen, listen.first->second));
      }
    }
    const PipelineConfig& first = pipelines.front();
    if (config.log.level != first.config.log.level || config.log.format != first.config.log.format) {
      problems.push_back(fmt::format(
          "{}: log: level {} and format {} are not those of {} ({}, {}); pipelines of one process share a log",
          pipeline.file, config.log.level, config.log.format, first.file, first.config.log.level,
          first.config.log.format));
    }
  }
  return problems;
}

}  // namespace

Result<std::vector<PipelineConfig>> LoadConfigFolder(const std::string& folder) {
  TRY(const std::vector<std::string> files, FilesOf(folder));
  std::vector<PipelineConfig> pipelines;
  std::vector<std::string> problems;
  for (const std::string& file : files) {
    auto config = LoadConfig(file);
    if (config) {
      pipelines.push_back({.file = file, .config = *std::move(config)});
    } else {
      problems.push_back(config.error().message());
    }
  }
  if (!pipelines.empty()) std::ranges::copy(ProblemsBetween(pipelines), std::back_inserter(problems));
  if (problems.empty()) return pipelines;
  std::string text;
  for (const std::string& problem : problems) text += (text.empty() ? "" : "\n") + problem;
  return Error(ErrorKind::kInvalidConfig, std::move(text));
}

}  // namespace firn::config
