#include "cli/running_firn.h"

#include <fmt/core.h>

#include <utility>

#include "base/try.h"
#include "config/listen_address.h"
#include "http/http_client.h"

namespace firn::cli {
namespace {

/// It answers at once, or is not there.
constexpr std::chrono::milliseconds kAskTimeout{1'500};

}  // namespace

Result<std::string> UrlOfRunning(const config::Config& config, std::string_view path) {
  if (config.http.listen.empty()) {
    return MakeError(ErrorKind::kInvalidConfig,
                     "http.listen is not set, so a running firn can't be asked; set it, as in 127.0.0.1:9090");
  }
  TRY(const config::ListenAddress address, config::ParseListenAddress(config.http.listen));
  if (address.port == 0) {
    return MakeError(ErrorKind::kInvalidConfig, "http.listen takes any free port (port 0): set one to ask for");
  }
  // A server on every address is also on the loopback.
  std::string host = address.host;
  if (host.empty() || host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  if (host.find(':') != host.npos) host = "[" + host + "]";
  return fmt::format("http://{}:{}{}", host, address.port, path);
}

std::optional<nlohmann::json> AskRunning(const config::Config& config) {
  const auto url = UrlOfRunning(config, "/status");
  if (!url) return std::nullopt;
  http::HttpClient client({.connect_timeout = kAskTimeout, .request_timeout = kAskTimeout});
  const auto response = client.Send({.url = *url});
  if (!response || response->status != 200) return std::nullopt;
  auto status = nlohmann::json::parse(response->body, nullptr, /*allow_exceptions=*/false);
  const bool is_ours = status.is_object() && ValueOf<std::string>(status, "pipeline") == config.source.slot &&
                       status.contains("tables") && status["tables"].is_array();
  return is_ours ? std::optional(std::move(status)) : std::nullopt;
}

}  // namespace firn::cli
