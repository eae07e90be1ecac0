#include "pipeline/partitioned_writer.h"

#include <arrow/record_batch.h>

#include <algorithm>
#include <chrono>
#include <tuple>
#include <utility>

#include "base/try.h"
#include "iceberg/row_delta.h"
#include "observe/log.h"
#include "observe/parallel.h"
#include "pipeline/take_rows.h"

namespace firn::pipeline {
namespace {

using Clock = std::chrono::steady_clock;

/// What a file's writer takes beside the rows that it holds.
constexpr int64_t kFileOverheadBytes = 32 << 10;

}  // namespace

PartitionedWriter::PartitionedWriter(storage::FileStore& store, Metrics& metrics, iceberg::TableMetadataPtr metadata,
                                     iceberg::Schema schema, iceberg::Partitioner partitioner, DataFileOptions options,
                                     std::string table, std::function<std::string()> name)
    : store_(store),
      metrics_(metrics),
      metadata_(std::move(metadata)),
      schema_(std::move(schema)),
      partitioner_(std::move(partitioner)),
      options_(std::move(options)),
      table_(std::move(table)),
      name_(std::move(name)) {}

Result<std::unique_ptr<PartitionedWriter>> PartitionedWriter::Make(storage::FileStore& store, Metrics& metrics,
                                                                   iceberg::TableMetadataPtr metadata,
                                                                   iceberg::Schema schema, DataFileOptions options,
                                                                   std::string table,
                                                                   std::function<std::string()> name) {
  TRY(auto partitioner, iceberg::Partitioner::Make(schema, metadata->DefaultSpec()));
  return std::unique_ptr<PartitionedWriter>(
      new PartitionedWriter(store, metrics, std::move(metadata), std::move(schema), std::move(partitioner),
                            std::move(options), std::move(table), std::move(name)));
}

Result<std::vector<PlacedRows>> PartitionedWriter::Write(const std::shared_ptr<arrow::RecordBatch>& batch) {
  ++batches_;
  TRY(auto partitions, partitioner_.Divide(*batch));
  std::vector<PlacedRows> placed;
  placed.reserve(partitions.size());
  for (iceberg::PartitionRows& part : partitions) {
    std::string key = iceberg::PartitionKey(partitioner_.spec_id(), part.partition);
    auto position = files_.find(key);
    bool is_new = position == files_.end();
    if (is_new) {
      TRY(position, Begin(part.partition, key));
    }
    TRY(const auto rows, TakeRows(batch, part.rows));
    if (!is_new && !position->second.writer->Suits(*rows)) {
      TRY_VOID(Close(position));
      TRY(position, Begin(part.partition, std::move(key)));
      is_new = true;
    }
    File& file = position->second;
    placed.push_back({.location = file.location,
                      .is_new_file = is_new,
                      .first_position = file.writer->rows(),
                      .rows = std::move(part.rows)});
    file.last_batch = batches_;
    TRY_VOID(Do(file, [&] { return file.writer->Write(*rows); }));
    if (IsLargeEnough(file)) {
      // Before its first row group is written, a file is estimated several times too large.
      TRY_VOID(Do(file, [&] { return file.writer->Flush(); }));
      if (IsLargeEnough(file)) TRY_VOID(Close(position));
    }
    TRY_VOID(GiveBackMemory());
    if (files_open() > options_.max_open_files) TRY_VOID(CloseLeastUseful());
  }
  return placed;
}

Result<PartitionedWriter::Files::iterator> PartitionedWriter::Begin(const iceberg::PartitionValues& partition,
                                                                    std::string key) {
  const std::string folder = partitioner_.PathOf(partition);
  const std::string name = name_();
  std::string location = iceberg::DataLocation(*metadata_, folder.empty() ? name : folder + "/" + name);
  TRY(auto writer, iceberg::DataFileWriter::Open(store_, location, schema_, options_.parquet));
  partition_of_.emplace(location, key);
  File file{.number = files_numbered_++,
            .location = std::move(location),
            .partition = partition,
            .writer = std::move(writer),
            .held = HeldRows(options_.memory)};
  return files_.emplace(std::move(key), std::move(file)).first;
}

template <typename Call>
Status PartitionedWriter::Do(File& file, Call call) {
  const auto start = Clock::now();
  TRY_VOID(call().Context("writing {}", file.location));
  file.written += Clock::now() - start;
  file.held.Set(file.writer->held_bytes() + kFileOverheadBytes);
  if (!file.counted && file.writer->is_open()) {
    file.counted = std::make_unique<OpenFileCount>(metrics_);
    ++files_open_;
  }
  return {};
}

Status PartitionedWriter::Close(Files::iterator position) {
  TRY(iceberg::DataFile closed, CloseWriter(position->second));
  TakeClosed(position, std::move(closed));
  return {};
}

Result<iceberg::DataFile> PartitionedWriter::CloseWriter(File& file) {
  const auto start = Clock::now();
  TRY(iceberg::DataFile closed, file.writer->Close().Context("closing {}", file.location));
  file.written += Clock::now() - start;
  return closed;
}

void PartitionedWriter::TakeClosed(Files::iterator position, iceberg::DataFile closed) {
  File& file = position->second;
  metrics_.RecordWrite(table_, closed.record_count, closed.file_size_in_bytes, file.written);
  if (IsLogged(LogLevel::kDebug)) {
    LogDebug("wrote a data file",
             {{"table", table_},
              {"path", closed.file_path},
              {"rows", closed.record_count},
              {"bytes", closed.file_size_in_bytes},
              {"duration_ms", std::chrono::duration_cast<std::chrono::milliseconds>(file.written).count()}});
  }
  closed.partition_spec_id = partitioner_.spec_id();
  closed.partition = std::move(file.partition);
  closed_.push_back(std::move(closed));
  if (file.counted) --files_open_;
  partition_of_.erase(file.location);
  files_.erase(position);
}

Status PartitionedWriter::CloseFile(const std::string& location) {
  const auto key = partition_of_.find(location);
  return key == partition_of_.end() ? Status{} : Close(files_.find(key->second));
}

Status PartitionedWriter::CloseAll() {
  std::vector<Files::iterator> in_order;
  for (auto file = files_.begin(); file != files_.end(); ++file) in_order.push_back(file);
  std::ranges::sort(in_order, {}, [](const auto& file) { return file->second.number; });
  std::vector<iceberg::DataFile> closed(in_order.size());
  TRY_VOID(ForEachParallel(in_order.size(), options_.files_at_once, [&](size_t i) -> Status {
    TRY(closed[i], CloseWriter(in_order[i]->second));
    return {};
  }));
  for (size_t i = 0; i < in_order.size(); ++i) TakeClosed(in_order[i], std::move(closed[i]));
  return {};
}

Status PartitionedWriter::GiveBackMemory() {
  while (options_.memory->exceeded()) {
    const auto held = [](const auto& file) { return file.second.writer->held_bytes(); };
    const auto largest = std::ranges::max_element(files_, {}, held);
    if (largest == files_.end() || held(*largest) == 0) return {};  // Others hold it all.
    File& file = largest->second;
    TRY_VOID(Do(file, [&] { return file.writer->Flush(); }));
    if (files_open() > options_.max_open_files) TRY_VOID(CloseLeastUseful());
  }
  return {};
}

Status PartitionedWriter::CloseLeastUseful() {
  // Among files that the same batch had rows for, the largest has the least to gain.
  const auto use = [](const auto& file) {
    return std::tuple(file.second.counted == nullptr, file.second.last_batch, -file.second.writer->estimated_bytes(),
                      file.second.number);
  };
  return Close(std::ranges::min_element(files_, {}, use));
}

}  // namespace firn::pipeline
