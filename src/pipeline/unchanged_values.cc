#include "pipeline/unchanged_values.h"

#include <arrow/api.h>
#include <arrow/compute/api.h>
#include <arrow/util/byte_size.h>

#include <algorithm>
#include <iterator>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "base/try.h"
#include "iceberg/row_bytes.h"
#include "storage/arrow_error.h"

namespace firn::pipeline {
namespace {

constexpr std::string_view kDoing = "gathering unchanged values";
/// Files that a reader of few rows at a time keeps open.
constexpr size_t kReadersMax = 16;

using BatchPtr = std::shared_ptr<arrow::RecordBatch>;
using ArrayResult = Result<std::shared_ptr<arrow::Array>>;

template <typename Index>
ArrayResult Take(const arrow::Array& column, std::span<const Index> rows) {
  using IndexArray = typename arrow::CTypeTraits<Index>::ArrayType;
  const IndexArray indices(std::ssize(rows), arrow::Buffer::Wrap(rows.data(), rows.size()));
  return storage::FromArrow(arrow::compute::Take(column, indices, arrow::compute::TakeOptions::NoBoundsCheck()), "{}",
                            kDoing);
}

/// Which of the wanted rows have their values in one file, in its order.
struct FileRows {
  std::vector<std::pair<int64_t, int32_t>> rows;  ///< Row of the file, index into the wanted ones.

