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

/// int2vector and oidvector call themselves arrays, but print and count (from 0) otherwise.
bool IsArray(const SourceColumn& column) {
  return column.element_oid != 0 && column.type_oid != kInt2VectorOid && column.type_oid != kOidVectorOid;
}

/// Everything but the field's id, name in Iceberg and policy, by the column's type alone.
ColumnMapping MapColumn(const SourceColumn& column) {
  const Type string = Type::Primitive(TypeId::kString);
  ColumnMapping mapping{.attnum = column.attnum, .source_name = column.name, .type_oid = column.type_oid};
  mapping.field.name = column.name;
  const bool is_array = IsArray(column);
  const TypeOid scalar_oid = is_array ? column.element_oid : column.type_oid;
  const char scalar_kind = is_array ? column.element_kind : column.type_kind;
  std::optional<Mapped> scalar = MapScalar(scalar_oid, column.type_modifier);
  if (scalar_kind == 'e') scalar = {Codec::kText, string};  // enum_send sends the label, as enum_out prints it
  mapping.has_binary_decoder = scalar.has_value();
  const Mapped stored = scalar.value_or(Mapped{Codec::kTextForm, string});
  if (is_array) {
    mapping.codec = scalar ? Codec::kArray : Codec::kTextArray;
    mapping.element_codec = stored.codec;
    mapping.element_oid = column.element_domain_oid != 0 ? column.element_domain_oid : column.element_oid;
    mapping.element_delimiter = column.element_delimiter;
    mapping.field.type = ListOf(stored.type);
  } else {
    mapping.codec = stored.codec;
    mapping.field.type = stored.type;
  }
  return mapping;
}

/// Equal but for nested fields' ids and whether they are required.
bool SameType(const Type& a, const Type& b) {
  return a.id == b.id && a.precision == b.precision && a.scale == b.scale && a.length == b.length &&
         std::ranges::equal(a.fields, b.fields,
                            [](const Field& x, const Field& y) { return SameType(x.type, y.type); });
}

/// Whether a decimal may be narrower than the numeric, so that single values don't fit.
enum class Decimals : uint8_t { kWiden, kAny };

bool IsNumeric(Codec codec) { return codec == Codec::kNumericDecimal || codec == Codec::kNumericString; }

/// The codec that stores a scalar as `to` where `codec` stores it as `from`; nothing where no decoder leads there.
std::optional<Codec> CodecInto(Codec codec, const Type& from, const Type& to, Decimals decimals) {
  if (SameType(from, to)) return codec;
  switch (to.id) {
    case TypeId::kString:
      return codec == Codec::kNumericDecimal ? Codec::kNumericString : codec;
    case TypeId::kDecimal: {
      const bool wider = from.id == TypeId::kDecimal && from.scale <= to.scale &&
                         from.precision - from.scale <= to.precision - to.scale;
      if (!IsNumeric(codec) || (!wider && decimals == Decimals::kWiden)) return std::nullopt;
      return Codec::kNumericDecimal;
    }
    case TypeId::kLong:
      return from.id == TypeId::kInt ? std::optional(codec) : std::nullopt;
    case TypeId::kDouble:
      return from.id == TypeId::kFloat ? std::optional(codec) : std::nullopt;
    case TypeId::kVariant:
      return codec == Codec::kJson || codec == Codec::kJsonb ? std::optional(codec) : std::nullopt;
    default:
      return std::nullopt;
  }
}

/// Makes the column's field a `type`; false where no decoder leads there.
bool StoreAs(const Type& type, Decimals decimals, ColumnMapping& mapping) {
  const Type& natural = mapping.field.type;
  if (natural.id == TypeId::kList) {
    if (type.id == TypeId::kList) {
      const Type& element = type.fields.at(0).type;
      const auto codec = CodecInto(mapping.element_codec, natural.fields.at(0).type, element, decimals);
      if (!codec || element.id == TypeId::kVariant) return false;
      mapping.element_codec = *codec;
    } else if (type.id != TypeId::kString) {
      return false;
    }
  } else {
    const auto codec = CodecInto(mapping.codec, natural, type, decimals);
    if (!codec) return false;
    mapping.codec = *codec;
  }
  mapping.field.type = type;
  return true;
}

