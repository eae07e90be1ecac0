// Rows as COPY gives them, out of a buffer of many → record batches. Beside rows per second: ns per value.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdlib>
#include <random>

#include "encode/row_encoder.h"

namespace firn::encode {
namespace {

constexpr size_t kRows = 20'000;           // of the input, read again and again
constexpr size_t kBatchBytes = 32u << 20;  // as a caller would cut batches

struct Column {
  SourceColumn source;
  double nulls = 0;  // share
};

SourceColumn Typed(TypeOid oid, int32_t type_modifier = -1) {
  return {.name = "c", .type_oid = oid, .type_modifier = type_modifier, .type_name = "its type"};
}
const SourceColumn kInt2 = Typed(21), kInt4 = Typed(23), kInt8 = Typed(20), kFloat8 = Typed(701),
                   kTimestamp = Typed(1114), kBpchar84 = Typed(1042, 88), kText = Typed(25),
                   kMoney = Typed(1700, (10 << 16 | 2) + 4);

template <typename T>
void PutBigEndian(std::string& out, T value) {
  for (int shift = (sizeof(T) - 1) * 8; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

std::string BinaryValue(const SourceColumn& column, std::mt19937& random) {
  std::string bytes;
  const uint32_t any = random();
  switch (column.type_oid) {
    case 21:
      PutBigEndian(bytes, static_cast<uint16_t>(any));
      break;
    case 23:
      PutBigEndian(bytes, any);
      break;
    case 20:
      PutBigEndian(bytes, uint64_t{any});
      break;
    case 701:
      PutBigEndian(bytes, std::bit_cast<uint64_t>(any / 1e6));
      break;
    case 1114:
      PutBigEndian(bytes, uint64_t{any} * 1'000'000);
      break;
    case 1042:
      bytes.assign(84, ' ');
      break;
    case 25:
      bytes.assign(any % 20, 'x');
      break;
    case 1700: {  // 0.00 to 199.99, a third of them whole
      const uint32_t cents = any % 20'000 / (any % 3 ? 1 : 100) * (any % 3 ? 1 : 100);
      std::vector<uint16_t> digits;
      if (cents / 100) digits.push_back(static_cast<uint16_t>(cents / 100));
      if (cents % 100) digits.push_back(static_cast<uint16_t>(cents % 100 * 100));
      PutBigEndian(bytes, static_cast<uint16_t>(digits.size()));
      PutBigEndian(bytes, static_cast<uint16_t>(cents / 100 || !cents ? 0 : -1));
      PutBigEndian(bytes, uint16_t{0});
      PutBigEndian(bytes, uint16_t{2});
      for (uint16_t digit : digits) PutBigEndian(bytes, digit);
      break;
    }
    default:
      std::abort();
  }
  return bytes;
}

std::string TextValue(const SourceColumn& column, std::mt19937& random) {
  const uint32_t any = random();
  switch (column.type_oid) {
    case 21:
      return std::to_string(static_cast<int16_t>(any));
    case 23:
      return std::to_string(static_cast<int32_t>(any));
    case 20:
      return std::to_string(any);
    case 701:
      return fmt::format("{}", any / 1e6);
    case 1114:
      return fmt::format("20{:02}-{:02}-{:02} 12:{:02}:56.789", any % 24, 1 + any % 12, 1 + any % 28, any % 60);
    case 1700:
      return fmt::format("{}.{:02}", any % 200, any % 100);
    default:
      return BinaryValue(column, random);
  }
}

void Run(benchmark::State& state, const std::vector<Column>& columns, WireFormat format) {
  SourceTable table{.name = {"public", "t"}};
  for (const Column& column : columns) {
    table.columns.push_back(column.source);
    table.columns.back().attnum = static_cast<int16_t>(table.columns.size());
  }
  // One buffer, a size before each value, as in COPY's rows.
  std::mt19937 random(1);
  std::string buffer;
  std::vector<std::pair<size_t, WireValue>> offsets;
  for (size_t row = 0; row < kRows; ++row) {
    for (const Column& column : columns) {
      const bool null = random() % 1000 < column.nulls * 1000;
      const std::string value = null                            ? ""
                                : format == WireFormat::kBinary ? BinaryValue(column.source, random)
                                                                : TextValue(column.source, random);
      buffer.append(4, '\0');
      offsets.push_back(
          {buffer.size(), {nullptr, static_cast<int32_t>(value.size()), null ? WireFormat::kNull : format}});
      buffer += value;
    }
  }
  std::vector<WireValue> values;
  for (auto& [offset, value] : offsets) {
    value.data = buffer.data() + offset;
    values.push_back(value);
  }

  auto mapping = MapTable(table);
  auto encoder = std::move(*RowEncoder::Make(*mapping));
  int64_t rows = 0;
  size_t next = 0;
  for (auto _ : state) {
    if (!encoder->AppendRow(std::span(values).subspan(next, columns.size()))) std::abort();
    next += columns.size();
    if (next == values.size()) next = 0;
    if (++rows % 256 == 0 && encoder->bytes() > kBatchBytes) {
      auto batch = encoder->Finish();
      if (!batch) std::abort();
      benchmark::DoNotOptimize(batch->batch);
    }
  }
  if (!encoder->Finish()) std::abort();
  state.SetItemsProcessed(rows);
  state.counters["s/value"] = benchmark::Counter(static_cast<double>(rows) * static_cast<double>(columns.size()),
                                                 benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

const std::vector<Column> kPgbenchAccounts = {{kInt4}, {kInt4}, {kInt4}, {kBpchar84}};

/// A taxi trip: 19 columns, the last ones mostly null.
const std::vector<Column> kTrip = {
    {kInt4},       {kTimestamp},  {kTimestamp},  {kInt8, 0.05}, {kFloat8},    {kInt8, 0.05}, {kText, 0.05},
    {kInt4},       {kInt4},       {kInt8},       {kMoney},      {kMoney},     {kMoney},      {kMoney},
    {kMoney, 0.2}, {kMoney, 0.2}, {kMoney, 0.5}, {kMoney, 0.9}, {kText, 0.9},
};

void PgbenchAccountsBinary(benchmark::State& state) { Run(state, kPgbenchAccounts, WireFormat::kBinary); }
void PgbenchAccountsText(benchmark::State& state) { Run(state, kPgbenchAccounts, WireFormat::kText); }
void TripBinary(benchmark::State& state) { Run(state, kTrip, WireFormat::kBinary); }
void TripText(benchmark::State& state) { Run(state, kTrip, WireFormat::kText); }
BENCHMARK(PgbenchAccountsBinary);
BENCHMARK(PgbenchAccountsText);
BENCHMARK(TripBinary);
BENCHMARK(TripText);

}  // namespace
}  // namespace firn::encode
