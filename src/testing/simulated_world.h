// What is around the pipeline in a simulation: its store, catalog, stream, committer and rewrites, which a seed has
// fail, wait and lose what it chooses. Time is what they make of it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/retry_policy.h"
#include "base/try.h"
#include "base/uuid.h"
#include "pipeline/batch_committer.h"
#include "pipeline/commit_queue.h"
#include "pipeline/replicator.h"
#include "pipeline/table_rewrite.h"
#include "postgres/replication_stream.h"
#include "storage/file_store.h"
#include "testing/file_rewrite.h"
#include "testing/forwarding_catalog.h"
#include "testing/memory_catalog.h"
#include "testing/results.h"
#include "testing/simulated_present.h"
#include "testing/simulated_source.h"

namespace firn::testing {

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
  std::chrono::steady_clock::time_point now{};

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
  Status MakeDurable() override {
    TRY_VOID(world_.Step());
    return store_.MakeDurable();
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

/// Loses requests and answers, has another writer come first, and shows each commit to the one who compares. What it
/// names, it makes durable before.
class SimulatedCatalog : public ForwardingCatalog {
 public:
  using Look = std::function<void(const std::vector<catalog::LoadedTable>&)>;
  SimulatedCatalog(World& world, MemoryCatalog& real, storage::FileStore& store, Look look)
      : ForwardingCatalog(real), world_(world), store_(store), look_(std::move(look)) {}

  Result<catalog::LoadedTable> LoadTable(const iceberg::TableIdent& ident) override {
    TRY_VOID(world_.Step());
    return real_.LoadTable(ident);
  }

  Status RenameTable(const iceberg::TableIdent& from, const iceberg::TableIdent& to) override {
    TRY_VOID(world_.Step());
    TRY_VOID(real_.RenameTable(from, to));
    return world_.Step();
  }

  Result<std::vector<catalog::LoadedTable>> CommitTables(std::span<const iceberg::CommitRequest> requests) override {
    TRY_VOID(store_.MakeDurable());
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
  storage::FileStore& store_;
  const Look look_;
};

/// Does jobs while the replicator waits for their outcome, at a time that the seed chooses.
class SteppedQueue : public pipeline::CommitQueue {
 public:
  SteppedQueue(World& world, catalog::Catalog& catalog, const RetryPolicy& retry, Metrics& metrics)
      : world_(world), batches_(catalog, retry, metrics, /*tables_at_once=*/1) {}

  bool TrySubmit(pipeline::FlushJob& job) override {
    if (job_) return false;
    job_ = std::move(job);
    return true;
  }
  Result<std::optional<pipeline::FlushOutcome>> TakeOutcome() override {
    if (!job_ || world_.Chance(0.6)) return std::optional<pipeline::FlushOutcome>();
    auto outcome = batches_.Do(*job_, {});
    job_.reset();
    if (!outcome) return std::move(outcome).error();
    return std::optional<pipeline::FlushOutcome>(*std::move(outcome));
  }
  int jobs_in_flight() const override { return job_ ? 1 : 0; }

 private:
  World& world_;
  pipeline::BatchCommitter batches_;
  std::optional<pipeline::FlushJob> job_;
};

/// Rewrites some files of some table, now and then, and has it committed later.
class SimulatedRewriter : public pipeline::TableRewriter {
 public:
  SimulatedRewriter(World& world, catalog::Catalog& catalog, storage::FileStore& store, Metrics& metrics,
                    std::vector<iceberg::TableIdent> tables)
      : world_(world), catalog_(catalog), store_(store), metrics_(metrics), tables_(std::move(tables)) {}

  void Streams(std::vector<Table>) override {}
  void Committed(std::span<const catalog::LoadedTable>) override {}
  std::unique_ptr<pipeline::TableRewrite> Take() override {
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
  std::unique_ptr<pipeline::TableRewrite> rewrite_;
};

/// Brings what is written by now; while it waits, more is.
class SimulatedStream : public postgres::ReplicationStream {
 public:
  SimulatedStream(World& world, std::vector<SimulatedSource::SentMessage> messages, SimulatedPresent& present,
                  std::function<void(Lsn)> acknowledged, const std::atomic<bool>& is_broken)
      : world_(world),
        messages_(std::move(messages)),
        present_(present),
        acknowledged_(std::move(acknowledged)),
        is_broken_(is_broken) {}

  Result<std::optional<postgres::XLogData>> Next(std::chrono::milliseconds wait) override {
    TRY_VOID(Step());
    if (wait > std::chrono::milliseconds(0)) world_.now += std::chrono::milliseconds(world_.Between(0, wait.count()));
    if (world_.Chance(0.2)) return std::optional<postgres::XLogData>();
    const bool is_sent = next_ < messages_.size() && messages_[next_].records <= present_.records();
    if (!is_sent) {
      received_ = std::max(received_, present_.written());
      present_.GoOn(12);
      return std::optional<postgres::XLogData>();
    }
    const SimulatedSource::SentMessage& message = messages_[next_++];
    received_ = std::max(received_, message.start);
    return std::optional(
        postgres::XLogData{.start = message.start, .end = present_.written(), .payload = message.payload});
  }
  Status KeepAlive(std::chrono::milliseconds wait) override {
    TRY_VOID(Step());
    world_.now += wait;
    if (world_.Chance(0.3)) present_.GoOn(12);
    return {};
  }
  void SetAcknowledged(Lsn lsn) override { acknowledged_(lsn); }
  Status SendStatus() override { return world_.Step(); }
  Lsn received() const override { return received_; }
  Lsn server_end() const override { return present_.written(); }
  int64_t bytes_received() const override { return static_cast<int64_t>(next_); }
  Status Close() override { return {}; }

 private:
  Status Step() {
    if (is_broken_) return MakeError(ErrorKind::kTransient, "the connection broke");
    return world_.Step();
  }

  World& world_;
  const std::vector<SimulatedSource::SentMessage> messages_;
  SimulatedPresent& present_;
  const std::function<void(Lsn)> acknowledged_;
  const std::atomic<bool>& is_broken_;
  size_t next_ = 0;
  Lsn received_;
};

/// Tables are copied beside the stream, under a snapshot of `since`.
class SimulatedCopies : public pipeline::BesideStream {
 public:
  SimulatedCopies(World& world, std::optional<Lsn> since) : world_(world), since_(since) {}

  std::optional<Lsn> Hold() const override { return since_; }
  bool WantsStart() const override { return since_ && world_.Chance(0.05); }
  bool HasCopiesToCome() const override { return since_.has_value(); }
  void Describe(PipelineStatus&) const override {}

 private:
  World& world_;
  const std::optional<Lsn> since_;
};

}  // namespace firn::testing
