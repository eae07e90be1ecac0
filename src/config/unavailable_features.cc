#include "config/unavailable_features.h"

#include <algorithm>

namespace firn::config {
namespace {

/// Of a warehouse only the scheme counts.
constexpr std::string_view kWarehouse = "catalog.warehouse";

std::string Shown(const ConfigKey& key, const std::string& text) {
  if (key.path != kWarehouse) return text;
  const size_t scheme = text.find("://");
  return scheme == std::string::npos ? "file://" : text.substr(0, scheme + 3);
}

bool Covers(std::string_view path, std::string_view key) {
  return key == path || (key.size() > path.size() && key.starts_with(path) && key[path.size()] == '.');
}

bool IsEmpty(const FlatValue& value) {
  return std::visit([](const auto& data) { return data.empty(); }, value.data);
}

}  // namespace

std::span<const UnavailableFeature> UnavailableFeatures() {
  static const std::vector<UnavailableFeature> features = {
      {"catalog.type", {"sql"}},
      {"catalog.credential", {}},
      {"catalog.token", {}},
      {"catalog.oauth2_server_uri", {}},
      {"catalog.scope", {}},
      {"catalog.prefix", {}},
      {"catalog.headers", {}},
      {kWarehouse, {"file://"}},
      {"catalog.sigv4", {}},
      {"catalog.region", {}},
      {"catalog.endpoint", {}},
      {"catalog.catalog_id", {}},
      {"catalog.access_key_id", {}},
      {"catalog.secret_access_key", {}},
      {"storage", {}},
      {"destination.format_version", {"2"}},
      {"destination.deletes", {"position"}},
      {"cdc.mode", {"mirror"}},
      {"cdc.enable_deletes", {"true"}},
      {"cdc.track_changes", {"false"}},
      {"tables.*.partition_by", {}},
      {"tables.*.columns", {}},
      {"maintenance.compact", {"auto"}},
      {"maintenance.snapshot_retention", {"7d"}},
      {"maintenance.orphan_grace", {"3d"}},
  };
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
      const std::string text = Shown(*value.key, std::get<std::string>(value.data));
      if (std::ranges::find(feature.available, text) == feature.available.end()) {
        problems.Add(value.origin, "{}: '{}' is not available in this version", path, text);
      }
    }
  }
}

}  // namespace firn::config
