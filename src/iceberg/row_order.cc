#include "iceberg/row_order.h"

#include <arrow/api.h>

#include <algorithm>
#include <concepts>
#include <cstring>
#include <memory>
#include <utility>

#include "base/try.h"
#include "iceberg/transform.h"

namespace firn::iceberg {
namespace {

constexpr char kNullFirst = 0;
constexpr char kValue = 1;
constexpr char kNullLast = 2;

template <std::unsigned_integral Bits>
void PutBigEndian(Bits bits, char* out) {
  for (size_t i = sizeof(Bits); i > 0; --i, bits = static_cast<Bits>(bits >> 8)) out[i - 1] = static_cast<char>(bits);
}

template <std::unsigned_integral Bits>
constexpr Bits SignBit() {
  return static_cast<Bits>(Bits{1} << (8 * sizeof(Bits) - 1));
}

/// As `Bits`, in the values' order.
template <std::unsigned_integral Bits, typename Value>
Bits OrderedBits(Value value) {
  Bits bits = 0;
  static_assert(sizeof(Bits) == sizeof(Value));
  std::memcpy(&bits, &value, sizeof bits);
  if constexpr (std::floating_point<Value>) {
    if ((bits & SignBit<Bits>()) != 0) return static_cast<Bits>(~bits);
  }
  return bits ^ SignBit<Bits>();
}

/// Calls visit(size, put): what the value of a row takes, and what writes it.
template <std::unsigned_integral Bits, typename Value, typename Visit>
void VisitNumbers(const arrow::Array& column, Visit visit) {
  visit([](int64_t) { return sizeof(Bits); },
        [values = column.data()->GetValues<Value>(1)](int64_t row, char* out) {
          PutBigEndian(OrderedBits<Bits>(values[row]), out);
        });
}

template <typename Visit>
void VisitStrings(const arrow::Array& column, Visit visit) {
  const auto& values = static_cast<const arrow::BinaryArray&>(column);
  visit(
      [&values](int64_t row) {
        const std::string_view value = values.GetView(row);
        return value.size() + static_cast<size_t>(std::ranges::count(value, '\0')) + 2;
      },
      [&values](int64_t row, char* out) {
        for (const char byte : values.GetView(row)) {
          *out++ = byte;
          if (byte == '\0') *out++ = '\xFF';
        }
        *out++ = '\0';
        *out++ = '\0';
      });
}

template <typename Visit>
void VisitDecimals(const arrow::Array& column, Visit visit) {
  const auto& values = static_cast<const arrow::FixedSizeBinaryArray&>(column);
  visit([](int64_t) { return size_t{16}; },
        [&values](int64_t row, char* out) {
          const std::string_view little = values.GetView(row);
          std::ranges::reverse_copy(little, out);
          *out = static_cast<char>(*out ^ '\x80');
        });
}

template <typename Visit>
void VisitValues(const Type& type, const arrow::Array& column, Visit visit) {
  switch (type.id) {
    case TypeId::kBoolean:
      return visit([](int64_t) { return size_t{1}; },
                   [&values = static_cast<const arrow::BooleanArray&>(column)](int64_t row, char* out) {
                     *out = values.Value(row) ? '\1' : '\0';
                   });
    case TypeId::kInt:
    case TypeId::kDate:
      return VisitNumbers<uint32_t, int32_t>(column, visit);
    case TypeId::kFloat:
      return VisitNumbers<uint32_t, float>(column, visit);
    case TypeId::kDouble:
      return VisitNumbers<uint64_t, double>(column, visit);
    case TypeId::kLong:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
    case TypeId::kTimestampNs:
    case TypeId::kTimestampTzNs:
      return VisitNumbers<uint64_t, int64_t>(column, visit);
    case TypeId::kDecimal:
      return VisitDecimals(column, visit);
    case TypeId::kString:
    case TypeId::kBinary:
      return VisitStrings(column, visit);
    default:  // kUuid, kFixed
      return visit([&values = static_cast<const arrow::FixedSizeBinaryArray&>(column)](
                       int64_t) { return static_cast<size_t>(values.byte_width()); },
                   [&values = static_cast<const arrow::FixedSizeBinaryArray&>(column)](int64_t row, char* out) {
                     std::ranges::copy(values.GetView(row), out);
                   });
  }
}

bool IsSortable(const Schema& schema, FieldId source_id, const Transform& transform) {
  const Field* source = schema.FindField(source_id);
  return source != nullptr && transform.kind != TransformKind::kVoid && IsLegal(transform, source->type);
}

}  // namespace

bool CanSort(const Schema& schema, const SortOrder& order) {
  return std::ranges::all_of(
      order.fields, [&](const SortField& field) { return IsSortable(schema, field.source_id, field.transform); });
}

Result<RowOrder> RowOrder::Make(const Schema& schema, const PartitionSpec& spec, const SortOrder& order) {
  SortOrder whole;
  for (const PartitionField& field : spec.fields) {
    if (field.transform.kind == TransformKind::kVoid) continue;
    whole.fields.push_back({.source_id = field.source_id, .transform = field.transform});
  }
  std::ranges::copy(order.fields, std::back_inserter(whole.fields));
  RowOrder rows;
  for (const SortField& field : whole.fields) {
    if (!IsSortable(schema, field.source_id, field.transform)) {
      return MakeError(ErrorKind::kUnsupported, "rows can't be sorted by {} of the field with id {}",
                       ToString(field.transform), field.source_id);
    }
    const Field* source = schema.FindField(field.source_id);
    rows.fields_.push_back({.column = static_cast<int>(source - schema.fields.data()),
                            .transform = field.transform,
                            .source = source->type,
                            .result = ResultType(field.transform, source->type),
                            .descending = field.descending,
                            .nulls_first = field.nulls_first});
  }
  return rows;
}

Result<SortKeys> RowOrder::KeysOf(const arrow::RecordBatch& batch) const {
  const int64_t rows = batch.num_rows();
  std::vector<std::shared_ptr<arrow::Array>> columns;
  SortKeys keys;
  // First the sizes, each at the place of the row behind its own: their sums are where rows begin.
  keys.offsets_.assign(static_cast<size_t>(rows) + 1, 0);
  for (const FieldPlan& field : fields_) {
    TRY(columns.emplace_back(), TransformColumn(field.transform, field.source, batch.column(field.column))
                                    .Context("sorting by {}", ToString(field.transform)));
    const arrow::Array& column = *columns.back();
    VisitValues(field.result, column, [&](auto size, auto) {
      for (int64_t row = 0; row < rows; ++row) {
        keys.offsets_[static_cast<size_t>(row) + 1] += 1 + (column.IsNull(row) ? 0 : size(row));
      }
    });
  }
  for (size_t row = 0; row < static_cast<size_t>(rows); ++row) keys.offsets_[row + 1] += keys.offsets_[row];
  keys.bytes_.resize(keys.offsets_.back());
  std::vector<size_t> ends(keys.offsets_.begin(), keys.offsets_.end() - 1);  // Of what is written of each row.
  for (size_t i = 0; i < fields_.size(); ++i) {
    const FieldPlan& field = fields_[i];
    const arrow::Array& column = *columns[i];
    VisitValues(field.result, column, [&](auto size, auto put) {
      for (int64_t row = 0; row < rows; ++row) {
        size_t& end = ends[static_cast<size_t>(row)];
        char* out = keys.bytes_.data() + end;
        if (column.IsNull(row)) {
          *out = field.nulls_first ? kNullFirst : kNullLast;
          ++end;
          continue;
        }
        *out++ = kValue;
        const size_t bytes = size(row);
        put(row, out);
        if (field.descending) {
          std::transform(out, out + bytes, out, [](char byte) { return static_cast<char>(~byte); });
        }
        end += 1 + bytes;
      }
    });
  }
  return keys;
}

}  // namespace firn::iceberg
