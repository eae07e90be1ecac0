// A PostgreSQL server for unit tests: speaks enough of the frontend/backend protocol on 127.0.0.1 for libpq to connect,
// answers simple queries by their first words, and hands a replication stream to the test.
//
//   FakeServer server({.answers = {{"SHOW wal_level", Rows({{"logical"}})}}});
//   Connection::Open({.url = server.Url()});
//
// One thread serves one connection after the other; it ends with the server.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace firn::postgres {

inline std::string Int16(int value) {
  const auto network = htons(static_cast<uint16_t>(value));
  return std::string(reinterpret_cast<const char*>(&network), sizeof(network));
}
inline std::string Int32(int64_t value) {
  const auto network = htonl(static_cast<uint32_t>(value));
  return std::string(reinterpret_cast<const char*>(&network), sizeof(network));
}
inline std::string Int64(uint64_t value) {
  return Int32(static_cast<int64_t>(value >> 32)) + Int32(static_cast<int64_t>(value & 0xFFFFFFFF));
}

/// One backend message.
inline std::string Message(char type, std::string_view body) {
  return std::string(1, type) + Int32(static_cast<int64_t>(body.size()) + 4) + std::string(body);
}
inline std::string CopyData(std::string_view data) { return Message('d', data); }
inline std::string Complete(std::string_view tag = "OK") { return Message('C', std::string(tag) + '\0'); }

/// A result of text columns; all rows have as many as the first.
inline std::string Rows(const std::vector<std::vector<std::string>>& rows, int columns = 1) {
  columns = rows.empty() ? columns : static_cast<int>(rows.front().size());
  std::string description = Int16(columns);
  for (int i = 0; i < columns; ++i) {
    description += "c" + std::string(1, '\0') + Int32(0) + Int16(0) + Int32(25) + Int16(-1) + Int32(-1) + Int16(0);
  }
  std::string answer = Message('T', description);
  for (const auto& row : rows) {
    std::string data = Int16(columns);
    for (const std::string& value : row) data += Int32(static_cast<int64_t>(value.size())) + value;
    answer += Message('D', data);
  }
  return answer + Complete();
}

inline std::string ErrorResponse(std::string_view sqlstate, std::string_view message,
                                 std::string_view severity = "ERROR") {
  const auto field = [](char letter, std::string_view text) { return letter + std::string(text) + '\0'; };
  return Message('E', field('S', severity) + field('V', severity) + field('C', sqlstate) + field('M', message) + '\0');
}

/// One accepted connection, as the server sees it. Reads give an empty string once the client has gone.
class FakeSession {
 public:
  explicit FakeSession(int socket) : socket_(socket) {}
  ~FakeSession() { close(socket_); }
  FakeSession(const FakeSession&) = delete;
  FakeSession& operator=(const FakeSession&) = delete;

  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }

  /// The next message's type and body.
  std::pair<char, std::string> Read() {
    const std::string head = ReadBytes(5);
    if (head.empty()) return {};
    return {head[0], ReadBytes(SizeAt(head, 1) - 4)};
  }

  /// The body of the next CopyData message; empty at CopyDone or the end.
  std::string ReadCopyData() {
    auto [type, body] = Read();
    return type == 'd' ? body : std::string();
  }

  /// The startup packet's parameters, each followed by a NUL. SSL and GSS requests are refused on the way.
  std::string ReadStartup() {
    while (true) {
      const std::string size = ReadBytes(4);
      if (size.empty()) return {};
      std::string packet = ReadBytes(SizeAt(size, 0) - 4);
      if (packet.size() > 4) return packet.substr(4);
      Send("N");
    }
  }

 private:
  static size_t SizeAt(const std::string& bytes, size_t offset) {
    uint32_t network = 0;
    std::memcpy(&network, bytes.data() + offset, sizeof(network));
    return ntohl(network);
  }

  std::string ReadBytes(size_t size) {
    std::string bytes(size, '\0');
    size_t have = 0;
    while (have < size) {
      const ssize_t got = recv(socket_, bytes.data() + have, size - have, 0);
      if (got <= 0) return {};
      have += static_cast<size_t>(got);
    }
    return bytes;
  }

  int socket_;
};

class FakeServer {
 public:
  struct Script {
    /// Sent instead of letting the client in.
    std::string refusal;
    std::string version = "15.4";
    /// What a query beginning so is answered; the first that fits. SET and BEGIN always succeed.
    std::vector<std::pair<std::string, std::string>> answers;
    /// Called after START_REPLICATION was accepted; the connection ends with it.
    std::function<void(FakeSession&)> stream;
  };

  explicit FakeServer(Script script) : script_(std::move(script)) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    listen(listener_, 4);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] { Serve(); });
  }
  ~FakeServer() {
    shutdown(listener_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    close(listener_);
  }

  int port() const { return port_; }
  std::string Url() const {
    return "postgresql://ann:sesame@127.0.0.1:" + std::to_string(port_) + "/shop?sslmode=disable&gssencmode=disable";
  }
  /// After the connection has ended: everything the client asked, and its startup parameters.
  const std::vector<std::string>& queries() const { return queries_; }
  const std::string& startup() const { return startup_; }
  /// Ends the thread; clients must have gone.
  void Join() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
  }

 private:
  void Serve() {
    while (true) {
      const int client = accept(listener_, nullptr, nullptr);
      if (client < 0) return;
      FakeSession session(client);
      Converse(session);
    }
  }

  void Converse(FakeSession& session) {
    const std::string ready = Message('Z', "I");
    startup_ = session.ReadStartup();
    if (!script_.refusal.empty()) return session.Send(script_.refusal);
    session.Send(Message('R', Int32(0)) +
                 Message('S', "server_version" + std::string(1, '\0') + script_.version + '\0') + ready);
    while (true) {
      const auto [type, body] = session.Read();
      if (type != 'Q') return;
      const std::string query = body.substr(0, body.size() - 1);
      queries_.push_back(query);
      if (query.starts_with("START_REPLICATION") && script_.stream) {
        session.Send(Message('W', std::string(1, '\0') + Int16(0)));
        return script_.stream(session);
      }
      session.Send(AnswerTo(query) + ready);
    }
  }

  std::string AnswerTo(const std::string& query) const {
    for (const auto& [start, answer] : script_.answers) {
      if (query.starts_with(start)) return answer;
    }
    if (query.starts_with("SET") || query.starts_with("BEGIN")) return Complete();
    return ErrorResponse("XX000", "the test has no answer to: " + query);
  }

  const Script script_;
  int listener_ = -1;
  int port_ = 0;
  std::string startup_;
  std::vector<std::string> queries_;
  std::jthread thread_;
};

}  // namespace firn::postgres
