#include "postgres/replication_stream.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/try.h"
#include "postgres/replication_slot.h"

namespace firn::postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kStatusIntervalMax{10'000};
constexpr milliseconds kStatusIntervalMin{50};
/// The server learns of a new acknowledgement within this time.
constexpr milliseconds kAcknowledgeWithin{1'000};
/// How long Close() waits for the server's end of the conversation, which frees the slot for the next process.
constexpr milliseconds kCloseWaitMax{3'000};

/// PostgreSQL counts from 2000-01-01.
int64_t PostgresNow() {
  constexpr std::chrono::sys_days kEpoch = std::chrono::January / 1 / 2000;
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now() - kEpoch).count();
}

int HighestProtocol(int server_version) {
  if (server_version >= 160000) return 4;
  if (server_version >= 150000) return 3;
  return server_version >= 140000 ? 2 : 1;
}

std::string StartSql(const StreamOptions& options, int server_version) {
  std::string publications;
  for (const std::string& name : options.publications) {
    publications += (publications.empty() ? "" : ",") + QuoteIdentifier(name);
  }
  const int protocol = std::min(options.protocol_version, HighestProtocol(server_version));
  std::string sql = fmt::format("START_REPLICATION SLOT {} LOGICAL {} (proto_version '{}', publication_names {}",
                                QuoteIdentifier(options.slot), options.start, protocol, QuoteLiteral(publications));
  if (options.binary && server_version >= 140000) sql += ", binary 'true'";
  if (options.messages && server_version >= 140000) sql += ", messages 'true'";
  if (options.streaming && protocol >= 2) sql += protocol >= 4 ? ", streaming 'parallel'" : ", streaming 'on'";
  return sql + ")";
}

Error SlotLost(const std::string& slot, std::string_view why) {
  return MakeError(
      ErrorKind::kSourceLost, ErrorOrigin::kSource,
      "replication slot {} {}: changes since the last commit can no longer be read; to have firn make a new slot and "
      "copy all tables again, start it with source.on_lost_slot: copy",
      slot, why);
}

Error SlotInUse(const std::string& slot, std::string_view by) {
  return MakeError(ErrorKind::kConflict, ErrorOrigin::kSource,
                   "replication slot {} is in use by {}; stop the other firn, or end its session with "
                   "SELECT pg_terminate_backend(pid)",
                   slot, by);
}

/// What can be known before START_REPLICATION, in words of firn's own and whatever language the server speaks.
Status CheckSlot(Connection& connection, const std::string& name) {
  TRY(const auto slot, ReadSlot(connection, name));
  if (!slot) return SlotLost(name, "does not exist");
  if (slot->plugin != "pgoutput") {
    return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kSource,
                     "replication slot {} is {} and not of pgoutput; name another in source.slot", name,
                     slot->plugin.empty() ? "physical" : "of plugin " + slot->plugin);
  }
  if (slot->database != connection.database()) {
    return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kSource,
                     "replication slot {} belongs to database {} and not to {}; name another in source.slot", name,
                     slot->database, connection.database());
  }
  if (slot->wal_status == "lost")
    return SlotLost(name, "was invalidated (max_slot_wal_keep_size was exceeded, for one)");
  if (slot->active) return SlotInUse(name, fmt::format("process {}", slot->active_pid));
  return {};
}

Error Closed() { return MakeError(ErrorKind::kInternal, "the replication stream was closed"); }

class LibpqReplicationStream final : public ReplicationStream {
 public:
  LibpqReplicationStream(Connection connection, StreamOptions options, milliseconds status_interval)
      : connection_(std::move(connection)),
        options_(std::move(options)),
        status_interval_(status_interval),
        received_(options_.start) {}

  Status Start() {
    const std::string sql = StartSql(options_, connection_->server_version());
    const std::unique_ptr<PGresult, decltype(&PQclear)> started(PQexec(raw(), sql.c_str()), PQclear);
    if (PQresultStatus(started.get()) != PGRES_COPY_BOTH) {
      return Explain(connection_->ErrorOf(started.get()), /*starting=*/true);
    }
    if (PQsetnonblocking(raw(), 1) != 0) return connection_->LastError("making the socket non-blocking");
    return SendStatus();
  }

