#include "iceberg/type.h"

#include <utility>

namespace firn::iceberg {

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

}  // namespace firn::iceberg
