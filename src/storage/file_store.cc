#include "storage/file_store.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "base/try.h"
#include "storage/local_file_store.h"

namespace firn::storage {
namespace {

constexpr std::array<std::string_view, 6> kSchemes = {"file", "s3", "s3a", "gs", "abfs", "abfss"};

/// The part before "://" or, for file, before ":/"; empty for a plain path.
std::string_view SchemeOf(std::string_view location) {
  if (location.starts_with("file:/")) return "file";
  const size_t separator = location.find("://");
  return separator == location.npos ? std::string_view() : location.substr(0, separator);
}

Error UnknownScheme(std::string_view location) {
  return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kStorage,
                   "{}: firn knows no such kind of store; use a path, file://, s3://, gs:// or abfss://", location);
}

Result<bool> ParseSwitch(std::string_view key, std::string_view value) {
  if (value == "true" || value == "1" || value == "on") return true;
  if (value == "false" || value == "0" || value == "off") return false;
  return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kStorage,
                   "storage option {}: \"{}\" is neither true nor false", key, value);
}

}  // namespace

Result<std::string> NormalizeLocation(std::string_view path_or_uri) {
  if (path_or_uri.empty()) {
    return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kStorage,
                     "an empty location; give a folder or a URI such as s3://bucket/path");
  }
  const std::string_view scheme = SchemeOf(path_or_uri);
  std::string location(path_or_uri);
  if (scheme.empty()) {
    std::error_code error;
    const std::filesystem::path absolute = std::filesystem::absolute(path_or_uri, error);
    if (error) {
      return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kStorage, "{}: {}", path_or_uri, error.message());
    }
    location = "file://" + absolute.lexically_normal().string();
  } else if (std::ranges::find(kSchemes, scheme) == kSchemes.end()) {
    return UnknownScheme(path_or_uri);
  } else if (scheme == "file") {
    // The three ways to write a local URI become one, so that locations can be compared.
    std::string_view path = path_or_uri.substr(std::string_view("file:").size());
    if (path.starts_with("//localhost/")) path.remove_prefix(std::string_view("//localhost").size());
    if (path.starts_with("//") && !path.starts_with("///")) {
      return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kStorage,
                       "{} names a host; a local folder is written with three slashes: file:///…", path_or_uri);
    }
    const size_t first = path.find_first_not_of('/');
    location = "file:///" + std::string(first == path.npos ? std::string_view() : path.substr(first));
  }
  const size_t root_size = location.starts_with("file:///") ? std::string_view("file:///").size() : 0;
  while (location.size() > root_size && location.ends_with('/')) location.pop_back();
  return location;
}

Result<std::unique_ptr<FileStore>> OpenFileStore(std::string_view root, const StoreOptions& options) {
  TRY(const std::string location, NormalizeLocation(root));
  const std::string_view scheme = SchemeOf(location);
  if (scheme == "file") {
    LocalOptions local;
    for (const auto& [key, value] : options) {
      if (key != "fsync") {
        return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kStorage, "storage option {} means nothing for {}",
                         key, location);
      }
      TRY(local.fsync, ParseSwitch(key, value));
    }
    return MakeLocalFileStore(local);
  }
  return MakeError(ErrorKind::kUnsupported, ErrorOrigin::kStorage,
                   "{}: this version of firn writes to local folders only; use a path or file://", location);
}

}  // namespace firn::storage
