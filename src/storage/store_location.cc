#include "storage/store_location.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/try.h"

namespace firn::storage {
namespace {

constexpr std::array<std::pair<std::string_view, StoreKind>, 9> kSchemes = {{{"file", StoreKind::kLocal},
                                                                             {"s3", StoreKind::kS3},
                                                                             {"s3a", StoreKind::kS3},
                                                                             {"s3n", StoreKind::kS3},
                                                                             {"gs", StoreKind::kGcs},
                                                                             {"abfss", StoreKind::kAzure},
                                                                             {"abfs", StoreKind::kAzure},
                                                                             {"wasbs", StoreKind::kAzure},
                                                                             {"wasb", StoreKind::kAzure}}};

/// "container@account.dfs.core.windows.net", "container@account.blob.core.windows.net", or the container alone.
Status ParseAzureAuthority(std::string_view authority, std::string_view location, StoreLocation& parsed) {
  const size_t at = authority.find('@');
  parsed.bucket = authority.substr(0, at);
  if (at == std::string_view::npos) return {};
  const std::string_view host = authority.substr(at + 1);
  const size_t dot = host.find('.');
  const std::string_view service = dot == std::string_view::npos ? "" : host.substr(dot + 1);
  const size_t service_end = service.find('.');
  const std::string_view name = service.substr(0, service_end);
  if (dot == 0 || service_end == std::string_view::npos || (name != "dfs" && name != "blob")) {
    return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kStorage,
                     "{}: expected abfss://container@account.dfs.core.windows.net/path", location);
  }
  parsed.account = host.substr(0, dot);
  parsed.domain = service.substr(service_end + 1);
  return {};
}

}  // namespace

std::string_view SectionOf(StoreKind kind) {
  switch (kind) {
    case StoreKind::kLocal:
      return "local";
    case StoreKind::kS3:
      return "s3";
    case StoreKind::kGcs:
      return "gcs";
    case StoreKind::kAzure:
      return "azure";
  }
  return "";
}

bool IsAtOrBelow(std::string_view location, std::string_view folder) {
  return location.starts_with(folder) &&
         (location.size() == folder.size() || folder.ends_with('/') || location[folder.size()] == '/');
}

Result<StoreLocation> ParseStoreLocation(std::string_view location) {
  const size_t colon = location.find(':');
  const bool is_uri =
      location.starts_with("file:/") || location.substr(std::min(colon, location.size())).starts_with("://");
  const std::string_view scheme = is_uri ? location.substr(0, colon) : "file";
  const auto known = std::ranges::find(kSchemes, scheme, &std::pair<std::string_view, StoreKind>::first);
  if (known == kSchemes.end()) {
    return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kStorage,
                     "{}: firn knows no such kind of store; use a path, file://, s3://, gs:// or abfss://", location);
  }
  StoreLocation parsed{.kind = known->second};
  if (parsed.kind == StoreKind::kLocal) return parsed;

  const size_t authority_start = colon + std::string_view("://").size();
  const size_t slash = std::min(location.find('/', authority_start), location.size());
  const std::string_view authority = location.substr(authority_start, slash - authority_start);
  parsed.root = std::string(location.substr(0, slash)) + "/";
  std::string_view key = location.substr(std::min(slash + 1, location.size()));
  while (key.ends_with('/')) key.remove_suffix(1);
  parsed.key = key;
  if (parsed.kind == StoreKind::kAzure) {
    TRY_VOID(ParseAzureAuthority(authority, location, parsed));
  } else {
    parsed.bucket = authority;
  }
  if (parsed.bucket.empty()) {
    return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kStorage, "{} names no {}", location,
                     parsed.kind == StoreKind::kAzure ? "container" : "bucket");
  }
  return parsed;
}

}  // namespace firn::storage
