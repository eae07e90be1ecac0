#include "encode/row_encoder.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "base/try.h"
#include "encode/column_buffers.h"
#include "encode/column_decoder.h"
#include "encode/wire_codecs.h"

namespace firn::encode {
namespace {

// A chunk: what is gathered between two runs of the decode loops. It starts small, since most tables change little, and
// doubles each time it was full. From 256 rows on the speed is the same (row_encoder_benchmark), so that the limits are
// set by memory: a pipeline may have thousands of tables.
constexpr size_t kFirstChunkRows = 64;
constexpr size_t kMaxChunkRows = 512;
constexpr size_t kMaxChunkValues = 32 * 1024;  // 16 bytes each: fewer rows of very wide tables
constexpr size_t kFirstArenaBytes = 8 * 1024;
constexpr size_t kMaxArenaBytes = 128 * 1024;
// A row with a value of this size is decoded out of the caller's memory, with its chunk, at once.
constexpr size_t kDirectBytes = 64 * 1024;
// Values of neighbouring columns would share one set of the first-level cache if columns were a power of two apart.
constexpr size_t kColumnGap = 64 / sizeof(WireValue);

class ChunkedRowEncoder final : public RowEncoder {
 public:
  ChunkedRowEncoder(TableName table, std::vector<int> columns, std::shared_ptr<arrow::Schema> schema,
                    std::vector<std::unique_ptr<ColumnDecoder>> decoders)
      : table_(std::move(table)),
        columns_(std::move(columns)),
        schema_(std::move(schema)),
        decoders_(std::move(decoders)) {}

  Status AppendRow(std::span<const WireValue> values) override {
    if (failure_) [[unlikely]]
      return *failure_;
    Status status = TryAppendRow(values);
    if (!status) [[unlikely]]
      failure_ = status.error();
    return status;
  }

  int64_t rows() const override { return rows_; }

  size_t bytes() const override {
    return arena_.capacity() + cells_.capacity() * sizeof(WireValue) + unchanged_.capacity() * sizeof(UnchangedValue) +
           decoder_bytes_;
  }

  Result<EncodedRows> Finish() override {
    Result<EncodedRows> result = TryFinish();
    for (auto& decoder : decoders_) decoder->Reset();
    cells_ = std::vector<WireValue>();  // "= {}" would keep the memory
    arena_ = std::vector<char>();
    unchanged_ = std::vector<UnchangedValue>();
    failure_.reset();
    chunk_rows_ = chunk_capacity_ = arena_used_ = decoder_bytes_ = 0;
    rows_ = 0;
    return result;
  }

 private:
  Status TryAppendRow(std::span<const WireValue> values) {
    if (values.size() != columns_.size()) {
      return MakeError(ErrorKind::kCorrupt, "table {}: a row of {} values arrived where {} columns are expected",
                       table_, values.size(), columns_.size());
    }
    size_t total = 0;
    size_t largest = 0;
    for (const WireValue& value : values) {
      const size_t size = HasBytes(value) ? static_cast<size_t>(static_cast<uint32_t>(value.size)) : 0;
      total += size;
      largest = std::max(largest, size);
    }
    if (largest > std::numeric_limits<int32_t>::max()) {
      return MakeError(ErrorKind::kCorrupt, "table {}: a value of negative size", table_);
    }
    const bool direct = largest >= kDirectBytes || total > kMaxArenaBytes;
    if (chunk_rows_ == chunk_capacity_ || (!direct && total > arena_.size() - arena_used_)) {
      TRY_VOID(DecodeChunk());
      Grow(direct ? 0 : total);
    }

    WireValue* cell = cells_.data() + chunk_rows_;
    for (size_t i = 0; i < values.size(); ++i, cell += stride_) {
      *cell = values[i];
      if (HasBytes(values[i])) {
        if (direct) continue;
        char* const copy = arena_.data() + arena_used_;
        CopyBytes(copy, values[i].data, static_cast<size_t>(values[i].size));
        cell->data = copy;
        arena_used_ += static_cast<size_t>(values[i].size);
      } else if (values[i].format == WireFormat::kUnchangedToast) {
        unchanged_.push_back({.row = rows_, .column = columns_[i]});
      }
    }
    ++chunk_rows_;
    ++rows_;
    return direct ? DecodeChunk() : Status();
  }