/// Whether the column's type has values that its field's type has not.
bool MayBeUnrepresentable(const ColumnMapping& mapping) {
  switch (mapping.field.type.id) {
    case TypeId::kDate:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
    case TypeId::kDecimal:
    case TypeId::kList:
    case TypeId::kVariant:
      return true;
    default:
      return false;
  }
}

/// The names in the settings are names of columns.
template <typename Settings>
Status CheckNames(const SourceTable& table, const Settings& settings, std::string_view key) {
  for (const auto& entry : settings) {
    if (std::ranges::find(table.columns, entry.first, &SourceColumn::name) != table.columns.end()) continue;
    return MakeError(ErrorKind::kInvalidConfig,
                     "table {}: \"{}\" names {}, but there is no such column; correct the name or remove it",
                     table.name, key, entry.first);
  }
  return {};
}

Status ApplyType(const TableName& table, const SourceColumn& column, const Type& type, ColumnMapping& mapping) {
  const std::string natural = ToString(mapping.field.type);
  if (StoreAs(type, Decimals::kAny, mapping)) return {};
  return MakeError(ErrorKind::kInvalidConfig,
                   "table {}, column {}: a {} can't be stored as {}; leave it out of \"columns\" (it is then stored as "
                   "{}), or store it as string",
                   table, column.name, column.type_name, ToString(type), natural);
}

/// The policy of one column, once its type is chosen.
Result<ValuePolicy> PolicyOf(const SourceTable& table, size_t index, const ColumnSettings& settings,
                             const ColumnMapping& mapping) {
  const SourceColumn& column = table.columns[index];
  const auto named = settings.column_policies.find(column.name);
  const bool is_named = named != settings.column_policies.end();
  const ValuePolicy policy = is_named ? named->second : settings.policy;
  if (policy == ValuePolicy::kString || !MayBeUnrepresentable(mapping)) return ValuePolicy::kError;
  const bool is_key = std::ranges::find(table.key_columns, static_cast<int>(index)) != table.key_columns.end();
  if (!is_key || policy == ValuePolicy::kError) return policy;
  // The table's policy is for the other columns.
  if (!is_named) return ValuePolicy::kError;
  return MakeError(ErrorKind::kInvalidConfig,
                   "table {}, column {}: the policy '{}' would make one row of rows whose keys differ; set error or "
                   "string for this key column in \"unrepresentable_columns\"",
                   table.name, column.name, ToString(policy));
}

/// All columns by type and settings, in order, without field ids.
Result<TableMapping> MapColumns(const SourceTable& table) {
  if (table.columns.empty()) {
    return MakeError(ErrorKind::kUnsupported,
                     "table {} has no columns; add one, or leave the table out of source.tables", table.name);
  }
  TableMapping mapping{.source = table.name, .key_columns = table.key_columns};
  for (const SourceColumn& column : table.columns) mapping.columns.push_back(MapColumn(column));
  return mapping;
}

/// Field types as the settings say: `types`, and strings by policy.
Status ApplyTypes(const SourceTable& table, const ColumnSettings& settings, TableMapping& mapping) {
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const SourceColumn& column = table.columns[i];
    ColumnMapping& mapped = mapping.columns[i];
    const auto named = settings.column_policies.find(column.name);
    const bool is_named = named != settings.column_policies.end();
    const bool as_string = (is_named ? named->second : settings.policy) == ValuePolicy::kString;
    if (const auto type = settings.types.find(column.name); type != settings.types.end()) {
      TRY_VOID(ApplyType(table.name, column, type->second, mapped));
      if (!as_string || !is_named || mapped.field.type.id == TypeId::kString) continue;
      return MakeError(
          ErrorKind::kInvalidConfig,
          "table {}, column {}: \"columns\" stores it as {}, but its policy in \"unrepresentable_columns\" "
          "is string; remove one of them",
          table.name, column.name, ToString(mapped.field.type));
    }
    if (as_string && MayBeUnrepresentable(mapped)) {
      TRY_VOID(ApplyType(table.name, column, Type::Primitive(TypeId::kString), mapped));
    }
  }
  return {};
}

