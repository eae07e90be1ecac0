#include "maintenance/row_sorter.h"

#include <arrow/api.h>
#include <arrow/compute/api.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/util/byte_size.h>
#include <arrow/util/compression.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

#include "base/try.h"
#include "iceberg/row_bytes.h"
#include "maintenance/temporary_file.h"
#include "storage/arrow_error.h"

namespace firn::maintenance {
namespace {

using iceberg::SortKeys;
using Batch = std::shared_ptr<arrow::RecordBatch>;

/// A batch of a run is this part of the memory: so many runs are merged at a time.
constexpr int64_t kRunsAtOnce = 64;
constexpr int64_t kBatchBytesMin = 64 << 10;
constexpr int64_t kBatchRowsMax = 64 << 10;
/// What a batch takes beside its values, by column.
constexpr int64_t kColumnOverheadBytes = 512;
constexpr int kCompressionLevel = 1;
constexpr char kOrigin[] = "_firn_origin";

template <typename T>
Result<T> Arrow(arrow::Result<T> result) {
  return storage::FromArrow(std::move(result), "{}", "sorting rows");
}

Result<int64_t> BytesOf(const arrow::RecordBatch& batch) {
  TRY(const int64_t bytes, Arrow(arrow::util::ReferencedBufferSize(batch)));
  return bytes + kColumnOverheadBytes * batch.num_columns();
}

Result<Batch> TakeRows(const Batch& batch, const std::vector<int32_t>& rows) {
  const arrow::Int32Array indices(static_cast<int64_t>(rows.size()), arrow::Buffer::Wrap(rows.data(), rows.size()));
  TRY(const arrow::Datum taken,
      Arrow(arrow::compute::Take(batch, indices, arrow::compute::TakeOptions::NoBoundsCheck())));
  return taken.record_batch();
}

/// The first bytes of a key as a number that compares as they do.
uint64_t Prefix(std::string_view key) {
  uint64_t prefix = 0;
  for (size_t i = 0; i < sizeof prefix; ++i) {
    prefix = prefix << 8 | (i < key.size() ? static_cast<unsigned char>(key[i]) : 0U);
  }
  return prefix;
}

/// The rows of a batch in the order of their keys.
std::vector<int32_t> SortedRows(const SortKeys& keys) {
  struct Entry {
    uint64_t prefix;
    int32_t row;
  };
  std::vector<Entry> entries(keys.size());
  for (size_t i = 0; i < entries.size(); ++i) entries[i] = {Prefix(keys[i]), static_cast<int32_t>(i)};
  std::ranges::stable_sort(entries, [&](const Entry& a, const Entry& b) {
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    return keys[static_cast<size_t>(a.row)] < keys[static_cast<size_t>(b.row)];
  });
  std::vector<int32_t> rows(entries.size());
  std::ranges::transform(entries, rows.begin(), &Entry::row);
  return rows;
}

/// Gives the batches of a sorted run in turn, null at its end.
using Batches = std::function<Result<Batch>()>;

Batches OneBatch(Batch batch) {
  return [batch = std::move(batch)]() mutable -> Result<Batch> { return std::exchange(batch, nullptr); };
}

/// Several sorted runs as one. Of equal rows those of the earlier run come first.
class Merger {
 public:
  static Result<Merger> Make(const iceberg::RowOrder& order, std::vector<Batches> runs, int64_t batch_bytes) {
    Merger merger(order, batch_bytes);
    merger.cursors_.resize(runs.size());
    for (size_t i = 0; i < runs.size(); ++i) {
      merger.cursors_[i].next = std::move(runs[i]);
      TRY(const bool has_rows, merger.Load(merger.cursors_[i]));
      if (has_rows) merger.heap_.push_back(i);
    }
    std::ranges::make_heap(merger.heap_, Behind{&merger});
    return merger;
  }

