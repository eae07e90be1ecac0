#include "storage/file_store.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "base/try.h"
#include "storage/location_store.h"
#include "storage/store_location.h"

namespace firn::storage {

Result<std::string> NormalizeLocation(std::string_view path_or_uri) {
  if (path_or_uri.empty()) {
    return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kStorage,
                     "an empty location; give a folder or a URI such as s3://bucket/path");
  }
  TRY(const StoreLocation parsed, ParseStoreLocation(path_or_uri));
  std::string location(path_or_uri);
  if (parsed.kind != StoreKind::kLocal) {
    while (location.ends_with('/')) location.pop_back();
    return location;
  }
  if (!path_or_uri.starts_with("file:/")) {
    std::error_code error;
    const std::filesystem::path absolute = std::filesystem::absolute(path_or_uri, error);
    if (error) {
      return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kStorage, "{}: {}", path_or_uri, error.message());
    }
    location = "file://" + absolute.lexically_normal().string();
  } else {
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
  TRY(const StoreLocation where, ParseStoreLocation(location));
  return OpenLocationStore(location, {.sections = {{std::string(SectionOf(where.kind)), options}}});
}

}  // namespace firn::storage
