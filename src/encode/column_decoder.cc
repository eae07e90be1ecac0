#include "encode/column_decoder.h"

#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/buffer_builder.h>
#include <arrow/type.h>

#include <limits>
#include <utility>
#include <vector>

#include "base/try.h"
#include "encode/wire_array.h"
#include "encode/wire_codecs.h"
#include "storage/arrow_error.h"

namespace firn::encode {
namespace {

using storage::FromArrow;

constexpr size_t kMaxShownBytes = 64;
/// Arrow's string, binary and list arrays have 32-bit offsets.
constexpr int64_t kMaxArrayBytes = std::numeric_limits<int32_t>::max();

/// What an error says of the column.
struct ColumnContext {
  TableName table;
  std::string column;
  Codec codec;
  std::string iceberg_type;
};

bool HasBytes(const WireValue& value) {
  return value.format == WireFormat::kBinary || value.format == WireFormat::kText;
}

std::string Shortened(std::string_view text) {
  if (text.size() <= kMaxShownBytes) return std::string(text);
  size_t end = kMaxShownBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not inside a UTF-8 character
  return fmt::format("{}… ({} bytes)", text.substr(0, end), text.size());
}

std::string Hex(std::string_view bytes) {
  std::string hex = "0x";
  for (unsigned char byte : bytes.substr(0, kMaxShownBytes)) hex += fmt::format("{:02x}", byte);
  if (bytes.size() > kMaxShownBytes) hex += fmt::format("… ({} bytes)", bytes.size());
  return hex;
}

/// The value as PostgreSQL prints it where that is known, else its bytes in hexadecimal.
std::string Describe(Codec codec, const WireValue& value) {
  if (value.format == WireFormat::kText) return fmt::format("'{}'", Shortened(value.bytes()));
  std::string text;
  switch (codec) {
    case Codec::kDate:
      text = DescribeBinaryDate(value.bytes());
      break;
    case Codec::kTimestamp:
    case Codec::kTimestampTz:
      text = DescribeBinaryTimestamp(value.bytes());
      break;
    case Codec::kNumericDecimal: {
      text.resize(BinaryNumericTextBound(value.bytes()));
      size_t written = 0;
      if (FormatBinaryNumeric(value.bytes(), text.data(), written) != Fault::kNone) written = 0;
      text.resize(written);
      break;
    }
    default:
      break;
  }
  return text.empty() ? Hex(value.bytes()) : fmt::format("'{}'", Shortened(text));
}

Error MakeFaultError(const ColumnContext& context, Fault fault, const WireValue& value) {
  const std::string where = fmt::format("table {}, column {}", context.table, context.column);
  const auto unsupported = [&](std::string_view shown, std::string_view why, std::string_view other_remedy) {
    return MakeError(ErrorKind::kUnsupported, "{}: {} {}; {}, or store the column as string (columns: {{{}: string}})",
                     where, shown, why, other_remedy, context.column);
  };
  const std::string& type = context.iceberg_type;
  switch (fault) {
    case Fault::kNone:
    case Fault::kMalformed:
      break;
    case Fault::kNoBinaryDecoder:
      return MakeError(ErrorKind::kUnsupported,
                       "{}: {} is the binary form of a type that firn stores by its text form; the column has to be "
                       "copied as \"{}\"::text and streamed with binary 'false'",
                       where, Describe(context.codec, value), context.column);
    case Fault::kInfinity:
      return unsupported(Describe(context.codec, value), fmt::format("has no place in the Iceberg type {}", type),
                         "change the row to a finite value");
    case Fault::kNaN:
      return unsupported("'NaN'", fmt::format("has no place in the Iceberg type {}", type),
                         "change the row to a number");
    case Fault::kTooManyDigits:
      return unsupported(Describe(context.codec, value), fmt::format("has more digits than {} holds", type),
                         "widen the column's decimal type");
    case Fault::kTooFine:
      return unsupported(Describe(context.codec, value),
                         fmt::format("has more digits after the point than {} holds", type),
                         "raise the scale of the column's decimal type");
    case Fault::kOutOfRange:
      return unsupported(Describe(context.codec, value),
                         fmt::format("lies outside of the Iceberg type {}, which ends in January of 294247", type),
                         "change the row");
    case Fault::kEndOfDay:
      return unsupported("'24:00:00'", "is past the last microsecond of a day, where the Iceberg type time ends",
                         "change the row to 23:59:59.999999");
    case Fault::kManyDimensions:
      return unsupported(Describe(context.codec, value),
                         fmt::format("has more than one dimension, which {} can't hold", type),
                         "change the row to a one-dimensional array");
    case Fault::kLowerBound:
      return unsupported(Describe(context.codec, value),
                         fmt::format("does not start at index 1, which {} can't tell", type),
                         "change the row to an array that does");
  }
  return MakeError(ErrorKind::kCorrupt,
                   "{}: {} is not a value of its type in PostgreSQL's {} format; if the column's type "
                   "was changed, copy the table again (firn resync)",
                   where, Describe(context.codec, value), value.format == WireFormat::kText ? "text" : "binary");
}

/// Which slots are null. Costs nothing until the first null.
class Validity {
 public:
  Status Append(const std::vector<uint8_t>& valid, int64_t nulls) {
    const auto count = static_cast<int64_t>(valid.size());
    if (nulls > 0 || bits_.length() > 0) {
      if (bits_.length() < length_) TRY_VOID(FromArrow(bits_.Append(length_, true), "growing a column"));
      TRY_VOID(FromArrow(bits_.Append(valid.data(), count), "growing a column"));
    }
    length_ += count;
    nulls_ += nulls;
    return {};
  }
  int64_t length() const { return length_; }
  int64_t nulls() const { return nulls_; }
  size_t bytes() const { return static_cast<size_t>(bits_.capacity() / 8); }
  /// Null when there is no null.
  Result<std::shared_ptr<arrow::Buffer>> Finish() {
    length_ = nulls_ = 0;
    if (bits_.length() == 0) return std::shared_ptr<arrow::Buffer>();
    return FromArrow(bits_.Finish(), "finishing a column");
  }
  void Reset() {
    bits_.Reset();
    length_ = nulls_ = 0;
  }

