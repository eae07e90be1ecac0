#include <arrow/record_batch.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>
#include <parquet/schema.h>
#include <parquet/size_statistics.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/try.h"
#include "iceberg/arrow_decoding.h"
#include "iceberg/row_groups.h"

namespace firn::iceberg {
namespace {

constexpr std::string_view kFormat = "Parquet";

using BatchPtr = std::shared_ptr<arrow::RecordBatch>;

void CollectLeaves(const parquet::arrow::SchemaField& field, std::vector<int>& leaves) {
  if (field.is_leaf()) leaves.push_back(field.column_index);
  for (const auto& child : field.children) CollectLeaves(child, leaves);
}

/// Parquet's old timestamps are instants that it has no name for.
void MarkInt96(const parquet::SchemaDescriptor& schema, const parquet::arrow::SchemaField& field, FileColumn& column) {
  if (field.is_leaf()) {
    column.is_int96 = schema.Column(field.column_index)->physical_type() == parquet::Type::INT96;
  } else if (field.children.size() == column.children.size()) {
    for (size_t i = 0; i < field.children.size(); ++i) MarkInt96(schema, field.children[i], column.children[i]);
  }
}

/// Files of Arrow's writers say which Arrow types their columns came from (large lists, dictionaries). What counts is
/// Parquet's own schema; the footer that was just parsed is nobody else's.
void ForgetArrowSchema(const parquet::FileMetaData& footer) {
  const auto& key_values = footer.key_value_metadata();
  if (key_values && key_values->Contains("ARROW:schema")) {
    (void)const_cast<arrow::KeyValueMetadata&>(*key_values).Delete("ARROW:schema");
  }
}

class ParquetRowGroups : public RowGroups {
 public:
  Status Open(storage::FileStore& store, const DataFile& file, const Schema& projection, const ColumnContext& context) {
    TRY(auto input, store.OpenInput(file.file_path, file.file_size_in_bytes));
    parquet::ArrowReaderProperties properties(/*use_threads=*/false);
    properties.set_coerce_int96_timestamp_unit(arrow::TimeUnit::MICRO);
    std::shared_ptr<parquet::FileMetaData> footer;
    parquet::arrow::SchemaManifest manifest;
    TRY_VOID(Decode(kFormat, [&]() -> arrow::Status {
      footer = parquet::ReadMetaData(input);
      ForgetArrowSchema(*footer);
      return parquet::arrow::SchemaManifest::Make(footer->schema(), footer->key_value_metadata(), properties,
                                                  &manifest);
    }));
    arrow::FieldVector fields;
    for (const auto& field : manifest.schema_fields) fields.push_back(field.field);
    std::vector<FileColumn> columns = FileColumnsOf(fields, "PARQUET:field_id");
    for (size_t i = 0; i < columns.size(); ++i) MarkInt96(*manifest.descr, manifest.schema_fields[i], columns[i]);
    TRY(projection_, ColumnProjection::Make(projection, std::move(columns), context));
    for (const int column : projection_->needed()) {
      CollectLeaves(manifest.schema_fields[static_cast<size_t>(column)], leaves_);
    }
    parquet::ReaderProperties file_properties;
    return Decode(kFormat, [&]() -> arrow::Status {
      if (LargestGroupBytes(*footer) > kWholeChunksBytesMax) {
        // Page by page, not all columns' chunks at once.
        file_properties.enable_buffered_stream();
        file_properties.set_buffer_size(
            std::clamp(kWholeChunksBytesMax / std::max<int64_t>(std::ssize(leaves_), 1), kReadBytesMin, kReadBytesMax));
        properties.set_pre_buffer(false);
      }
      parquet::arrow::FileReaderBuilder builder;
      ARROW_RETURN_NOT_OK(builder.Open(std::move(input), file_properties, std::move(footer)));
      builder.properties(properties);
      return builder.Build().Value(&reader_);
    });
  }

  int count() const override { return reader_->num_row_groups(); }
  int64_t rows(int group) const override { return reader_->parquet_reader()->metadata()->RowGroup(group)->num_rows(); }

  // One row group at a time: what Arrow reads ahead is bounded by it.
  Result<Batches> Open(int group) override {
    std::unique_ptr<arrow::RecordBatchReader> opened;
    TRY_VOID(Decode(kFormat, [&] {
      reader_->set_batch_size(BatchRows(rows(group), MemoryBytes(group)));
      return reader_->GetRecordBatchReader({group}, leaves_).Value(&opened);
    }));
    return DecodedBatches(kFormat, std::move(opened));
  }

  Result<BatchPtr> Project(const BatchPtr& batch) override { return projection_->Project(*batch); }

 private:
  // Up to here the chunks of a row group are read as a whole, in few requests; else each column in reads of this size.
  static constexpr int64_t kWholeChunksBytesMax = 16 << 20;
  static constexpr int64_t kReadBytesMin = 64 << 10;
  static constexpr int64_t kReadBytesMax = 1 << 20;

  /// Bytes in the file that the needed columns have in the largest of its row groups.
  int64_t LargestGroupBytes(const parquet::FileMetaData& footer) const {
    int64_t largest = 0;
    for (int i = 0; i < footer.num_row_groups(); ++i) {
      const auto group = footer.RowGroup(i);
      int64_t bytes = 0;
      for (const int leaf : leaves_) bytes += group->ColumnChunk(leaf)->total_compressed_size();
      largest = std::max(largest, bytes);
    }
    return largest;
  }

  /// What the needed columns of a row group take as Arrow's arrays, as far as its footer tells.
  int64_t MemoryBytes(int group) const {
    const parquet::FileMetaData& footer = *reader_->parquet_reader()->metadata();
    const auto columns = footer.RowGroup(group);
    int64_t bytes = 0;
    for (const int leaf : leaves_) {
      const auto chunk = columns->ColumnChunk(leaf);
      const auto sizes = chunk->size_statistics();
      const int64_t values = chunk->num_values();
      if (chunk->type() != parquet::Type::BYTE_ARRAY) {
        constexpr int64_t kFixedBytes = 8;  // Decimals and uuids have up to 16.
        bytes += values * std::max<int64_t>(kFixedBytes, footer.schema()->Column(leaf)->type_length());
      } else if (sizes && sizes->unencoded_byte_array_data_bytes) {
        bytes += *sizes->unencoded_byte_array_data_bytes + values * static_cast<int64_t>(sizeof(int32_t));
      } else {
        // Of values in a dictionary this counts each once: older writers don't tell more.
        bytes += chunk->total_uncompressed_size();
      }
    }
    return bytes;
  }

  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::optional<ColumnProjection> projection_;
  std::vector<int> leaves_;  ///< The file's columns that the projection needs.
};

}  // namespace

Result<std::unique_ptr<RowGroups>> OpenParquetRowGroups(storage::FileStore& store, const DataFile& file,
                                                        const Schema& projection, const ColumnContext& context) {
  auto groups = std::make_unique<ParquetRowGroups>();
  TRY_VOID(groups->Open(store, file, projection, context));
  return groups;
}

}  // namespace firn::iceberg
