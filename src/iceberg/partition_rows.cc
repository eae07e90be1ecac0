#include "iceberg/partition_rows.h"

#include <arrow/api.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/try.h"
#include "iceberg/partition_path.h"
#include "iceberg/transform.h"

namespace firn::iceberg {
namespace {

/// Rows with equal values have equal codes, which count from 0 in the order of first rows.
struct Codes {
  std::vector<uint32_t> of_row;
  uint32_t count = 0;
};

/// Numbers keys in the order in which they come: a hash table with open addressing.
class KeyNumbers {
 public:
  KeyNumbers() : slots_(64) {}

  uint32_t NumberOf(uint64_t key) {
    size_t slot = Hash(key) & (slots_.size() - 1);
    while (slots_[slot].used) {
      if (slots_[slot].key == key) return slots_[slot].number;
      slot = (slot + 1) & (slots_.size() - 1);
    }
    if (2 * (count_ + 1) > slots_.size()) {
      Grow();
      return NumberOf(key);
    }
    slots_[slot] = {.key = key, .number = count_, .used = true};
    return count_++;
  }

  uint32_t count() const { return count_; }

 private:
  struct Slot {
    uint64_t key = 0;
    uint32_t number = 0;
    bool used = false;
  };

  static size_t Hash(uint64_t key) {
    key *= 0x9E3779B97F4A7C15u;
    return static_cast<size_t>(key ^ key >> 32);
  }

  void Grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& entry : old) {
      if (!entry.used) continue;
      size_t slot = Hash(entry.key) & (slots_.size() - 1);
      while (slots_[slot].used) slot = (slot + 1) & (slots_.size() - 1);
      slots_[slot] = entry;
    }
  }

  std::vector<Slot> slots_;
  uint32_t count_ = 0;
};

/// Codes by a function number(row) that is asked for each valid row that isn't equal to the row before it.
template <typename Equal, typename Number>
Codes CodeRows(const arrow::Array& column, Equal equal, Number number) {
  constexpr uint32_t kNone = UINT32_MAX;
  Codes codes{.of_row = std::vector<uint32_t>(static_cast<size_t>(column.length()))};
  const bool has_nulls = column.null_count() > 0;
  std::vector<uint32_t> code_of_number;
  uint32_t null_code = kNone, last_code = kNone;
  int64_t last_row = 0;
  for (int64_t row = 0; row < column.length(); ++row) {
    uint32_t& code = codes.of_row[static_cast<size_t>(row)];
    if (has_nulls && column.IsNull(row)) {
      if (null_code == kNone) null_code = codes.count++;
      code = null_code;
      continue;
    }
    if (last_code == kNone || !equal(row, last_row)) {
      const uint32_t known = number(row);
      if (known == code_of_number.size()) code_of_number.push_back(codes.count++);
      last_code = code_of_number[known];
    }
    last_row = row;
    code = last_code;
  }
  return codes;
}

template <typename T>
uint64_t BitsOf(T value) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(value)) value = std::numeric_limits<T>::quiet_NaN();
  }
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}

template <typename T>
Codes CodeNumbers(const arrow::Array& column) {
  const T* values = column.data()->GetValues<T>(1);
  KeyNumbers numbers;
  return CodeRows(
      column, [&](int64_t a, int64_t b) { return BitsOf(values[a]) == BitsOf(values[b]); },
      [&](int64_t row) { return numbers.NumberOf(BitsOf(values[row])); });
}

Codes CodeBooleans(const arrow::Array& column) {
  const auto& values = static_cast<const arrow::BooleanArray&>(column);
  KeyNumbers numbers;
  return CodeRows(
      column, [&](int64_t a, int64_t b) { return values.Value(a) == values.Value(b); },
      [&](int64_t row) { return numbers.NumberOf(values.Value(row) ? 1 : 0); });
}

template <typename ArrayType>
Codes CodeBytes(const arrow::Array& column) {
  const auto& values = static_cast<const ArrayType&>(column);
  std::unordered_map<std::string_view, uint32_t> numbers;
  return CodeRows(
      column, [&](int64_t a, int64_t b) { return values.GetView(a) == values.GetView(b); },
      [&](int64_t row) {
        return numbers.try_emplace(values.GetView(row), static_cast<uint32_t>(numbers.size())).first->second;
      });
}

