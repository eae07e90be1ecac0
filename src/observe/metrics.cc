#include "observe/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <mutex>
#include <set>
#include <utility>

namespace firn {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

const Histogram::BucketBoundaries kSeconds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120};
constexpr double kMiB = 1024.0 * 1024.0;
const Histogram::BucketBoundaries kFileBytes = {kMiB / 64, kMiB / 16,  kMiB / 4,   kMiB,       4 * kMiB,   16 * kMiB,
                                                64 * kMiB, 128 * kMiB, 256 * kMiB, 512 * kMiB, 1024 * kMiB};
const Histogram::BucketBoundaries kRows = {1, 10, 100, 1e3, 5e3, 1e4, 5e4, 1e5, 5e5, 1e6, 5e6, 1e7};

/// What Retrier::Run is called with, and the commit loop counts.
constexpr std::array<const char*, 14> kCalls = {"store_read",   "store_write",       "store_open",     "store_delete",
                                                "store_stat",   "store_list",        "store_request",  "catalog_load",
                                                "catalog_list", "catalog_namespace", "catalog_create", "catalog_rename",
                                                "catalog_drop", "catalog_commit"};

double Seconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

/// A counter refuses negative steps silently; none may come from a caller's arithmetic either.
void Add(Counter& counter, int64_t amount) {
  if (amount > 0) counter.Increment(static_cast<double>(amount));
}

}  // namespace

/// Every family is here in one place, with the sentence that Prometheus shows; docs/metrics.md tells more.
struct Metrics::State {
  prometheus::Registry registry;

  Family<Counter>& CounterFamily(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }
  Family<Gauge>& GaugeFamily(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
  }
  Family<Histogram>& HistogramFamily(const char* name, const char* help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  }

  Family<Counter>& rows_written =
      CounterFamily("iceberg_rows_written_total", "Rows written to data files, inserts and new row versions.");
  Family<Counter>& files_created = CounterFamily("iceberg_files_created_total", "Data files written.");
  Family<Counter>& commits_successful =
      CounterFamily("iceberg_commits_successful_total", "Commits that a catalog accepted.");
  Family<Counter>& commits_failed =
      CounterFamily("iceberg_commits_failed_total", "Commits given up on, conflicts that were retried left out.");
  Family<Histogram>& write_duration =
      HistogramFamily("iceberg_write_duration_seconds", "Time to write one data file, from first row to closed.");
  Family<Histogram>& commit_duration =
      HistogramFamily("iceberg_commit_duration_seconds", "Time of one table's commit, retries included.");
  Family<Histogram>& file_size = HistogramFamily("iceberg_file_size_bytes", "Size of a data file.");
  Family<Histogram>& batch_size = HistogramFamily("iceberg_batch_size_rows", "Rows in a data file.");
  Gauge& open_files = GaugeFamily("iceberg_open_files", "Data files being written now.").Add({});
  Gauge& pending_commits = GaugeFamily("iceberg_pending_commits", "Table commits being made now.").Add({});
  Gauge& table_count = GaugeFamily("iceberg_table_count", "Tables that this pipeline replicates.").Add({});

  Counter& received_bytes =
      CounterFamily("firn_received_bytes_total", "Bytes received on the replication stream.").Add({});
  Counter& decoded_changes =
      CounterFamily("firn_decoded_changes_total", "Row changes decoded from the replication stream.").Add({});
  Gauge& lag_bytes =
      GaugeFamily("firn_replication_lag_bytes", "WAL that the source has and Iceberg does not have yet.").Add({});
  Gauge& lag_seconds =
      GaugeFamily("firn_replication_lag_seconds", "Age of the oldest committed change that Iceberg does not have yet.")
          .Add({});
  Gauge& buffered_bytes = GaugeFamily("firn_buffered_bytes", "Changes held in memory, waiting for a commit.").Add({});
  Family<Gauge>& slot_safe_bytes =
      GaugeFamily("firn_slot_safe_wal_bytes", "WAL that may be written before the replication slot may be lost.");
  Family<Counter>& retries =
      CounterFamily("firn_retries_total", "Calls of the catalog and the store that failed and were tried again.");
  Family<Gauge>& table_parked = GaugeFamily("firn_table_parked", "1 while a table can't go on, 0 when it can.");
  Family<Counter>& rows_copied =
      CounterFamily("firn_rows_copied_total", "Rows read by copies, initial and later ones.");
  Family<Counter>& compactions =
      CounterFamily("firn_compactions_total", "Commits that replaced data files by fewer or cleaner ones.");
  Family<Counter>& compacted_files = CounterFamily("firn_compacted_files_total", "Data files that were replaced so.");
  Family<Counter>& compaction_bytes =
      CounterFamily("firn_compaction_written_bytes_total", "Size of the data files that took their place.");
  Family<Counter>& expired_snapshots =
      CounterFamily("firn_expired_snapshots_total", "Snapshots past their retention that were removed.");
  Family<Counter>& unrepresentable_values =
      CounterFamily("firn_unrepresentable_values_total",
                    "Values that a column's Iceberg type can't hold, replaced as the column's policy says.");

