#include "iceberg/partition_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <variant>
#include <vector>

#include "iceberg/civil_date.h"

namespace firn::iceberg {
namespace {

constexpr size_t kFolderBytesMax = 255;  // Of Linux's and most other file systems.
constexpr int64_t kNanosPerSecond = 1'000'000'000;

std::string Day(int64_t days) {
  const CivilDate date = CivilFromDays(days);
  return fmt::format("{:04}-{:02}-{:02}", date.year, date.month, date.day);
}

/// As Java prints a LocalTime: seconds and three, six or nine digits of their fraction where there are any.
std::string TimeOfDay(int64_t nanos) {
  const int64_t seconds = nanos / kNanosPerSecond, fraction = nanos % kNanosPerSecond;
  std::string text = fmt::format("{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
  if (nanos % (60 * kNanosPerSecond) == 0) return text;
  text += fmt::format(":{:02}", seconds % 60);
  if (fraction == 0) return text;
  if (fraction % 1'000'000 == 0) return text + fmt::format(".{:03}", fraction / 1'000'000);
  if (fraction % 1'000 == 0) return text + fmt::format(".{:06}", fraction / 1'000);
  return text + fmt::format(".{:09}", fraction);
}

/// `per_second`: the unit of `value`.
std::string Timestamp(int64_t value, int64_t per_second, bool utc) {
  const int64_t per_day = per_second * 86'400;
  const int64_t days = FloorDivide(value, per_day);
  const CivilDate date = CivilFromDays(days);
  const int64_t nanos = (value - days * per_day) * (kNanosPerSecond / per_second);
  // ISO 8601 asks for a sign where a year has more than four digits.
  return fmt::format("{}{}T{}{}", date.year > 9999 ? "+" : "", Day(days), TimeOfDay(nanos), utc ? "Z" : "");
}

/// A big-endian two's complement number of at most 16 bytes, with `scale` digits behind the point.
std::string Decimal(std::string_view bytes, int32_t scale) {
  const bool negative = !bytes.empty() && (bytes[0] & 0x80) != 0;
  __extension__ using Wide = unsigned __int128;
  Wide number = negative ? ~Wide{0} : Wide{0};
  for (const char byte : bytes) number = number << 8 | static_cast<uint8_t>(byte);
  if (negative) number = ~number + 1;
  std::string digits;
  for (; number > 0; number /= 10) digits.push_back(static_cast<char>('0' + static_cast<int>(number % 10)));
  while (static_cast<int32_t>(digits.size()) <= scale) digits.push_back('0');
  if (scale > 0) digits.insert(static_cast<size_t>(scale), ".");
  if (negative) digits.push_back('-');
  std::ranges::reverse(digits);
  return digits;
}

std::string Uuid(std::string_view bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    text += fmt::format("{:02x}", static_cast<uint8_t>(bytes[i]));
  }
  return text;
}

std::string Base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    const size_t held = std::min<size_t>(3, bytes.size() - i);
    for (size_t j = 0; j < 3; ++j) group = group << 8 | (j < held ? static_cast<uint8_t>(bytes[i + j]) : 0u);
    for (size_t j = 0; j < 4; ++j) text.push_back(j <= held ? kDigits[group >> (18 - 6 * j) & 63] : '=');
  }
  return text;
}

template <typename Float>
std::string Floating(Float value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

/// By the type alone: identity and truncate.
std::string Value(const Type& type, const Literal& value) {
  switch (type.id) {
    case TypeId::kBoolean:
      return std::get<bool>(value) ? "true" : "false";
    case TypeId::kInt:
      return fmt::format("{}", std::get<int32_t>(value));
    case TypeId::kLong:
      return fmt::format("{}", std::get<int64_t>(value));
    case TypeId::kFloat:
      return Floating(std::get<float>(value));
    case TypeId::kDouble:
      return Floating(std::get<double>(value));
    case TypeId::kDate:
      return Day(std::get<int32_t>(value));
    case TypeId::kTime:
      return TimeOfDay(std::get<int64_t>(value) * 1000);
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      return Timestamp(std::get<int64_t>(value), 1'000'000, type.id == TypeId::kTimestampTz);
    case TypeId::kTimestampNs:
    case TypeId::kTimestampTzNs:
      return Timestamp(std::get<int64_t>(value), kNanosPerSecond, type.id == TypeId::kTimestampTzNs);
    case TypeId::kDecimal:
      return Decimal(std::get<std::string>(value), type.scale);
    case TypeId::kUuid:
      return Uuid(std::get<std::string>(value));
    case TypeId::kFixed:
    case TypeId::kBinary:
      return Base64(std::get<std::string>(value));
    default:
      return std::get<std::string>(value);
  }
}

void AppendEscaped(std::string_view text, std::string& out) {
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                       c == '-' || c == '*' || c == '_';
    if (plain) {
      out.push_back(c);
    } else if (c == ' ') {
      out.push_back('+');
    } else {
      out += fmt::format("%{:02X}", static_cast<uint8_t>(c));
    }
  }
}

}  // namespace

std::string HumanValue(const Transform& transform, const Type& source, const Literal& value) {
  if (std::holds_alternative<std::monostate>(value)) return "null";
  switch (transform.kind) {
    case TransformKind::kYear:
      return fmt::format("{:04}", 1970 + std::get<int32_t>(value));
    case TransformKind::kMonth: {
      const int64_t months = std::get<int32_t>(value);
      const int64_t years = FloorDivide(months, 12);
      return fmt::format("{:04}-{:02}", 1970 + years, months - 12 * years + 1);
    }
    case TransformKind::kDay:
      return Day(std::get<int32_t>(value));
    case TransformKind::kHour: {
      const int64_t hours = std::get<int32_t>(value);
      const int64_t days = FloorDivide(hours, 24);
      return fmt::format("{}-{:02}", Day(days), hours - 24 * days);
    }
    case TransformKind::kBucket:
      return fmt::format("{}", std::get<int32_t>(value));
    case TransformKind::kVoid:
      return "null";
    case TransformKind::kIdentity:
    case TransformKind::kTruncate:
      return Value(source, value);
  }
  return "null";
}

std::string PartitionFolder(std::string_view name, std::string_view value) {
  std::string folder;
  AppendEscaped(name, folder);
  folder.push_back('=');
  AppendEscaped(value, folder);
  if (folder.size() > kFolderBytesMax) {
    size_t end = kFolderBytesMax;
    if (folder[end - 1] == '%') {
      end -= 1;
    } else if (folder[end - 2] == '%') {
      end -= 2;
    }
    folder.resize(end);
  }
  return folder;
}

}  // namespace firn::iceberg
