#include "maintenance/upkeep.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/interruptible_sleep.h"
#include "base/try.h"
#include "base/unix_time.h"
#include "maintenance/rewrite_order.h"
#include "observe/log.h"
#include "observe/log_pipeline.h"

namespace firn::maintenance {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kIntervalMin{100};
/// Each leaves small files, which all readers open: after so many they are joined,
constexpr int kCommitsMax = 8;
/// but not before so many times as long has passed as the last compaction took, and this at least.
constexpr int kRestFactor = 4;
constexpr std::chrono::seconds kRestMin{1};
/// Larger ones wait for the interval's look.
constexpr int64_t kJoinedFileBytesMax = 1 << 20;
/// The stream and its commits come first (man 2 setpriority; on Linux it is a thread's own).
constexpr int kNiceness = 10;
/// Of manifests that planning keeps.
constexpr size_t kManifestEntriesMax = 20'000;
/// Of all tables together, eight bytes each.
constexpr size_t kFilesRememberedMax = 4'000'000;
/// Of a table whose rows are sorted, in one commit.
constexpr int64_t kSortedFilesMax = 4;

int64_t BytesOf(const std::vector<iceberg::LiveDataFile>& files) {
  int64_t bytes = 0;
  for (const iceberg::LiveDataFile& file : files) bytes += file.entry.file.file_size_in_bytes;
  return bytes;
}

/// Groups that are small together are rewritten together: each commit has its price.
std::vector<std::vector<iceberg::LiveDataFile>> JobsOf(std::vector<RewriteGroup> groups, int64_t bytes_max) {
  std::vector<std::vector<iceberg::LiveDataFile>> jobs;
  int64_t bytes = 0;
  for (RewriteGroup& group : groups) {
    if (jobs.empty() || bytes + group.bytes > bytes_max) {
      jobs.emplace_back();
      bytes = 0;
    }
    bytes += group.bytes;
    std::ranges::move(group.files, std::back_inserter(jobs.back()));
  }
  return jobs;
}

/// How many snapshots more than it should a table may have before they are expired, many at once.
int64_t CountMargin(int64_t max_snapshots) { return std::max<int64_t>(100, max_snapshots / 10); }

void WarnOf(const pipeline::TableRewriter::Table& table, const Error& error) {
  LogWarn("the upkeep of a table failed; it is tried again at the next interval",
          {{"table", table.name}, {"error", error.message()}});
}

/// Others rewrote files of the plan, or a snapshot that it needs is gone.
bool IsStalePlan(const Error& error) {
  return error.kind() == ErrorKind::kConflict || error.kind() == ErrorKind::kNotFound;
}

}  // namespace

class Upkeep::Offer : public pipeline::TableRewrite {
 public:
  Offer(Upkeep& upkeep, iceberg::TableIdent ident, std::shared_ptr<const RewrittenFiles> files)
      : upkeep_(upkeep), ident_(std::move(ident)), files_(std::move(files)) {}
  ~Offer() override {
    if (!ended_) upkeep_.Ended({.committed = MakeError(ErrorKind::kConflict, "the table is no longer streamed")});
  }

  const iceberg::TableIdent& table() const override { return ident_; }
  catalog::TableChange MakeChange(catalog::LoadedTable base, iceberg::ManifestCache& manifests,
                                  const std::string& commit_id) override {
    return MakeRewriteChange(upkeep_.context_.store, manifests, std::move(base), *files_,
                             upkeep_.options_.files.parquet.compression, commit_id);
  }
  void Ended(Result<catalog::LoadedTable> committed) override {
    ended_ = true;
    upkeep_.Ended({.tried = true, .committed = std::move(committed)});
  }

 private:
  Upkeep& upkeep_;
  const iceberg::TableIdent ident_;
  const std::shared_ptr<const RewrittenFiles> files_;
  bool ended_ = false;
};

Upkeep::Upkeep(MaintenanceContext context, UpkeepOptions options)
    : context_(context),
      options_(std::move(options)),
      rate_(options_.bytes_per_second),
      manifests_(kManifestEntriesMax),
      thread_(InLogPipeline([this](std::stop_token stop) { Run(std::move(stop)); })) {}

Upkeep::~Upkeep() = default;

void Upkeep::Streams(std::vector<Table> tables) {
  std::lock_guard lock(mutex_);
  tables_ = std::move(tables);
}

void Upkeep::Committed(std::span<const catalog::LoadedTable> tables) {
  const int64_t limit = options_.retention.max_snapshots;
  const auto margin = static_cast<size_t>(CountMargin(limit));
  std::lock_guard lock(mutex_);
  for (const catalog::LoadedTable& table : tables) {
    if (options_.compacts && CountCommit(table.ident) && due_.try_emplace(table.ident, Cause::kCommits).second) {
      changed_.notify_all();
    }
    if (!options_.expires || limit == 0) continue;
    const size_t count = table.metadata->snapshots.size();
    // What an expiry had to leave (of a tag, by the table's own policy) does not call for the next.
    size_t& counted = counted_[table.ident];
    counted = std::min(counted, count);
    if (count <= std::max(counted, static_cast<size_t>(limit)) + margin) continue;
    counted = count;
    crowded_.insert(table.ident);
    changed_.notify_all();
  }
}