  /// Of about batch_bytes, or a row; null at the end.
  Result<Batch> Next() {
    pieces_.clear();
    std::vector<std::pair<size_t, int32_t>> rows;  // Piece, and row in it.
    double bytes = 0;
    while (!heap_.empty() && std::ssize(rows) < kBatchRowsMax && (rows.empty() || bytes < batch_bytes_)) {
      std::ranges::pop_heap(heap_, Behind{this});
      Cursor& cursor = cursors_[heap_.back()];
      if (!cursor.piece) {
        cursor.piece = pieces_.size();
        cursor.first = cursor.row;
        pieces_.emplace_back();
      }
      rows.emplace_back(*cursor.piece, static_cast<int32_t>(cursor.row - cursor.first));
      bytes += cursor.row_bytes;
      ++cursor.row;
      if (cursor.row == cursor.batch->num_rows()) {
        EndPiece(cursor);
        TRY(const bool has_rows, Load(cursor));
        if (!has_rows) {
          heap_.pop_back();
          continue;
        }
      }
      std::ranges::push_heap(heap_, Behind{this});
    }
    for (Cursor& cursor : cursors_) EndPiece(cursor);
    if (pieces_.empty()) return Batch();
    if (pieces_.size() == 1) return pieces_.front();
    return Gather(rows);
  }

 private:
  struct Cursor {
    Batches next;
    Batch batch;  ///< Null at the end.
    SortKeys keys;
    double row_bytes = 0;
    int64_t row = 0;
    std::optional<size_t> piece;  ///< Of what is being gathered, from row `first` on.
    int64_t first = 0;
  };

  Merger(const iceberg::RowOrder& order, int64_t batch_bytes)
      : order_(&order), batch_bytes_(static_cast<double>(batch_bytes)) {}

  bool ComesBehind(size_t a, size_t b) const {
    const Cursor& one = cursors_[a];
    const Cursor& other = cursors_[b];
    const int order = one.keys[static_cast<size_t>(one.row)].compare(other.keys[static_cast<size_t>(other.row)]);
    return order != 0 ? order > 0 : a > b;
  }
  /// Of a heap, which has the greatest first: that is to be the run with the least row.
  struct Behind {
    const Merger* merger;
    bool operator()(size_t a, size_t b) const { return merger->ComesBehind(a, b); }
  };

  Result<bool> Load(Cursor& cursor) {
    do {
      TRY(cursor.batch, cursor.next());
    } while (cursor.batch && cursor.batch->num_rows() == 0);
    cursor.row = 0;
    cursor.keys = {};
    if (!cursor.batch) return false;
    TRY(cursor.keys, order_->KeysOf(*cursor.batch));
    TRY(const int64_t bytes, Arrow(arrow::util::ReferencedBufferSize(*cursor.batch)));
    cursor.row_bytes = static_cast<double>(bytes) / static_cast<double>(cursor.batch->num_rows());
    return true;
  }

  void EndPiece(Cursor& cursor) {
    if (!cursor.piece) return;
    pieces_[*cursor.piece] = cursor.batch->Slice(cursor.first, cursor.row - cursor.first);
    cursor.piece.reset();
  }

  Result<Batch> Gather(const std::vector<std::pair<size_t, int32_t>>& rows) {
    std::vector<int32_t> begins;
    int64_t count = 0;
    for (const Batch& piece : pieces_) {
      begins.push_back(static_cast<int32_t>(count));
      count += piece->num_rows();
    }
    TRY(const Batch all, Arrow(arrow::ConcatenateRecordBatches(pieces_)));
    std::vector<int32_t> indices;
    indices.reserve(rows.size());
    for (const auto& [piece, row] : rows) indices.push_back(begins[piece] + row);
    return TakeRows(all, indices);
  }

  const iceberg::RowOrder* order_;
  double batch_bytes_;
  std::vector<Cursor> cursors_;
  std::vector<size_t> heap_;  ///< Cursors with rows.
  std::vector<Batch> pieces_;
};

}  // namespace

/// Sorted runs, one behind the other in a file, each as Arrow's IPC stream.
class SpilledRuns {
 public:
  static Result<std::unique_ptr<SpilledRuns>> Make(const std::string& folder,
                                                   const std::shared_ptr<arrow::Schema>& schema) {
    TRY(TemporaryFile file, TemporaryFile::Make(folder));
    TRY(Descriptor descriptor, file.Duplicate());
    TRY(auto stream, Arrow(arrow::io::FileOutputStream::Open(descriptor.Release())));
    TRY(std::shared_ptr<arrow::util::Codec> codec,
        Arrow(arrow::util::Codec::Create(arrow::Compression::ZSTD, kCompressionLevel)));
    return std::unique_ptr<SpilledRuns>(new SpilledRuns(std::move(file), std::move(stream), std::move(codec), schema));
  }

