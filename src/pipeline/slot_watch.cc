#include "pipeline/slot_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/interruptible_sleep.h"
#include "base/try.h"
#include "base/unix_time.h"
#include "observe/log.h"

namespace firn::pipeline {
namespace {

using Clock = std::chrono::steady_clock;

/// A warning that stays is told again.
constexpr std::chrono::minutes kRemindInterval{10};

class SlotWatch {
 public:
  SlotWatch(const SlotWatchOptions& options, Metrics& metrics, StatusBoard& status)
      : options_(options), metrics_(metrics), status_(status) {}

  void Run(const std::stop_token& stop) {
    Clock::time_point next_look = Clock::now();
    Clock::time_point next_beat = Clock::now();
    while (!stop.stop_requested()) {
      if (Clock::now() >= next_look) {
        Forgive(Look());
        next_look = Clock::now() + (is_made_ ? options_.look_interval : options_.first_look_interval);
      }
      if (beats_ && Clock::now() >= next_beat) {
        next_beat = Clock::now() + options_.heartbeat_interval;
        Forgive(Beat());
      }
      const auto next = beats_ ? std::min(next_look, next_beat) : next_look;
      SleepFor(std::chrono::ceil<std::chrono::milliseconds>(std::max(next - Clock::now(), Clock::duration(0))), stop);
    }
  }

 private:
  void Forgive(const Status& status) {
    if (status) return;
    LogDebug("looking after the slot failed", {{"error", status.error().message()}});
    connection_.reset();
  }

  Status Connect() {
    if (connection_) return {};
    TRY(auto connection, postgres::Connection::Open(options_.connection));
    connection_ = std::move(connection);
    return {};
  }

  Status Look() {
    TRY_VOID(Connect());
    TRY(const auto wal, postgres::ReadSlotWal(*connection_, options_.slot));
    TRY(const auto slot, postgres::ReadSlot(*connection_, options_.slot));
    // One that is being made waits for open transactions, and has confirmed nothing.
    is_made_ = wal && slot && slot->confirmed_flush_lsn.valid();
    if (is_made_) {
      TellWhatWaits(slot->confirmed_flush_lsn, wal->wal_end);
    } else {
      status_.SetWaitingWal(std::nullopt);
    }
    if (!wal) return {};
    metrics_.SetSlotSafeWal(wal->safe_bytes);
    const std::string warning = SlotWarning(options_.slot, *wal);
    status_.SetSlotWarning(warning);
    const bool is_new = told_.empty() && !warning.empty();
    if (warning.empty()) told_.clear();
    if (!is_new && (warning.empty() || Clock::now() < remind_at_)) return {};
    told_ = warning;
    remind_at_ = Clock::now() + kRemindInterval;
    LogWarn("the slot is lost, or may be soon",
            {{"slot", options_.slot}, {"retained_bytes", wal->retained_bytes}, {"warning", warning}});
    return {};
  }

  void TellWhatWaits(Lsn confirmed, Lsn wal_end) {
    status_.SetWaitingWal(waiting_.See(confirmed, wal_end, UnixMillisNow()));
    const PipelineStatus now = status_.Get();
    if (!ReadsStream(now)) metrics_.SetLag(now.lag_bytes, now.lag_seconds);
  }

  Status Beat() {
    TRY_VOID(Connect());
    TRY(const auto recovering, connection_->Query("SELECT pg_is_in_recovery()"));
    if (recovering.Get(0, 0) == "t") {
      LogWarn("source.heartbeat_interval_ms does nothing on a standby: it writes no log", {{"slot", options_.slot}});
      beats_ = false;
      return {};
    }
    // A transaction of its own, so that it is on disk and decoded at once.
    TRY_VOID(connection_->Query("SELECT pg_logical_emit_message(true, 'firn', 'heartbeat')"));
    return {};
  }

  const SlotWatchOptions& options_;
  Metrics& metrics_;
  StatusBoard& status_;
  std::optional<postgres::Connection> connection_;
  WaitingWalWatch waiting_;
  bool is_made_ = true;  ///< The slot.
  bool beats_ = options_.heartbeat_interval.count() > 0;
  std::string told_;
  Clock::time_point remind_at_;
};

}  // namespace

std::string SlotWarning(const std::string& slot, const postgres::SlotWal& wal) {
  if (wal.wal_status == "lost") {
    return fmt::format("slot '{}' is lost{}", slot,
                       wal.invalidation_reason.empty() ? "" : " (" + wal.invalidation_reason + ")");
  }
  const bool is_unreserved = wal.wal_status == "unreserved";
  const bool is_near = wal.safe_bytes && wal.limit_bytes && *wal.safe_bytes < *wal.limit_bytes / 5;
  if (!is_unreserved && !is_near) return "";
  return fmt::format(
      "slot '{}' keeps {} bytes of WAL and may be lost {}, and every table would have to be copied again: see what "
      "holds "
      "firn up, or raise max_slot_wal_keep_size in PostgreSQL (a reload is enough)",
      slot, wal.retained_bytes,
      is_unreserved ? "at PostgreSQL's next checkpoint" : fmt::format("after {} more", *wal.safe_bytes));
}

WaitingWal WaitingWalWatch::See(Lsn confirmed, Lsn wal_end, int64_t now_ms) {
  // How old that is which waits behind a place that was just confirmed, nobody knows: it counts from this look.
  if (since_ms_ == 0 || confirmed != confirmed_ || wal_end <= confirmed) since_ms_ = now_ms;
  confirmed_ = confirmed;
  return {.server_lsn = ToString(wal_end),
          .bytes = wal_end > confirmed ? static_cast<int64_t>(wal_end.value - confirmed.value) : 0,
          .since_ms = since_ms_};
}

void WatchSlot(const SlotWatchOptions& options, Metrics& metrics, StatusBoard& status, const std::stop_token& stop) {
  SlotWatch(options, metrics, status).Run(stop);
}

}  // namespace firn::pipeline