  Result<std::optional<XLogData>> Next(milliseconds wait) override {
    if (!connection_) return Closed();
    std::optional<steady_clock::time_point> deadline;
    while (true) {
      TRY(const std::string_view frame, BufferedFrame());
      if (!frame.empty()) {
        TRY(const auto message, ParseWalsenderMessage(frame));
        if (const auto* data = std::get_if<XLogData>(&message)) {
          received_ = std::max(received_, data->start);
          server_end_ = std::max(server_end_, data->end);
          return *data;
        }
        const auto& keepalive = std::get<PrimaryKeepalive>(message);
        received_ = std::max(received_, keepalive.end);
        server_end_ = std::max(server_end_, keepalive.end);
        if (keepalive.reply_requested) TRY_VOID(SendStatus());
        continue;
      }
      // The clock is looked at once for all frames that one read of the socket brought.
      TRY_VOID(SendStatusIfDue());
      if (!deadline) deadline = steady_clock::now() + wait;
      TRY(const short events, Poll(POLLIN, *deadline));
      if ((events & ~POLLOUT) != 0) {
        if (PQconsumeInput(raw()) == 0) return connection_->LastError("reading the replication stream");
      } else if (steady_clock::now() >= *deadline) {
        return std::nullopt;
      }
    }
  }

  Status KeepAlive(milliseconds wait) override {
    if (!connection_) return Closed();
    const auto deadline = steady_clock::now() + wait;
    do {
      TRY_VOID(SendStatusIfDue());
      TRY(const short events, Poll(0, deadline));
      if ((events & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
        return MakeError(ErrorKind::kTransient, ErrorOrigin::kSource, "PostgreSQL closed the replication connection");
      }
    } while (steady_clock::now() < deadline);
    return SendStatusIfDue();
  }

  void SetAcknowledged(Lsn lsn) override {
    if (lsn <= acknowledged_) return;
    acknowledged_ = lsn;
    next_status_ = std::min(next_status_, steady_clock::now() + kAcknowledgeWithin);
  }

  Status SendStatus() override {
    if (!connection_) return Closed();
    const auto update = EncodeStatusUpdate(
        {.written = received_, .flushed = acknowledged_, .applied = acknowledged_, .sent_at_us = PostgresNow()});
    // 0: libpq's send buffer is full of earlier updates. This one is then left out; a later one says the same.
    if (PQputCopyData(raw(), update.data(), update.size()) < 0) {
      return connection_->LastError("sending a status update");
    }
    next_status_ = steady_clock::now() + status_interval_;
    return Flush();
  }

  milliseconds status_interval() const override { return status_interval_; }
  Lsn received() const override { return received_; }
  Lsn server_end() const override { return server_end_; }
  int64_t bytes_received() const override { return bytes_received_; }

  Status Close() override {
    if (!connection_) return {};
    const auto deadline = steady_clock::now() + kCloseWaitMax;
    TRY_VOID(SendStatus());
    if (PQputCopyEnd(raw(), nullptr) < 0) return connection_->LastError("ending the replication stream");
    TRY_VOID(Flush());
    TRY_VOID(Drain(deadline));
    connection_.reset();
    return {};
  }

 private:
  struct FreeFrame {
    void operator()(char* frame) const { PQfreemem(frame); }
  };

  /// The next frame that libpq holds already; empty when none is whole.
  Result<std::string_view> BufferedFrame() {
    char* frame = nullptr;
    frame_.reset();  // First, for the sake of large ones.
    const int size = PQgetCopyData(raw(), &frame, /*async=*/1);
    frame_.reset(frame);
    if (size > 0) {
      bytes_received_ += size;
      return std::string_view(frame, static_cast<size_t>(size));
    }
    if (size == 0) return std::string_view();
    if (size == -2) return connection_->LastError("reading the replication stream");
    const std::unique_ptr<PGresult, decltype(&PQclear)> end(PQgetResult(raw()), PQclear);
    if (PQresultStatus(end.get()) == PGRES_FATAL_ERROR) {
      return Explain(connection_->ErrorOf(end.get()), /*starting=*/false);
    }
    return MakeError(ErrorKind::kTransient, ErrorOrigin::kSource,
                     "PostgreSQL ended the replication stream (it does so when it shuts down)");
  }

  /// Reads to the end of the command, so that the server has seen the last status update and freed the slot. What comes
  /// before that is sent again next time.
  Status Drain(steady_clock::time_point deadline) {
    bool in_copy = true;
    while (steady_clock::now() < deadline) {
      if (in_copy) {
        char* frame = nullptr;
        const int size = PQgetCopyData(raw(), &frame, /*async=*/1);
        PQfreemem(frame);
        in_copy = size >= 0;
        if (size != 0) continue;
      } else if (PQisBusy(raw()) == 0) {
        const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQgetResult(raw()), PQclear);
        if (result == nullptr) return {};
        if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR) return connection_->ErrorOf(result.get());
        continue;
      }
      TRY_VOID(Flush());
      TRY(const short events, Poll(POLLIN, deadline));
      if ((events & ~POLLOUT) != 0 && PQconsumeInput(raw()) == 0) {
        return connection_->LastError("ending the replication stream");
      }
    }
    return MakeError(ErrorKind::kTransient, ErrorOrigin::kSource,
                     "PostgreSQL did not end the replication stream within {} s", kCloseWaitMax.count() / 1000);
  }

  Status SendStatusIfDue() {
    if (flush_pending_) TRY_VOID(Flush());
    if (steady_clock::now() < next_status_) return {};
    return SendStatus();
  }

  Status Flush() {
    const int left = PQflush(raw());
    if (left < 0) return connection_->LastError("sending a status update");
    flush_pending_ = left > 0;
    return {};
  }

  /// Waits until the socket has one of `events`, the next status update is due or `deadline` has come. What poll says.
  Result<short> Poll(short events, steady_clock::time_point deadline) {
    const auto left = std::chrono::ceil<milliseconds>(std::min(deadline, next_status_) - steady_clock::now());
    if (flush_pending_) events |= POLLOUT;
    pollfd socket{.fd = PQsocket(raw()), .events = events, .revents = 0};
    if (socket.fd < 0) return connection_->LastError("reading the replication stream");
    const int ready = poll(&socket, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
    return ready > 0 ? socket.revents : short{0};
  }

  Error Explain(Error error, bool starting) const {
    const std::string& code = error.native_code();
    if (code == "55006") return SlotInUse(options_.slot, error.message());
    if (starting && code == "42704") return SlotLost(options_.slot, "does not exist");
    if (code == "58P01" || (starting && code == "55000")) return SlotLost(options_.slot, "is lost: " + error.message());
    if (code == "42704") {
      return Error(ErrorKind::kNotFound,
                   error.message() +
                       "; a publication must exist before the changes that it publishes: make it again, "
                       "then a new slot and `firn resync` for every table",
                   error.origin(), code);
    }
    return error;
  }

  pg_conn* raw() const { return connection_->raw(); }

  std::optional<Connection> connection_;  ///< Until Close().
  const StreamOptions options_;
  const milliseconds status_interval_;
  Lsn received_;
  Lsn acknowledged_;  ///< 0/0 until SetAcknowledged: the slot's own position stays.
  Lsn server_end_;
  int64_t bytes_received_ = 0;
  bool flush_pending_ = false;
  steady_clock::time_point next_status_{};
  std::unique_ptr<char, FreeFrame> frame_;
};

}  // namespace

