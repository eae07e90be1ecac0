#include <arrow/api.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "index/key_codec.h"

namespace firn::index {
namespace {

constexpr int64_t kRows = 64 * 1024;

template <typename Builder, typename ValueAt>
std::shared_ptr<arrow::Array> Column(ValueAt value_at) {
  Builder builder;
  for (int64_t row = 0; row < kRows; ++row) (void)builder.Append(value_at(row));
  return builder.Finish().ValueOrDie();
}

void Run(benchmark::State& state, const std::vector<std::shared_ptr<arrow::Array>>& arrays) {
  std::vector<std::shared_ptr<arrow::Field>> fields;
  std::vector<int> columns;
  for (const auto& array : arrays) {
    columns.push_back(static_cast<int>(fields.size()));
    fields.push_back(arrow::field("c", array->type()));
  }
  const auto batch = arrow::RecordBatch::Make(arrow::schema(fields), kRows, arrays);
  for (auto _ : state) {
    auto keys = EncodeKeys(*batch, columns);
    benchmark::DoNotOptimize(keys->size());
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}

const auto kInt32 = [](int64_t row) { return static_cast<int32_t>(row * 7); };
const auto kInt64 = [](int64_t row) { return row * 7; };
const auto kText = [](int64_t row) { return fmt::format("customer-{:08}", row); };

void Int64Key(benchmark::State& state) { Run(state, {Column<arrow::Int64Builder>(kInt64)}); }
void TwoInt32Key(benchmark::State& state) {
  Run(state, {Column<arrow::Int32Builder>(kInt32), Column<arrow::Int32Builder>(kInt32)});
}
void StringKey(benchmark::State& state) { Run(state, {Column<arrow::StringBuilder>(kText)}); }
BENCHMARK(Int64Key);
BENCHMARK(TwoInt32Key);
BENCHMARK(StringKey);

}  // namespace
}  // namespace firn::index
