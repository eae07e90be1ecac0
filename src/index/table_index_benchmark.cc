// Rows per second of Load, Lookup and Apply on keys like those of a bigint primary key.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "index/index_key.h"
#include "index/table_index.h"

namespace firn::index {
namespace {

constexpr uint32_t kRun = 1'000'000;

/// Keys of 0 … count - 1 in one buffer, eight bytes each.
std::string Keys(uint32_t count, bool shuffled) {
  std::vector<uint32_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  if (shuffled) std::shuffle(numbers.begin(), numbers.end(), std::mt19937(1));
  std::string bytes;
  for (const uint32_t number : numbers) {
    AppendUint32(bytes, 0x80000000);
    AppendUint32(bytes, number);
  }
  return bytes;
}
std::string_view KeyAt(const std::string& keys, size_t i) { return std::string_view(keys).substr(i * 8, 8); }

struct Fixture {
  explicit Fixture(KeyKind kind) {
    std::string pattern = "/var/tmp/firn-index-benchmark-XXXXXX";
    directory = mkdtemp(pattern.data());
    database = Database::Open(directory).value();
    table = database->OpenTable("t", kind).value();
    (void)table->Reset("c");
  }
  ~Fixture() {
    table.reset();
    database.reset();
    std::filesystem::remove_all(directory);
  }
  std::string directory;
  std::unique_ptr<Database> database;
  std::unique_ptr<TableIndex> table;
};

void Load(benchmark::State& state, KeyKind kind, bool shuffled) {
  const std::string keys = Keys(kRun, shuffled);
  Fixture fixture(kind);
  for (auto _ : state) {
    state.PauseTiming();
    (void)fixture.table->Reset("c");
    std::vector<TableIndex::Entry> entries;
    for (uint32_t i = 0; i < kRun; ++i) entries.push_back({KeyAt(keys, i), {0, i}});
    state.ResumeTiming();
    if (!fixture.table->Load(std::move(entries)).has_value()) state.SkipWithError("Load failed");
  }
  state.SetItemsProcessed(state.iterations() * kRun);
}
BENCHMARK_CAPTURE(Load, UniqueInOrder, KeyKind::kUnique, false)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Load, UniqueShuffled, KeyKind::kUnique, true)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Load, DuplicatesShuffled, KeyKind::kDuplicates, true)->Unit(benchmark::kMillisecond);

void Lookup(benchmark::State& state, KeyKind kind, bool known) {
  constexpr size_t kBatch = 10'000;
  const std::string keys = Keys(4 * kRun, true);
  Fixture fixture(kind);
  for (uint32_t run = 0; run < 4; ++run) {
    std::vector<TableIndex::Entry> entries;
    for (uint32_t i = run * kRun; i < (run + 1) * kRun; ++i) entries.push_back({KeyAt(keys, i), {run, i}});
    (void)fixture.table->Load(std::move(entries));
  }
  const std::string absent = [] {
    std::string bytes = Keys(kRun, true);
    for (size_t i = 0; i < bytes.size(); i += 8) bytes[i] = '\x81';
    return bytes;
  }();
  size_t at = 0;
  for (auto _ : state) {
    std::vector<std::string_view> batch;
    for (size_t i = 0; i < kBatch; ++i) batch.push_back(KeyAt(known ? keys : absent, at++ % kRun));
    benchmark::DoNotOptimize(fixture.table->Lookup(batch));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBatch));
}
BENCHMARK_CAPTURE(Lookup, UniqueKnown, KeyKind::kUnique, true);
BENCHMARK_CAPTURE(Lookup, UniqueUnknown, KeyKind::kUnique, false);
BENCHMARK_CAPTURE(Lookup, DuplicatesKnown, KeyKind::kDuplicates, true);
BENCHMARK_CAPTURE(Lookup, DuplicatesUnknown, KeyKind::kDuplicates, false);

void Apply(benchmark::State& state) {
  constexpr size_t kBatch = 10'000;
  const std::string keys = Keys(kRun, true);
  Fixture fixture(KeyKind::kUnique);
  uint32_t at = 0;
  for (auto _ : state) {
    std::vector<TableIndex::Change> changes;
    for (size_t i = 0; i < kBatch; ++i, ++at)
      changes.push_back({.key = KeyAt(keys, at % kRun), .put = RowPosition{1, at}});
    if (!fixture.table->Apply(changes).has_value()) state.SkipWithError("Apply failed");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBatch));
}
BENCHMARK(Apply);

}  // namespace
}  // namespace firn::index
