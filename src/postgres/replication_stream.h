// START_REPLICATION and the walsender protocol: XLogData and keepalives in, standby status updates out.
//
// Keepalives are answered inside Next(), so whoever drives the stream only has to call Next(), or KeepAlive() while it
// has nowhere to put data, more often than status_interval().
//
// KeepAlive() never reads. The server's requests for a reply lie behind the data in the socket, and reading on to find
// them would buffer without bound. It need not see them: a walsender gives up when nothing at all has come from the
// client for wal_sender_timeout, so a status update sent unasked every status_interval() keeps it waiting, for hours if
// need be, while TCP's flow control holds back the data.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/lsn.h"
#include "postgres/connection.h"
#include "postgres/walsender_message.h"  // XLogData

namespace firn::postgres {

struct StreamOptions {
  ConnectionOptions connection;  ///< `replication` is set by Open.
  std::string slot;
  std::vector<std::string> publications;
  Lsn start;                 ///< 0/0: from the slot's confirmed position.
  int protocol_version = 2;  ///< 1 to 4; lowered to what the server's version knows.
  bool streaming = true;     ///< Large in-progress transactions arrive before their commit (protocol 2; from 14).
  bool binary = true;        ///< From PostgreSQL 14; an older one sends text.
  bool messages = false;     ///< Those of pg_logical_emit_message, too; from PostgreSQL 14.
};

/// Single-threaded. Errors: kTransient when the connection broke (open a new one), kSourceLost when the slot is gone or
/// its WAL was removed, kConflict when another process uses the slot.
///
/// While the server shuts down it waits until everything it sent is acknowledged.
class ReplicationStream {
 public:
  virtual ~ReplicationStream() = default;
  static Result<std::unique_ptr<ReplicationStream>> Open(const StreamOptions& options);
  /// Over a replication connection that is there, for a temporary slot that it has made.
  static Result<std::unique_ptr<ReplicationStream>> OpenOn(Connection connection, const StreamOptions& options);

  /// The next message, waiting up to `wait`; nothing when none came. Sends a status update when the server asks for one
  /// or the last is older than status_interval().
  virtual Result<std::optional<XLogData>> Next(std::chrono::milliseconds wait) = 0;
  /// Sends the status updates that fall due within `wait`, and reads nothing. kTransient when the server is gone.
  virtual Status KeepAlive(std::chrono::milliseconds wait) = 0;

  /// From now on status updates say that everything before `lsn` is committed. Never goes back.
  virtual void SetAcknowledged(Lsn lsn) = 0;
  virtual Status SendStatus() = 0;
  /// The smaller of 10 s and a third of the server's wal_sender_timeout.
  virtual std::chrono::milliseconds status_interval() const { return std::chrono::seconds(10); }
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
