// START_REPLICATION and the walsender protocol: XLogData and keepalives in, standby status updates out.
//
// Keepalives are answered inside Next(), so whoever drives the stream only has to call Next() more often than
// wal_sender_timeout, also while it has nowhere to put data (then with `keepalives_only`).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/lsn.h"
#include "postgres/connection.h"

namespace firn::postgres {

struct StreamOptions {
  ConnectionOptions connection;  ///< `replication` is set by Open.
  std::string slot;
  std::vector<std::string> publications;
  Lsn start;                     ///< 0/0: from the slot's confirmed position.
  int protocol_version = 2;      ///< 1 to 4, as the server's version allows.
  bool streaming = true;         ///< Large in-progress transactions arrive before their commit (protocol 2).
  bool binary = true;
};

/// One pgoutput message.
struct XLogData {
  Lsn start;
  Lsn end;                   ///< The server's end of WAL when it was sent.
  int64_t sent_at_us = 0;    ///< Server clock, microseconds since 2000-01-01.
  std::string_view payload;  ///< Valid until the next call.
};

/// Single-threaded. Errors: kTransient when the connection broke (open a new one), kSourceLost when the slot is gone or
/// its WAL was removed, kConflict when another process uses the slot.
class ReplicationStream {
 public:
  virtual ~ReplicationStream() = default;
  static Result<std::unique_ptr<ReplicationStream>> Open(const StreamOptions& options);

  /// The next message, waiting up to `wait`; nothing when none came. Sends a status update when the server asks for one
  /// or the last is older than status_interval().
  virtual Result<std::optional<XLogData>> Next(std::chrono::milliseconds wait) = 0;
  /// Answers keepalives for up to `wait` without reading on: at most what the socket already holds is buffered.
  virtual Status KeepAlive(std::chrono::milliseconds wait) = 0;

  /// From now on status updates say that everything before `lsn` is committed. Never goes back.
  virtual void SetAcknowledged(Lsn lsn) = 0;
  virtual Status SendStatus() = 0;
  /// Last WAL position received, by data or keepalive: at a keepalive, everything before it that concerns this
  /// publication has been received.
  virtual Lsn received() const = 0;
  /// Where the server's WAL ended by its last word.
  virtual Lsn server_end() const = 0;
  virtual int64_t bytes_received() const = 0;
  /// Sends CopyDone and closes, after a last status update.
  virtual Status Close() = 0;
};

}  // namespace firn::postgres
