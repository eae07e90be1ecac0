// The stream's way into the tables, many thousand times: tables copied at different moments, random transactions,
// random faults of catalog and store, and a power switch that goes off in the middle of anything. After each commit
// every reader's view is looked at, and at the end both sides are equal.
//
// Files are rewritten meanwhile, by firn itself and by others while it is away.
//
//   SimulatedSource ──► SimulatedStream ──► Replicator ──► SteppedQueue ──► BatchCommitter ──► catalog, store, index
//                                                                                                    │
//                          what PostgreSQL had at that LSN  ◄──── compared after each commit ────────┘
//
// A run is made by its seed alone: one that fails names it, and FIRN_SIMULATION_SEED=n runs it again, with the log.
// FIRN_SIMULATION_SECONDS makes it go on for longer, from FIRN_SIMULATION_FIRST on.
#include <arrow/api.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>

#include "base/try.h"
#include "base/uuid.h"
#include "iceberg/table_scan.h"
#include "observe/log.h"
#include "pipeline/copy_commit.h"
#include "pipeline/delete_form.h"
#include "pipeline/partitioned_writer.h"
#include "pipeline/replicator.h"
#include "storage/arrow_error.h"
#include "testing/file_rewrite.h"
#include "testing/forwarding_catalog.h"
#include "testing/memory_catalog.h"
#include "testing/memory_file_store.h"
#include "testing/memory_index.h"
#include "testing/results.h"
#include "testing/simulated_source.h"

namespace firn::pipeline {
namespace {

using firn::testing::Do;
using firn::testing::FileRewrite;
using firn::testing::MemoryCatalog;
using firn::testing::MemoryFileStore;
using firn::testing::MemoryIndex;
using firn::testing::SimulatedSource;
using firn::testing::SourceRow;
using firn::testing::SourceRows;
using firn::testing::Value;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// What ends or disturbs steps. Once the power is off, nothing that the process does has an effect.
class World {
 public:
  explicit World(uint64_t seed) : random(seed) {}

  /// `steps`: that many more are done; nothing: all. `faults`: the share of them that fail.
  void TurnOn(std::optional<int64_t> steps, double faults) {
    steps_left_ = steps;
    faults_ = faults;
    off_ = false;
  }
  bool off() const { return off_; }

  /// A step comes next: whether it is done.
  Status Step() {
    if (steps_left_ && (*steps_left_)-- <= 0) off_ = true;
    if (off_) return PowerIsOff();
    if (Fault()) return MakeError(ErrorKind::kTransient, "a fault of the simulation");
    return {};
  }
  static Error PowerIsOff() { return MakeError(ErrorKind::kCancelled, "the power is off"); }

  bool Chance(double probability) { return std::bernoulli_distribution(probability)(random); }
  int64_t Between(int64_t least, int64_t most) { return std::uniform_int_distribution(least, most)(random); }
  bool Fault() { return faults_ > 0 && Chance(faults_); }

  std::mt19937_64 random;
  steady_clock::time_point now{};

 private:
  std::optional<int64_t> steps_left_;
  double faults_ = 0;
  bool off_ = false;
};

class SimulatedStore : public storage::FileStore {
 public:
  SimulatedStore(World& world, storage::FileStore& store) : world_(world), store_(store) {}

  Result<std::string> Read(std::string_view location, int64_t size) override {
    TRY_VOID(world_.Step());
    return store_.Read(location, size);
  }
  Status Write(std::string_view location, std::string_view content) override {
    TRY_VOID(world_.Step());
    return store_.Write(location, content);
  }
  Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenInput(std::string_view location, int64_t size) override {
    TRY_VOID(world_.Step());
    return store_.OpenInput(location, size);
  }
  Result<std::shared_ptr<arrow::io::OutputStream>> OpenOutput(std::string_view location) override {
    TRY_VOID(world_.Step());
    return store_.OpenOutput(location);
  }
  Status Delete(std::string_view location) override {
    TRY_VOID(world_.Step());
    return store_.Delete(location);
  }
  Result<storage::FileInfo> Stat(std::string_view location) override { return store_.Stat(location); }
  Result<std::vector<storage::FileInfo>> List(std::string_view prefix) override { return store_.List(prefix); }