 private:
  arrow::TypedBufferBuilder<bool> bits_;
  int64_t length_ = 0;
  int64_t nulls_ = 0;
};

Result<std::shared_ptr<arrow::Array>> MakeArray(const std::shared_ptr<arrow::DataType>& type, int64_t length,
                                                int64_t nulls, std::vector<std::shared_ptr<arrow::Buffer>> buffers,
                                                std::vector<std::shared_ptr<arrow::ArrayData>> children = {}) {
  return arrow::MakeArray(arrow::ArrayData::Make(type, length, std::move(buffers), std::move(children), nulls));
}

/// Stored: the array's value type, which may be wider than the codec's.
template <typename WireCodec, typename Stored = typename WireCodec::Value>
class FixedWidthColumn final : public ColumnDecoder {
 public:
  FixedWidthColumn(ColumnContext context, std::shared_ptr<arrow::DataType> type, WireCodec codec = {})
      : context_(std::move(context)), type_(std::move(type)), codec_(codec) {}

  Status Decode(std::span<const WireValue> values) override {
    const size_t count = values.size();
    TRY_VOID(FromArrow(values_.Reserve(static_cast<int64_t>(count * sizeof(Stored))), "growing a column"));
    Stored* const out = values_.mutable_data_as<Stored>() + length_;
    valid_.resize(count);
    uint8_t* const valid = valid_.data();
    int64_t nulls = 0;
    for (size_t i = 0; i < count; ++i) {
      const WireValue& value = values[i];
      typename WireCodec::Value decoded{};
      Fault fault = Fault::kNone;
      if (value.format == WireFormat::kBinary) {
        fault = codec_.Binary(value.bytes(), decoded);
      } else if (value.format == WireFormat::kText) {
        fault = codec_.Text(value.bytes(), decoded);
      } else {
        out[i] = Stored{};
        valid[i] = 0;
        ++nulls;
        continue;
      }
      if (fault != Fault::kNone) [[unlikely]]
        return MakeFaultError(context_, fault, value);
      out[i] = static_cast<Stored>(decoded);
      valid[i] = 1;
    }
    values_.UnsafeAdvance(static_cast<int64_t>(count * sizeof(Stored)));
    length_ += count;
    return validity_.Append(valid_, nulls);
  }

  size_t bytes() const override {
    return static_cast<size_t>(values_.capacity()) + validity_.bytes() + valid_.capacity();
  }

  Result<std::shared_ptr<arrow::Array>> Finish() override {
    const int64_t length = validity_.length();
    const int64_t nulls = validity_.nulls();
    TRY(auto valid, validity_.Finish());
    TRY(auto values, FinishValues());
    Reset();
    return MakeArray(type_, length, nulls, {std::move(valid), std::move(values)});
  }

  void Reset() override {
    values_.Reset();
    validity_.Reset();
    valid_ = std::vector<uint8_t>();
    length_ = 0;
  }

