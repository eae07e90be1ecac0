#include "cli/surroundings_watch.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

#include "base/interruptible_sleep.h"
#include "base/try.h"
#include "observe/log.h"
#include "observe/log_pipeline.h"
#include "postgres/replication_slot.h"
#include "postgres/source_catalog.h"

namespace firn::cli {
namespace {

constexpr std::chrono::seconds kInterval{5};

/// Files come and go while it looks.
int64_t FolderBytes(const std::string& folder) {
  std::error_code error;
  int64_t bytes = 0;
  std::filesystem::recursive_directory_iterator it(folder, error);
  for (; !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    std::error_code gone;
    if (!it->is_regular_file(gone)) continue;
    const auto size = it->file_size(gone);
    if (!gone) bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

/// The second number of /proc/self/statm is the resident pages (proc(5)).
int64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t all = 0, resident = 0;
  statm >> all >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

/// Keeps its connection from one look to the next.
class SlotReader {
 public:
  explicit SlotReader(pipeline::SourceOptions source) : source_(std::move(source)) {}

  /// Nothing while PostgreSQL doesn't answer, which the pipeline tells of itself.
  std::optional<SlotStatus> Read() {
    auto slot = TryRead();
    if (slot) return *std::move(slot);
    LogDebug("could not look at the slot", {{"cause", slot.error().message()}});
    connection_.reset();
    return std::nullopt;
  }

 private:
  Result<SlotStatus> TryRead() {
    if (!connection_) {
      TRY(postgres::Connection opened, postgres::Connection::Open(source_.connection));
      connection_.emplace(std::move(opened));
    }
    TRY(const auto slot, postgres::ReadSlot(*connection_, source_.slot));
    if (!slot) return SlotStatus{};
    TRY(const Lsn end, postgres::ReadCurrentLsn(*connection_));
    return SlotStatus{
        .exists = true,
        .active = slot->active,
        .wal_status = slot->wal_status,
        .confirmed_lsn = ToString(slot->confirmed_flush_lsn),
        .retained_bytes = slot->restart_lsn.valid()
                              ? std::max<int64_t>(0, static_cast<int64_t>(end.value - slot->restart_lsn.value))
                              : 0};
  }

  const pipeline::SourceOptions source_;
  std::optional<postgres::Connection> connection_;
};

}  // namespace

SurroundingsWatch::SurroundingsWatch(pipeline::SourceOptions source, std::string state_dir, StatusBoard& status)
    : thread_(
          InLogPipeline([source = std::move(source), state_dir = std::move(state_dir), &status](std::stop_token stop) {
            pthread_setname_np(pthread_self(), "firn-watch");
            SlotReader slot(source);
            do {
              status.SetSurroundings({.slot = slot.Read(),
                                      .memory_bytes = ResidentBytes(),
                                      .index_bytes = FolderBytes(state_dir + "/index"),
                                      .spool_bytes = FolderBytes(state_dir + "/spool")});
            } while (SleepFor(kInterval, stop));
          })) {}

}  // namespace firn::cli
