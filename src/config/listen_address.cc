#include "config/listen_address.h"

#include <charconv>

namespace firn::config {
namespace {

Error BadAddress(std::string_view text, std::string_view why) {
  return MakeError(ErrorKind::kInvalidConfig,
                   "'{}' is no address to listen on: {}; write host:port, as in 127.0.0.1:9090 or [::1]:9090", text,
                   why);
}

}  // namespace

Result<ListenAddress> ParseListenAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  const size_t bracket = text.rfind(']');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket)) {
    return BadAddress(text, "the port is missing");
  }
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos) return BadAddress(text, "brackets are for IPv6 addresses");
  } else if (host.find_first_of(":[]") != std::string_view::npos) {
    return BadAddress(text, "an IPv6 address needs brackets");
  } else if (host.find_first_of("/ \t") != std::string_view::npos) {
    return BadAddress(text, "the host is no host name");
  }
  const std::string_view digits = text.substr(colon + 1);
  ListenAddress address{.host = host.empty() ? "0.0.0.0" : std::string(host)};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
  if (error != std::errc() || end != digits.data() + digits.size() || address.port < 0 || address.port > 65535) {
    return BadAddress(text, "the port must be a number from 0 to 65535");
  }
  return address;
}

}  // namespace firn::config
