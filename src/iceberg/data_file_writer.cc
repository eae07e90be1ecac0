#include "iceberg/data_file_writer.h"

#include <arrow/array.h>
#include <arrow/io/interfaces.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/util/byte_size.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/writer.h>
#include <parquet/file_writer.h>
#include <parquet/properties.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/failpoint.h"
#include "base/try.h"
#include "iceberg/arrow_decoding.h"
#include "iceberg/parquet_dictionary.h"
#include "iceberg/parquet_file_writer.h"
#include "iceberg/parquet_schema.h"
#include "iceberg/schema_json.h"
#include "storage/arrow_error.h"

#ifndef FIRN_VERSION
#define FIRN_VERSION "unreleased"
#endif

namespace firn::iceberg {
namespace {

/// Rows are held until they are a row group, then written column by column: a fifth faster than letting Parquet buffer
/// the pages of all columns at once. So this, in Arrow's form, bounds an open file's memory.
constexpr int64_t kRowGroupBytesMax = 64 << 20;
/// What a batch takes beside its values, by column: array, buffers and their padding.
constexpr int64_t kBatchOverheadBytes = 512;
/// Parquet looks at a page's size whenever it has taken so many rows: wide rows are given it in fewer at a time, so
/// that a page is not many times this size.
constexpr int64_t kPageRows = 1024;
constexpr int64_t kPageBytes = 1 << 20;
/// A column with values of this size has neither statistics, which would copy the values several times (and are too
/// large to be kept, above 4 kB), nor a dictionary.
constexpr int64_t kLargeValueBytes = 1 << 20;

parquet::Compression::type ToParquet(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return parquet::Compression::UNCOMPRESSED;
    case Compression::kSnappy:
      return parquet::Compression::SNAPPY;
    case Compression::kZstd:
      return parquet::Compression::ZSTD;
    case Compression::kGzip:
      return parquet::Compression::GZIP;
    case Compression::kLz4:
      return parquet::Compression::LZ4;  // written as LZ4_RAW
  }
  return parquet::Compression::UNCOMPRESSED;
}

bool HoldsFloats(const Type& type) {
  return type.id == TypeId::kFloat || type.id == TypeId::kDouble ||
         std::ranges::any_of(type.fields, [](const Field& field) { return HoldsFloats(field.type); });
}

/// Are there required fields below the top one?
bool HoldsRequired(const Type& type) {
  return std::ranges::any_of(type.fields,
                             [](const Field& field) { return field.required || HoldsRequired(field.type); });
}

template <typename ArrayType>
int64_t CountNanValues(const arrow::Array& array) {
  const auto& typed = static_cast<const ArrayType&>(array);
  const auto* values = typed.raw_values();
  const int64_t length = typed.length();
  int64_t count = 0;
  for (int64_t i = 0; i < length; ++i) count += values[i] != values[i];
  if (count == 0 || typed.null_count() == 0) return count;
  count = 0;  // what lies below a null is no value
  for (int64_t i = 0; i < length; ++i) count += typed.IsValid(i) && values[i] != values[i];
  return count;
}

/// The part of a list's or map's values that its rows refer to.
std::shared_ptr<arrow::Array> ListValues(const arrow::ListArray& list) {
  return list.values()->Slice(list.value_offset(0), list.value_offset(list.length()) - list.value_offset(0));
}

/// A map's keys and values, as the two children of its entries.
std::shared_ptr<arrow::StructArray> MapEntries(const arrow::MapArray& map) {
  return std::static_pointer_cast<arrow::StructArray>(ListValues(map));
}

void CountNans(const arrow::Array& array, const Field& field, std::map<FieldId, int64_t>& counts) {
  if (!HoldsFloats(field.type)) return;
  switch (field.type.id) {
    case TypeId::kFloat:
      counts[field.id] += CountNanValues<arrow::FloatArray>(array);
      break;
    case TypeId::kDouble:
      counts[field.id] += CountNanValues<arrow::DoubleArray>(array);
      break;
    case TypeId::kStruct: {
      const auto& values = static_cast<const arrow::StructArray&>(array);
      for (size_t i = 0; i < field.type.fields.size(); ++i) {
        CountNans(*values.field(static_cast<int>(i)), field.type.fields[i], counts);
      }
      break;
    }
    case TypeId::kList:
      CountNans(*ListValues(static_cast<const arrow::ListArray&>(array)), field.type.fields.at(0), counts);
      break;
    case TypeId::kMap: {
      const auto entries = MapEntries(static_cast<const arrow::MapArray&>(array));
      CountNans(*entries->field(0), field.type.fields.at(0), counts);
      CountNans(*entries->field(1), field.type.fields.at(1), counts);
      break;
    }
    default:
      break;
  }
}

Error NullInRequired(const std::string& path) {
  return MakeError(
      ErrorKind::kSchemaMismatch,
      "column {} is required in the Iceberg table, but a row holds no value for it; make the column optional "
      "there or put values in",
      path);
}

/// `parent`: the struct that holds `array`; where it is null, so may be the required field.
Status CheckRequired(const arrow::Array& array, const Field& field, const std::string& path,
                     const arrow::Array* parent = nullptr) {
  if (field.required && array.null_count() > 0) {
    if (parent == nullptr || parent->null_count() == 0) return NullInRequired(path);
    for (int64_t i = 0; i < array.length(); ++i) {
      if (array.IsNull(i) && parent->IsValid(i)) return NullInRequired(path);
    }
  }
  if (!HoldsRequired(field.type)) return {};
  const std::vector<Field>& children = field.type.fields;
  switch (field.type.id) {
    case TypeId::kStruct: {
      const auto& values = static_cast<const arrow::StructArray&>(array);
      for (size_t i = 0; i < children.size(); ++i) {
        TRY_VOID(CheckRequired(*values.field(static_cast<int>(i)), children[i], path + "." + children[i].name, &array));
      }
      return {};
    }
    case TypeId::kList:
      return CheckRequired(*ListValues(static_cast<const arrow::ListArray&>(array)), children.at(0), path + ".element");
    case TypeId::kMap: {
      const auto entries = MapEntries(static_cast<const arrow::MapArray&>(array));
      TRY_VOID(CheckRequired(*entries->field(0), children.at(0), path + ".key"));
      return CheckRequired(*entries->field(1), children.at(1), path + ".value");
    }
    default:
      return {};
  }
}

template <typename ArrayType>
bool HoldsLargeString(const arrow::Array& array) {
  const auto& strings = static_cast<const ArrayType&>(array);
  if (strings.total_values_length() < kLargeValueBytes) return false;
  for (int64_t i = 0; i < strings.length(); ++i) {
    if (strings.value_length(i) >= kLargeValueBytes) return true;
  }
  return false;
}

/// Has any string or binary of the column, at whatever depth, kLargeValueBytes?
bool HoldsLargeValue(const arrow::Array& array) {
  switch (array.type_id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return HoldsLargeString<arrow::BinaryArray>(array);
    case arrow::Type::LIST:
    case arrow::Type::MAP:
      return HoldsLargeValue(*ListValues(static_cast<const arrow::ListArray&>(array)));
    case arrow::Type::STRUCT: {
      const arrow::ArrayVector fields = static_cast<const arrow::StructArray&>(array).fields();
      return std::ranges::any_of(fields, [](const auto& field) { return HoldsLargeValue(*field); });
    }
    default:
      return false;
  }
}

/// The same data with `type`, which differs from its own in names and nullability alone. Null when it differs in more.
/// A dictionary of `type` stays: Parquet writes it without looking up its values.
std::shared_ptr<arrow::ArrayData> WithType(const std::shared_ptr<arrow::ArrayData>& data,
                                           const std::shared_ptr<arrow::DataType>& type) {
  if (data->type->Equals(*type)) return data;
  if (data->type->id() == arrow::Type::DICTIONARY) {
    return static_cast<const arrow::DictionaryType&>(*data->type).value_type()->Equals(*type) ? data : nullptr;
  }
  if (data->type->id() != type->id() || type->num_fields() == 0 || data->type->num_fields() != type->num_fields()) {
    return nullptr;
  }
  auto copy = data->Copy();
  copy->type = type;
  for (int i = 0; i < type->num_fields(); ++i) {
    auto& child = copy->child_data[static_cast<size_t>(i)];
    child = WithType(child, type->field(i)->type());
    if (!child) return nullptr;
  }
  return copy;
}

class ParquetFileWriter : public DataFileWriter {
 public:
  ParquetFileWriter(storage::FileStore& store, std::string location, const Schema& schema,
                    const ParquetOptions& options, const ParquetFileDetails& details)
      : store_(store), location_(std::move(location)), schema_(schema), options_(options), details_(details) {}

