#include "index/key_codec.h"

#include <arrow/api.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <span>
#include <type_traits>

#include "base/try.h"

// The bytes of a key, column by column (hexadecimal):
//
//   any column          00                      NULL
//                       01 value                else
//   boolean             00 | 01
//   int, long, date,    big-endian, sign bit flipped
//   time, timestamp,
//   decimal (16 bytes)
//   float, double       big-endian; sign bit flipped where it was 0, all bits where it was 1; NaN above all
//   fixed               as it is
//   string, binary      each 00 as 00 FF, then 00
//   list                per element 02 value, or 01 for NULL; then 00
//   struct              its fields, each as a column
//
// What follows a string's last 00 is never FF (it is the next column's 00 or 01, a list's 00, 01 or 02, or the end), so
// no key is the beginning of another one with as many columns, and keys sort as their columns do.
//
// A key of one column of a fixed width has no leading byte: NULL is the empty key. That is the common key, an integer.
namespace firn::index {
namespace {

constexpr char kNull = 0x00;
constexpr char kPresent = 0x01;
constexpr char kEnd = 0x00;
constexpr char kNullElement = 0x01;
constexpr char kElement = 0x02;
constexpr char kEscape = static_cast<char>(0xFF);

template <typename Unsigned>
char* PutBigEndian(char* out, Unsigned bits) {
  if constexpr (sizeof(bits) > 1 && std::endian::native == std::endian::little) bits = std::byteswap(bits);
  std::memcpy(out, &bits, sizeof(bits));
  return out + sizeof(bits);
}

template <typename T>
char* PutInteger(char* out, T value) {
  using Unsigned = std::make_unsigned_t<T>;
  constexpr auto kSignBit = static_cast<Unsigned>(Unsigned{1} << (sizeof(T) * 8 - 1));
  return PutBigEndian(out, static_cast<Unsigned>(static_cast<Unsigned>(value) ^ kSignBit));
}

// One struct per shape of an Arrow array: Size(i) and Put(out, i) of a value that is not null; kWidth where all values
// have one size.

template <typename ArrayType>
struct IntegerValues {
  using T = typename ArrayType::value_type;
  static constexpr size_t kWidth = sizeof(T);
  explicit IntegerValues(const arrow::Array& array) : values(static_cast<const ArrayType&>(array).raw_values()) {}
  size_t Size(int64_t) const { return kWidth; }
  char* Put(char* out, int64_t i) const { return PutInteger(out, values[i]); }
  const T* values;
};

template <typename ArrayType>
struct FloatValues {
  using T = typename ArrayType::value_type;
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  static constexpr size_t kWidth = sizeof(T);
  explicit FloatValues(const arrow::Array& array) : values(static_cast<const ArrayType&>(array).raw_values()) {}
  size_t Size(int64_t) const { return kWidth; }
  char* Put(char* out, int64_t i) const {
    T value = values[i];
    if (std::isnan(value)) value = std::numeric_limits<T>::quiet_NaN();
    if (value == 0) value = 0;  // -0 as well
    constexpr Bits kSignBit = Bits{1} << (sizeof(T) * 8 - 1);
    const auto bits = std::bit_cast<Bits>(value);
    return PutBigEndian(out, (bits & kSignBit) != 0 ? ~bits : bits | kSignBit);
  }
  const T* values;
};

struct BooleanValues {
  static constexpr size_t kWidth = 1;
  explicit BooleanValues(const arrow::Array& values) : array(static_cast<const arrow::BooleanArray&>(values)) {}
  size_t Size(int64_t) const { return kWidth; }
  char* Put(char* out, int64_t i) const {
    *out = array.Value(i) ? 1 : 0;
    return out + 1;
  }
  const arrow::BooleanArray& array;
};

/// Sixteen bytes, little-endian as all of Arrow's here.
struct DecimalValues {
  static constexpr size_t kWidth = 16;
  explicit DecimalValues(const arrow::Array& values) : array(static_cast<const arrow::Decimal128Array&>(values)) {}
  size_t Size(int64_t) const { return kWidth; }
  char* Put(char* out, int64_t i) const {
    uint64_t low;
    int64_t high;
    std::memcpy(&low, array.GetValue(i), sizeof(low));
    std::memcpy(&high, array.GetValue(i) + sizeof(low), sizeof(high));
    return PutBigEndian(PutInteger(out, high), low);
  }
  const arrow::Decimal128Array& array;
};

struct FixedBytes {
  explicit FixedBytes(const arrow::Array& values)
      : array(static_cast<const arrow::FixedSizeBinaryArray&>(values)),
        width(static_cast<size_t>(array.byte_width())) {}
  size_t Size(int64_t) const { return width; }
  char* Put(char* out, int64_t i) const {
    std::memcpy(out, array.GetValue(i), width);
    return out + width;
  }
  const arrow::FixedSizeBinaryArray& array;
  size_t width;
};

/// Strings, too: an arrow::StringArray is a BinaryArray.
struct Strings {
  explicit Strings(const arrow::Array& values) : array(static_cast<const arrow::BinaryArray&>(values)) {}
  size_t Size(int64_t i) const {
    const std::string_view bytes = array.GetView(i);
    return bytes.size() + static_cast<size_t>(std::count(bytes.begin(), bytes.end(), '\0')) + 1;
  }
  char* Put(char* out, int64_t i) const {
    std::string_view bytes = array.GetView(i);
    for (size_t zero; (zero = bytes.find('\0')) != bytes.npos; bytes.remove_prefix(zero + 1)) {
      out = std::copy_n(bytes.data(), zero + 1, out);
      *out++ = kEscape;
    }
    out = std::copy(bytes.begin(), bytes.end(), out);
    *out = kEnd;
    return out + 1;
  }
  const arrow::BinaryArray& array;
};

struct Lists {
  explicit Lists(const arrow::Array& values) : array(static_cast<const arrow::ListArray&>(values)) {}
  size_t Size(int64_t i) const;
  char* Put(char* out, int64_t i) const;
  const arrow::ListArray& array;
};

struct Structs {
  explicit Structs(const arrow::Array& values) : array(static_cast<const arrow::StructArray&>(values)) {}
  size_t Size(int64_t i) const;
  char* Put(char* out, int64_t i) const;
  const arrow::StructArray& array;
};

/// Calls `visit` with the values of `array`, whose type IsSupported.
template <typename Visit>
auto VisitValues(const arrow::Array& array, Visit&& visit) {
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return visit(BooleanValues(array));
    case arrow::Type::INT32:
      return visit(IntegerValues<arrow::Int32Array>(array));
    case arrow::Type::INT64:
      return visit(IntegerValues<arrow::Int64Array>(array));
    case arrow::Type::DATE32:
      return visit(IntegerValues<arrow::Date32Array>(array));
    case arrow::Type::TIME64:
      return visit(IntegerValues<arrow::Time64Array>(array));
    case arrow::Type::TIMESTAMP:
      return visit(IntegerValues<arrow::TimestampArray>(array));
    case arrow::Type::FLOAT:
      return visit(FloatValues<arrow::FloatArray>(array));
    case arrow::Type::DOUBLE:
      return visit(FloatValues<arrow::DoubleArray>(array));
    case arrow::Type::DECIMAL128:
      return visit(DecimalValues(array));
    case arrow::Type::FIXED_SIZE_BINARY:
      return visit(FixedBytes(array));
    case arrow::Type::LIST:
    case arrow::Type::MAP:
      return visit(Lists(array));
    case arrow::Type::STRUCT:
      return visit(Structs(array));
    default:
      return visit(Strings(array));
  }
}

bool IsSupported(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL:
    case arrow::Type::INT32:
    case arrow::Type::INT64:
    case arrow::Type::DATE32:
    case arrow::Type::TIME64:
    case arrow::Type::TIMESTAMP:
    case arrow::Type::FLOAT:
    case arrow::Type::DOUBLE:
    case arrow::Type::DECIMAL128:
    case arrow::Type::FIXED_SIZE_BINARY:
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return true;
    case arrow::Type::LIST:
    case arrow::Type::MAP:
    case arrow::Type::STRUCT:
      return std::ranges::all_of(type.fields(), [](const auto& field) { return IsSupported(*field->type()); });
    default:
      return false;
  }
}

