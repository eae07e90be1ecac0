#include "serve/http_server.h"

#include <httplib.h>
#include <pthread.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/interruptible_sleep.h"
#include "base/try.h"
#include "config/listen_address.h"
#include "observe/log.h"
#include "observe/redact.h"
#include "observe/status_metrics.h"
#include "serve/page_files.h"
#include "serve/status_history.h"

namespace firn::serve {
namespace {

constexpr int kWorkers = 4;
// The longest that a silent client can hold a worker, and so the destructor.
constexpr std::chrono::seconds kClientTimeout{1};
constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";
constexpr const char* kTextType = "text/plain; charset=utf-8";
constexpr const char* kJsonType = "application/json";
// The page needs nothing but its own files and this server, and nobody may put it into a page of theirs.
constexpr const char* kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// SO_REUSEPORT, which httplib sets by itself, would let two pipelines share one port without either knowing.
void SetSocketOptions(socket_t socket) {
  const int on = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
}

Error BindError(const std::string& listen, int error) {
  if (error == EADDRINUSE) {
    return MakeError(ErrorKind::kTransient,
                     "cannot listen on {}: another process uses that port; stop it, or set http.listen to a free port "
                     "(port 0 takes any)",
                     listen);
  }
  if (error == EACCES) {
    return MakeError(ErrorKind::kPermission, "cannot listen on {}: not allowed; set http.listen to a port from 1024 on",
                     listen);
  }
  return MakeError(ErrorKind::kInvalidConfig,
                   "cannot listen on {}: {}; set http.listen to an address of this machine, as in 127.0.0.1:9090",
                   listen, error == 0 ? "the host is not known" : std::strerror(error));
}

/// Takes as long for a wrong token as for the right one, whatever they have in common.
bool IsSameToken(std::string_view given, std::string_view token) {
  unsigned char difference = given.size() == token.size() ? 0 : 1;
  for (size_t i = 0; i < token.size(); ++i) {
    const char c = i < given.size() ? given[i] : '\0';
    difference = static_cast<unsigned char>(difference | static_cast<unsigned char>(c ^ token[i]));
  }
  return difference == 0;
}

int StatusOf(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kConflict:
      return 409;
    case ErrorKind::kNotFound:
    case ErrorKind::kTableNotFound:
      return 404;
    case ErrorKind::kPermission:
      return 403;
    case ErrorKind::kUnsupported:
      return 501;
    case ErrorKind::kInvalidConfig:
      return 400;
    default:
      return 502;
  }
}

/// A signal that lands on one of the server's threads would break its accept(); they belong to the main thread.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

class HttplibServer : public HttpServer {
 public:
  HttplibServer(const Metrics& metrics, const StatusBoard& status, Actions actions)
      : metrics_(metrics), status_(status), actions_(std::move(actions)) {
    server_.new_task_queue = [] { return new httplib::ThreadPool(kWorkers); };
    server_.set_socket_options(SetSocketOptions);
    server_.set_keep_alive_max_count(1);
    server_.set_keep_alive_timeout(kClientTimeout.count());
    server_.set_read_timeout(kClientTimeout);
    server_.set_write_timeout(kClientTimeout);
    server_.set_payload_max_length(1024);
    server_.set_default_headers({{"Content-Security-Policy", kContentSecurityPolicy},
                                 {"X-Content-Type-Options", "nosniff"},
                                 {"Referrer-Policy", "no-referrer"},
                                 {"Cache-Control", "no-store"}});
    AddRoutes();
  }

  ~HttplibServer() override {
    if (!thread_.joinable()) return;
    if (!ended_) server_.stop();
    thread_.join();
  }

