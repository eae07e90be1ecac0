#include "iceberg/type.h"

#include <charconv>
#include <utility>
#include <vector>

#include "base/try.h"

namespace firn::iceberg {
namespace {

constexpr std::pair<std::string_view, TypeId> kPlainTypes[] = {
    {"boolean", TypeId::kBoolean},
    {"int", TypeId::kInt},
    {"long", TypeId::kLong},
    {"float", TypeId::kFloat},
    {"double", TypeId::kDouble},
    {"date", TypeId::kDate},
    {"time", TypeId::kTime},
    {"timestamp", TypeId::kTimestamp},
    {"timestamptz", TypeId::kTimestampTz},
    {"timestamp_ns", TypeId::kTimestampNs},
    {"timestamptz_ns", TypeId::kTimestampTzNs},
    {"string", TypeId::kString},
    {"uuid", TypeId::kUuid},
    {"binary", TypeId::kBinary},
    {"variant", TypeId::kVariant},
    {"unknown", TypeId::kUnknown},
    {"geometry", TypeId::kGeometry},
    {"geography", TypeId::kGeography},
};

/// The integers of "decimal(9, 2)" or "fixed[16]" after `prefix`, or nothing.
std::optional<std::vector<int32_t>> Parameters(std::string_view text, std::string_view prefix, char close) {
  if (!text.starts_with(prefix) || !text.ends_with(close)) return std::nullopt;
  text.remove_prefix(prefix.size());
  text.remove_suffix(1);
  std::vector<int32_t> numbers;
  while (true) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    int32_t number = 0;
    auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) return std::nullopt;
    numbers.push_back(number);
    text.remove_prefix(static_cast<size_t>(stop - text.data()));
    while (text.starts_with(' ')) text.remove_prefix(1);
    if (text.empty()) return numbers;
    if (!text.starts_with(',') || numbers.size() > 2) return std::nullopt;
    text.remove_prefix(1);
  }
}

}  // namespace

Type Type::List(Field element) {
  element.name = "element";
  Type type{.id = TypeId::kList};
  type.fields.push_back(std::move(element));
  return type;
}

Type Type::Map(Field key, Field value) {
  key.name = "key";
  key.required = true;
  value.name = "value";
  Type type{.id = TypeId::kMap};
  type.fields.push_back(std::move(key));
  type.fields.push_back(std::move(value));
  return type;
}

Type Type::Struct(std::vector<Field> fields) { return Type{.id = TypeId::kStruct, .fields = std::move(fields)}; }

std::string ToString(const Type& type) {
  switch (type.id) {
    case TypeId::kBoolean:
      return "boolean";
    case TypeId::kInt:
      return "int";
    case TypeId::kLong:
      return "long";
    case TypeId::kFloat:
      return "float";
    case TypeId::kDouble:
      return "double";
    case TypeId::kDecimal:
      return fmt::format("decimal({},{})", type.precision, type.scale);
    case TypeId::kDate:
      return "date";
    case TypeId::kTime:
      return "time";
    case TypeId::kTimestamp:
      return "timestamp";
    case TypeId::kTimestampTz:
      return "timestamptz";
    case TypeId::kTimestampNs:
      return "timestamp_ns";
    case TypeId::kTimestampTzNs:
      return "timestamptz_ns";
    case TypeId::kString:
      return "string";
    case TypeId::kUuid:
      return "uuid";
    case TypeId::kFixed:
      return fmt::format("fixed[{}]", type.length);
    case TypeId::kBinary:
      return "binary";
    case TypeId::kVariant:
      return "variant";
    case TypeId::kUnknown:
      return "unknown";
    case TypeId::kGeometry:
      return type.parameters.empty() ? "geometry" : fmt::format("geometry({})", type.parameters);
    case TypeId::kGeography:
      return type.parameters.empty() ? "geography" : fmt::format("geography({})", type.parameters);
    case TypeId::kStruct: {
      std::string text = "struct<";
      for (const Field& field : type.fields) {
        if (text.back() != '<') text += ", ";
        text += fmt::format("{}: {}", field.name, ToString(field.type));
      }
      return text + ">";
    }
    case TypeId::kList:
      return fmt::format("list<{}>", ToString(type.fields.at(0).type));
    case TypeId::kMap:
      return fmt::format("map<{}, {}>", ToString(type.fields.at(0).type), ToString(type.fields.at(1).type));
  }
  return "unknown";
}

Result<Type> ParsePrimitiveType(std::string_view text) {
  for (const auto& [name, id] : kPlainTypes) {
    if (text == name) return Type::Primitive(id);
  }
  if (auto decimal = Parameters(text, "decimal(", ')'); decimal && decimal->size() == 2) {
    const int32_t precision = (*decimal)[0], scale = (*decimal)[1];
    if (precision < 1 || precision > 38 || scale < 0 || scale > precision) {
      return MakeError(ErrorKind::kCorrupt, "type \"{}\": the precision must be 1 to 38, the scale 0 to the precision",
                       text);
    }
    return Type::Decimal(precision, scale);
  }
  if (auto fixed = Parameters(text, "fixed[", ']'); fixed && fixed->size() == 1) {
    if ((*fixed)[0] < 0) return MakeError(ErrorKind::kCorrupt, "type \"{}\": the length must not be negative", text);
    return Type::Fixed((*fixed)[0]);
  }
  // The reference system and, for a geography, its edges' form: kept as they stand.
  for (const TypeId id : {TypeId::kGeometry, TypeId::kGeography}) {
    Type type = Type::Primitive(id);
    const std::string prefix = ToString(type) + "(";
    if (!text.starts_with(prefix) || !text.ends_with(')')) continue;
    type.parameters = text.substr(prefix.size(), text.size() - prefix.size() - 1);
    return type;
  }
  return MakeError(ErrorKind::kUnsupported, "type \"{}\" is not one that firn knows", text);
}

Result<Type> ParseType(std::string_view text) {
  constexpr std::string_view kList = "list<";
  if (!text.starts_with(kList) || !text.ends_with('>')) return ParsePrimitiveType(text);
  TRY(Type element, ParsePrimitiveType(text.substr(kList.size(), text.size() - kList.size() - 1)));
  return Type::List(Field{.type = std::move(element)});
}

}  // namespace firn::iceberg
