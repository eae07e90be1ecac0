// A TCP proxy on 127.0.0.1 that breaks connections at chosen requests, for tests of clients of real servers.
//
//   FaultyProxy proxy(server_port, [](std::string_view bytes) { return FaultyProxy::Fault::kNone; });
//   Connect(proxy.port());
//
// A thread serves each connection; all end with the proxy.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace firn::testing {

class FaultyProxy {
 public:
  enum class Fault {
    kNone,
    kDropRequest,  ///< The connection breaks before the server sees these bytes.
    kDropAnswer,   ///< The server gets them, and the connection breaks when it answers.
  };

  /// `fault` sees what the client sends, as it arrives; called from the connections' threads.
  FaultyProxy(uint16_t server_port, std::function<Fault(std::string_view bytes)> fault)
      : server_port_(server_port), fault_(std::move(fault)), listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = Loopback(0);
    bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    listen(listener_, 16);
    socklen_t length = sizeof(address);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this](const std::stop_token& stop) { Accept(stop); });
  }
  FaultyProxy(const FaultyProxy&) = delete;
  ~FaultyProxy() {
    acceptor_ = {};
    connections_.clear();
    close(listener_);
  }

  uint16_t port() const { return port_; }

 private:
  static constexpr int kPollMs = 20;  ///< How soon threads see that the proxy ends.

  static sockaddr_in Loopback(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }

  void Accept(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd waiting{.fd = listener_, .events = POLLIN, .revents = 0};
      if (poll(&waiting, 1, kPollMs) <= 0) continue;
      const int client = accept(listener_, nullptr, nullptr);
      if (client < 0) continue;
      connections_.emplace_back([this, client](const std::stop_token& inner) { Serve(client, inner); });
    }
  }

  void Serve(int client, const std::stop_token& stop) {
    const int server = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = Loopback(server_port_);
    if (connect(server, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) Forward(client, server, stop);
    close(server);
    close(client);
  }

  void Forward(int client, int server, const std::stop_token& stop) {
    bool drop_answer = false;
    std::array<char, 65'536> buffer;
    while (!stop.stop_requested()) {
      std::array<pollfd, 2> sockets = {pollfd{.fd = client, .events = POLLIN, .revents = 0},
                                       pollfd{.fd = server, .events = POLLIN, .revents = 0}};
      if (poll(sockets.data(), sockets.size(), kPollMs) <= 0) continue;
      if (sockets[0].revents != 0) {
        const ssize_t count = recv(client, buffer.data(), buffer.size(), 0);
        if (count <= 0) return;
        const std::string_view bytes(buffer.data(), static_cast<size_t>(count));
        const Fault fault = fault_(bytes);
        if (fault == Fault::kDropRequest) return;
        drop_answer = drop_answer || fault == Fault::kDropAnswer;
        if (!SendAll(server, bytes)) return;
      }
      if (sockets[1].revents != 0) {
        const ssize_t count = recv(server, buffer.data(), buffer.size(), 0);
        if (count <= 0 || drop_answer) return;
        if (!SendAll(client, {buffer.data(), static_cast<size_t>(count)})) return;
      }
    }
  }

  static bool SendAll(int to, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return true;
  }

  const uint16_t server_port_;
  const std::function<Fault(std::string_view bytes)> fault_;
  const int listener_;
  uint16_t port_ = 0;
  std::vector<std::jthread> connections_;  ///< The acceptor's; the destructor's once that has ended.
  std::jthread acceptor_;
};

}  // namespace firn::testing
