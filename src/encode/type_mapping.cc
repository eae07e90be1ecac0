#include "encode/type_mapping.h"

#include <algorithm>
#include <optional>

#include "base/try.h"

namespace firn::encode {
namespace {

using iceberg::Field;
using iceberg::FieldId;
using iceberg::Type;
using iceberg::TypeId;

// src/include/catalog/pg_type.dat
constexpr TypeOid kNumericOid = 1700;
constexpr TypeOid kInt2VectorOid = 22;
constexpr TypeOid kOidVectorOid = 30;

struct KnownType {
  TypeOid oid;
  Codec codec;
  TypeId type;
};

/// Types of one meaning each; numeric depends on its modifier.
constexpr KnownType kKnownTypes[] = {
    {16, Codec::kBool, TypeId::kBoolean},
    {17, Codec::kBytea, TypeId::kBinary},
    {18, Codec::kChar, TypeId::kString},  // "char"
    {19, Codec::kText, TypeId::kString},  // name
    {20, Codec::kInt8, TypeId::kLong},
    {21, Codec::kInt2, TypeId::kInt},
    {23, Codec::kInt4, TypeId::kInt},
    {25, Codec::kText, TypeId::kString},  // text
    {26, Codec::kOid, TypeId::kLong},
    {114, Codec::kJson, TypeId::kString},
    {142, Codec::kText, TypeId::kString},  // xml
    {700, Codec::kFloat4, TypeId::kFloat},
    {701, Codec::kFloat8, TypeId::kDouble},
    {1042, Codec::kText, TypeId::kString},  // bpchar
    {1043, Codec::kText, TypeId::kString},  // varchar
    {1082, Codec::kDate, TypeId::kDate},
    {1083, Codec::kTime, TypeId::kTime},
    {1114, Codec::kTimestamp, TypeId::kTimestamp},
    {1184, Codec::kTimestampTz, TypeId::kTimestampTz},
    {2950, Codec::kUuid, TypeId::kUuid},
    {3802, Codec::kJsonb, TypeId::kString},
};

constexpr int32_t kMaxDecimalPrecision = 38;

struct Mapped {
  Codec codec = Codec::kTextForm;
  Type type = Type::Primitive(TypeId::kString);
};

/// atttypmod of a numeric: 4 + (precision << 16 | scale as 11 bits, signed).
Mapped MapNumeric(int32_t type_modifier) {
  constexpr int32_t kHeader = 4;
  const Mapped as_text{Codec::kNumericString, Type::Primitive(TypeId::kString)};
  if (type_modifier < kHeader) return as_text;
  const int32_t precision = ((type_modifier - kHeader) >> 16) & 0xFFFF;
  const int32_t scale = (((type_modifier - kHeader) & 0x7FF) ^ 1024) - 1024;
  if (precision > kMaxDecimalPrecision || scale < 0 || scale > precision) return as_text;
  return {Codec::kNumericDecimal, Type::Decimal(precision, scale)};
}

/// Nothing for a type that firn knows by its text form only.
std::optional<Mapped> MapScalar(TypeOid oid, int32_t type_modifier) {
  if (oid == kNumericOid) return MapNumeric(type_modifier);
  const auto* known = std::ranges::find(kKnownTypes, oid, &KnownType::oid);
  if (known == std::end(kKnownTypes)) return std::nullopt;
  return Mapped{known->codec, Type::Primitive(known->type)};
}

Type ListOf(Type element) { return Type::List(Field{.name = "element", .type = std::move(element)}); }

/// codec, element_codec, element_oid, has_binary_decoder and the field's type, by the column's type alone.
ColumnMapping MapColumn(const SourceColumn& column) {
  ColumnMapping mapping{.attnum = column.attnum, .source_name = column.name, .type_oid = column.type_oid};
  mapping.field.name = column.name;
  mapping.field.type = Type::Primitive(TypeId::kString);
  // int2vector and oidvector call themselves arrays, but print and count (from 0) otherwise.
  const bool is_array =
      column.element_oid != 0 && column.type_oid != kInt2VectorOid && column.type_oid != kOidVectorOid;
  if (is_array) {
    if (auto element = MapScalar(column.element_oid, column.type_modifier)) {
      mapping.codec = Codec::kArray;
      mapping.element_codec = element->codec;
      mapping.element_oid = column.element_oid;
      mapping.field.type = ListOf(std::move(element->type));
      return mapping;
    }
  } else if (column.type_kind == 'e') {  // enum_send sends the label, as enum_out prints it
    mapping.codec = Codec::kText;
    return mapping;
  } else if (auto scalar = MapScalar(column.type_oid, column.type_modifier)) {
    mapping.codec = scalar->codec;
    mapping.field.type = std::move(scalar->type);
    return mapping;
  }
  mapping.has_binary_decoder = false;
  return mapping;
}

/// Equal but for nested fields' ids and whether they are required.
bool SameType(const Type& a, const Type& b) {
  return a.id == b.id && a.precision == b.precision && a.scale == b.scale && a.length == b.length &&
         std::ranges::equal(a.fields, b.fields,
                            [](const Field& x, const Field& y) { return SameType(x.type, y.type); });
}

/// Whether every value of `from` is one of `to`, and a decoder for it exists.
bool Widens(const Type& from, const Type& to) {
  if (SameType(from, to)) return true;
  if (from.id == TypeId::kList && to.id == TypeId::kList) return Widens(from.fields.at(0).type, to.fields.at(0).type);
  if (from.id == TypeId::kDecimal && to.id == TypeId::kDecimal) {
    return from.scale == to.scale && from.precision <= to.precision;
  }
  return (from.id == TypeId::kInt && to.id == TypeId::kLong) || (from.id == TypeId::kFloat && to.id == TypeId::kDouble);
}

Status ApplyOverride(const TableName& table, const SourceColumn& column, const Type& type, ColumnMapping& mapping) {
  const Type& natural = mapping.field.type;
  if (SameType(natural, type)) return {};
  const bool is_numeric = mapping.codec == Codec::kNumericDecimal || mapping.codec == Codec::kNumericString;
  if (type.id == TypeId::kDecimal && is_numeric) {
    mapping.codec = Codec::kNumericDecimal;
  } else if (type.id == TypeId::kString) {
    mapping.codec = is_numeric ? Codec::kNumericString : Codec::kTextForm;
    mapping.has_binary_decoder = is_numeric;
  } else if (!Widens(natural, type)) {
    return MakeError(
        ErrorKind::kInvalidConfig,
        "table {}, column {}: a {} can't be stored as {}; leave it out of \"columns\" (it is then stored as "
        "{}), or store it as string",
        table, column.name, column.type_name, ToString(type), ToString(natural));
  }
  mapping.field.type = type;
  return {};
}

/// All columns by type and override, in order, without field ids.
Result<TableMapping> MapColumns(const SourceTable& table, const TypeOverrides& overrides) {
  if (table.columns.empty()) {
    return MakeError(ErrorKind::kUnsupported,
                     "table {} has no columns; add one, or leave the table out of source.tables", table.name);
  }
  TableMapping mapping{.source = table.name, .key_columns = table.key_columns};
  for (const SourceColumn& column : table.columns) {
    mapping.columns.push_back(MapColumn(column));
    if (auto found = overrides.find(column.name); found != overrides.end()) {
      TRY_VOID(ApplyOverride(table.name, column, found->second, mapping.columns.back()));
    }
  }
  return mapping;
}

/// Identifier fields may not be float, double or nested (spec: "Identifier Field IDs").
bool MayIdentify(const Type& type) {
  return type.is_primitive() && type.id != TypeId::kFloat && type.id != TypeId::kDouble;
}

}  // namespace

bool TableMapping::StreamsBinary() const { return std::ranges::all_of(columns, &ColumnMapping::has_binary_decoder); }

Result<TableMapping> MapTable(const SourceTable& table, const TypeOverrides& overrides) {
  for (const auto& [name, type] : overrides) {
    if (std::ranges::find(table.columns, name, &SourceColumn::name) == table.columns.end()) {
      return MakeError(ErrorKind::kInvalidConfig,
                       "table {}: \"columns\" names {}, but there is no such column; correct the name or remove it",
                       table.name, name);
    }
  }
  TRY(TableMapping mapping, MapColumns(table, overrides));
  FieldId next_id = 1;
  for (ColumnMapping& column : mapping.columns) column.field.id = next_id++;
  for (ColumnMapping& column : mapping.columns) {
    for (Field& nested : column.field.type.fields) nested.id = next_id++;
  }
  for (int key : mapping.key_columns) {
    Field& field = mapping.columns.at(static_cast<size_t>(key)).field;
    field.required = true;
    mapping.schema.identifier_field_ids.push_back(field.id);
  }
  if (!std::ranges::all_of(mapping.key_columns, [&](int key) {
        return MayIdentify(mapping.columns[static_cast<size_t>(key)].field.type);
      })) {
    mapping.schema.identifier_field_ids.clear();
  }
  for (const ColumnMapping& column : mapping.columns) mapping.schema.fields.push_back(column.field);
  return mapping;
}

Result<TableMapping> MapTableOnto(const SourceTable& table, const iceberg::Schema& existing,
                                  const std::vector<std::pair<int16_t, iceberg::FieldId>>& attnum_to_field,
                                  const TypeOverrides& overrides) {
  TRY(TableMapping mapping, MapColumns(table, overrides));
  constexpr std::string_view kRemedy =
      "let firn run, which changes the Iceberg schema, or copy the table again (firn resync)";
  mapping.schema.schema_id = existing.schema_id;
  for (size_t i = 0; i < mapping.columns.size(); ++i) {
    ColumnMapping& column = mapping.columns[i];
    const auto entry = std::ranges::find(attnum_to_field, column.attnum, &std::pair<int16_t, FieldId>::first);
    if (entry == attnum_to_field.end()) {
      return MakeError(ErrorKind::kSchemaMismatch,
                       "table {}, column {} (attnum {}) has no field in the Iceberg table; {}", table.name,
                       column.source_name, column.attnum, kRemedy);
    }
    const Field* field = existing.FindField(entry->second);
    if (!field) {
      return MakeError(ErrorKind::kSchemaMismatch,
                       "table {}, column {}: the Iceberg table's properties give it field {}, which its schema doesn't "
                       "have; copy the table again (firn resync)",
                       table.name, column.source_name, entry->second);
    }
    if (!Widens(column.field.type, field->type)) {
      return MakeError(
          ErrorKind::kSchemaMismatch,
          "table {}, column {}: PostgreSQL's type {} is stored as {}, but field {} ({}) of the Iceberg table "
          "is {}; {}",
          table.name, column.source_name, table.columns[i].type_name, ToString(column.field.type), field->name,
          field->id, ToString(field->type), kRemedy);
    }
    column.field = *field;
    mapping.schema.fields.push_back(*field);
  }
  for (const auto& [attnum, id] : attnum_to_field) {
    if (std::ranges::find(table.columns, attnum, &SourceColumn::attnum) != table.columns.end()) continue;
    const Field* field = existing.FindField(id);
    if (!field) continue;  // dropped on both sides
    return MakeError(
        ErrorKind::kSchemaMismatch,
        "table {}: field {} ({}) of the Iceberg table stands for attnum {}, which the table no longer has; {}",
        table.name, field->name, id, attnum, kRemedy);
  }
  for (FieldId id : existing.identifier_field_ids) {
    if (mapping.schema.FindField(id)) mapping.schema.identifier_field_ids.push_back(id);
  }
  return mapping;
}

}  // namespace firn::encode