Codes CodeColumn(const Type& type, const arrow::Array& column) {
  switch (type.id) {
    case TypeId::kBoolean:
      return CodeBooleans(column);
    case TypeId::kInt:
    case TypeId::kDate:
      return CodeNumbers<int32_t>(column);
    case TypeId::kFloat:
      return CodeNumbers<float>(column);
    case TypeId::kDouble:
      return CodeNumbers<double>(column);
    case TypeId::kLong:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
    case TypeId::kTimestampNs:
    case TypeId::kTimestampTzNs:
      return CodeNumbers<int64_t>(column);
    case TypeId::kString:
    case TypeId::kBinary:
      return CodeBytes<arrow::BinaryArray>(column);
    default:  // decimals, uuids and fixed
      return CodeBytes<arrow::FixedSizeBinaryArray>(column);
  }
}

/// Codes of the pairs of two columns' codes.
Codes Combine(const Codes& a, const Codes& b) {
  Codes codes{.of_row = std::vector<uint32_t>(a.of_row.size())};
  KeyNumbers numbers;
  for (size_t row = 0; row < a.of_row.size(); ++row) {
    codes.of_row[row] = numbers.NumberOf(uint64_t{a.of_row[row]} << 32 | b.of_row[row]);
  }
  codes.count = numbers.count();
  return codes;
}

}  // namespace

Result<Partitioner> Partitioner::Make(const Schema& schema, const PartitionSpec& spec) {
  Partitioner partitioner;
  partitioner.spec_id_ = spec.spec_id;
  for (const PartitionField& field : spec.fields) {
    const Field* source = schema.FindField(field.source_id);
    if (source == nullptr) {
      return MakeError(ErrorKind::kSchemaMismatch,
                       "partition field \"{}\" is made of the column with id {}, which the table no longer has (or has "
                       "inside a struct); give the table another partition_by",
                       field.name, field.source_id);
    }
    if (!IsLegal(field.transform, source->type)) {
      return MakeError(ErrorKind::kUnsupported, "partition field \"{}\": {} can't be made of column \"{}\" ({})",
                       field.name, ToString(field.transform), source->name, ToString(source->type));
    }
    partitioner.fields_.push_back({.column = static_cast<int>(source - schema.fields.data()),
                                   .name = field.name,
                                   .transform = field.transform,
                                   .source = source->type,
                                   .result = ResultType(field.transform, source->type)});
  }
  return partitioner;
}

Result<std::vector<PartitionRows>> Partitioner::Divide(const arrow::RecordBatch& batch) const {
  const auto row_count = static_cast<size_t>(batch.num_rows());
  if (row_count == 0) return std::vector<PartitionRows>();
  std::vector<std::shared_ptr<arrow::Array>> columns;
  Codes codes{.of_row = std::vector<uint32_t>(row_count), .count = 1};
  for (const FieldPlan& field : fields_) {
    TRY(auto column, TransformColumn(field.transform, field.source, batch.column(field.column))
                         .Context("partition field {}", field.name));
    const Codes own = CodeColumn(field.result, *column);
    if (own.count > 1) codes = codes.count > 1 ? Combine(codes, own) : own;
    columns.push_back(std::move(column));
  }

  std::vector<PartitionRows> partitions(codes.count);
  std::vector<int32_t> sizes(codes.count);
  for (const uint32_t code : codes.of_row) ++sizes[code];
  for (size_t i = 0; i < partitions.size(); ++i) partitions[i].rows.reserve(static_cast<size_t>(sizes[i]));
  for (size_t row = 0; row < row_count; ++row) {
    partitions[codes.of_row[row]].rows.push_back(static_cast<int32_t>(row));
  }
  for (PartitionRows& partition : partitions) {
    for (size_t i = 0; i < fields_.size(); ++i) {
      partition.partition.push_back(LiteralAt(fields_[i].result, *columns[i], partition.rows.front()));
    }
  }
  return partitions;
}

std::string Partitioner::PathOf(const PartitionValues& partition) const {
  std::string path;
  for (size_t i = 0; i < fields_.size(); ++i) {
    if (!path.empty()) path += '/';
    path += PartitionFolder(fields_[i].name, HumanValue(fields_[i].transform, fields_[i].source, partition[i]));
  }
  return path;
}

}  // namespace firn::iceberg