std::unique_ptr<pipeline::TableRewrite> Upkeep::Take() {
  std::lock_guard lock(mutex_);
  return std::move(offer_);
}

Status Upkeep::Request(const std::string& name) {
  std::lock_guard lock(mutex_);
  const auto table = std::ranges::find(tables_, name, &Table::name);
  if (table == tables_.end()) return MakeError(ErrorKind::kConflict, "{} is not streamed now", name);
  Cause& cause = due_.try_emplace(table->ident, Cause::kCommits).first->second;
  if (std::exchange(cause, Cause::kRequest) == Cause::kRequest) {
    return MakeError(ErrorKind::kConflict, "{} waits to be compacted already", name);
  }
  changed_.notify_all();
  return {};
}

std::vector<Upkeep::Table> Upkeep::Tables() {
  std::lock_guard lock(mutex_);
  return tables_;
}

void Upkeep::Run(std::stop_token stop) {
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNiceness);
  while (WaitForInterval(stop)) {
    for (const Table& table : Tables()) {
      if (stop.stop_requested()) return;
      Status done = options_.compacts ? Compact(table, Cause::kTime, stop) : Status();
      if (done && options_.expires) done = Expire(table, /*is_crowded=*/false, stop);
      if (!done && !stop.stop_requested()) WarnOf(table, done.error());
    }
  }
}

bool Upkeep::WaitForInterval(std::stop_token stop) {
  const auto end = Clock::now() + std::max(options_.interval, kIntervalMin);
  do {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, stop, end, [&] { return !crowded_.empty() || !due_.empty(); });
    lock.unlock();
    if (stop.stop_requested()) return false;
  } while (ExpireCrowded(stop) || CompactDue(stop));
  return true;
}

bool Upkeep::ExpireCrowded(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  const std::set<iceberg::TableIdent> crowded = std::exchange(crowded_, {});
  lock.unlock();
  for (const Table& table : Tables()) {
    if (!crowded.contains(table.ident)) continue;
    const Status done = Expire(table, /*is_crowded=*/true, stop);
    if (!done && !stop.stop_requested()) WarnOf(table, done.error());
  }
  return !crowded.empty();
}

bool Upkeep::CompactDue(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  const std::map<iceberg::TableIdent, Cause> due = std::exchange(due_, {});
  lock.unlock();
  for (const Table& table : Tables()) {
    const auto found = due.find(table.ident);
    if (found == due.end()) continue;
    const Status done = Compact(table, found->second, stop);
    if (done || stop.stop_requested()) continue;
    if (found->second == Cause::kCommits) {
      WarnOf(table, done.error());
    } else {
      LogWarn("a table was not compacted as requested", {{"table", table.name}, {"error", done.error().message()}});
    }
  }
  return !due.empty();
}

bool Upkeep::CountCommit(const iceberg::TableIdent& table) {
  SinceCompaction& since = since_compaction_[table];
  return ++since.commits >= kCommitsMax && Clock::now() >= since.rests_until;
}

Status Upkeep::Compact(const Table& table, Cause cause, std::stop_token stop) {
  const auto began = Clock::now();
  std::unique_lock lock(mutex_);
  SinceCompaction& since = since_compaction_[table.ident];
  since = {.commits = 0, .rests_until = Clock::time_point::max()};
  lock.unlock();
  const Status done = PlanAndRewrite(table, cause, std::move(stop));
  lock.lock();
  const auto now = Clock::now();
  since.rests_until = now + std::max<Clock::duration>(kRestMin, kRestFactor * (now - began));
  return done;
}

Status Upkeep::PlanAndRewrite(const Table& table, Cause cause, std::stop_token stop) {
  TRY(const catalog::LoadedTable loaded, context_.catalog.LoadTable(table.ident));
  const iceberg::TableMetadataPtr& metadata = loaded.metadata;
  const iceberg::Snapshot* snapshot = metadata->CurrentSnapshot();
  if (snapshot == nullptr) return {};
  const auto well = well_.find(metadata->table_uuid);
  if (cause != Cause::kRequest && well != well_.end() && well->second == snapshot->snapshot_id) return {};
  TRY(auto files, iceberg::PlanFiles(context_.store, *metadata, snapshot, manifests_));
  RewriteLimits limits = options_.limits;
  if (cause == Cause::kCommits) {
    limits.file_bytes_max = kJoinedFileBytesMax;
    limits.joins_only = true;
    limits.joined_bytes_min = 0;
  }
  if (cause == Cause::kRequest) limits = {.target_file_size_bytes = limits.target_file_size_bytes};
  if (RewriteOrder(*metadata) != nullptr) limits.group_files_max = kSortedFilesMax;
  auto jobs = JobsOf(PlanRewrites(std::move(files), limits), limits.target_file_size_bytes);
  if (jobs.empty() && cause != Cause::kCommits) well_[metadata->table_uuid] = snapshot->snapshot_id;
  if (jobs.empty() && cause == Cause::kRequest) LogInfo("there is nothing to compact", {{"table", table.name}});
  for (auto& job : jobs) {
    const Status done = Rewrite(table, metadata, std::move(job), stop);
    if (!done && !IsStalePlan(done.error())) return done;
    if (!done) {
      LogInfo("files were changed by others while they were rewritten; they are planned anew",
              {{"table", table.name}, {"reason", done.error().message()}});
    }
    ExpireCrowded(stop);  // Other jobs may take long.
  }
  return {};
}

