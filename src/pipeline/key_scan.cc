#include "pipeline/key_scan.h"

#include <arrow/api.h>
#include <arrow/compute/api.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <unordered_map>
#include <variant>

#include "base/try.h"
#include "iceberg/data_file_reader.h"
#include "iceberg/position_deletes.h"
#include "index/key_codec.h"
#include "storage/arrow_error.h"

namespace firn::pipeline {
namespace {

/// What bounds are compared as: integers of any width, or bytes.
using Comparable = std::variant<std::monostate, int64_t, std::string>;

/// The least and greatest of the keys, in a column whose bounds are looked at.
struct KeyRange {
  iceberg::FieldId field = 0;
  Comparable least;
  Comparable greatest;
};

Comparable ToComparable(const arrow::Scalar& scalar) {
  switch (scalar.type->id()) {
    case arrow::Type::INT32:
      return int64_t{static_cast<const arrow::Int32Scalar&>(scalar).value};
    case arrow::Type::DATE32:
      return int64_t{static_cast<const arrow::Date32Scalar&>(scalar).value};
    case arrow::Type::INT64:
      return static_cast<const arrow::Int64Scalar&>(scalar).value;
    case arrow::Type::TIMESTAMP:
      return static_cast<const arrow::TimestampScalar&>(scalar).value;
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return std::string(static_cast<const arrow::BaseBinaryScalar&>(scalar).view());
    default:
      return std::monostate();
  }
}

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

bool IsCompared(arrow::Type::type type) {
  switch (type) {
    case arrow::Type::INT32:
    case arrow::Type::DATE32:
    case arrow::Type::INT64:
    case arrow::Type::TIMESTAMP:
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return true;
    default:
      return false;
  }
}

Result<std::vector<KeyRange>> RangesOf(const iceberg::Schema& schema, const arrow::RecordBatch& keys) {
  std::vector<KeyRange> ranges;
  for (int i = 0; i < keys.num_columns(); ++i) {
    const iceberg::Field& field = schema.fields[static_cast<size_t>(i)];
    if (!IsCompared(keys.column(i)->type_id())) continue;
    TRY(const arrow::Datum both,
        storage::FromArrow(arrow::compute::MinMax(keys.column(i)), "comparing keys of {}", field.name));
    const auto& ends = both.scalar_as<arrow::StructScalar>().value;
    if (!ends[0]->is_valid) continue;
    ranges.push_back({.field = field.id, .least = ToComparable(*ends[0]), .greatest = ToComparable(*ends[1])});
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
  TRY(const std::vector<KeyRange> ranges, RangesOf(key_schema, keys));
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