  Status Write(Merger& merger, const std::stop_token& stop) {
    auto options = arrow::ipc::IpcWriteOptions::Defaults();
    options.codec = codec_;
    options.use_threads = false;
    TRY(const int64_t begin, Arrow(stream_->Tell()));
    TRY(const auto writer, Arrow(arrow::ipc::MakeStreamWriter(stream_, schema_, options)));
    Run run{.begin = begin};
    while (true) {
      if (stop.stop_requested()) return MakeError(ErrorKind::kCancelled, "stopped on request");
      TRY(const Batch batch, merger.Next());
      if (!batch) break;
      TRY(const int64_t bytes, BytesOf(*batch));
      run.batch_bytes = std::max(run.batch_bytes, bytes);
      TRY_VOID(storage::FromArrow(writer->WriteRecordBatch(*batch), "{}", "writing sorted rows to a temporary file"));
    }
    TRY_VOID(storage::FromArrow(writer->Close(), "{}", "writing sorted rows to a temporary file"));
    TRY(const int64_t end, Arrow(stream_->Tell()));
    run.bytes = end - begin;
    runs_.push_back(run);
    return {};
  }

  size_t size() const { return runs_.size(); }
  /// Of the largest batch of a run.
  int64_t batch_bytes(size_t run) const { return runs_[run].batch_bytes; }

  /// Of a run; this must outlive it.
  Result<Batches> Open(size_t run) {
    if (!readable_) {
      TRY(Descriptor descriptor, file_.Duplicate());
      TRY(readable_, Arrow(arrow::io::ReadableFile::Open(descriptor.Release())));
    }
    TRY(const auto stream,
        Arrow(arrow::io::RandomAccessFile::GetStream(readable_, runs_[run].begin, runs_[run].bytes)));
    auto options = arrow::ipc::IpcReadOptions::Defaults();
    options.use_threads = false;
    TRY(const auto reader, Arrow(arrow::ipc::RecordBatchStreamReader::Open(stream, options)));
    return Batches([reader]() -> Result<Batch> {
      Batch batch;
      TRY_VOID(storage::FromArrow(reader->ReadNext(&batch), "{}", "reading sorted rows from a temporary file"));
      return batch;
    });
  }

 private:
  struct Run {
    int64_t begin = 0;
    int64_t bytes = 0;
    int64_t batch_bytes = 0;
  };

  SpilledRuns(TemporaryFile file, std::shared_ptr<arrow::io::FileOutputStream> stream,
              std::shared_ptr<arrow::util::Codec> codec, std::shared_ptr<arrow::Schema> schema)
      : file_(std::move(file)), stream_(std::move(stream)), codec_(std::move(codec)), schema_(std::move(schema)) {}