  Status Listen(const std::string& listen, const config::ListenAddress& address) {
    errno = 0;
    if (address.port == 0) {
      port_ = server_.bind_to_any_port(address.host);
    } else {
      port_ = server_.bind_to_port(address.host, address.port) ? address.port : -1;
    }
    if (port_ < 0) return BindError(listen, errno);
    const AllSignalsBlocked blocked;
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "firn-http");
      server_.listen_after_bind();
      ended_ = true;
    });
    // stop() does nothing before the loop runs. Connections already queue in the kernel.
    while (!server_.is_running() && !ended_) std::this_thread::yield();
    sampler_ = std::jthread([this](std::stop_token stop) {
      pthread_setname_np(pthread_self(), "firn-history");
      do Sample();
      while (SleepFor(StatusHistory::kInterval, stop));
    });
    return {};
  }

  int port() const override { return port_; }

 private:
  void Sample() {
    const PipelineStatus status = status_.Get();
    std::lock_guard lock(history_mutex_);
    history_.Add(status, std::chrono::steady_clock::now());
  }

  void AddRoutes() {
    for (const PageFile& file : PageFiles()) {
      server_.Get(std::string(file.path), [&file](const httplib::Request&, httplib::Response& response) {
        response.set_content(file.content.data(), file.content.size(), std::string(file.content_type));
      });
    }
    server_.Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
      response.set_content(metrics_.Expose() + ExposeStatus(status_.Get()), kMetricsType);
    });
    server_.Get("/status", [this](const httplib::Request&, httplib::Response& response) {
      response.set_content(ToJson(status_.Get(), std::chrono::system_clock::now()) + "\n", kJsonType);
    });
    server_.Get("/history", [this](const httplib::Request&, httplib::Response& response) {
      std::lock_guard lock(history_mutex_);
      response.set_content(history_.ToJson(std::chrono::steady_clock::now()) + "\n", kJsonType);
    });
    server_.Get("/healthz",
                [](const httplib::Request&, httplib::Response& response) { response.set_content("ok\n", kTextType); });
    server_.Get("/readyz", [this](const httplib::Request&, httplib::Response& response) {
      const std::string state = status_.Get().state;
      const bool ready = state == "copying" || state == "streaming";
      response.status = ready ? 200 : 503;
      response.set_content((state.empty() ? "starting" : state) + "\n", kTextType);
    });
    AddActions();
    server_.set_error_handler([](const httplib::Request&, httplib::Response& response) {
      if (!response.body.empty() || response.status != 404) return;
      response.set_content("not found; there are /, /metrics, /status, /history, /actions, /healthz and /readyz\n",
                           kTextType);
    });
  }

  /// Only a header carries the token, which no other site can make a browser send: a forged request is without it.
  bool IsAuthorized(const httplib::Request& request) const {
    constexpr std::string_view kScheme = "Bearer ";
    const std::string header = request.get_header_value("Authorization");
    return !actions_.token.empty() && header.starts_with(kScheme) &&
           IsSameToken(std::string_view(header).substr(kScheme.size()), actions_.token);
  }

  static void Answer(httplib::Response& response, int status, const char* name, const std::string& text) {
    response.status = status;
    const nlohmann::json json{{name, text}};
    response.set_content(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n", kJsonType);
  }

  static Result<std::string> TableOf(const httplib::Request& request) {
    const auto body = nlohmann::json::parse(request.body, nullptr, /*allow_exceptions=*/false);
    if (!body.is_object() || !body.contains("table") || !body["table"].is_string()) {
      return MakeError(ErrorKind::kInvalidConfig, R"(the body should be {{"table": "schema.name"}})");
    }
    return body["table"].get<std::string>();
  }

  template <typename Act>
  void AddAction(const std::string& name, Act act) {
    httplib::Server::Handler handler = [this, name, act](const httplib::Request& request, httplib::Response& response) {
      if (actions_.token.empty()) {
        return Answer(response, 403, "error", "there are no actions here: http.token is not set");
      }
      if (!IsAuthorized(request)) {
        response.set_header("WWW-Authenticate", "Bearer");
        return Answer(response, 401, "error", "this needs the header Authorization: Bearer, with http.token");
      }
      const Result<std::string> done = act(request);
      if (!done) {
        LogWarn("an action was refused", {{"action", name}, {"error", done.error().message()}});
        return Answer(response, StatusOf(done.error().kind()), "error", RedactSecrets(done.error().message()));
      }
      LogInfo("an action was taken", {{"action", name}, {"outcome", *done}});
      Answer(response, 200, "outcome", *done);
    };
    server_.Post("/actions/" + name, handler);
    action_handlers_.emplace("/actions/" + name, std::move(handler));
  }

  /// A request that announces no body has none (RFC 9112, 6.3), as of curl -X POST. httplib would wait for one.
  httplib::Server::HandlerResponse ActWithoutBody(const httplib::Request& request, httplib::Response& response) const {
    const bool has_body = request.has_header("Content-Length") || request.has_header("Transfer-Encoding");
    const auto handler =
        request.method == "POST" && !has_body ? action_handlers_.find(request.path) : action_handlers_.end();
    if (handler == action_handlers_.end()) return httplib::Server::HandlerResponse::Unhandled;
    handler->second(request, response);
    return httplib::Server::HandlerResponse::Handled;
  }

  void AddActions() {
    // Whether there are any, and whether the token is right: for the page, which asks before it shows them.
    server_.Get("/actions", [this](const httplib::Request& request, httplib::Response& response) {
      const nlohmann::json json{{"available", !actions_.token.empty()}, {"authorized", IsAuthorized(request)}};
      response.set_content(json.dump() + "\n", kJsonType);
    });
    AddAction("pause", [this](const httplib::Request&) { return actions_.pause(); });
    AddAction("resume", [this](const httplib::Request&) { return actions_.resume(); });
    AddAction("resync", [this](const httplib::Request& request) -> Result<std::string> {
      TRY(const std::string table, TableOf(request));
      return actions_.resync(table);
    });
    AddAction("compact", [this](const httplib::Request& request) -> Result<std::string> {
      TRY(const std::string table, TableOf(request));
      return actions_.compact(table);
    });
    server_.set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      return ActWithoutBody(request, response);
    });
  }

  const Metrics& metrics_;
  const StatusBoard& status_;
  const Actions actions_;
  httplib::Server server_;
  std::map<std::string, httplib::Server::Handler> action_handlers_;  ///< By path.
  int port_ = 0;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
  std::mutex history_mutex_;
  StatusHistory history_;  ///< Under history_mutex_.
  std::jthread sampler_;   ///< Last: it ends before what it uses.
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& listen, const Metrics& metrics,
                                                      const StatusBoard& status, Actions actions) {
  auto address = config::ParseListenAddress(listen);
  if (!address) return std::move(address).error();
  auto server = std::make_unique<HttplibServer>(metrics, status, std::move(actions));
  if (auto listening = server->Listen(listen, *address); !listening) return std::move(listening).error();
  LogInfo("serving the status page, /metrics, /status, /healthz and /readyz",
          {{"host", address->host}, {"port", server->port()}});
  return Result<std::unique_ptr<HttpServer>>(std::move(server));
}

}  // namespace firn::serve
