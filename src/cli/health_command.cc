#include <fmt/core.h>

#include <string>

#include "base/try.h"
#include "cli/commands.h"
#include "config/listen_address.h"
#include "http/http_client.h"

namespace firn::cli {
namespace {

constexpr std::chrono::milliseconds kTimeout{3'000};

/// Where a process of this machine reaches what listens there: a server on every address is also on the loopback.
std::string UrlOf(const config::ListenAddress& address, std::string_view path) {
  std::string host = address.host;
  if (host.empty() || host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  if (host.find(':') != host.npos) host = "[" + host + "]";
  return fmt::format("http://{}:{}{}", host, address.port, path);
}

}  // namespace

Status Health(const config::Config& config, const HealthCommand& command) {
  if (config.http.listen.empty()) {
    return MakeError(ErrorKind::kInvalidConfig,
                     "http.listen is not set, so a running firn can't be asked; set it, as in 127.0.0.1:9090");
  }
  TRY(const config::ListenAddress address, config::ParseListenAddress(config.http.listen));
  if (address.port == 0) {
    return MakeError(ErrorKind::kInvalidConfig, "http.listen takes any free port (port 0): set one to ask for");
  }
  http::HttpClient client({.connect_timeout = kTimeout, .request_timeout = kTimeout});
  const std::string url = UrlOf(address, command.ready ? "/readyz" : "/healthz");
  const auto response = client.Send({.url = url});
  if (!response) {
    return MakeError(ErrorKind::kTransient, "no firn answers at {} (http.listen): {}", config.http.listen,
                     response.error().message());
  }
  fmt::print("{}", response->body);
  if (response->status == 200) return {};
  return MakeError(ErrorKind::kTransient, "firn at {} is not ready: it is {}", config.http.listen,
                   response->body.substr(0, response->body.find('\n')));
}

}  // namespace firn::cli
