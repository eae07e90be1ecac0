#include "pipeline/key_scan.h"

#include <arrow/api.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <type_traits>
#include <unordered_map>
#include <variant>

#include "base/try.h"
#include "iceberg/data_file_reader.h"
#include "iceberg/position_deletes.h"
#include "index/key_codec.h"

namespace firn::pipeline {
namespace {

/// What bounds are compared as: integers of any width, or bytes.
using Comparable = std::variant<std::monostate, int64_t, std::string>;

/// The least and greatest of the keys in a column; monostate where its type's bounds are not looked at.
struct KeyRange {
  iceberg::FieldId field = 0;
  Comparable least;
  Comparable greatest;
};

/// A bound of a manifest (spec: Appendix D) in the form of `like`. An int is from before its column became a long.
Comparable ToComparable(const std::string& bound, const Comparable& like) {
  if (std::holds_alternative<std::string>(like)) return bound;
  int32_t narrow = 0;
  int64_t wide = 0;
  if (bound.size() == sizeof(narrow)) {
    std::memcpy(&narrow, bound.data(), sizeof(narrow));
    return int64_t{narrow};
  }
  if (bound.size() != sizeof(wide)) return std::monostate();
  std::memcpy(&wide, bound.data(), sizeof(wide));
  return wide;
}

template <typename Array>
KeyRange RangeIn(const arrow::Array& column, iceberg::FieldId field) {
  const auto& values = static_cast<const Array&>(column);
  KeyRange range{.field = field};
  for (int64_t i = 0; i < values.length(); ++i) {
    if (values.IsNull(i)) continue;
    Comparable value;
    if constexpr (std::is_arithmetic_v<decltype(values.GetView(i))>) {
      value = int64_t{values.GetView(i)};
    } else {
      value = std::string(values.GetView(i));
    }
    const bool first = std::holds_alternative<std::monostate>(range.least);
    if (first || value < range.least) range.least = value;
    if (first || range.greatest < value) range.greatest = std::move(value);
  }
  return range;
}

KeyRange RangeOf(const arrow::Array& column, iceberg::FieldId field) {
  switch (column.type_id()) {
    case arrow::Type::INT32:
      return RangeIn<arrow::Int32Array>(column, field);
    case arrow::Type::DATE32:
      return RangeIn<arrow::Date32Array>(column, field);
    case arrow::Type::INT64:
      return RangeIn<arrow::Int64Array>(column, field);
    case arrow::Type::TIMESTAMP:
      return RangeIn<arrow::TimestampArray>(column, field);
    case arrow::Type::STRING:
      return RangeIn<arrow::StringArray>(column, field);
    case arrow::Type::BINARY:
      return RangeIn<arrow::BinaryArray>(column, field);
    default:
      return {.field = field};
  }
}

std::vector<KeyRange> RangesOf(const iceberg::Schema& schema, const arrow::RecordBatch& keys) {
  std::vector<KeyRange> ranges;
  for (int i = 0; i < keys.num_columns(); ++i) {
    KeyRange range = RangeOf(*keys.column(i), schema.fields[static_cast<size_t>(i)].id);
    if (!std::holds_alternative<std::monostate>(range.least)) ranges.push_back(std::move(range));
  }
  return ranges;
}

bool MayHold(const iceberg::DataFile& file, const std::vector<KeyRange>& ranges) {
  return std::ranges::all_of(ranges, [&file](const KeyRange& range) {
    const auto lower = file.lower_bounds.find(range.field);
    const auto upper = file.upper_bounds.find(range.field);
    if (lower == file.lower_bounds.end() || upper == file.upper_bounds.end()) return true;
    const Comparable least = ToComparable(lower->second, range.least);
    const Comparable greatest = ToComparable(upper->second, range.least);
    if (std::holds_alternative<std::monostate>(least) || std::holds_alternative<std::monostate>(greatest)) return true;
    return least <= range.greatest && range.least <= greatest;
  });
}

/// One search: the keys that are left, and what was found.
class KeySearch {
 public:
  KeySearch(storage::FileStore& store, const iceberg::TableMetadata& metadata, iceberg::Schema projection,
            const index::EncodedKeys& keys)
      : store_(store),
        metadata_(metadata),
        projection_(std::move(projection)),
        columns_(projection_.fields.size()),
        places_(keys.size()) {
    std::iota(columns_.begin(), columns_.end(), 0);
    for (iceberg::Field& field : projection_.fields) field.required = false;
    for (size_t i = 0; i < keys.size(); ++i) left_.emplace(keys[i], i);
  }

  bool done() const { return left_.empty(); }
  std::vector<std::optional<RowPlace>> Take() && { return std::move(places_); }

  Status Search(const iceberg::LiveDataFile& live) {
    const std::string& location = live.entry.file.file_path;
    std::optional<iceberg::RowPositions> deleted;
    TRY(auto reader, iceberg::OpenDataFile(store_, metadata_, live.entry.file, projection_));
    uint32_t row = 0;
    while (!done()) {
      TRY(const auto batch, reader->Next().Context("reading {}", location));
      if (!batch) break;
      TRY(const auto keys, index::EncodeKeys(*batch, columns_));
      for (size_t i = 0; i < keys.size(); ++i, ++row) {
        const auto wanted = left_.find(keys[i]);
        if (wanted == left_.end()) continue;
        if (!deleted) {
          TRY(deleted, ReadDeleted(live));
        }
        if (deleted->contains(uint64_t{row})) continue;
        places_[wanted->second] = RowPlace{.location = location, .row = row};
        left_.erase(wanted);
      }
    }
    return {};
  }

 private:
  Result<iceberg::RowPositions> ReadDeleted(const iceberg::LiveDataFile& live) {
    iceberg::RowPositions deleted;
    for (const auto& deletes : live.position_deletes) {
      TRY(const auto positions, iceberg::ReadPositionDeletes(store_, deletes->file, live.entry.file.file_path));
      deleted |= positions;
    }
    return deleted;
  }

  storage::FileStore& store_;
  const iceberg::TableMetadata& metadata_;
  iceberg::Schema projection_;
  std::vector<int> columns_;
  std::unordered_map<std::string_view, size_t> left_;
  std::vector<std::optional<RowPlace>> places_;
};

}  // namespace

Result<std::vector<std::optional<RowPlace>>> FindRowsByKey(storage::FileStore& store,
                                                           const iceberg::TableMetadata& metadata,
                                                           iceberg::ManifestCache& manifests,
                                                           const iceberg::Schema& key_schema,
                                                           const arrow::RecordBatch& keys) {
  std::vector<int> columns(key_schema.fields.size());
  std::iota(columns.begin(), columns.end(), 0);
  TRY(const index::EncodedKeys encoded, index::EncodeKeys(keys, columns));
  const std::vector<KeyRange> ranges = RangesOf(key_schema, keys);
  TRY(auto files, iceberg::PlanFiles(store, metadata, metadata.CurrentSnapshot(), manifests));
  std::ranges::stable_sort(files, std::greater(),
                           [](const iceberg::LiveDataFile& live) { return live.entry.sequence_number; });
  KeySearch search(store, metadata, key_schema, encoded);
  for (const iceberg::LiveDataFile& live : files) {
    if (search.done()) break;
    if (MayHold(live.entry.file, ranges)) TRY_VOID(search.Search(live));
  }
  return std::move(search).Take();
}

}  // namespace firn::pipeline