  ~ParquetFileWriter() override {
    if (closed_ || !stream_) return;
    // The Parquet writer's own destructor would write a footer: make sure that it can't, then take the file away.
    (void)stream_->Abort();
    (void)CatchThrown([&] {
      writer_.reset();
      return arrow::Status::OK();
    });
    (void)store_.Delete(location_);
  }

  Status Open() {
    TRY(arrow_schema_, ToArrowSchema(schema_));
    TRY(parquet_schema_, ToParquetSchema(schema_));
    for (const Field& field : schema_.fields) {
      holds_floats_.push_back(HoldsFloats(field.type));
      has_large_values_.push_back(false);
      check_required_.push_back(field.required || HoldsRequired(field.type));
    }
    return {};
  }

  Status Write(const arrow::RecordBatch& batch) override {
    TRY(const std::shared_ptr<arrow::RecordBatch> rows, Accept(batch));
    for (int64_t offset = 0; offset < rows->num_rows();) {
      const int64_t count = std::min(rows->num_rows() - offset, options_.row_group_rows - held_rows_);
      const auto part = rows->Slice(offset, count);
      TRY(const int64_t bytes, storage::FromArrow(arrow::util::ReferencedBufferSize(*part), "writing {}", location_));
      held_.push_back({.rows = part, .bytes = bytes});
      held_bytes_ += bytes;
      held_rows_ += count;
      offset += count;
      if (held_rows_ >= options_.row_group_rows || held_bytes_ >= kRowGroupBytesMax) TRY_VOID(WriteRowGroup());
    }
    return {};
  }

