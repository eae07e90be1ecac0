#include "config/unavailable_features.h"

#include <algorithm>

namespace firn::config {
namespace {

bool Covers(std::string_view path, std::string_view key) {
  return key == path || (key.size() > path.size() && key.starts_with(path) && key[path.size()] == '.');
}

bool IsEmpty(const FlatValue& value) {
  return std::visit([](const auto& data) { return data.empty(); }, value.data);
}

}  // namespace

std::span<const UnavailableFeature> UnavailableFeatures() {
  static const std::vector<UnavailableFeature> features = {};
  return features;
}

void RefuseUnavailableFeatures(const FlatValues& values, Problems& problems) {
  for (const auto& [path, value] : values) {
    for (const UnavailableFeature& feature : UnavailableFeatures()) {
      if (!Covers(feature.path, value.key->path) || IsEmpty(value)) continue;
      if (feature.available.empty()) {
        problems.Add(value.origin, "{}: not available in this version", path);
        continue;
      }
      const std::string& text = std::get<std::string>(value.data);
      if (std::ranges::find(feature.available, text) == feature.available.end()) {
        problems.Add(value.origin, "{}: '{}' is not available in this version", path, text);
      }
    }
  }
}

}  // namespace firn::config
