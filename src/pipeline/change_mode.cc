#include "pipeline/change_mode.h"

#include <utility>

namespace firn::pipeline {
namespace {

std::string_view WrittenMode(const iceberg::TableMetadata& metadata) {
  const auto property = metadata.properties.find(kChangeModeProperty);
  return property == metadata.properties.end() ? ToString(ChangeMode::kMirror) : std::string_view(property->second);
}

}  // namespace

std::string_view ToString(ChangeMode mode) {
  switch (mode) {
    case ChangeMode::kMirror:
      return "mirror";
    case ChangeMode::kSoftDelete:
      return "soft-delete";
    case ChangeMode::kHistory:
      return "history";
    case ChangeMode::kAppend:
      return "append";
  }
  std::unreachable();
}

Status CheckMode(const iceberg::TableMetadata& metadata, ChangeMode mode) {
  const std::string_view before = WrittenMode(metadata);
  if (before == ToString(mode)) return {};
  // A mirror can be told to keep deleted rows from now on; what any other change would need is gone.
  if (before == ToString(ChangeMode::kMirror) && mode == ChangeMode::kSoftDelete) return {};
  return MakeError(ErrorKind::kInvalidConfig,
                   "it has been written in the change mode '{}' and can't go on as '{}'; set cdc.mode (and "
                   "cdc.enable_deletes) as they were, or drop the table in the catalog to copy it anew",
                   before, ToString(mode));
}

iceberg::Properties ChangeModeProperties(const iceberg::TableMetadata& metadata, ChangeMode mode) {
  if (WrittenMode(metadata) == ToString(mode)) return {};
  return {{kChangeModeProperty, std::string(ToString(mode))}};
}

}  // namespace firn::pipeline