  /// The chunk is empty. Room for more rows and bytes than the last one had, and for `bytes` at least.
  void Grow(size_t bytes) {
    const size_t columns = std::max<size_t>(columns_.size(), 1);
    const size_t max_rows = std::clamp<size_t>(kMaxChunkValues / columns, 1, kMaxChunkRows);
    const size_t rows = std::min(std::max(chunk_capacity_ * 2, kFirstChunkRows), max_rows);
    if (rows != chunk_capacity_) {
      chunk_capacity_ = rows;
      stride_ = rows + kColumnGap;
      cells_ = std::vector<WireValue>(stride_ * columns);
    }
    const size_t arena = std::max(std::min(std::max(arena_.size() * 2, kFirstArenaBytes), kMaxArenaBytes), bytes);
    if (arena > arena_.size()) arena_ = std::vector<char>(arena);
  }

  Status DecodeChunk() {
    if (chunk_rows_ == 0) return {};
    decoder_bytes_ = 0;
    for (size_t i = 0; i < decoders_.size(); ++i) {
      TRY_VOID(decoders_[i]->Decode(std::span(cells_.data() + i * stride_, chunk_rows_)));
      decoder_bytes_ += decoders_[i]->bytes();
    }
    chunk_rows_ = 0;
    arena_used_ = 0;
    return {};
  }

  Result<EncodedRows> TryFinish() {
    if (failure_) return *failure_;
    TRY_VOID(DecodeChunk());
    std::vector<std::shared_ptr<arrow::Array>> arrays;
    arrays.reserve(decoders_.size());
    std::vector<ReplacedValues> replaced;
    for (auto& decoder : decoders_) {
      if (ReplacedValues values = decoder->TakeReplaced(); values.count > 0) replaced.push_back(std::move(values));
      TRY(auto array, decoder->Finish());
      arrays.push_back(std::move(array));
    }
    return EncodedRows{arrow::RecordBatch::Make(schema_, rows_, std::move(arrays)), std::move(unchanged_),
                       std::move(replaced)};
  }

  const TableName table_;
  const std::vector<int> columns_;
  const std::shared_ptr<arrow::Schema> schema_;
  const std::vector<std::unique_ptr<ColumnDecoder>> decoders_;

  // The chunk: column i's values lie at cells_[i * stride_]; their bytes in the arena.
  std::vector<WireValue> cells_;
  size_t stride_ = 0;
  size_t chunk_capacity_ = 0;
  size_t chunk_rows_ = 0;
  std::vector<char> arena_;
  size_t arena_used_ = 0;

  int64_t rows_ = 0;
  std::vector<UnchangedValue> unchanged_;
  size_t decoder_bytes_ = 0;  // as of the last chunk
  std::optional<Error> failure_;
};

}  // namespace

Result<std::unique_ptr<RowEncoder>> RowEncoder::Make(const TableMapping& mapping, std::vector<int> columns) {
  if (columns.empty()) {
    columns.resize(mapping.columns.size());
    std::iota(columns.begin(), columns.end(), 0);
  }
  iceberg::Schema row_schema;
  for (int column : columns) {
    if (column < 0 || static_cast<size_t>(column) >= mapping.columns.size()) {
      return MakeError(ErrorKind::kInternal, "table {}: there is no column {} among {}", mapping.source, column,
                       mapping.columns.size());
    }
    row_schema.fields.push_back(mapping.columns[static_cast<size_t>(column)].field);
  }
  TRY(auto arrow_schema, iceberg::ToArrowSchema(row_schema).Context("table {}", mapping.source));

  std::vector<std::shared_ptr<arrow::Field>> fields;
  std::vector<std::unique_ptr<ColumnDecoder>> decoders;
  for (size_t i = 0; i < columns.size(); ++i) {
    // Nullable, whatever the table says: a key tuple's other columns and unchanged values are null here.
    fields.push_back(arrow_schema->field(static_cast<int>(i))->WithNullable(true));
    const ColumnMapping& column = mapping.columns[static_cast<size_t>(columns[i])];
    TRY(auto decoder, ColumnDecoder::Make(mapping.source, column, fields.back()->type()));
    decoders.push_back(std::move(decoder));
  }
  return std::make_unique<ChunkedRowEncoder>(mapping.source, std::move(columns),
                                             arrow::schema(std::move(fields), arrow_schema->metadata()),
                                             std::move(decoders));
}

}  // namespace firn::encode