  std::vector<int64_t> Positions() {
    std::ranges::sort(rows);
    std::vector<int64_t> positions;
    positions.reserve(rows.size());
    for (const auto& [row, index] : rows) positions.push_back(row);
    return positions;
  }
};

}  // namespace

UnchangedValues::UnchangedValues(const encode::EncodedRows& rows) : rows_(rows) {
  values_.reserve(rows.unchanged.size());
  for (const encode::UnchangedValue& value : rows.unchanged) {
    values_.push_back({.row = static_cast<int32_t>(value.row), .column = value.column});
  }
  const auto place = [](const Value& value) { return std::tuple(value.row, value.column); };
  if (!std::ranges::is_sorted(values_, {}, place)) std::ranges::sort(values_, {}, place);
}

std::span<const UnchangedValues::Value> UnchangedValues::Of(int32_t row) const {
  const auto range = std::ranges::equal_range(values_, row, {}, &Value::row);
  return {range.begin(), range.end()};
}

PreviousImage UnchangedValues::ImageOf(const FoldedBatch& folded, const Value& value) const {
  const PreviousImage previous = folded.previous[static_cast<size_t>(value.row)];
  if (previous.row < 0) return previous;
  // An earlier row, whose own image was found before.
  const std::span<const Value> earlier = Of(previous.row);
  const auto same = std::ranges::find(earlier, value.column, &Value::column);
  return same == earlier.end() ? previous : same->image;
}

Status UnchangedValues::Find(const FoldedBatch& folded, std::span<const int32_t> wanted,
                             std::span<const std::optional<index::RowPosition>> removed, const LocationOf& location) {
  std::unordered_map<uint32_t, int32_t> numbers;  // Of files: in the index → in files_.
  for (const int32_t row : wanted) {
    bool is_placed = false;
    for (; found_ < values_.size() && values_[found_].row <= row; ++found_) {
      Value& value = values_[found_];
      value.image = ImageOf(folded, value);
      if (value.row != row || value.image.row >= 0) continue;
      if (value.image.removed < 0) {
        return MakeError(ErrorKind::kCorrupt, "row {} of the batch keeps a value of a row that is not known", row);
      }
      table_columns_.insert(value.column);
      if (std::exchange(is_placed, true)) continue;
      const auto& position = removed[static_cast<size_t>(value.image.removed)];
      if (!position) {
        return MakeError(ErrorKind::kCorrupt,
                         "an UPDATE left a value unchanged whose row is not in the table; copy the table again "
                         "(firn resync), or set REPLICA IDENTITY FULL on it");
      }
      const auto [number, is_new] = numbers.emplace(position->file, static_cast<int32_t>(files_.size()));
      if (is_new) {
        TRY(files_.emplace_back(), location(position->file));
      }
      places_.push_back({.row = row, .place = {.file = number->second, .row = position->row}});
    }
  }
  return {};
}

iceberg::Schema UnchangedValues::Projection(const iceberg::Schema& schema) const {
  iceberg::Schema projection{.schema_id = schema.schema_id};
  for (const int column : table_columns_) projection.fields.push_back(schema.fields[static_cast<size_t>(column)]);
  return projection;
}

std::optional<UnchangedValues::Place> UnchangedValues::PlaceOf(int32_t row) const {
  const auto found = std::ranges::lower_bound(places_, row, {}, &PlacedRow::row);
  if (found == places_.end() || found->row != row) return std::nullopt;
  return found->place;
}

int64_t UnchangedValues::Bytes(int32_t row) const {
  int64_t bytes = iceberg::RowBytes(*rows_.batch, row);
  for (const Value& value : Of(row)) {
    if (value.image.row >= 0) bytes += iceberg::ValueBytes(*rows_.batch->column_data(value.column), value.image.row);
  }
  return bytes;
}

Result<BatchPtr> UnchangedValues::Fill(std::span<const int32_t> rows, const BatchPtr& fetched,
                                       std::span<const int32_t> fetched_rows) const {
  // By column with unchanged values: where each row's is, in the batch or (as ~row) among the fetched ones.
  std::map<int, std::vector<int64_t>> sources;
  for (size_t i = 0; !values_.empty() && i < rows.size(); ++i) {
    for (const Value& value : Of(rows[i])) {
      std::vector<int64_t>& source = sources[value.column];
      if (source.empty()) source.assign(rows.begin(), rows.end());
      source[i] = value.image.row >= 0 ? value.image.row : ~static_cast<int64_t>(fetched_rows[i]);
    }
  }
  const auto& batch = rows_.batch;
  const bool is_whole = std::ssize(rows) == batch->num_rows() && std::ranges::is_sorted(rows);
  arrow::ArrayVector columns;
  columns.reserve(static_cast<size_t>(batch->num_columns()));
  for (int column = 0; column < batch->num_columns(); ++column) {
    const arrow::Array& own = *batch->column(column);
    const auto found = sources.find(column);
    if (found == sources.end()) {
      if (is_whole) {
        columns.push_back(batch->column(column));
      } else {
        TRY(columns.emplace_back(), Take(own, rows));
      }
      continue;
    }
    std::vector<int64_t>& source = found->second;
    const bool uses_fetched = std::ranges::any_of(source, [](int64_t from) { return from < 0; });
    if (!uses_fetched) {
      TRY(columns.emplace_back(), Take<int64_t>(own, source));
      continue;
    }
    const auto among_fetched = static_cast<int>(std::distance(table_columns_.begin(), table_columns_.find(column)));
    const auto& values = fetched->column(among_fetched);
    int64_t next = 0;
    if (values->length() == std::ssize(source) &&
        std::ranges::all_of(source, [&](int64_t from) { return from == ~next++; })) {
      columns.push_back(values);
      continue;
    }
    // A choice among the rows' own values and the fetched ones behind them.
    std::vector<int64_t> own_rows;
    std::ranges::copy_if(source, std::back_inserter(own_rows), [](int64_t from) { return from >= 0; });
    TRY(const auto own_values, Take<int64_t>(own, own_rows));
    TRY(const auto all, storage::FromArrow(arrow::Concatenate({own_values, values}), "{}", kDoing));
    next = 0;
    for (int64_t& from : source) from = from >= 0 ? next++ : own_values->length() + ~from;
    TRY(columns.emplace_back(), Take<int64_t>(*all, source));
  }
  return arrow::RecordBatch::Make(batch->schema(), std::ssize(rows), std::move(columns));
}

Status FillUnchangedValues(storage::FileStore& store, const iceberg::Schema& schema, const UnchangedValues& values,
                           std::span<const int32_t> wanted, const FilledRowsSink& sink) {
  std::vector<int32_t> here;  // Indexes into `wanted`.
  std::vector<FileRows> by_file(values.files().size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (const auto place = values.PlaceOf(wanted[i])) {
      by_file[static_cast<size_t>(place->file)].rows.emplace_back(place->row, static_cast<int32_t>(i));
    } else {
      here.push_back(static_cast<int32_t>(i));
    }
  }
  // `which` with the rows of `fetched`, if there are any, in slices.
  const auto give = [&](std::span<const int32_t> which, const BatchPtr& fetched) -> Status {
    std::vector<int32_t> rows;
    std::vector<int32_t> fetched_rows;
    for (size_t begin = 0, end = 0; begin < which.size(); begin = end) {
      rows.clear();
      fetched_rows.clear();
      for (int64_t bytes = 0; end < which.size(); ++end) {
        const int32_t row = wanted[static_cast<size_t>(which[end])];
        bytes += values.Bytes(row);
        if (bytes > iceberg::kBatchBytes && end > begin) break;
        rows.push_back(row);
        fetched_rows.push_back(static_cast<int32_t>(end - begin));
      }
      BatchPtr part = fetched;
      if (part) part = part->Slice(static_cast<int64_t>(begin), static_cast<int64_t>(end - begin));
      TRY(const auto filled, values.Fill(rows, part, fetched_rows));
      part.reset();
      TRY_VOID(sink(filled, which.subspan(begin, end - begin)));
    }
    return {};
  };
  TRY_VOID(give(here, nullptr));
  const iceberg::Schema projection = values.Projection(schema);
  for (size_t file = 0; file < by_file.size(); ++file) {
    const std::vector<int64_t> positions = by_file[file].Positions();
    if (positions.empty()) continue;
    TRY(auto reader, iceberg::DataFileReader::Open(store, values.files()[file], projection));
    std::vector<int32_t> which;
    TRY_VOID(reader
                 ->ReadRows(positions,
                            [&](const BatchPtr& fetched, size_t first) -> Status {
                              which.clear();
                              for (size_t i = first; i < first + static_cast<size_t>(fetched->num_rows()); ++i) {
                                which.push_back(by_file[file].rows[i].second);
                              }
                              return give(which, fetched);
                            })
                 .Context("reading unchanged values"));
  }
  return {};
}

Result<iceberg::DataFileReader*> UnchangedValuesReader::Open(int32_t file) {
  if (const auto found = readers_.find(file); found != readers_.end()) return found->second.get();
  if (readers_.size() >= kReadersMax) readers_.clear();
  TRY(auto reader, iceberg::DataFileReader::Open(store_, values_.files()[static_cast<size_t>(file)], projection_)
                       .Context("reading unchanged values"));
  return readers_.emplace(file, std::move(reader)).first->second.get();
}

Result<BatchPtr> UnchangedValuesReader::Fill(std::span<const int32_t> rows, int64_t bytes_max) {
  std::map<int32_t, FileRows> by_file;
  size_t placed_rows = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto place = values_.PlaceOf(rows[i]);
    if (!place) continue;
    by_file[place->file].rows.emplace_back(place->row, static_cast<int32_t>(i));
    ++placed_rows;
  }
  fetched_bytes_ = 0;
  if (placed_rows == 0) return values_.Fill(rows);
  std::vector<int32_t> fetched_rows(rows.size());
  arrow::RecordBatchVector parts;
  int32_t next = 0;
  bool is_too_much = false;
  for (auto& [file, in_file] : by_file) {
    const std::vector<int64_t> positions = in_file.Positions();
    TRY(iceberg::DataFileReader* const reader, Open(file));
    const Status read = reader->ReadRows(positions, [&](const BatchPtr& part, size_t first) -> Status {
      TRY(const int64_t bytes, storage::FromArrow(arrow::util::ReferencedBufferSize(*part), "{}", kDoing));
      fetched_bytes_ += bytes;
      is_too_much = fetched_bytes_ > bytes_max && placed_rows > 1;
      if (is_too_much) return MakeError(ErrorKind::kCancelled, "too many bytes at once");
      for (size_t i = first; i < first + static_cast<size_t>(part->num_rows()); ++i) {
        fetched_rows[static_cast<size_t>(in_file.rows[i].second)] = next++;
      }
      parts.push_back(part);
      return {};
    });
    if (is_too_much) return BatchPtr();
    TRY_VOID(Status(read).Context("reading unchanged values"));
  }
  BatchPtr fetched = parts.front();
  if (parts.size() > 1) {
    TRY(fetched, storage::FromArrow(arrow::ConcatenateRecordBatches(parts), "{}", kDoing));
  }
  parts.clear();
  return values_.Fill(rows, fetched, fetched_rows);
}

}  // namespace firn::pipeline