 private:
  World& world_;
  storage::FileStore& store_;
};

/// Loses requests and answers, has another writer come first, and shows each commit to the one who compares.
class SimulatedCatalog : public testing::ForwardingCatalog {
 public:
  using Look = std::function<void(const std::vector<catalog::LoadedTable>&)>;
  SimulatedCatalog(World& world, MemoryCatalog& real, Look look)
      : ForwardingCatalog(real), world_(world), look_(std::move(look)) {}

  Result<catalog::LoadedTable> LoadTable(const iceberg::TableIdent& ident) override {
    TRY_VOID(world_.Step());
    return real_.LoadTable(ident);
  }

  Result<std::vector<catalog::LoadedTable>> CommitTables(std::span<const iceberg::CommitRequest> requests) override {
    TRY_VOID(world_.Step());
    if (world_.Fault()) return Error(ErrorKind::kCommitUnknown, "the request was lost");
    if (world_.Fault()) ChangeAnother(requests[0].table);
    auto committed = real_.CommitTables(requests);
    if (!committed) return committed;
    look_(*committed);
    if (const Status answered = world_.Step(); !answered) {
      return world_.off() ? answered.error() : Error(ErrorKind::kCommitUnknown, "the answer was lost");
    }
    return committed;
  }

 private:
  /// What another writer does that is none of firn's rows.
  void ChangeAnother(const iceberg::TableIdent& ident) {
    const iceberg::CommitRequest request{.table = ident, .updates = {iceberg::SetProperties{{{"another", NewUuid()}}}}};
    Value(real_.CommitTables(std::span(&request, 1)));
  }

  World& world_;
  const Look look_;
};

/// Does jobs while the replicator waits for their outcome, at a time that the seed chooses.
class SteppedQueue : public CommitQueue {
 public:
  SteppedQueue(World& world, catalog::Catalog& catalog, const RetryPolicy& retry, Metrics& metrics)
      : world_(world), batches_(catalog, retry, metrics) {}

  bool TrySubmit(FlushJob& job) override {
    if (job_) return false;
    job_ = std::move(job);
    return true;
  }
  Result<std::optional<FlushOutcome>> TakeOutcome() override {
    if (!job_ || world_.Chance(0.6)) return std::optional<FlushOutcome>();
    auto outcome = batches_.Do(*job_, {});
    job_.reset();
    if (!outcome) return std::move(outcome).error();
    return std::optional<FlushOutcome>(*std::move(outcome));
  }
  int jobs_in_flight() const override { return job_ ? 1 : 0; }

 private:
  World& world_;
  BatchCommitter batches_;
  std::optional<FlushJob> job_;
};

/// Rewrites some files of some table, now and then, and has it committed later.
class SimulatedRewriter : public TableRewriter {
 public:
  SimulatedRewriter(World& world, catalog::Catalog& catalog, storage::FileStore& store, Metrics& metrics,
                    std::vector<iceberg::TableIdent> tables)
      : world_(world), catalog_(catalog), store_(store), metrics_(metrics), tables_(std::move(tables)) {}

  void Streams(std::vector<Table>) override {}
  std::unique_ptr<TableRewrite> Take() override {
    if (!rewrite_ && world_.Chance(0.1)) {
      // What fails here is tried again, or not.
      const size_t table = static_cast<size_t>(world_.Between(0, static_cast<int64_t>(tables_.size()) - 1));
      auto made = FileRewrite::Make(catalog_, store_, metrics_, tables_[table],
                                    [&](const iceberg::DataFile&) { return world_.Chance(0.7); });
      if (made) rewrite_ = *std::move(made);
    }
    return world_.Chance(0.3) ? std::move(rewrite_) : nullptr;
  }

 private:
  World& world_;
  catalog::Catalog& catalog_;
  storage::FileStore& store_;
  Metrics& metrics_;
  const std::vector<iceberg::TableIdent> tables_;
  std::unique_ptr<TableRewrite> rewrite_;
};

class SimulatedStream : public postgres::ReplicationStream {
 public:
  SimulatedStream(World& world, std::vector<SimulatedSource::SentMessage> messages, Lsn end,
                  std::function<void(Lsn)> acknowledged, const std::atomic<bool>& is_broken)
      : world_(world),
        messages_(std::move(messages)),
        end_(end),
        acknowledged_(std::move(acknowledged)),
        is_broken_(is_broken) {}