 private:
  Result<std::shared_ptr<arrow::Buffer>> FinishValues() {
    if constexpr (!std::is_same_v<WireCodec, BoolCodec>) {
      return FromArrow(values_.Finish(), "finishing a column");
    } else {  // bytes until here, bits in the array
      arrow::TypedBufferBuilder<bool> bits;
      TRY_VOID(FromArrow(bits.Append(values_.data(), static_cast<int64_t>(length_)), "finishing a column"));
      return FromArrow(bits.Finish(), "finishing a column");
    }
  }

  const ColumnContext context_;
  const std::shared_ptr<arrow::DataType> type_;
  const WireCodec codec_;
  arrow::BufferBuilder values_;
  size_t length_ = 0;
  Validity validity_;
  std::vector<uint8_t> valid_;  // of one Decode
};

template <typename WireCodec>
class VariableWidthColumn final : public ColumnDecoder {
 public:
  VariableWidthColumn(ColumnContext context, std::shared_ptr<arrow::DataType> type)
      : context_(std::move(context)), type_(std::move(type)) {}

  Status Decode(std::span<const WireValue> values) override {
    size_t bound = 0;
    for (const WireValue& value : values) bound += HasBytes(value) ? codec_.Bound(value) : 0;
    if (data_.length() + static_cast<int64_t>(bound) > kMaxArrayBytes) {
      return MakeError(ErrorKind::kUnsupported,
                       "table {}, column {}: one batch would hold more than 2 GiB of this column; lower "
                       "writer.memory_limit_bytes, so that batches are written earlier",
                       context_.table, context_.column);
    }
    const size_t count = values.size();
    TRY_VOID(FromArrow(data_.Reserve(static_cast<int64_t>(bound)), "growing a column"));
    TRY_VOID(FromArrow(offsets_.Reserve(static_cast<int64_t>(count) + 1), "growing a column"));
    if (offsets_.length() == 0) offsets_.UnsafeAppend(0);
    int32_t* const offsets = offsets_.mutable_data() + offsets_.length();
    valid_.resize(count);
    uint8_t* const valid = valid_.data();
    int64_t nulls = 0;
    char* const begin = data_.mutable_data_as<char>();
    char* out = begin + data_.length();
    for (size_t i = 0; i < count; ++i) {
      const WireValue& value = values[i];
      Fault fault = Fault::kNone;
      valid[i] = 1;
      if (value.format == WireFormat::kBinary) {
        fault = codec_.Binary(value.bytes(), out);
      } else if (value.format == WireFormat::kText) {
        fault = codec_.Text(value.bytes(), out);
      } else {
        valid[i] = 0;
        ++nulls;
      }
      if (fault != Fault::kNone) [[unlikely]]
        return MakeFaultError(context_, fault, value);
      offsets[i] = static_cast<int32_t>(out - begin);
    }
    data_.UnsafeAdvance(out - begin - data_.length());
    offsets_.UnsafeAdvance(static_cast<int64_t>(count));
    return validity_.Append(valid_, nulls);
  }

  size_t bytes() const override {
    return static_cast<size_t>(data_.capacity()) + static_cast<size_t>(offsets_.capacity()) * sizeof(int32_t) +
           validity_.bytes() + valid_.capacity();
  }

  Result<std::shared_ptr<arrow::Array>> Finish() override {
    const int64_t length = validity_.length();
    const int64_t nulls = validity_.nulls();
    if (offsets_.length() == 0) TRY_VOID(FromArrow(offsets_.Append(0), "finishing a column"));
    TRY(auto valid, validity_.Finish());
    TRY(auto offsets, FromArrow(offsets_.Finish(), "finishing a column"));
    TRY(auto data, FromArrow(data_.Finish(), "finishing a column"));
    Reset();
    return MakeArray(type_, length, nulls, {std::move(valid), std::move(offsets), std::move(data)});
  }

  void Reset() override {
    offsets_.Reset();
    data_.Reset();
    validity_.Reset();
    valid_ = std::vector<uint8_t>();
  }

 private:
  const ColumnContext context_;
  const std::shared_ptr<arrow::DataType> type_;
  const WireCodec codec_{};
  arrow::TypedBufferBuilder<int32_t> offsets_;
  arrow::BufferBuilder data_;
  Validity validity_;
  std::vector<uint8_t> valid_;  // of one Decode
};

class ListColumn final : public ColumnDecoder {
 public:
  ListColumn(ColumnContext context, std::shared_ptr<arrow::DataType> type, TypeOid element_oid,
             std::unique_ptr<ColumnDecoder> elements)
      : context_(std::move(context)),
        type_(std::move(type)),
        element_oid_(element_oid),
        elements_(std::move(elements)) {}

