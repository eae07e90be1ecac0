// What a streamed change costs before anyone looks at it: one Insert of a row of eight columns, one Update of it.
#include <benchmark/benchmark.h>

#include "postgres/hex.h"
#include "postgres/pgoutput.h"

namespace firn::postgres {
namespace {

constexpr char kRow[] =
    "0008 62 00000008 0000000000000001 62 00000010 637573746f6d6572206e756d62657231 62 00000008 0002b0d5d4e94000"
    "62 00000008 3ff8000000000000 62 00000004 00000007 6e 62 00000001 01 62 00000004 73686f70";

void Parse(benchmark::State& state, const std::string& payload, bool in_stream) {
  PgoutputParser parser;
  for (auto _ : state) {
    auto message = parser.Parse(payload, in_stream);
    if (!message.has_value()) return state.SkipWithError("not parsed");
    benchmark::DoNotOptimize(message);
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(payload.size()));
}

void BM_Insert(benchmark::State& state) { Parse(state, FromHex(std::string("49 0000408d 4e") + kRow), false); }
BENCHMARK(BM_Insert);

void BM_StreamedInsert(benchmark::State& state) {
  Parse(state, FromHex(std::string("49 00000335 0000408d 4e") + kRow), true);
}
BENCHMARK(BM_StreamedInsert);

void BM_UpdateOfReplicaIdentityFull(benchmark::State& state) {
  Parse(state, FromHex(std::string("55 0000408d 4f") + kRow + "4e" + kRow), false);
}
BENCHMARK(BM_UpdateOfReplicaIdentityFull);

}  // namespace
}  // namespace firn::postgres