  Result<std::optional<postgres::XLogData>> Next(milliseconds wait) override {
    TRY_VOID(Step());
    if (wait > milliseconds(0)) world_.now += milliseconds(world_.Between(0, wait.count()));
    if (world_.Chance(0.2)) return std::optional<postgres::XLogData>();
    if (next_ == messages_.size()) {
      received_ = end_;
      return std::optional<postgres::XLogData>();
    }
    const SimulatedSource::SentMessage& message = messages_[next_++];
    received_ = std::max(received_, message.start);
    return std::optional(postgres::XLogData{.start = message.start, .end = end_, .payload = message.payload});
  }
  Status KeepAlive(milliseconds wait) override {
    TRY_VOID(Step());
    world_.now += wait;
    return {};
  }
  void SetAcknowledged(Lsn lsn) override { acknowledged_(lsn); }
  Status SendStatus() override { return world_.Step(); }
  Lsn received() const override { return received_; }
  Lsn server_end() const override { return end_; }
  int64_t bytes_received() const override { return static_cast<int64_t>(next_); }
  Status Close() override { return {}; }

 private:
  Status Step() {
    if (is_broken_) return MakeError(ErrorKind::kTransient, "the connection broke");
    return world_.Step();
  }

  World& world_;
  const std::vector<SimulatedSource::SentMessage> messages_;
  const Lsn end_;
  const std::function<void(Lsn)> acknowledged_;
  const std::atomic<bool>& is_broken_;
  size_t next_ = 0;
  Lsn received_;
};

std::string Text(const SourceRow& row) {
  return fmt::format("({}, {}, {})", row.key, row.value, row.large.value_or("NULL").substr(0, 20));
}

/// The first rows that one side has and the other lacks.
std::string Difference(const SourceRows& expected, const SourceRows& actual) {
  std::vector<SourceRow> missing, unexpected;
  std::ranges::set_difference(expected, actual, std::back_inserter(missing));
  std::ranges::set_difference(actual, expected, std::back_inserter(unexpected));
  std::string text;
  for (const SourceRow& row : missing) text += " missing " + Text(row);
  for (const SourceRow& row : unexpected) text += " too many " + Text(row);
  return text;
}

/// One run, from its seed. It throws std::runtime_error for what must not be.
class Simulation {
 public:
  Simulation(uint64_t seed, Metrics& metrics, const std::string& spool)
      : metrics_(metrics),
        spool_(spool),
        world_(seed),
        source_(seed, static_cast<int>(world_.Between(5, 40))),
        real_catalog_(/*commits_tables_together=*/world_.Chance(0.7)),
        store_(world_, files_),
        catalog_(world_, real_catalog_, [this](const auto& tables) { CheckCommit(tables); }),
        index_([this] { return world_.Step(); }),
        acknowledged_(source_.start()) {
    settings_.format_version = world_.Chance(0.5) ? 3 : 2;
    settings_.deletes = world_.Chance(0.3) ? DeleteForm::kEquality : DeleteForm::kPosition;
  }

  void Run() {
    world_.TurnOn(std::nullopt, 0);
    Copy();
    const int64_t sessions = world_.Between(0, 6);
    for (int64_t session = 0; session < sessions; ++session) {
      const bool is_to_crash = world_.Chance(0.7);
      world_.TurnOn(is_to_crash ? std::optional(world_.Between(1, 500)) : std::nullopt, world_.Chance(0.5) ? 0 : 0.01);
      const bool stops = world_.Chance(0.2);
      (void)Session(stops ? std::optional(world_.Between(1, 100)) : std::nullopt);
      while (world_.Chance(0.2)) RewriteElsewhere();
      if (world_.off() && world_.Chance(0.3)) index_.Lose();
    }
    world_.TurnOn(std::nullopt, 0);
    Do(Session(std::nullopt));
    if (acknowledged_ < source_.end()) throw std::runtime_error("not all was acknowledged");
    for (size_t table = 0; table < source_.tables().size(); ++table) Compare(table, source_.end());
    if (!std::filesystem::is_empty(spool_)) throw std::runtime_error("spool files are left");
  }