Result<std::unique_ptr<ReplicationStream>> ReplicationStream::Open(const StreamOptions& options) {
  TRY_VOID(CheckSlotName(options.slot));
  if (options.publications.empty()) {
    return MakeError(ErrorKind::kInvalidConfig, "a replication stream needs a publication; set source.publication");
  }
  ConnectionOptions connection_options = options.connection;
  connection_options.replication = true;
  TRY(auto connection, Connection::Open(connection_options));
  TRY_VOID(CheckSlot(connection, options.slot));
  return OpenOn(std::move(connection), options);
}

Result<std::unique_ptr<ReplicationStream>> ReplicationStream::OpenOn(Connection connection,
                                                                     const StreamOptions& options) {
  TRY(const auto setting, connection.Query("SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout'"));
  int64_t timeout_ms = 0;  // 0: the server never gives up
  const std::string_view text = setting.rows() == 1 ? setting.Get(0, 0) : "";
  std::from_chars(text.data(), text.data() + text.size(), timeout_ms);
  const milliseconds interval = timeout_ms <= 0
                                    ? kStatusIntervalMax
                                    : std::clamp(milliseconds(timeout_ms / 3), kStatusIntervalMin, kStatusIntervalMax);

  auto stream = std::make_unique<LibpqReplicationStream>(std::move(connection), options, interval);
  TRY_VOID(stream->Start().Context("streaming from replication slot {}", options.slot));
  return stream;
}

}  // namespace firn::postgres
