// Reads a store's settings by name, and knows which were not asked for.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/try.h"
#include "firn/result.h"
#include "storage/file_store.h"

namespace firn::storage {

class OptionReader {
 public:
  /// `section` is the store's in the configuration: "s3".
  OptionReader(std::string_view section, const StoreOptions& options) : section_(section), options_(options) {}

  /// The option's value; empty where it isn't given.
  std::string Text(const std::string& key) {
    asked_.insert(key);
    const auto found = options_.find(key);
    return found == options_.end() ? "" : found->second;
  }
  bool Has(const std::string& key) { return !Text(key).empty(); }

  Result<bool> Switch(const std::string& key, bool otherwise) {
    const std::string text = Text(key);
    if (text.empty()) return otherwise;
    if (text == "true" || text == "1" || text == "on") return true;
    if (text == "false" || text == "0" || text == "off") return false;
    return Refuse("storage.{}.{}: \"{}\" is neither true nor false", section_, key, text);
  }

  /// "https://host:port" as scheme ("https") and host. An endpoint without a scheme is taken as https; one may end with
  /// `path`.
  struct Endpoint {
    std::string scheme;
    std::string host;
  };
  Result<Endpoint> AsEndpoint(const std::string& key, std::string_view path = {}) {
    std::string text = Text(key);
    Endpoint endpoint{.scheme = "https"};
    if (text.empty()) return endpoint;
    if (const size_t separator = text.find("://"); separator != std::string::npos) {
      endpoint.scheme = text.substr(0, separator);
      text.erase(0, separator + 3);
    }
    while (text.ends_with('/')) text.pop_back();
    if (text.ends_with(path)) text.resize(text.size() - path.size());
    if ((endpoint.scheme != "http" && endpoint.scheme != "https") || text.empty() ||
        text.find_first_of("/?#@ ") != std::string::npos) {
      return Refuse("storage.{}.{}: expected http(s)://host:port", section_, key);
    }
    endpoint.host = std::move(text);
    return endpoint;
  }

  /// kInvalidConfig where an option was given that nobody asked for.
  Status CheckAllKnown() const {
    for (const auto& [key, value] : options_) {
      if (!asked_.contains(key)) {
        return Refuse("storage option {} means nothing for {}", key, section_);
      }
    }
    return {};
  }

  template <typename... Args>
  static Error Refuse(fmt::format_string<Args...> format, Args&&... args) {
    return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kStorage, format, std::forward<Args>(args)...);
  }

 private:
  const std::string_view section_;
  const StoreOptions& options_;
  std::set<std::string> asked_;
};

}  // namespace firn::storage