Status ApplyPolicies(const SourceTable& table, const ColumnSettings& settings, TableMapping& mapping) {
  for (size_t i = 0; i < table.columns.size(); ++i) {
    TRY(mapping.columns[i].policy, PolicyOf(table, i, settings, mapping.columns[i]));
  }
  return {};
}

/// Identifier fields may not be float, double or nested (spec: "Identifier Field IDs").
bool MayIdentify(const Type& type) {
  return type.is_primitive() && type.id != TypeId::kFloat && type.id != TypeId::kDouble;
}

}  // namespace

bool Widens(const Type& from, const Type& to) {
  if (SameType(from, to)) return true;
  if (from.id == TypeId::kList && to.id == TypeId::kList) return Widens(from.fields.at(0).type, to.fields.at(0).type);
  if (from.id == TypeId::kDecimal && to.id == TypeId::kDecimal) {
    return from.scale == to.scale && from.precision <= to.precision;
  }
  return (from.id == TypeId::kInt && to.id == TypeId::kLong) || (from.id == TypeId::kFloat && to.id == TypeId::kDouble);
}

bool TableMapping::StreamsBinary() const { return std::ranges::all_of(columns, &ColumnMapping::has_binary_decoder); }

Result<TableMapping> MapTable(const SourceTable& table, const ColumnSettings& settings) {
  TRY_VOID(CheckNames(table, settings.types, "columns"));
  TRY_VOID(CheckNames(table, settings.column_policies, "unrepresentable_columns"));
  TRY(TableMapping mapping, MapColumns(table));
  TRY_VOID(ApplyTypes(table, settings, mapping));
  TRY_VOID(ApplyPolicies(table, settings, mapping));
  FieldId next_id = 1;
  for (ColumnMapping& column : mapping.columns) column.field.id = next_id++;
  for (ColumnMapping& column : mapping.columns) {
    for (Field& nested : column.field.type.fields) nested.id = next_id++;
  }
  for (int key : mapping.key_columns) {
    Field& field = mapping.columns.at(static_cast<size_t>(key)).field;
    field.required = true;
    mapping.schema.identifier_field_ids.insert(field.id);
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
                                  const ColumnSettings& settings) {
  TRY(TableMapping mapping, MapColumns(table));
  // What strings a table has is settled when it is made; only what names a column may say otherwise later.
  ColumnSettings named = settings;
  if (named.policy == ValuePolicy::kString) named.policy = ValuePolicy::kError;
  TRY_VOID(ApplyTypes(table, named, mapping));
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
    const std::string stored_as = ToString(column.field.type);
    // A string holds anything, but not where the configuration names another type.
    const bool is_other_string = field->type.id == TypeId::kString && column.field.type.id != TypeId::kString &&
                                 settings.types.contains(column.source_name);
    if (is_other_string || !StoreAs(field->type, Decimals::kWiden, column)) {
      return MakeError(
          ErrorKind::kSchemaMismatch,
          "table {}, column {}: PostgreSQL's type {} is stored as {}, but field {} ({}) of the Iceberg table "
          "is {}; {}",
          table.name, column.source_name, table.columns[i].type_name, stored_as, field->name, field->id,
          ToString(field->type), kRemedy);
    }
    column.field = *field;
    mapping.schema.fields.push_back(*field);
  }
  TRY_VOID(ApplyPolicies(table, named, mapping));
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
    if (mapping.schema.FindField(id)) mapping.schema.identifier_field_ids.insert(id);
  }
  return mapping;
}

}  // namespace firn::encode
