#include <fmt/core.h>

#include <string>

#include "base/try.h"
#include "cli/commands.h"
#include "cli/running_firn.h"
#include "http/http_client.h"

namespace firn::cli {
namespace {

constexpr std::chrono::milliseconds kTimeout{3'000};

}  // namespace

Status Health(const config::Config& config, const HealthCommand& command) {
  TRY(const std::string url, UrlOfRunning(config, command.ready ? "/readyz" : "/healthz"));
  http::HttpClient client({.connect_timeout = kTimeout, .request_timeout = kTimeout});
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