  int64_t rows() const override { return written_rows_ + held_rows_; }

  int64_t estimated_bytes() const override {
    const int64_t written = stream_ ? stream_->Tell().ValueOr(0) : 0;
    // The rows of whole row groups tell how many bytes a row takes; until there is one, Arrow's bytes stand for them.
    if (written_rows_ == 0) return written + held_bytes_;
    return written + held_rows_ * written / written_rows_;
  }

  int64_t held_bytes() const override {
    const auto columns = static_cast<int64_t>(schema_.fields.size());
    return held_bytes_ + static_cast<int64_t>(held_.size()) * columns * kBatchOverheadBytes;
  }

  bool is_open() const override { return stream_ != nullptr; }

  bool Suits(const arrow::RecordBatch& batch) const override {
    if (!is_open()) return true;
    for (size_t i = 0; i < has_large_values_.size(); ++i) {
      if (!has_large_values_[i] && HoldsLargeValue(*batch.column(static_cast<int>(i)))) return false;
    }
    return true;
  }

  Status Flush() override { return WriteRowGroup(); }

  Result<DataFile> Close() override {
    TRY_VOID(WriteRowGroup());
    if (!writer_) TRY_VOID(Begin());  // a file of no rows
    TRY_VOID(BeforeStep(Failpoint::kDataFileCloseBefore));
    int64_t size = 0;
    TRY_VOID(Do([&] {
      ARROW_RETURN_NOT_OK(writer_->Close());
      ARROW_ASSIGN_OR_RAISE(size, stream_->Tell());
      return stream_->Close();
    }));
    AfterStep(Failpoint::kDataFileCloseAfter);
    closed_ = true;
    DataFile file{.file_path = location_, .file_size_in_bytes = size, .sort_order_id = details_.sort_order_id};
    FillMetrics(*writer_->metadata(), schema_, nan_counts_, details_.metrics, file);
    writer_.reset();
    return file;
  }