  TemporaryFile file_;
  std::shared_ptr<arrow::io::FileOutputStream> stream_;
  std::shared_ptr<arrow::util::Codec> codec_;
  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<arrow::io::ReadableFile> readable_;  ///< Once all is written.
  std::vector<Run> runs_;
};

RowSorter::RowSorter(iceberg::RowOrder order, RowSorterOptions options)
    : order_(std::move(order)), options_(std::move(options)), counted_(options_.memory) {}

RowSorter::~RowSorter() = default;

int64_t RowSorter::BatchBytes() const {
  return std::clamp(options_.memory_bytes / kRunsAtOnce, kBatchBytesMin, iceberg::kBatchBytes);
}

void RowSorter::Hold(int64_t bytes) {
  held_bytes_ = bytes;
  counted_.Set(bytes);
}

Status RowSorter::Add(const arrow::RecordBatch& rows, std::span<const int64_t> origins) {
  if (rows.num_rows() == 0) return {};
  const auto bytes = static_cast<int64_t>(origins.size_bytes());
  TRY(std::shared_ptr<arrow::Buffer> buffer, Arrow(arrow::AllocateBuffer(bytes)));
  std::memcpy(buffer->mutable_data(), origins.data(), origins.size_bytes());
  TRY(const Batch batch,
      Arrow(rows.AddColumn(rows.num_columns(), kOrigin,
                           std::make_shared<arrow::Int64Array>(rows.num_rows(), std::move(buffer)))));
  if (!schema_) schema_ = batch->schema();
  TRY(const SortKeys keys, order_.KeysOf(*batch));
  // A copy in any case: it holds nothing of what the batch was a part of.
  TRY(held_.emplace_back(), TakeRows(batch, SortedRows(keys)));
  TRY(const int64_t held, BytesOf(*held_.back()));
  Hold(held_bytes_ + held + keys.bytes());  // The keys come again when batches are merged.
  return held_bytes_ > options_.memory_bytes ? SpillHeld({}) : Status{};
}

Status RowSorter::SpillHeld(const std::stop_token& stop) {
  if (held_.empty()) return {};
  if (!runs_) {
    TRY(runs_, SpilledRuns::Make(options_.folder, schema_));
  }
  std::vector<Batches> batches;
  for (Batch& batch : std::exchange(held_, {})) batches.push_back(OneBatch(std::move(batch)));
  TRY(Merger merger, Merger::Make(order_, std::move(batches), BatchBytes()));
  TRY_VOID(runs_->Write(merger, stop));
  ++runs_written_;
  Hold(0);
  return {};
}

/// Runs become fewer, until a batch of each fits into the memory.
Status RowSorter::MergeRuns(const std::stop_token& stop) {
  const auto fitting = [&](size_t first) {
    size_t end = first;
    for (int64_t bytes = 0; end < runs_->size(); ++end) {
      bytes += runs_->batch_bytes(end);
      // Two at least, or it would never end.
      if (end >= first + 2 && (bytes > options_.memory_bytes || end - first >= 2 * kRunsAtOnce)) break;
    }
    return end;
  };
  while (fitting(0) < runs_->size()) {
    TRY(auto merged, SpilledRuns::Make(options_.folder, schema_));
    for (size_t first = 0, end = 0; first < runs_->size(); first = end) {
      end = fitting(first);
      std::vector<Batches> batches;
      for (size_t run = first; run < end; ++run) {
        TRY(batches.emplace_back(), runs_->Open(run));
      }
      TRY(Merger merger, Merger::Make(order_, std::move(batches), BatchBytes()));
      TRY_VOID(merged->Write(merger, stop));
      ++runs_written_;
    }
    runs_ = std::move(merged);
  }
  return {};
}

Status RowSorter::Finish(const Sink& sink, const std::stop_token& stop) {
  std::vector<Batches> batches;
  if (runs_) {
    TRY_VOID(SpillHeld(stop));
    TRY_VOID(MergeRuns(stop));
    int64_t bytes = 0;
    for (size_t run = 0; run < runs_->size(); ++run) {
      TRY(batches.emplace_back(), runs_->Open(run));
      bytes += runs_->batch_bytes(run);
    }
    Hold(bytes);
  } else {
    for (Batch& batch : std::exchange(held_, {})) batches.push_back(OneBatch(std::move(batch)));
  }
  TRY(Merger merger, Merger::Make(order_, std::move(batches), std::min(options_.memory_bytes, options_.batch_bytes)));
  while (true) {
    if (stop.stop_requested()) return MakeError(ErrorKind::kCancelled, "stopped on request");
    TRY(const Batch batch, merger.Next());
    if (!batch) break;
    const int origin = batch->num_columns() - 1;
    const auto& origins = static_cast<const arrow::Int64Array&>(*batch->column(origin));
    TRY(const Batch rows, Arrow(batch->RemoveColumn(origin)));
    TRY_VOID(sink(rows, {origins.raw_values(), static_cast<size_t>(origins.length())}));
  }
  runs_.reset();
  Hold(0);
  return {};
}

}  // namespace firn::maintenance