  /// The stream breaks while the committer's own thread is in the middle of a commit, which goes on while all is
  /// taken down.
  void BreakWhileCommitting() {
    world_.TurnOn(std::nullopt, 0);
    Copy();
    has_thread_ = true;
    real_catalog_.OnCommit([this](std::span<const iceberg::CommitRequest>) {
      is_broken_ = true;
      while (!has_ended_) std::this_thread::yield();
    });
    const Status broken = Session(std::nullopt);
    if (broken || broken.error().kind() != ErrorKind::kTransient) throw std::runtime_error("it did not break");
    real_catalog_.OnCommit(nullptr);
    is_broken_ = false;
    Do(Session(std::nullopt));
    for (size_t table = 0; table < source_.tables().size(); ++table) Compare(table, source_.end());
  }

 private:
  struct Seen {
    Lsn lsn;
    SourceRows rows;
  };

  const TargetNaming naming_;
  const PipelineIdentity identity_{.pipeline = "firn", .system_identifier = "1"};
  const RetryPolicy retry_{.base_delay = milliseconds(0), .max_delay = milliseconds(0)};

  TableSettings SettingsOf(const SourceTable& table) const {
    TableSettings settings = settings_;
    if (table.key_columns.empty()) settings.deletes = DeleteForm::kPosition;  // No key to delete by.
    return settings;
  }

  /// Each table as it was at a moment of its own.
  void Copy() {
    for (size_t number = 0; number < source_.tables().size(); ++number) {
      const SourceTable& table = source_.tables()[number];
      TargetTable target = Value(CreateTargetTable(catalog_, table, naming_, SettingsOf(table)));
      const std::string commit_id = NewUuid();
      seen_.emplace_back();
      const bool is_at_start = world_.Chance(0.3);
      const auto first = static_cast<int64_t>(source_.start().value), last = static_cast<int64_t>(source_.end().value);
      const Lsn lsn = is_at_start ? source_.start() : Lsn{static_cast<uint64_t>(world_.Between(first, last))};
      auto files = WriteRows(target, source_.RowsAt(number, lsn));
      const auto change = MakeCopyChange(store_, identity_, target, std::move(files), lsn, commit_id);
      Value(catalog::CommitChanges(catalog_, std::span(&change, 1), commit_id, lsn, retry_, {}));
    }
    is_copied_ = true;
  }

  std::vector<iceberg::DataFile> WriteRows(const TargetTable& target, const SourceRows& rows) {
    if (rows.empty()) return {};
    arrow::Int32Builder keys;
    arrow::StringBuilder values, larges;
    for (const SourceRow& row : rows) {
      Do(storage::FromArrow(keys.Append(row.key), "a row"));
      Do(storage::FromArrow(values.Append(row.value), "a row"));
      Do(storage::FromArrow(row.large ? larges.Append(*row.large) : larges.AppendNull(), "a row"));
    }
    const auto schema = Value(iceberg::ToArrowSchema(target.layout.schema));
    const auto batch = arrow::RecordBatch::Make(schema, static_cast<int64_t>(rows.size()),
                                                {*keys.Finish(), *values.Finish(), *larges.Finish()});
    int named = 0;
    const auto writer =
        Value(PartitionedWriter::Make(store_, metrics_, target.planned, target.layout.schema,
                                      {.target_file_size_bytes = world_.Between(1'000, 20'000)}, "copy",
                                      [&] { return fmt::format("{}-{}.parquet", NewUuid(), named++); }));
    Value(writer->Write(batch));
    Do(writer->CloseAll());
    return writer->TakeClosed();
  }

  /// Another process rewrites some files, while firn is away.
  void RewriteElsewhere() {
    const auto table = static_cast<size_t>(world_.Between(0, static_cast<int64_t>(source_.tables().size()) - 1));
    const iceberg::TableIdent ident = naming_.IdentOf(source_.tables()[table].name);
    const auto rewrite = Value(FileRewrite::Make(real_catalog_, files_, metrics_, ident,
                                                 [&](const iceberg::DataFile&) { return world_.Chance(0.7); }));
    if (!rewrite) return;
    Do(rewrite->CommitElsewhere(real_catalog_));
    CheckCommit({Value(real_catalog_.LoadTable(ident))});
  }