size_t Lists::Size(int64_t i) const {
  const arrow::Array& elements = *array.values();
  return VisitValues(elements, [&](const auto& values) {
    size_t size = 1;
    for (int64_t at = array.value_offset(i); at < array.value_offset(i + 1); ++at) {
      size += elements.IsNull(at) ? 1 : 1 + values.Size(at);
    }
    return size;
  });
}

char* Lists::Put(char* out, int64_t i) const {
  const arrow::Array& elements = *array.values();
  return VisitValues(elements, [&](const auto& values) {
    for (int64_t at = array.value_offset(i); at < array.value_offset(i + 1); ++at) {
      const bool null = elements.IsNull(at);
      *out++ = null ? kNullElement : kElement;
      if (!null) out = values.Put(out, at);
    }
    *out++ = kEnd;
    return out;
  });
}

size_t Structs::Size(int64_t i) const {
  size_t size = 0;
  for (int at = 0; at < array.num_fields(); ++at) {
    const auto field = array.field(at);
    size += field->IsNull(i) ? 1 : 1 + VisitValues(*field, [&](const auto& values) { return values.Size(i); });
  }
  return size;
}

char* Structs::Put(char* out, int64_t i) const {
  for (int at = 0; at < array.num_fields(); ++at) {
    const auto field = array.field(at);
    const bool null = field->IsNull(i);
    *out++ = null ? kNull : kPresent;
    if (!null) out = VisitValues(*field, [&](const auto& values) { return values.Put(out, i); });
  }
  return out;
}

