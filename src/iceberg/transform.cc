#include "iceberg/transform.h"

#include <arrow/api.h>
#include <arrow/compute/api.h>
#include <arrow/util/bitmap_ops.h>
#include <arrow/util/decimal.h>

#include <array>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include "base/try.h"
#include "iceberg/civil_date.h"
#include "iceberg/murmur3.h"
#include "iceberg/single_value.h"
#include "storage/arrow_error.h"

namespace firn::iceberg {
namespace {

constexpr int64_t kMicrosPerHour = 3'600'000'000, kMicrosPerDay = 24 * kMicrosPerHour;
constexpr TransformKind kKinds[] = {TransformKind::kIdentity, TransformKind::kBucket, TransformKind::kTruncate,
                                    TransformKind::kYear,     TransformKind::kMonth,  TransformKind::kDay,
                                    TransformKind::kHour};

bool IsTimestamp(TypeId id) {
  return id == TypeId::kTimestamp || id == TypeId::kTimestampTz || id == TypeId::kTimestampNs ||
         id == TypeId::kTimestampTzNs;
}

bool IsNanos(TypeId id) { return id == TypeId::kTimestampNs || id == TypeId::kTimestampTzNs; }

template <typename Value>
Result<Value> Arrow(arrow::Result<Value> result) {
  return storage::FromArrow(std::move(result), "{}", "transforming a partition column");
}

/// The validity of a column as one that starts at bit 0; null where every row is valid.
Result<std::shared_ptr<arrow::Buffer>> ValidityOf(const arrow::Array& column) {
  if (column.null_count() == 0) return std::shared_ptr<arrow::Buffer>();
  return Arrow(arrow::internal::CopyBitmap(arrow::default_memory_pool(), column.null_bitmap_data(), column.offset(),
                                           column.length()));
}

/// A column of `type` whose values are value(row). Only for functions that may be called for null rows, too.
template <typename Result_, typename Function>
Result<std::shared_ptr<arrow::Array>> MakeColumn(const arrow::Array& column, std::shared_ptr<arrow::DataType> type,
                                                 Function value) {
  const int64_t length = column.length();
  TRY(std::shared_ptr<arrow::Buffer> buffer,
      Arrow(arrow::AllocateBuffer(length * static_cast<int64_t>(sizeof(Result_)))));
  auto* out = reinterpret_cast<Result_*>(buffer->mutable_data());
  for (int64_t row = 0; row < length; ++row) out[row] = value(row);
  TRY(auto validity, ValidityOf(column));
  return arrow::MakeArray(
      arrow::ArrayData::Make(std::move(type), length, {std::move(validity), std::move(buffer)}, column.null_count()));
}

template <typename T>
const T* Values(const arrow::Array& column) {
  return column.data()->GetValues<T>(1);
}

// --- bucket ---

/// hash(row) over a column, by its type.
template <typename Visit>
Result<std::shared_ptr<arrow::Array>> VisitHashes(const Type& source, const arrow::Array& column, Visit visit) {
  switch (source.id) {
    case TypeId::kInt:
    case TypeId::kDate:
      return visit([values = Values<int32_t>(column)](int64_t row) { return Murmur3(int64_t{values[row]}); });
    case TypeId::kLong:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      return visit([values = Values<int64_t>(column)](int64_t row) { return Murmur3(values[row]); });
    case TypeId::kTimestampNs:
    case TypeId::kTimestampTzNs:  // By microseconds, so that a column that becomes finer keeps its buckets.
      return visit([values = Values<int64_t>(column)](int64_t row) { return Murmur3(FloorDivide(values[row], 1000)); });
    case TypeId::kDecimal:
      return visit([&decimals = static_cast<const arrow::Decimal128Array&>(column)](int64_t row) {
        std::array<uint8_t, 16> little = arrow::Decimal128(decimals.GetValue(row)).ToBytes();
        std::array<char, 16> big{};
        for (size_t i = 0; i < 16; ++i) big[15 - i] = static_cast<char>(little[i]);
        return Murmur3(FewestBytes(std::string_view(big.data(), 16)));
      });
    case TypeId::kString:
    case TypeId::kBinary:
      return visit([&strings = static_cast<const arrow::BinaryArray&>(column)](int64_t row) {
        return Murmur3(strings.GetView(row));
      });
    default:  // kUuid, kFixed
      return visit([&bytes = static_cast<const arrow::FixedSizeBinaryArray&>(column)](int64_t row) {
        return Murmur3(bytes.GetView(row));
      });
  }
}

Result<std::shared_ptr<arrow::Array>> Bucket(int32_t buckets, const Type& source, const arrow::Array& column) {
  return VisitHashes(source, column, [&](auto hash) {
    return MakeColumn<int32_t>(column, arrow::int32(),
                               [&](int64_t row) { return static_cast<int32_t>(hash(row) & 0x7FFFFFFFu) % buckets; });
  });
}

// --- year, month, day, hour ---

/// Calls visit with days(row), the days since 1970-01-01.
template <typename Visit>
Result<std::shared_ptr<arrow::Array>> VisitDays(const Type& source, const arrow::Array& column, Visit visit) {
  if (source.id == TypeId::kDate) {
    return visit([values = Values<int32_t>(column)](int64_t row) { return int64_t{values[row]}; });
  }
  const int64_t per_day = IsNanos(source.id) ? kMicrosPerDay * 1000 : kMicrosPerDay;
  return visit([values = Values<int64_t>(column), per_day](int64_t row) { return FloorDivide(values[row], per_day); });
}

Result<std::shared_ptr<arrow::Array>> DatePart(TransformKind kind, const Type& source, const arrow::Array& column) {
  return VisitDays(source, column, [&](auto days) {
    if (kind == TransformKind::kDay) {
      return MakeColumn<int32_t>(column, arrow::date32(), [&](int64_t row) { return static_cast<int32_t>(days(row)); });
    }
    return MakeColumn<int32_t>(column, arrow::int32(), [&](int64_t row) {
      const CivilDate date = CivilFromDays(days(row));
      const int64_t years = date.year - 1970;
      return static_cast<int32_t>(kind == TransformKind::kYear ? years : years * 12 + date.month - 1);
    });
  });
}

Result<std::shared_ptr<arrow::Array>> Hour(const Type& source, const arrow::Array& column) {
  const int64_t per_hour = IsNanos(source.id) ? kMicrosPerHour * 1000 : kMicrosPerHour;
  const auto* values = Values<int64_t>(column);
  // Hours end before PostgreSQL's timestamps do: in the year 246953.
  for (int64_t row = 0; row < column.length(); ++row) {
    const int64_t hours = FloorDivide(values[row], per_hour);
    if (hours != static_cast<int32_t>(hours) && column.IsValid(row)) {
      return MakeError(ErrorKind::kUnsupported,
                       "the partition transform hour can't hold a timestamp in the year {}; partition by day, month or "
                       "year instead",
                       CivilFromDays(FloorDivide(hours, 24)).year);
    }
  }
  return MakeColumn<int32_t>(column, arrow::int32(),
                             [&](int64_t row) { return static_cast<int32_t>(FloorDivide(values[row], per_hour)); });
}

// --- truncate ---

/// Rounds down; below the lowest multiple it wraps, as in every other implementation.
template <typename Integer>
Integer TruncateInteger(Integer value, int32_t width) {
  const int64_t rest = ((int64_t{value} % width) + width) % width;
  return static_cast<Integer>(static_cast<uint64_t>(value) - static_cast<uint64_t>(rest));
}

Result<std::shared_ptr<arrow::Array>> TruncateDecimals(int32_t width, const Type& source, const arrow::Array& column) {
  const auto& decimals = static_cast<const arrow::Decimal128Array&>(column);
  const arrow::Decimal128 divisor(width);
  arrow::Decimal128Builder builder(column.type());
  TRY_VOID(storage::FromArrow(builder.Reserve(column.length()), "{}", "truncating decimals"));
  for (int64_t row = 0; row < column.length(); ++row) {
    if (decimals.IsNull(row)) {
      builder.UnsafeAppendNull();
      continue;
    }
    const arrow::Decimal128 value(decimals.GetValue(row));
    const arrow::Decimal128 truncated = value - (value % divisor + divisor) % divisor;
    if (!truncated.FitsInPrecision(source.precision)) {
      return MakeError(
          ErrorKind::kUnsupported,
          "the partition transform truncate({}) makes {} of {}, which {} can't hold; choose a smaller width", width,
          truncated.ToString(source.scale), value.ToString(source.scale), ToString(source));
    }
    builder.UnsafeAppend(truncated);
  }
  return Arrow(builder.Finish());
}

template <typename Builder, typename Cut>
Result<std::shared_ptr<arrow::Array>> TruncateBinaries(int32_t width, const arrow::Array& column, Cut cut) {
  const auto& values = static_cast<const arrow::BinaryArray&>(column);
  Builder builder;
  TRY_VOID(storage::FromArrow(builder.Reserve(column.length()), "{}", "truncating strings"));
  for (int64_t row = 0; row < column.length(); ++row) {
    const arrow::Status status = values.IsNull(row)
                                     ? builder.AppendNull()
                                     : builder.Append(cut(values.GetView(row), static_cast<size_t>(width)));
    TRY_VOID(storage::FromArrow(status, "{}", "truncating strings"));
  }
  return Arrow(builder.Finish());
}

Result<std::shared_ptr<arrow::Array>> Truncate(int32_t width, const Type& source, const arrow::Array& column) {
  switch (source.id) {
    case TypeId::kInt:
      return MakeColumn<int32_t>(column, column.type(), [values = Values<int32_t>(column), width](int64_t row) {
        return TruncateInteger(values[row], width);
      });
    case TypeId::kLong:
      return MakeColumn<int64_t>(column, column.type(), [values = Values<int64_t>(column), width](int64_t row) {
        return TruncateInteger(values[row], width);
      });
    case TypeId::kDecimal:
      return TruncateDecimals(width, source, column);
    case TypeId::kString:
      return TruncateBinaries<arrow::StringBuilder>(width, column, PrefixOfString);
    default:  // kBinary
      return TruncateBinaries<arrow::BinaryBuilder>(
          width, column, [](std::string_view value, size_t bytes) { return value.substr(0, bytes); });
  }
}

template <typename Float>
Literal FloatLiteral(Float value) {
  return std::isnan(value) ? std::numeric_limits<Float>::quiet_NaN() : value;
}

}  // namespace

bool IsLegal(const Transform& transform, const Type& source) {
  const bool is_date = source.id == TypeId::kDate;
  const bool has_equal_values = source.is_primitive() && source.id != TypeId::kVariant &&
                                source.id != TypeId::kUnknown && source.id != TypeId::kGeometry &&
                                source.id != TypeId::kGeography;
  switch (transform.kind) {
    case TransformKind::kVoid:
      return true;
    case TransformKind::kIdentity:
      return has_equal_values;
    case TransformKind::kBucket:
      return has_equal_values && source.id != TypeId::kBoolean && source.id != TypeId::kFloat &&
             source.id != TypeId::kDouble;
    case TransformKind::kTruncate:
      return source.id == TypeId::kInt || source.id == TypeId::kLong || source.id == TypeId::kDecimal ||
             source.id == TypeId::kString || source.id == TypeId::kBinary;
    case TransformKind::kYear:
    case TransformKind::kMonth:
    case TransformKind::kDay:
      return is_date || IsTimestamp(source.id);
    case TransformKind::kHour:
      return IsTimestamp(source.id);
  }
  return false;
}

std::string LegalTransforms(const Type& source) {
  std::string names;
  for (const TransformKind kind : kKinds) {
    if (!IsLegal({kind}, source)) continue;
    if (!names.empty()) names += ", ";
    const std::string name = ToString(Transform{kind});
    names += name.substr(0, name.find('['));
  }
  return names;
}

Result<std::shared_ptr<arrow::Array>> TransformColumn(const Transform& transform, const Type& source,
                                                      const std::shared_ptr<arrow::Array>& column) {
  if (!IsLegal(transform, source)) {
    return MakeError(ErrorKind::kUnsupported, "the partition transform {} can't be made of a {}", ToString(transform),
                     ToString(source));
  }
  if (column->type_id() == arrow::Type::DICTIONARY) {
    const auto& dictionary = static_cast<const arrow::DictionaryArray&>(*column);
    TRY(const auto plain, Arrow(arrow::compute::Take(*dictionary.dictionary(), *dictionary.indices())));
    return TransformColumn(transform, source, plain);
  }
  switch (transform.kind) {
    case TransformKind::kIdentity:
      return column;
    case TransformKind::kVoid:
      return Arrow(arrow::MakeArrayOfNull(column->type(), column->length()));
    case TransformKind::kBucket:
      return Bucket(transform.parameter, source, *column);
    case TransformKind::kTruncate:
      return Truncate(transform.parameter, source, *column);
    case TransformKind::kHour:
      return Hour(source, *column);
    case TransformKind::kYear:
    case TransformKind::kMonth:
    case TransformKind::kDay:
      return DatePart(transform.kind, source, *column);
  }
  return column;
}

Literal LiteralAt(const Type& type, const arrow::Array& column, int64_t row) {
  if (column.IsNull(row)) return std::monostate();
  switch (type.id) {
    case TypeId::kBoolean:
      return static_cast<const arrow::BooleanArray&>(column).Value(row);
    case TypeId::kInt:
    case TypeId::kDate:
      return Values<int32_t>(column)[row];
    case TypeId::kLong:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
    case TypeId::kTimestampNs:
    case TypeId::kTimestampTzNs:
      return Values<int64_t>(column)[row];
    case TypeId::kFloat:
      return FloatLiteral(Values<float>(column)[row]);
    case TypeId::kDouble:
      return FloatLiteral(Values<double>(column)[row]);
    case TypeId::kDecimal: {
      const std::array<uint8_t, 16> little =
          arrow::Decimal128(static_cast<const arrow::Decimal128Array&>(column).GetValue(row)).ToBytes();
      return DecimalSingleValue(std::string(little.rbegin(), little.rend()));
    }
    case TypeId::kUuid:
    case TypeId::kFixed:
      return std::string(static_cast<const arrow::FixedSizeBinaryArray&>(column).GetView(row));
    default:
      return std::string(static_cast<const arrow::BinaryArray&>(column).GetView(row));
  }
}

}  // namespace firn::iceberg