  Status Decode(std::span<const WireValue> values) override {
    size_t text_bytes = 0;
    for (const WireValue& value : values)
      text_bytes += value.format == WireFormat::kText ? static_cast<size_t>(value.size) : 0;
    if (unescaped_.size() < text_bytes) unescaped_.resize(text_bytes);
    char* unescaped = unescaped_.data();

    split_.clear();
    TRY_VOID(FromArrow(offsets_.Reserve(static_cast<int64_t>(values.size()) + 1), "growing a column"));
    if (offsets_.length() == 0) offsets_.UnsafeAppend(0);
    valid_.resize(values.size());
    int64_t nulls = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      const WireValue& value = values[i];
      Fault fault = Fault::kNone;
      valid_[i] = 1;
      if (value.format == WireFormat::kBinary) {
        fault = SplitBinaryArray(value.bytes(), element_oid_, split_);
      } else if (value.format == WireFormat::kText) {
        fault = SplitTextArray(value.bytes(), unescaped, split_);
      } else {
        valid_[i] = 0;
        ++nulls;
      }
      if (fault != Fault::kNone) return MakeFaultError(context_, fault, value);
      const int64_t end = decoded_elements_ + static_cast<int64_t>(split_.size());
      if (end > kMaxArrayBytes) {
        return MakeError(
            ErrorKind::kUnsupported,
            "table {}, column {}: one batch would hold more than 2^31 array elements of this column; lower "
            "writer.memory_limit_bytes, so that batches are written earlier",
            context_.table, context_.column);
      }
      offsets_.UnsafeAppend(static_cast<int32_t>(end));
    }
    TRY_VOID(elements_->Decode(split_));
    decoded_elements_ += static_cast<int64_t>(split_.size());
    return validity_.Append(valid_, nulls);
  }

  size_t bytes() const override {
    return elements_->bytes() + static_cast<size_t>(offsets_.capacity()) * sizeof(int32_t) + validity_.bytes() +
           split_.capacity() * sizeof(WireValue) + unescaped_.capacity() + valid_.capacity();
  }

  Result<std::shared_ptr<arrow::Array>> Finish() override {
    const int64_t length = validity_.length();
    const int64_t nulls = validity_.nulls();
    if (offsets_.length() == 0) TRY_VOID(FromArrow(offsets_.Append(0), "finishing a column"));
    TRY(auto valid, validity_.Finish());
    TRY(auto offsets, FromArrow(offsets_.Finish(), "finishing a column"));
    TRY(auto elements, elements_->Finish());
    Reset();
    return MakeArray(type_, length, nulls, {std::move(valid), std::move(offsets)}, {elements->data()});
  }

  void Reset() override {
    elements_->Reset();
    offsets_.Reset();
    validity_.Reset();
    valid_ = std::vector<uint8_t>();
    split_ = std::vector<WireValue>();
    unescaped_ = std::vector<char>();
    decoded_elements_ = 0;
  }

