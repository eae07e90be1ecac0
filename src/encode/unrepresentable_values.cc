#include "encode/unrepresentable_values.h"

#include <fmt/format.h>

#include <optional>

#include "encode/wire_text.h"

namespace firn::encode {
namespace {

constexpr size_t kMaxShownBytes = 64;

std::string Shortened(std::string_view text) {
  if (text.size() <= kMaxShownBytes) return std::string(text);
  size_t end = kMaxShownBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not inside a UTF-8 character
  return fmt::format("{}… ({} bytes)", text.substr(0, end), text.size());
}

std::string ShortenedHex(std::string_view bytes) {
  std::string hex = "0x";
  for (unsigned char byte : bytes.substr(0, kMaxShownBytes)) hex += fmt::format("{:02x}", byte);
  if (bytes.size() > kMaxShownBytes) hex += fmt::format("… ({} bytes)", bytes.size());
  return hex;
}

/// The value as PostgreSQL prints it where that is known, else its bytes in hexadecimal.
std::string Describe(const ColumnContext& context, const WireValue& value) {
  // What COPY reads as text comes in its binary format, too.
  const bool is_text =
      value.format == WireFormat::kText || (context.codec == Codec::kTextArray && !value.bytes().starts_with('\0'));
  if (is_text) return fmt::format("'{}'", Shortened(value.bytes()));
  const std::string text = context.codec == Codec::kArray
                               ? BinaryArrayAsText(context.element_codec, context.element_oid, value.bytes())
                               : BinaryAsText(context.codec, value.bytes());
  return text.empty() ? ShortenedHex(value.bytes()) : fmt::format("'{}'", Shortened(text));
}

Error MakeFaultError(const ColumnContext& context, Fault fault, const WireValue& value) {
  const std::string where = fmt::format("table {}, column {}", context.table, context.column);
  const auto unsupported = [&](std::string_view shown, std::string_view why, std::string_view other_remedy) {
    return MakeError(ErrorKind::kUnsupported,
                     "{}: {} {}; {}, set a policy for such values (unrepresentable: clamp, null or string), or store "
                     "the column as string (columns: {{{}: string}})",
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
                       where, Describe(context, value), context.column);
    case Fault::kInfinity:
      return unsupported(Describe(context, value), fmt::format("has no place in the Iceberg type {}", type),
                         "change the row to a finite value");
    case Fault::kNaN:
      return unsupported("'NaN'", fmt::format("has no place in the Iceberg type {}", type),
                         "change the row to a number");
    case Fault::kTooManyDigits:
      return unsupported(Describe(context, value), fmt::format("has more digits than {} holds", type),
                         "widen the column's decimal type");
    case Fault::kTooFine:
      return unsupported(Describe(context, value), fmt::format("has more digits after the point than {} holds", type),
                         "raise the scale of the column's decimal type");
    case Fault::kOutOfRange:
      return unsupported(Describe(context, value),
                         fmt::format("lies outside of the Iceberg type {}, which ends in January of 294247", type),
                         "change the row");
    case Fault::kEndOfDay:
      return unsupported("'24:00:00'", "is past the last microsecond of a day, where the Iceberg type time ends",
                         "change the row to 23:59:59.999999");
    case Fault::kManyDimensions:
      return unsupported(Describe(context, value),
                         fmt::format("has more than one dimension, which {} can't hold", type),
                         "change the row to a one-dimensional array");
    case Fault::kLowerBound:
      return unsupported(Describe(context, value), fmt::format("does not start at index 1, which {} can't tell", type),
                         "change the row to an array that does");
    case Fault::kInexactNumber:
      return unsupported(
          Describe(context, value),
          fmt::format("holds a number that {} can't hold exactly (a decimal of 38 digits, or a double)", type),
          "change the row");
    case Fault::kNotUnicode:
      return unsupported(Describe(context, value), "holds half of a surrogate pair, which is no Unicode text",
                         "change the row");
    case Fault::kTooDeep:
      return unsupported(Describe(context, value), "holds too many arrays and objects within each other",
                         "change the row");
  }
  return MakeError(ErrorKind::kCorrupt,
                   "{}: {} is not a value of its type in PostgreSQL's {} format; if the column's type "
                   "was changed, copy the table again (firn resync)",
                   where, Describe(context, value), value.format == WireFormat::kText ? "text" : "binary");
}

/// Whether a fault is that of a value which PostgreSQL's type has and the column's has not.
bool IsReplaceable(Fault fault) {
  return fault != Fault::kNone && fault != Fault::kMalformed && fault != Fault::kNoBinaryDecoder;
}

/// Whether a value of a date, a timestamp or a numeric is below zero: of a text its sign, else that of the integer at
/// the front of `bytes`.
template <typename Integer>
bool IsNegative(const WireValue& value) {
  if (value.format == WireFormat::kText) return value.bytes().starts_with('-');
  return LoadBigEndian<Integer>(value.data) < 0;
}

bool ClampTimestamp(Fault fault, const WireValue& value, int64_t& micros) {
  if (fault == Fault::kInfinity) {
    micros = IsNegative<int64_t>(value) ? kFirstTimestamp : kLastTimestamp;
    return true;
  }
  // No timestamp of PostgreSQL lies before the first one of Iceberg.
  if (fault == Fault::kOutOfRange) micros = kLastTimestamp;
  return fault == Fault::kOutOfRange;
}

}  // namespace

void ReplacedValues::Add(const ReplacedValues& others) {
  if (others.count == 0) return;
  if (count == 0) {
    *this = others;
  } else {
    count += others.count;
  }
}

Status UnrepresentableValues::Accept(Fault fault, const WireValue& value) {
  const bool replaces = context_.policy == ValuePolicy::kClamp || context_.policy == ValuePolicy::kNull;
  if (!replaces || !IsReplaceable(fault)) return ErrorOf(fault, value);
  Count(1, value);
  return {};
}

Error UnrepresentableValues::ErrorOf(Fault fault, const WireValue& value) const {
  return MakeFaultError(context_, fault, value);
}

ReplacedValues UnrepresentableValues::Take() {
  ReplacedValues taken = std::exchange(replaced_, {});
  if (taken.count > 0) taken.column = context_.column;
  taken.policy = context_.policy;
  return taken;
}

void UnrepresentableValues::Count(int64_t replaced, const WireValue& value) {
  if (replaced > 0 && replaced_.count == 0) replaced_.first = Describe(context_, value);
  replaced_.count += replaced;
}

bool Clamp(const DateCodec&, Fault fault, const WireValue& value, int32_t& days) {
  if (fault != Fault::kInfinity) return false;
  days = IsNegative<int32_t>(value) ? kFirstDate : kLastDate;
  return true;
}

bool Clamp(const TimeCodec&, Fault fault, const WireValue&, int64_t& micros) {
  micros = kLastTime;
  return fault == Fault::kEndOfDay;
}

bool Clamp(const TimestampCodec&, Fault fault, const WireValue& value, int64_t& micros) {
  return ClampTimestamp(fault, value, micros);
}

bool Clamp(const TimestampTzCodec&, Fault fault, const WireValue& value, int64_t& micros) {
  return ClampTimestamp(fault, value, micros);
}

bool Clamp(const DecimalCodec& codec, Fault, const WireValue& value, Int128& unscaled) {
  if (value.format == WireFormat::kText) return NearestDecimal(value.bytes(), codec.limits, unscaled);
  return NearestDecimal(BinaryAsText(Codec::kNumericDecimal, value.bytes()), codec.limits, unscaled);
}

}  // namespace firn::encode