Status Upkeep::Rewrite(const Table& table, const iceberg::TableMetadataPtr& planned,
                       std::vector<iceberg::LiveDataFile> files, std::stop_token stop) {
  const auto pace = [&](int64_t bytes) { SleepFor(rate_.Take(bytes, ByteRate::Clock::now()), stop); };
  TRY(auto written,
      RewriteFiles(context_.store, rewriting_, planned, std::move(files), options_.files, table.name, stop, pace));
  const auto rewritten = std::make_shared<const RewrittenFiles>(std::move(written));
  Outcome outcome = Commit(table, rewritten, stop);
  if (!outcome.committed) {
    // What may still arrive at the catalog keeps its files.
    const bool is_lost = !outcome.tried || outcome.committed.error().kind() == ErrorKind::kConflict;
    if (is_lost) RemoveWritten(context_.store, *rewritten);
    return std::move(outcome.committed.error()).WithContext("committing a compaction");
  }
  int64_t bytes_after = 0;
  for (const iceberg::DataFile& file : rewritten->to) bytes_after += file.file_size_in_bytes;
  context_.metrics.RecordCompaction(table.name, static_cast<int64_t>(rewritten->from.size()), bytes_after);
  LogInfo("compacted files", {{"table", table.name},
                              {"files_before", rewritten->from.size()},
                              {"files_after", rewritten->to.size()},
                              {"bytes_before", BytesOf(rewritten->from)},
                              {"bytes_after", bytes_after},
                              {"sorted_by", rewritten->sorted_by.empty() ? "nothing" : rewritten->sorted_by},
                              {"snapshot_id", outcome.committed->metadata->current_snapshot_id.value_or(0)}});
  return {};
}

Upkeep::Outcome Upkeep::Commit(const Table& table, std::shared_ptr<const RewrittenFiles> files, std::stop_token stop) {
  while (true) {
    auto offer = std::make_unique<Offer>(*this, table.ident, files);
    std::unique_lock lock(mutex_);
    outcome_.reset();
    offer_ = std::move(offer);
    if (!changed_.wait(lock, stop, [&] { return outcome_.has_value(); })) {
      const std::unique_ptr<pipeline::TableRewrite> withdrawn = std::move(offer_);
      lock.unlock();
      if (withdrawn) return {.committed = MakeError(ErrorKind::kCancelled, "stopped on request")};
      lock.lock();
      changed_.wait(lock, [&] { return outcome_.has_value(); });  // It is being committed.
    }
    const bool is_streamed = std::ranges::any_of(tables_, [&](const Table& t) { return t.ident == table.ident; });
    if (outcome_->tried || !is_streamed || stop.stop_requested()) return *std::exchange(outcome_, std::nullopt);
  }
}

void Upkeep::Ended(Outcome outcome) {
  std::lock_guard lock(mutex_);
  outcome_ = std::move(outcome);
  changed_.notify_all();
}

Status Upkeep::Expire(const Table& table, bool is_crowded, std::stop_token stop) {
  TRY(const catalog::LoadedTable loaded, context_.catalog.LoadTable(table.ident));
  const std::string& uuid = loaded.metadata->table_uuid;
  if (!MayDeleteFiles(*loaded.metadata)) {
    if (left_.insert(uuid).second) {
      LogInfo("snapshots are not expired: the table's property gc.enabled is false", {{"table", table.name}});
    }
    return {};
  }
  left_.erase(uuid);
  Retention overdue = RetentionOf(*loaded.metadata, options_.retention);
  if (!is_crowded) {
    // Many at once: what each time costs grows with the snapshots that stay.
    overdue.max_age_ms += overdue.max_age_ms / 10;
    if (overdue.max_snapshots > 0) overdue.max_snapshots += CountMargin(overdue.max_snapshots);
  }
  const int64_t now_ms = UnixMillisNow();
  if (FindExpired(*loaded.metadata, overdue, now_ms).empty()) return {};
  TRY(const ExpireReport report,
      ExpireSnapshots(context_, table.ident, options_.retention, now_ms, kept_files_[uuid], stop));
  size_t remembered = 0;
  for (const auto& [table_uuid, kept] : kept_files_) remembered += kept.files();
  if (remembered > kFilesRememberedMax) kept_files_.clear();
  if (report.snapshots == 0) return {};
  context_.metrics.AddExpiredSnapshots(table.name, report.snapshots);
  LogInfo("expired snapshots",
          {{"table", table.name}, {"snapshots", report.snapshots}, {"files_deleted", report.files}});
  return {};
}

}  // namespace firn::maintenance
