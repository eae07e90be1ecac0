// An HTTP/1.1 server in this process, for tests of clients: it answers as a function says, or breaks off where it says.
// Thread-safe: the function is called from one thread a connection.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace firn::testing {

struct ScriptedRequest {
  std::string method;
  std::string target;                          ///< As it came: path and query, percent-encoded.
  std::map<std::string, std::string> headers;  ///< Names in lower case.
  std::string body;

  std::string path() const { return target.substr(0, target.find('?')); }
  std::string query() const { return target.find('?') == target.npos ? "" : target.substr(target.find('?') + 1); }
  std::string header(const std::string& name) const { return headers.contains(name) ? headers.at(name) : ""; }
};

struct ScriptedReply {
  int status = 200;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  enum class Fault {
    kNone,
    kReset,      ///< The connection is reset, and nothing answered.
    kHalf,       ///< Half of the body, and the connection is closed.
    kHalfReset,  ///< Half of the body, and the connection is reset.
    kSilence,    ///< No answer until the server ends.
    kClose,      ///< A whole answer, then the connection is closed though nothing said so.
  };
  Fault fault = Fault::kNone;
};

class ScriptedHttpServer {
 public:
  using Handler = std::function<ScriptedReply(const ScriptedRequest&)>;

  explicit ScriptedHttpServer(Handler handler) : handler_(std::move(handler)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (listener_ < 0 || bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        listen(listener_, SOMAXCONN) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("the test's server can't listen");
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this](const std::stop_token& stop) { Accept(stop); });
  }
  ~ScriptedHttpServer() {
    acceptor_.request_stop();
    acceptor_.join();
    for (std::jthread& connection : connections_) connection.request_stop();
    connections_.clear();
    close(listener_);
  }
  ScriptedHttpServer(const ScriptedHttpServer&) = delete;
  ScriptedHttpServer& operator=(const ScriptedHttpServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int port() const { return port_; }
  /// Connections that were made so far.
  int connections() const {
    std::lock_guard lock(mutex_);
    return connection_count_;
  }
  /// Every request so far, in the order in which they came.
  std::vector<ScriptedRequest> requests() const {
    std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  static constexpr int kPollMs = 20;

  /// Whether there is something to read, before a stop.
  static bool WaitReadable(int socket, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd waited{.fd = socket, .events = POLLIN, .revents = 0};
      if (poll(&waited, 1, kPollMs) != 0) return true;
    }
    return false;
  }

  void Accept(const std::stop_token& stop) {
    while (WaitReadable(listener_, stop)) {
      const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) continue;
      std::lock_guard lock(mutex_);
      ++connection_count_;
      connections_.emplace_back([this, client](const std::stop_token& stopped) {
        Serve(client, stopped);
        close(client);
      });
    }
  }

  static bool ReadMore(int client, std::string& bytes, const std::stop_token& stop) {
    if (!WaitReadable(client, stop)) return false;
    char buffer[65536];
    const ssize_t count = recv(client, buffer, sizeof(buffer), 0);
    if (count <= 0) return false;
    bytes.append(buffer, static_cast<size_t>(count));
    return true;
  }

  static bool ReadRequest(int client, std::string& bytes, ScriptedRequest& request, const std::stop_token& stop) {
    size_t head_end = 0;
    while ((head_end = bytes.find("\r\n\r\n")) == bytes.npos) {
      if (!ReadMore(client, bytes, stop)) return false;
    }
    const std::string head = bytes.substr(0, head_end + 2);
    bytes.erase(0, head_end + 4);
    const size_t first_space = head.find(' ');
    const size_t second_space = head.find(' ', first_space + 1);
    request.method = head.substr(0, first_space);
    request.target = head.substr(first_space + 1, second_space - first_space - 1);
    for (size_t from = head.find("\r\n") + 2; from < head.size();) {
      const size_t to = head.find("\r\n", from);
      const std::string line = head.substr(from, to - from);
      std::string name = line.substr(0, line.find(':'));
      std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      const size_t value = line.find_first_not_of(' ', line.find(':') + 1);
      request.headers[name] = value == line.npos ? "" : line.substr(value);
      from = to + 2;
    }
    const std::string length = request.header("content-length");
    const size_t body_size = length.empty() ? 0 : std::stoul(length);
    while (bytes.size() < body_size) {
      if (!ReadMore(client, bytes, stop)) return false;
    }
    request.body = bytes.substr(0, body_size);
    bytes.erase(0, body_size);
    return true;
  }

  static void Send(int client, std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = send(client, text.data(), text.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      text.remove_prefix(static_cast<size_t>(count));
    }
  }

  static void ResetOnClose(int client) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  }

  void Serve(int client, const std::stop_token& stop) {
    using Fault = ScriptedReply::Fault;
    std::string bytes;
    ScriptedRequest request;
    while (ReadRequest(client, bytes, request, stop)) {
      {
        std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      const ScriptedReply reply = handler_(request);
      if (reply.fault == Fault::kReset) return ResetOnClose(client);
      if (reply.fault == Fault::kSilence) {
        while (!stop.stop_requested() && ReadMore(client, bytes, stop)) {
        }
        return;
      }
      std::string answer = "HTTP/1.1 " + std::to_string(reply.status) + " Scripted\r\n";
      for (const auto& [name, value] : reply.headers) answer.append(name).append(": ").append(value).append("\r\n");
      if (reply.status != 204) answer += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
      answer += "\r\n";
      const bool half = reply.fault == Fault::kHalf || reply.fault == Fault::kHalfReset;
      if (request.method != "HEAD") answer += half ? reply.body.substr(0, reply.body.size() / 2) : reply.body;
      Send(client, answer);
      if (reply.fault == Fault::kHalfReset) {
        // What was sent arrives before the reset does only once the client has read it: leave it the time to.
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        return ResetOnClose(client);
      }
      if (reply.fault != Fault::kNone) return;
      request = {};
    }
  }

  const Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  int connection_count_ = 0;
  std::vector<ScriptedRequest> requests_;
  std::list<std::jthread> connections_;
  std::jthread acceptor_;
};

}  // namespace firn::testing
