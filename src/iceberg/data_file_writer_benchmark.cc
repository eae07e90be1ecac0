// How fast rows become a Parquet file, and back.
//
//   accounts: pgbench_accounts: two ints, a balance of few values, 84 characters of padding that are all the same
//   trips: taxi trips: times, doubles, low-cardinality codes and texts, 19 columns

#include <arrow/array.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/record_batch.h>
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <random>

#include "iceberg/data_file_reader.h"
#include "iceberg/data_file_writer.h"
#include "storage/local_file_store.h"

namespace firn::iceberg {
namespace {

constexpr int64_t kBatchRows = 16 << 10;
constexpr int kBatches = 128;  // two million rows: two row groups

struct Rows {
  Schema schema;
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  int64_t bytes = 0;
};

Field Column(FieldId id, std::string name, TypeId type, bool required = false) {
  return {.id = id, .name = std::move(name), .required = required, .type = Type::Primitive(type)};
}

template <typename Builder, typename Value>
std::shared_ptr<arrow::Array> Fill(std::shared_ptr<arrow::DataType> type, Value&& value) {
  Builder builder(std::move(type), arrow::default_memory_pool());
  for (int64_t i = 0; i < kBatchRows; ++i) (void)builder.Append(value(i));
  return builder.Finish().ValueOrDie();
}

Rows Make(Schema schema,
          const std::function<std::shared_ptr<arrow::Array>(const arrow::Field&, int64_t first)>& column) {
  Rows rows{.schema = std::move(schema)};
  const auto arrow_schema = ToArrowSchema(rows.schema).value();
  for (int b = 0; b < kBatches; ++b) {
    arrow::ArrayVector columns;
    for (const auto& field : arrow_schema->fields()) columns.push_back(column(*field, b * kBatchRows));
    rows.batches.push_back(arrow::RecordBatch::Make(arrow_schema, kBatchRows, std::move(columns)));
    for (const auto& data : rows.batches.back()->columns()) {
      for (const auto& buffer : data->data()->buffers) rows.bytes += buffer ? buffer->size() : 0;
    }
  }
  return rows;
}

const Rows& Accounts() {
  static const Rows rows = Make(
      {.fields = {Column(1, "aid", TypeId::kInt, true), Column(2, "bid", TypeId::kInt),
                  Column(3, "abalance", TypeId::kInt), Column(4, "filler", TypeId::kString)}},
      [](const arrow::Field& field, int64_t first) -> std::shared_ptr<arrow::Array> {
        if (field.name() == "aid") {
          return Fill<arrow::Int32Builder>(field.type(), [&](int64_t i) { return static_cast<int32_t>(first + i); });
        }
        if (field.name() == "bid") {
          return Fill<arrow::Int32Builder>(field.type(),
                                           [&](int64_t i) { return static_cast<int32_t>((first + i) / 100'000); });
        }
        if (field.name() == "abalance") return Fill<arrow::Int32Builder>(field.type(), [](int64_t) { return 0; });
        return Fill<arrow::StringBuilder>(field.type(), [](int64_t) { return std::string(84, ' '); });
      });
  return rows;
}

const Rows& Trips() {
  static std::mt19937_64 random(7);
  static const Rows rows = Make(
      {.fields = {Column(1, "id", TypeId::kLong, true), Column(2, "vendor", TypeId::kInt),
                  Column(3, "pickup", TypeId::kTimestamp), Column(4, "dropoff", TypeId::kTimestamp),
                  Column(5, "passengers", TypeId::kInt), Column(6, "distance", TypeId::kDouble),
                  Column(7, "rate_code", TypeId::kInt), Column(8, "flag", TypeId::kString),
                  Column(9, "pickup_zone", TypeId::kInt), Column(10, "dropoff_zone", TypeId::kInt),
                  Column(11, "payment", TypeId::kInt), Column(12, "fare", TypeId::kDouble),
                  Column(13, "extra", TypeId::kDouble), Column(14, "tax", TypeId::kDouble),
                  Column(15, "tip", TypeId::kDouble), Column(16, "tolls", TypeId::kDouble),
                  Column(17, "total", TypeId::kDouble), Column(18, "note", TypeId::kString),
                  Column(19, "uuid", TypeId::kUuid)}},
      [](const arrow::Field& field, int64_t first) -> std::shared_ptr<arrow::Array> {
        switch (field.type()->id()) {
          case arrow::Type::INT64:
            return Fill<arrow::Int64Builder>(field.type(), [&](int64_t i) { return first + i; });
          case arrow::Type::INT32:
            return Fill<arrow::Int32Builder>(field.type(),
                                             [&](int64_t) { return static_cast<int32_t>(random() % 260); });
          case arrow::Type::TIMESTAMP:
            return Fill<arrow::TimestampBuilder>(field.type(), [&](int64_t i) {
              return 1'700'000'000'000'000 + (first + i) * 300'000 + static_cast<int64_t>(random() % 3600) * 1'000'000;
            });
          case arrow::Type::DOUBLE:
            return Fill<arrow::DoubleBuilder>(field.type(),
                                              [&](int64_t) { return static_cast<double>(random() % 10'000) / 100; });
          case arrow::Type::FIXED_SIZE_BINARY: {
            arrow::FixedSizeBinaryBuilder builder(field.type());
            for (int64_t i = 0; i < kBatchRows; ++i) {
              const uint64_t bytes[2] = {random(), random()};
              (void)builder.Append(reinterpret_cast<const uint8_t*>(bytes));
            }
            return builder.Finish().ValueOrDie();
          }
          default:
            if (field.name() == "flag") {
              return Fill<arrow::StringBuilder>(field.type(),
                                                [&](int64_t) { return std::string(random() % 50 ? "N" : "Y"); });
            }
            return Fill<arrow::StringBuilder>(
                field.type(), [&](int64_t) { return "trip " + std::to_string(random() % 1'000'000'000); });
        }
      });
  return rows;
}

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("firn-benchmark-" + std::to_string(::getpid()))) {}
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string Location() const { return "file://" + path_.string() + "/x.parquet"; }

 private:
  const std::filesystem::path path_;
};

DataFile WriteFile(storage::FileStore& store, const Folder& folder, const Rows& rows, Compression compression) {
  auto writer = DataFileWriter::Open(store, folder.Location(), rows.schema, {.compression = compression}).value();
  for (const auto& batch : rows.batches) (void)writer->Write(*batch);
  return writer->Close().value();
}

void Report(benchmark::State& state, const Rows& rows, const DataFile& file) {
  const auto iterations = static_cast<double>(state.iterations());
  state.counters["rows/s"] =
      benchmark::Counter(iterations * static_cast<double>(file.record_count), benchmark::Counter::kIsRate);
  state.SetBytesProcessed(state.iterations() * rows.bytes);
  state.counters["file_bytes_per_row"] =
      static_cast<double>(file.file_size_in_bytes) / static_cast<double>(file.record_count);
}

void BM_Write(benchmark::State& state, const Rows& (*source)(), Compression compression) {
  const Rows& rows = source();
  const Folder folder;
  const auto store = storage::MakeLocalFileStore(storage::LocalSync::kNever);
  DataFile file;
  for (auto _ : state) file = WriteFile(*store, folder, rows, compression);
  Report(state, rows, file);
}

void BM_Read(benchmark::State& state, const Rows& (*source)()) {
  const Rows& rows = source();
  const Folder folder;
  const auto store = storage::MakeLocalFileStore(storage::LocalSync::kNever);
  const DataFile file = WriteFile(*store, folder, rows, Compression::kZstd);
  for (auto _ : state) {
    auto reader = DataFileReader::Open(*store, file, rows.schema).value();
    while (auto batch = reader->Next().value()) benchmark::DoNotOptimize(batch);
  }
  Report(state, rows, file);
}

/// Rows that are spread over the whole file, as unchanged TOAST values are.
void BM_ReadRows(benchmark::State& state, const Rows& (*source)()) {
  const Rows& rows = source();
  const Folder folder;
  const auto store = storage::MakeLocalFileStore(storage::LocalSync::kNever);
  const DataFile file = WriteFile(*store, folder, rows, Compression::kZstd);
  std::vector<int64_t> positions;
  for (int64_t i = 0; i < state.range(0); ++i) positions.push_back(i * file.record_count / state.range(0));
  const Schema projection{.fields = {rows.schema.fields[0], rows.schema.fields.back()}};
  auto reader = DataFileReader::Open(*store, file, projection).value();
  for (auto _ : state) {
    const Status read = reader->ReadRows(positions, [](const auto& part, size_t) -> Status {
      benchmark::DoNotOptimize(part);
      return {};
    });
    if (!read) state.SkipWithError(read.error().message());
  }
}

BENCHMARK_CAPTURE(BM_Write, accounts_zstd, Accounts, Compression::kZstd)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Write, trips_zstd, Trips, Compression::kZstd)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Write, trips_snappy, Trips, Compression::kSnappy)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Read, accounts, Accounts)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Read, trips, Trips)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_ReadRows, trips, Trips)->Arg(1)->Arg(100)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace firn::iceberg