  std::mutex mutex;
  std::set<std::pair<std::string, std::string>> columns_with_unrepresentable_values;  ///< Under mutex.
};

Metrics::Metrics() : state_(std::make_unique<State>()) {
  for (const char* what : kCalls) state_->retries.Add({{"what", what}});
}
Metrics::~Metrics() = default;

void Metrics::AddTable(const std::string& table) {
  const prometheus::Labels labels = {{"table", table}};
  for (Family<Counter>* family : {&state_->rows_written, &state_->files_created, &state_->commits_successful,
                                  &state_->commits_failed, &state_->rows_copied, &state_->compactions,
                                  &state_->compacted_files, &state_->compaction_bytes, &state_->expired_snapshots}) {
    family->Add(labels);
  }
  state_->write_duration.Add(labels, kSeconds);
  state_->commit_duration.Add(labels, kSeconds);
  state_->file_size.Add(labels, kFileBytes);
  state_->batch_size.Add(labels, kRows);
}

void Metrics::RecordWrite(const std::string& table, int64_t rows, int64_t bytes, std::chrono::nanoseconds duration) {
  const prometheus::Labels labels = {{"table", table}};
  Add(state_->rows_written.Add(labels), rows);
  state_->files_created.Add(labels).Increment();
  state_->write_duration.Add(labels, kSeconds).Observe(Seconds(duration));
  state_->file_size.Add(labels, kFileBytes).Observe(static_cast<double>(bytes));
  state_->batch_size.Add(labels, kRows).Observe(static_cast<double>(rows));
}

void Metrics::RecordCommit(const std::string& table, bool success, std::chrono::nanoseconds duration) {
  const prometheus::Labels labels = {{"table", table}};
  // Both exist from the first commit on, so that a rate over failures needs no "or vector(0)".
  Counter& successful = state_->commits_successful.Add(labels);
  Counter& failed = state_->commits_failed.Add(labels);
  (success ? successful : failed).Increment();
  state_->commit_duration.Add(labels, kSeconds).Observe(Seconds(duration));
}

void Metrics::AddOpenFiles(int64_t change) { state_->open_files.Increment(static_cast<double>(change)); }
void Metrics::SetPendingCommits(int64_t commits) { state_->pending_commits.Set(static_cast<double>(commits)); }
void Metrics::SetTableCount(int64_t tables) { state_->table_count.Set(static_cast<double>(tables)); }

void Metrics::AddReceived(int64_t bytes, int64_t changes) {
  Add(state_->received_bytes, bytes);
  Add(state_->decoded_changes, changes);
}

void Metrics::SetLag(int64_t bytes, double seconds) {
  state_->lag_bytes.Set(static_cast<double>(bytes));
  state_->lag_seconds.Set(seconds);
}

void Metrics::SetBufferedBytes(int64_t bytes) { state_->buffered_bytes.Set(static_cast<double>(bytes)); }

void Metrics::SetSlotSafeWal(std::optional<int64_t> bytes) {
  // Without a limit there is no number that would be right.
  if (bytes) state_->slot_safe_bytes.Add({}).Set(static_cast<double>(*bytes));
}

void Metrics::AddRetry(std::string_view what) { state_->retries.Add({{"what", std::string(what)}}).Increment(); }

void Metrics::SetTableParked(const std::string& table, bool is_parked) {
  state_->table_parked.Add({{"table", table}}).Set(is_parked ? 1 : 0);
}

void Metrics::RecordCompaction(const std::string& table, int64_t files, int64_t bytes_written) {
  const prometheus::Labels labels = {{"table", table}};
  state_->compactions.Add(labels).Increment();
  Add(state_->compacted_files.Add(labels), files);
  Add(state_->compaction_bytes.Add(labels), bytes_written);
}

void Metrics::AddExpiredSnapshots(const std::string& table, int64_t snapshots) {
  Add(state_->expired_snapshots.Add({{"table", table}}), snapshots);
}

void Metrics::AddCopiedRows(const std::string& table, int64_t rows) {
  Add(state_->rows_copied.Add({{"table", table}}), rows);
}

bool Metrics::AddUnrepresentableValues(const std::string& table, const std::string& column, const std::string& policy,
                                       int64_t values) {
  Add(state_->unrepresentable_values.Add({{"table", table}, {"column", column}, {"policy", policy}}), values);
  std::lock_guard lock(state_->mutex);
  return state_->columns_with_unrepresentable_values.emplace(table, column).second;
}

std::string Metrics::Expose() const { return prometheus::TextSerializer().Serialize(state_->registry.Collect()); }

}  // namespace firn
