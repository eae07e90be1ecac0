#include "encode/column_decoder.h"

#include <arrow/type.h>

#include <utility>

#include "encode/list_column.h"
#include "encode/scalar_column.h"
#include "encode/variant_column.h"
#include "encode/wire_codecs.h"
#include "encode/wire_text.h"

namespace firn::encode {
namespace {

using DecoderPointer = std::unique_ptr<ColumnDecoder>;

template <typename WireCodec, typename Stored = typename WireCodec::Value>
DecoderPointer MakeFixed(ColumnContext context, std::shared_ptr<arrow::DataType> type, WireCodec codec = {}) {
  return std::make_unique<FixedWidthColumn<WireCodec, Stored>>(std::move(context), std::move(type), codec);
}
template <typename WireCodec>
DecoderPointer MakeVariable(ColumnContext context, std::shared_ptr<arrow::DataType> type, WireCodec codec = {}) {
  return std::make_unique<VariableWidthColumn<WireCodec>>(std::move(context), std::move(type), codec);
}

/// Into a string: text as it stands, the binary form as its type's text.
DecoderPointer MakeText(const ColumnContext& context, Codec codec, const std::shared_ptr<arrow::DataType>& type) {
  switch (codec) {
    case Codec::kNumericDecimal:
    case Codec::kNumericString:
      return MakeVariable<NumericStringCodec>(context, type);
    case Codec::kChar:
      return MakeVariable<CharCodec>(context, type);
    case Codec::kText:
    case Codec::kJson:
      return MakeVariable<TextCodec>(context, type);
    case Codec::kJsonb:
      return MakeVariable<JsonbCodec>(context, type);
    case Codec::kTextForm:
    case Codec::kTextArray:
      return MakeVariable<TextFormCodec>(context, type);
    default: {
      ScalarTextCodec text;
      text.form = FindBinaryToText(codec);
      return text.form != nullptr ? MakeVariable(context, type, text) : nullptr;
    }
  }
}

/// The decoder of a codec into an Arrow type; null when there is none.
DecoderPointer MakeScalar(const ColumnContext& context, Codec codec, const std::shared_ptr<arrow::DataType>& type) {
  const auto is = [&](arrow::Type::type id) { return type->id() == id; };
  if (is(arrow::Type::STRING)) return MakeText(context, codec, type);
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
    case Codec::kBytea:
      return is(arrow::Type::BINARY) ? MakeVariable<ByteaCodec>(context, type) : nullptr;
    case Codec::kJson:
    case Codec::kJsonb:
      return is(arrow::Type::STRUCT) ? std::make_unique<VariantColumn>(context, type) : nullptr;
    case Codec::kNumericString:
    case Codec::kText:
    case Codec::kChar:
    case Codec::kTextForm:
    case Codec::kTextArray:
    case Codec::kArray:
      return nullptr;
  }
  return nullptr;
}

DecoderPointer MakeArrayDecoder(const ColumnContext& context, const ColumnMapping& column,
                                const std::shared_ptr<arrow::DataType>& type) {
  const bool is_text = column.codec == Codec::kTextArray;
  if (type->id() == arrow::Type::STRING) {
    if (is_text) return MakeText(context, column.codec, type);
    ArrayTextCodec text;
    text.element = FindBinaryToText(column.element_codec);
    text.element_oid = column.element_oid;
    return text.element != nullptr ? MakeVariable(context, type, text) : nullptr;
  }
  if (type->id() != arrow::Type::LIST) return nullptr;
  ColumnContext element_context = context;
  element_context.codec = column.element_codec;
  element_context.iceberg_type = iceberg::ToString(column.field.type.fields.at(0).type);
  auto elements = MakeScalar(element_context, column.element_codec, type->field(0)->type());
  if (!elements) return nullptr;
  const ListColumn::Form form{
      .is_text = is_text, .element_oid = column.element_oid, .delimiter = column.element_delimiter};
  return std::make_unique<ListColumn>(context, type, form, std::move(elements));
}

}  // namespace

Result<std::unique_ptr<ColumnDecoder>> ColumnDecoder::Make(const TableName& table, const ColumnMapping& column,
                                                           const std::shared_ptr<arrow::DataType>& type) {
  const ColumnContext context{.table = table,
                              .column = column.source_name,
                              .codec = column.codec,
                              .iceberg_type = iceberg::ToString(column.field.type),
                              .policy = column.policy,
                              .element_codec = column.element_codec,
                              .element_oid = column.element_oid};
  const bool is_array = column.codec == Codec::kArray || column.codec == Codec::kTextArray;
  DecoderPointer decoder = is_array ? MakeArrayDecoder(context, column, type) : MakeScalar(context, column.codec, type);
  if (decoder) return decoder;
  return MakeError(ErrorKind::kInternal, "table {}, column {}: no decoder leads from codec {} to the Arrow type {}",
                   table, column.source_name, static_cast<int>(column.codec), type->ToString());
}

}  // namespace firn::encode