 private:
  struct Held {
    std::shared_ptr<arrow::RecordBatch> rows;
    int64_t bytes = 0;
  };

  /// Runs a call to Parquet; after one that failed the file is of no use.
  template <typename Call>
  Status Do(Call&& call) {
    if (failed_) return MakeError(ErrorKind::kInternal, "writing {}: a write failed before", location_);
    const arrow::Status status = CatchThrown(std::forward<Call>(call));
    failed_ = !status.ok();
    return storage::FromArrow(status, "writing {}", location_);
  }

  /// Opens the file: once the first row group is there, which tells what columns to write with a dictionary, and which
  /// with statistics.
  Status Begin() {
    TRY(stream_, store_.OpenOutput(location_));
    parquet::WriterProperties::Builder properties;
    properties.version(parquet::ParquetVersion::PARQUET_2_6)
        ->data_page_version(parquet::ParquetDataPageVersion::V1)
        ->created_by("firn version " FIRN_VERSION)
        ->compression(ToParquet(options_.compression))
        ->max_row_group_length(options_.row_group_rows);
    for (size_t i = 0; i < schema_.fields.size(); ++i) {
      arrow::ArrayVector column;
      for (const Held& held : held_) column.push_back(held.rows->column(static_cast<int>(i)));
      has_large_values_[i] = std::ranges::any_of(column, [](const auto& part) { return HoldsLargeValue(*part); });
      if (has_large_values_[i] || !WorthDictionary(column)) properties.disable_dictionary(schema_.fields[i].name);
    }
    for (const std::string& column : details_.delta_columns) {
      properties.disable_dictionary(column)->encoding(column, parquet::Encoding::DELTA_BINARY_PACKED);
    }
    // Java orders uuids by their halves as signed numbers, both in Iceberg's bounds and in Parquet's: given any, it
    // would leave out files and row groups that hold the uuid looked for. So there are none, here and in the manifest's
    // metrics.
    parquet::SchemaDescriptor leaves;
    leaves.Init(parquet_schema_);
    for (int i = 0; i < leaves.num_columns(); ++i) {
      const auto* leaf = leaves.Column(i);
      const auto column = leaves.GetColumnRoot(i)->name();
      const auto field = std::ranges::find(schema_.fields, column, &Field::name);
      const bool is_large =
          field != schema_.fields.end() && has_large_values_[static_cast<size_t>(field - schema_.fields.begin())];
      if (is_large || leaf->logical_type()->is_UUID()) properties.disable_statistics(leaf->path());
    }
    parquet::ArrowWriterProperties::Builder arrow_properties;
    arrow_properties.set_use_threads(false);
    arrow::KeyValueMetadata key_values;
    key_values.Append("iceberg.schema", SchemaToJson(schema_).dump());
    for (const auto& [key, value] : details_.key_values) key_values.Append(key, value);
    return Do([&] {
      auto file = parquet::ParquetFileWriter::Open(stream_, parquet_schema_, properties.build(), key_values.Copy());
      return parquet::arrow::FileWriter::Make(arrow::default_memory_pool(), std::move(file), arrow_schema_,
                                              arrow_properties.build(), &writer_);
    });
  }

  /// What is held becomes a row group of the file.
  Status WriteRowGroup() {
    if (held_rows_ == 0) return {};
    if (!writer_) TRY_VOID(Begin());
    TRY_VOID(BeforeStep(Failpoint::kRowGroupWriteBefore));
    TRY_VOID(Do([&]() -> arrow::Status {
      ARROW_ASSIGN_OR_RAISE(const auto table, arrow::Table::FromRecordBatches(arrow_schema_, InPages()));
      return writer_->WriteTable(*table, held_rows_);
    }));
    AfterStep(Failpoint::kRowGroupWriteAfter);
    held_.clear();
    written_rows_ += std::exchange(held_rows_, 0);
    held_bytes_ = 0;
    return {};
  }

