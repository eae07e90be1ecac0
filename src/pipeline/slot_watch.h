// Looks after the slot while a pipeline runs: how much waits in it while nobody reads the stream, warns before
// PostgreSQL gives it up (max_slot_wal_keep_size), and writes heartbeats where they are asked for.
#pragma once

#include <chrono>
#include <stop_token>
#include <string>

#include "observe/metrics.h"
#include "observe/pipeline_status.h"
#include "postgres/connection.h"
#include "postgres/replication_slot.h"

namespace firn::pipeline {

/// What is to be told of a slot that comes near its end, with a remedy; "" while less than four fifths of what it may
/// keep are used. Pure.
std::string SlotWarning(const std::string& slot, const postgres::SlotWal& wal);

/// What waits for who reads the slot, from one look at it to the next. Pure.
class WaitingWalWatch {
 public:
  WaitingWal See(Lsn confirmed, Lsn wal_end, int64_t now_ms);

 private:
  Lsn confirmed_;
  int64_t since_ms_ = 0;
};

struct SlotWatchOptions {
  postgres::ConnectionOptions connection;
  std::string slot;
  std::chrono::milliseconds look_interval{5'000};
  std::chrono::milliseconds first_look_interval{500};  ///< Until the slot is made.
  /// A message in the log that concerns no table, so that a database without traffic moves its slot on; 0: none.
  std::chrono::milliseconds heartbeat_interval{0};
};

/// Blocks until `stop`. With a connection of its own; what it can't ask it asks again later, for whoever streams tells
/// of a server that is down.
void WatchSlot(const SlotWatchOptions& options, Metrics& metrics, StatusBoard& status, const std::stop_token& stop);

}  // namespace firn::pipeline