  /// A process from its start to its end. `stop_after`: it is asked to stop at that look at the source.
  Status Session(std::optional<int64_t> stop_after) {
    std::vector<TargetTable> targets;
    for (const SourceTable& table : source_.tables()) {
      TRY(auto target, FindTargetTable(catalog_, table, naming_, SettingsOf(table), identity_, acknowledged_));
      TRY_VOID(AdoptDeleteForm(catalog_, target->settings, target->table));
      targets.push_back(*std::move(target));
    }
    std::vector<iceberg::TableIdent> idents;
    for (const TargetTable& target : targets) idents.push_back(target.table.ident);
    SimulatedRewriter rewriter(world_, catalog_, store_, metrics_, std::move(idents));
    std::stop_source stop;
    int64_t looks = 0;
    ReplicatorOptions options{
        .flush = {.commit_interval = milliseconds(world_.Between(10, 800)),
                  .memory_bytes = static_cast<size_t>(world_.Between(20'000, 200'000)),
                  .write_bytes = static_cast<size_t>(world_.Between(1'000, 100'000))},
        .writer = {.files = {.target_file_size_bytes = world_.Between(1'000, 20'000)}, .writer = identity_},
        .spool = {.directory = spool_, .memory_bytes = static_cast<size_t>(world_.Between(0, 2'000))},
        .retry = retry_,
        .until = source_.end(),
        .look_for_changes = [](std::span<const postgres::Xid>) -> Result<SourceLook> { return SourceLook{}; },
        .now =
            [&] {
              if (stop_after && ++looks > *stop_after) stop.request_stop();
              return world_.now;
            },
        .commit_queue = has_thread_ ? nullptr : std::make_unique<SteppedQueue>(world_, catalog_, retry_, metrics_),
        .rewriter = has_thread_ ? nullptr : &rewriter};
    StatusBoard status;
    PipelineStatus rows;
    for (const TargetTable& target : targets) rows.tables.push_back({.source = ToString(target.source.name)});
    TRY(const auto replicator,
        Replicator::Make(
            std::move(options),
            {.catalog = catalog_, .writer = {.store = store_, .index = index_, .metrics = metrics_}, .status = status},
            std::move(targets), rows));
    SimulatedStream stream(
        world_, source_.MessagesFrom(acknowledged_), source_.end(), [this](Lsn lsn) { Acknowledge(lsn); }, is_broken_);
    const auto end = replicator->Run(stream, stop.get_token());
    has_ended_ = true;
    return end ? Status() : Status(end.error());
  }

  /// acknowledged ≤ committed
  void Acknowledge(Lsn lsn) {
    if (world_.off()) return;
    for (size_t table = 0; table < seen_.size(); ++table) Compare(table, std::max(lsn, seen_[table].lsn));
    acknowledged_ = std::max(acknowledged_, lsn);
  }

  /// What readers find after a commit is what PostgreSQL had at its LSN: in each table, and in all of them where the
  /// catalog commits them together.
  void CheckCommit(const std::vector<catalog::LoadedTable>& committed) {
    Lsn newest;
    for (const catalog::LoadedTable& loaded : committed) {
      const size_t number = NumberOf(loaded.ident);
      const auto progress = Value(ReadProgress(*loaded.metadata));
      if (!progress) continue;
      if (progress->lsn < seen_[number].lsn) throw std::runtime_error("a commit went back");
      seen_[number] = {.lsn = progress->lsn, .rows = ReadRows(*loaded.metadata)};
      // A rewrite of files says nothing of the other tables.
      const bool is_streamed = loaded.metadata->CurrentSnapshot()->summary.contains(kLsnKey);
      if (is_streamed) newest = std::max(newest, progress->lsn);
      Compare(number, progress->lsn);
    }
    if (!is_copied_ || !real_catalog_.CommitsTablesTogether() || !newest.valid()) return;
    for (size_t table = 0; table < seen_.size(); ++table) Compare(table, std::max(newest, seen_[table].lsn));
  }

  /// The rows last seen in the Iceberg table are those of PostgreSQL at `lsn`.
  void Compare(size_t table, Lsn lsn) const {
    const SourceRows& expected = source_.RowsAt(table, lsn);
    if (seen_[table].rows == expected) return;
    throw std::runtime_error(fmt::format("table {} at LSN {}, committed up to {}:{}",
                                         ToString(source_.tables()[table].name), lsn, seen_[table].lsn,
                                         Difference(expected, seen_[table].rows)));
  }

  size_t NumberOf(const iceberg::TableIdent& ident) const {
    for (size_t table = 0; table < source_.tables().size(); ++table) {
      if (source_.tables()[table].name.name == ident.name) return table;
    }
    throw std::runtime_error("an unknown table");
  }

  /// As any engine would: by metadata, manifests and files alone.
  SourceRows ReadRows(const iceberg::TableMetadata& metadata) {
    SourceRows rows;
    iceberg::ManifestCache manifests;
    auto scan = Value(iceberg::TableScan::Plan(files_, std::make_shared<const iceberg::TableMetadata>(metadata),
                                               metadata.CurrentSnapshot(), metadata.CurrentSchema(), manifests));
    for (const iceberg::LiveDataFile& file : scan.files()) {
      auto reader = Value(scan.Open(file));
      while (const auto live = Value(reader->Next())) {
        const auto& keys = static_cast<const arrow::Int32Array&>(*live->rows->column(0));
        const auto& values = static_cast<const arrow::StringArray&>(*live->rows->column(1));
        const auto& larges = static_cast<const arrow::StringArray&>(*live->rows->column(2));
        for (int64_t i = 0; i < live->rows->num_rows(); ++i) {
          rows.insert({.key = keys.Value(i),
                       .value = values.GetString(i),
                       .large = larges.IsNull(i) ? std::nullopt : std::optional(larges.GetString(i))});
        }
      }
    }
    return rows;
  }

  Metrics& metrics_;
  const std::string spool_;
  World world_;
  const SimulatedSource source_;
  MemoryFileStore files_;
  MemoryCatalog real_catalog_;
  SimulatedStore store_;
  SimulatedCatalog catalog_;
  MemoryIndex index_;
  TableSettings settings_;
  std::vector<Seen> seen_;  ///< By table: what readers found last.
  Lsn acknowledged_;
  bool is_copied_ = false;
  bool has_thread_ = false;  ///< The committer has one, as in a real process.
  std::atomic<bool> is_broken_ = false;
  std::atomic<bool> has_ended_ = false;
};

int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoll(text);
}

/// A mistake shows in many runs: some are enough to choose the shortest from.
constexpr int kFailuresMax = 5;

class ReplicationSimulation : public ::testing::Test {
 protected:
  ~ReplicationSimulation() override {
    std::filesystem::remove_all(spool_);
    SetUpLogging(LogLevel::kInfo, LogFormat::kText);
  }

  bool Run(uint64_t seed) {
    try {
      Simulation(seed, metrics_, spool_).Run();
      return true;
    } catch (const std::exception& error) {
      ADD_FAILURE() << "seed " << seed << ": " << error.what() << "\nFIRN_SIMULATION_SEED=" << seed
                    << " runs it again, with its log";
      return false;
    }
  }

  const std::string spool_ = ::testing::TempDir() + "simulation-spool-" + NewUuid();
  Metrics metrics_;
};

TEST_F(ReplicationSimulation, KeepsWhatMustAlwaysHold) {
  if (const int64_t seed = FromEnvironment("FIRN_SIMULATION_SEED", -1); seed >= 0) {
    Run(static_cast<uint64_t>(seed));
    return;
  }
  SetUpLogging(LogLevel::kError, LogFormat::kText);
  const auto end = steady_clock::now() + std::chrono::seconds(FromEnvironment("FIRN_SIMULATION_SECONDS", 10));
  auto seed = static_cast<uint64_t>(FromEnvironment("FIRN_SIMULATION_FIRST", 1));
  int runs = 0;
  int failures = 0;
  for (; steady_clock::now() < end && failures < kFailuresMax; ++runs) failures += Run(seed++) ? 0 : 1;
  RecordProperty("runs", runs);
  std::printf("%d runs\n", runs);
  EXPECT_GT(runs, 0);
}

TEST_F(ReplicationSimulation, EndsTheCommitterBeforeItsTables) {
  SetUpLogging(LogLevel::kError, LogFormat::kText);
  Simulation(1, metrics_, spool_).BreakWhileCommitting();
}

}  // namespace
}  // namespace firn::pipeline
