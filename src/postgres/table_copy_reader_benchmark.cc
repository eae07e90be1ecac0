// What splitting a row of COPY's binary format costs: five columns of 57 bytes, as a customer table has.
#include <benchmark/benchmark.h>

#include "postgres/hex.h"
#include "postgres/table_copy_reader.h"

namespace firn::postgres {
namespace {

void BM_ParseCopyRow(benchmark::State& state) {
  const std::string row = FromHex(
      "0005 00000008 0000000000000001 00000010 637573746f6d6572206e756d62657231 00000008 0002b0d5d4e94000"
      "00000008 3ff8000000000000 00000004 00000007");
  std::vector<WireValue> values;
  for (auto _ : state) {
    auto parsed = ParseCopyRow(row, values);
    if (!parsed.has_value()) return state.SkipWithError("not parsed");
    benchmark::DoNotOptimize(values.data());
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(row.size()));
}
BENCHMARK(BM_ParseCopyRow);

}  // namespace
}  // namespace firn::postgres