 private:
  const ColumnContext context_;
  const std::shared_ptr<arrow::DataType> type_;
  const TypeOid element_oid_;
  const std::unique_ptr<ColumnDecoder> elements_;
  arrow::TypedBufferBuilder<int32_t> offsets_;
  int64_t decoded_elements_ = 0;
  Validity validity_;
  // Of one Decode:
  std::vector<uint8_t> valid_;
  std::vector<WireValue> split_;
  std::vector<char> unescaped_;
};

using DecoderPointer = std::unique_ptr<ColumnDecoder>;

template <typename WireCodec, typename Stored = typename WireCodec::Value>
DecoderPointer MakeFixed(ColumnContext context, std::shared_ptr<arrow::DataType> type, WireCodec codec = {}) {
  return std::make_unique<FixedWidthColumn<WireCodec, Stored>>(std::move(context), std::move(type), codec);
}
template <typename WireCodec>
DecoderPointer MakeVariable(ColumnContext context, std::shared_ptr<arrow::DataType> type) {
  return std::make_unique<VariableWidthColumn<WireCodec>>(std::move(context), std::move(type));
}

/// The decoder of a codec into an Arrow type; null when there is none.
DecoderPointer MakeScalar(const ColumnContext& context, Codec codec, const std::shared_ptr<arrow::DataType>& type) {
  const auto is = [&](arrow::Type::type id) { return type->id() == id; };
  switch (codec) {
    case Codec::kBool:
      return is(arrow::Type::BOOL) ? MakeFixed<BoolCodec>(context, type) : nullptr;
    case Codec::kInt2:
      if (is(arrow::Type::INT32)) return MakeFixed<Int2Codec, int32_t>(context, type);
      return is(arrow::Type::INT64) ? MakeFixed<Int2Codec, int64_t>(context, type) : nullptr;
    case Codec::kInt4:
      if (is(arrow::Type::INT32)) return MakeFixed<Int4Codec>(context, type);
      return is(arrow::Type::INT64) ? MakeFixed<Int4Codec, int64_t>(context, type) : nullptr;
    case Codec::kInt8:
      return is(arrow::Type::INT64) ? MakeFixed<Int8Codec>(context, type) : nullptr;
    case Codec::kOid:
      return is(arrow::Type::INT64) ? MakeFixed<OidCodec, int64_t>(context, type) : nullptr;
    case Codec::kFloat4:
      if (is(arrow::Type::FLOAT)) return MakeFixed<Float4Codec>(context, type);
      return is(arrow::Type::DOUBLE) ? MakeFixed<Float4Codec, double>(context, type) : nullptr;
    case Codec::kFloat8:
      return is(arrow::Type::DOUBLE) ? MakeFixed<Float8Codec>(context, type) : nullptr;
    case Codec::kNumericDecimal: {
      if (!is(arrow::Type::DECIMAL128)) return nullptr;
      const auto& decimal = static_cast<const arrow::Decimal128Type&>(*type);
      return MakeFixed(context, type, DecimalCodec{DecimalLimits(decimal.precision(), decimal.scale())});
    }
    case Codec::kUuid: {
      const bool fits = is(arrow::Type::FIXED_SIZE_BINARY) &&
                        static_cast<const arrow::FixedSizeBinaryType&>(*type).byte_width() == 16;
      return fits ? MakeFixed<UuidCodec>(context, type) : nullptr;
    }
    case Codec::kDate:
      return is(arrow::Type::DATE32) ? MakeFixed<DateCodec>(context, type) : nullptr;
    case Codec::kTime:
      return is(arrow::Type::TIME64) ? MakeFixed<TimeCodec>(context, type) : nullptr;
    case Codec::kTimestamp:
      return is(arrow::Type::TIMESTAMP) ? MakeFixed<TimestampCodec>(context, type) : nullptr;
    case Codec::kTimestampTz:
      return is(arrow::Type::TIMESTAMP) ? MakeFixed<TimestampTzCodec>(context, type) : nullptr;
    case Codec::kNumericString:
      return is(arrow::Type::STRING) ? MakeVariable<NumericStringCodec>(context, type) : nullptr;
    case Codec::kChar:
      return is(arrow::Type::STRING) ? MakeVariable<CharCodec>(context, type) : nullptr;
    case Codec::kText:
    case Codec::kJson:
      return is(arrow::Type::STRING) ? MakeVariable<TextCodec>(context, type) : nullptr;
    case Codec::kJsonb:
      return is(arrow::Type::STRING) ? MakeVariable<JsonbCodec>(context, type) : nullptr;
    case Codec::kTextForm:
      return is(arrow::Type::STRING) ? MakeVariable<TextFormCodec>(context, type) : nullptr;
    case Codec::kBytea:
      return is(arrow::Type::BINARY) ? MakeVariable<ByteaCodec>(context, type) : nullptr;
    case Codec::kArray:
      return nullptr;
  }
  return nullptr;
}

}  // namespace

Result<std::unique_ptr<ColumnDecoder>> ColumnDecoder::Make(const TableName& table, const ColumnMapping& column,
                                                           const std::shared_ptr<arrow::DataType>& type) {
  const ColumnContext context{table, column.source_name, column.codec, iceberg::ToString(column.field.type)};
  DecoderPointer decoder;
  if (column.codec != Codec::kArray) {
    decoder = MakeScalar(context, column.codec, type);
  } else if (type->id() == arrow::Type::LIST) {
    ColumnContext element_context = context;
    element_context.codec = column.element_codec;
    element_context.iceberg_type = iceberg::ToString(column.field.type.fields.at(0).type);
    if (auto elements = MakeScalar(element_context, column.element_codec, type->field(0)->type())) {
      decoder = std::make_unique<ListColumn>(context, type, column.element_oid, std::move(elements));
    }
  }
  if (decoder) return decoder;
  return MakeError(ErrorKind::kInternal, "table {}, column {}: no decoder leads from codec {} to the Arrow type {}",
                   table, column.source_name, static_cast<int>(column.codec), type->ToString());
}

}  // namespace firn::encode
