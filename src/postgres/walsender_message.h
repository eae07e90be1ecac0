// What goes through the COPY stream of START_REPLICATION (PostgreSQL: "Streaming Replication Protocol"), without I/O.
//
//   server  'w' | Int64 WAL start | Int64 end of WAL | Int64 clock | data             XLogData
//           'k' | Int64 end of WAL | Int64 clock | Byte1 reply wanted                 primary keepalive
//   firn    'r' | Int64 written | Int64 flushed | Int64 applied | Int64 clock | Byte1 standby status update
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <variant>

#include "firn/result.h"
#include "model/lsn.h"

namespace firn::postgres {

/// One pgoutput message.
struct XLogData {
  Lsn start;
  Lsn end;                   ///< The server's end of WAL when it was sent.
  int64_t sent_at_us = 0;    ///< Server clock, microseconds since 2000-01-01.
  std::string_view payload;  ///< Valid until the next call.
};

struct PrimaryKeepalive {
  Lsn end;
  int64_t sent_at_us = 0;
  bool reply_requested = false;
};

/// kCorrupt for anything else.
Result<std::variant<XLogData, PrimaryKeepalive>> ParseWalsenderMessage(std::string_view frame);

struct StatusUpdate {
  Lsn written;  ///< Received.
  Lsn flushed;  ///< Committed: the server may forget what is before it. 0/0 tells nothing.
  Lsn applied;
  int64_t sent_at_us = 0;
};
std::array<char, 34> EncodeStatusUpdate(const StatusUpdate& update);

}  // namespace firn::postgres