  /// The held rows, the wide ones in slices of about a page.
  arrow::RecordBatchVector InPages() const {
    arrow::RecordBatchVector pages;
    for (const Held& held : held_) {
      const int64_t rows = held.rows->num_rows();
      const int64_t rows_in_page =
          held.bytes <= kPageBytes ? rows : std::max<int64_t>(1, kPageBytes / std::max<int64_t>(1, held.bytes / rows));
      if (rows_in_page >= kPageRows) {
        pages.push_back(held.rows);
        continue;
      }
      for (int64_t row = 0; row < rows; row += rows_in_page) pages.push_back(held.rows->Slice(row, rows_in_page));
    }
    return pages;
  }

  /// The batch with the types of the file's columns, its required columns checked and its NaN counted.
  Result<std::shared_ptr<arrow::RecordBatch>> Accept(const arrow::RecordBatch& batch) {
    if (static_cast<size_t>(batch.num_columns()) != schema_.fields.size()) {
      return MakeError(ErrorKind::kInternal, "writing {}: a batch of {} columns for a table of {}", location_,
                       batch.num_columns(), schema_.fields.size());
    }
    arrow::ArrayVector columns;
    columns.reserve(schema_.fields.size());
    for (size_t i = 0; i < schema_.fields.size(); ++i) {
      const Field& field = schema_.fields[i];
      const int index = static_cast<int>(i);
      std::shared_ptr<arrow::Array> column = batch.column(index);
      const auto& type = arrow_schema_->field(index)->type();
      if (!column->type()->Equals(*type)) {
        const auto data = WithType(column->data(), type);
        if (!data) {
          return MakeError(ErrorKind::kSchemaMismatch, "writing {}: column {} is {} but its data is {}", location_,
                           field.name, ToString(field.type), column->type()->ToString());
        }
        column = arrow::MakeArray(data);
      }
      if (check_required_[i]) TRY_VOID(CheckRequired(*column, field, field.name).Context("writing {}", location_));
      if (holds_floats_[i]) CountNans(*column, field, nan_counts_);
      columns.push_back(std::move(column));
    }
    return arrow::RecordBatch::Make(arrow_schema_, batch.num_rows(), std::move(columns));
  }

  storage::FileStore& store_;
  const std::string location_;
  const Schema schema_;
  const ParquetOptions options_;
  const ParquetFileDetails details_;

  std::shared_ptr<arrow::Schema> arrow_schema_;
  std::shared_ptr<parquet::schema::GroupNode> parquet_schema_;
  std::vector<bool> holds_floats_;
  std::vector<bool> check_required_;
  std::vector<bool> has_large_values_;  ///< By column; what the file's properties are made for.
  std::map<FieldId, int64_t> nan_counts_;

  std::shared_ptr<arrow::io::OutputStream> stream_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  std::vector<Held> held_;  ///< The next row group's rows.
  int64_t held_rows_ = 0;
  int64_t held_bytes_ = 0;
  int64_t written_rows_ = 0;  ///< In row groups of the file.
  bool failed_ = false;
  bool closed_ = false;
};

}  // namespace

Result<Compression> ParseCompression(std::string_view name) {
  if (name == "zstd") return Compression::kZstd;
  if (name == "snappy") return Compression::kSnappy;
  if (name == "gzip") return Compression::kGzip;
  if (name == "lz4") return Compression::kLz4;
  if (name == "none" || name == "uncompressed") return Compression::kNone;
  return MakeError(ErrorKind::kInvalidConfig, "unknown compression \"{}\"; use zstd, snappy, gzip, lz4 or none", name);
}

Result<std::unique_ptr<DataFileWriter>> OpenParquetFile(storage::FileStore& store, std::string location,
                                                        const Schema& schema, const ParquetOptions& options,
                                                        const ParquetFileDetails& details) {
  auto writer = std::make_unique<ParquetFileWriter>(store, std::move(location), schema, options, details);
  TRY_VOID(writer->Open());
  return writer;
}

Result<std::unique_ptr<DataFileWriter>> DataFileWriter::Open(storage::FileStore& store, std::string location,
                                                             const Schema& schema, const ParquetOptions& options) {
  // Java's writers name order 0, "unsorted", too.
  return OpenParquetFile(store, std::move(location), schema, options, {.sort_order_id = 0});
}

}  // namespace firn::iceberg