/// Adds the size of each row's value to sizes[row]. `leading`: the bytes before a value, or for a NULL.
void AddSizes(const arrow::Array& array, size_t leading, std::span<size_t> sizes) {
  VisitValues(array, [&](const auto& values) {
    const bool nulls = array.null_count() > 0;
    for (int64_t row = 0; row < array.length(); ++row) {
      sizes[static_cast<size_t>(row)] += leading + (nulls && array.IsNull(row) ? 0 : values.Size(row));
    }
  });
}

/// Writes each row's value at bytes + ends[row], and moves that on.
void PutColumn(const arrow::Array& array, bool leading, char* bytes, std::span<size_t> ends) {
  VisitValues(array, [&](const auto& values) {
    const bool nulls = array.null_count() > 0;
    for (int64_t row = 0; row < array.length(); ++row) {
      size_t& end = ends[static_cast<size_t>(row)];
      char* out = bytes + end;
      const bool null = nulls && array.IsNull(row);
      if (leading) *out++ = null ? kNull : kPresent;
      if (!null) out = values.Put(out, row);
      end = static_cast<size_t>(out - bytes);
    }
  });
}

/// A single column without nulls of one fixed width: no sizes to work out.
bool PutFixedColumn(const arrow::Array& array, std::string& bytes, std::vector<size_t>& offsets) {
  if (array.null_count() > 0) return false;
  return VisitValues(array, [&]<typename Values>(const Values& values) {
    if constexpr (requires { Values::kWidth; }) {
      const auto rows = static_cast<size_t>(array.length());
      bytes.resize(rows * Values::kWidth);
      offsets.resize(rows + 1);
      char* out = bytes.data();
      for (size_t row = 0; row < rows; ++row) {
        offsets[row] = row * Values::kWidth;
        out = values.Put(out, static_cast<int64_t>(row));
      }
      offsets[rows] = bytes.size();
      return true;
    }
    return false;
  });
}

bool HasFixedWidth(const arrow::Array& array) {
  return VisitValues(array, []<typename Values>(const Values&) {
    return std::is_same_v<Values, FixedBytes> || requires { Values::kWidth; };
  });
}

}  // namespace

std::optional<size_t> EncodedKeys::Find(std::string_view key) const {
  const std::less<const char*> before;  // Pointers of other buffers have no order that < would know.
  if (before(key.data(), bytes_.data()) || !before(key.data(), bytes_.data() + bytes_.size())) return std::nullopt;
  const auto offset = static_cast<size_t>(key.data() - bytes_.data());
  const auto found = std::ranges::lower_bound(offsets_, offset);
  if (found == offsets_.end() || *found != offset) return std::nullopt;
  return static_cast<size_t>(found - offsets_.begin());
}

Result<EncodedKeys> EncodeKeys(const arrow::RecordBatch& batch, const std::vector<int>& columns) {
  if (columns.empty()) return MakeError(ErrorKind::kInternal, "a key of no columns was asked for");
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  for (int column : columns) {
    if (column < 0 || column >= batch.num_columns()) {
      return MakeError(ErrorKind::kInternal, "a key has column {} of a batch of {}", column, batch.num_columns());
    }
    arrays.push_back(batch.column(column));
    if (!IsSupported(*arrays.back()->type())) {
      return MakeError(ErrorKind::kUnsupported, "column {}: a key can't hold the type {}; choose a key without it",
                       batch.column_name(column), arrays.back()->type()->ToString());
    }
  }

  EncodedKeys keys;
  const bool leading = arrays.size() > 1 || !HasFixedWidth(*arrays[0]);
  if (!leading && PutFixedColumn(*arrays[0], keys.bytes_, keys.offsets_)) return keys;

  const auto rows = static_cast<size_t>(batch.num_rows());
  std::vector<size_t> ends(rows, 0);  // first each key's size, then its beginning, at last its end
  for (const auto& array : arrays) AddSizes(*array, leading ? 1 : 0, ends);
  keys.offsets_.resize(rows + 1);
  size_t total = 0;
  for (size_t row = 0; row < rows; ++row) {
    keys.offsets_[row] = total;
    total += std::exchange(ends[row], total);
  }
  keys.offsets_[rows] = total;
  keys.bytes_.resize(total);
  for (const auto& array : arrays) PutColumn(*array, leading, keys.bytes_.data(), ends);
  return keys;
}

}  // namespace firn::index
