// Iceberg's types and fields (spec: "Schemas and Data Types"). Plain values; schema_json holds their JSON form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firn/result.h"

namespace firn::iceberg {

using FieldId = int32_t;

enum class TypeId : uint8_t {
  kBoolean,
  kInt,
  kLong,
  kFloat,
  kDouble,
  kDecimal,
  kDate,
  kTime,
  kTimestamp,
  kTimestampTz,
  kTimestampNs,
  kTimestampTzNs,
  kString,
  kUuid,
  kFixed,
  kBinary,
  kVariant,
  kUnknown,
  kGeometry,
  kGeography,
  kStruct,
  kList,
  kMap,
};

struct Field;

struct Type {
  TypeId id = TypeId::kUnknown;
  int32_t precision = 0;      ///< kDecimal: 1 to 38
  int32_t scale = 0;          ///< kDecimal
  int32_t length = 0;         ///< kFixed: bytes
  std::string parameters;     ///< kGeometry, kGeography: what stands in the brackets ("srid:4326"); empty: none
  std::vector<Field> fields;  ///< kStruct: its fields; kList: [element]; kMap: [key, value]

  bool is_primitive() const { return id < TypeId::kStruct; }
  bool operator==(const Type&) const = default;

  static Type Primitive(TypeId id);
  static Type Decimal(int32_t precision, int32_t scale);
  static Type Fixed(int32_t length);
  static Type List(Field element);
  static Type Map(Field key, Field value);
  static Type Struct(std::vector<Field> fields);
};

struct Field {
  FieldId id = 0;
  std::string name;
  bool required = false;
  Type type;
  std::string doc;
  /// v3 defaults, each the spec's single-value JSON text; nothing where there is none.
  std::optional<std::string> initial_default;
  std::optional<std::string> write_default;

  bool operator==(const Field&) const = default;
};

inline Type Type::Primitive(TypeId id) { return Type{.id = id}; }
inline Type Type::Decimal(int32_t precision, int32_t scale) {
  return Type{.id = TypeId::kDecimal, .precision = precision, .scale = scale};
}
inline Type Type::Fixed(int32_t length) { return Type{.id = TypeId::kFixed, .length = length}; }

/// The spec's name of a type: "decimal(10,2)", "list<string>" for messages.
std::string ToString(const Type& type);

/// The reverse for primitive types, as a schema's JSON writes them. kUnsupported for another word, kCorrupt for
/// parameters that can't be.
Result<Type> ParsePrimitiveType(std::string_view text);
/// The reverse for primitive types and for lists of them, as a configuration writes them; the element has no id.
Result<Type> ParseType(std::string_view text);

}  // namespace firn::iceberg
