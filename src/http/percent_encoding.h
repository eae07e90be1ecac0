// Percent-encoding of URLs (RFC 3986). Thread-safety: pure.
#pragma once

#include <string>
#include <string_view>

namespace firn::http {

/// Encodes all but the unreserved characters: for one segment of a path, or a query's name or value.
std::string PercentEncode(std::string_view text);

/// The text that `encoded` stands for. What is no %XX stays as it is.
std::string PercentDecode(std::string_view encoded);

/// "https://host:443/a/b?c=d" in parts.
struct UrlParts {
  std::string_view scheme;
  std::string_view host;   ///< With the port, where the URL names one.
  std::string_view path;   ///< As it is, "/a/b"; empty where the URL has none.
  std::string_view query;  ///< Without the '?'.
};
UrlParts SplitUrl(std::string_view url);

}  // namespace firn::http
