// PostgreSQL type → Iceberg type: the one table that says how each source column is stored, and how its bytes arrive.
//
//   bool               boolean        text, varchar, bpchar, name, "char"   string (bpchar with the blanks at its end)
//   int2, int4         int            json, jsonb, xml, enums               string
//   int8, oid          long           bytea                                 binary
//   float4             float          uuid                                  uuid
//   float8             double         date, time                            date, time
//   numeric(p,s)       decimal(p,s)   timestamp, timestamptz                timestamp, timestamptz
//   other numerics     string         an array of these                     list<element>
//   everything else    string: the type's text form
//
// An array of any of these is list<element>; of json and numerics without a decimal and everything else list<string>.
// Only int2vector and oidvector, which print otherwise, are strings themselves.
//
// Other numerics are those that no Iceberg decimal holds: without precision, of more than 38 digits, with a negative
// scale or one above the precision; the string is what PostgreSQL prints, NaN and Infinity included. money is stored as
// text, because its binary form counts in a unit that only the server's lc_monetary tells.
//
// docs/types.md is this table for users, with what the configuration may change.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "encode/value_policy.h"
#include "firn/result.h"
#include "iceberg/schema.h"
#include "model/source_table.h"

namespace firn::encode {

/// How a column's values become Arrow values. One enumerator per decoder of row_encoder.
enum class Codec : uint8_t {
  kBool,
  kInt2,
  kInt4,
  kInt8,
  kOid,
  kFloat4,
  kFloat8,
  kNumericDecimal,
  kNumericString,
  kText,
  kChar,
  kBytea,
  kUuid,
  kDate,
  kTime,
  kTimestamp,
  kTimestampTz,
  kJson,
  kJsonb,
  kArray,      ///< Of elements that firn reads in both forms.
  kTextArray,  ///< Of elements that it knows by their text form: the array arrives as its text.
  kTextForm,   ///< Stored as the type's text form (its output function): anything that firn doesn't know better.
};

struct ColumnMapping {
  int16_t attnum = 0;
  std::string source_name;
  TypeOid type_oid = 0;
  Codec codec = Codec::kTextForm;
  Codec element_codec = Codec::kTextForm;  ///< kArray, kTextArray
  TypeOid element_oid = 0;                 ///< kArray: the element type that a binary array names.
  char element_delimiter = ',';            ///< kArray, kTextArray
  iceberg::Field field;                    ///< A string, whatever the codec, holds the value's text.
  /// False for types whose binary form firn can't read (kTextForm, kTextArray): COPY selects the text, and the stream
  /// must run with binary 'false'.
  bool has_binary_decoder = true;
  /// For values that the field's type can't hold; never kString, which has chosen the field's type.
  ValuePolicy policy = ValuePolicy::kError;
};

struct TableMapping {
  TableName source;
  std::vector<ColumnMapping> columns;  ///< In the source table's column order.
  iceberg::Schema schema;              ///< Identifier fields are the key columns, where they may be.
  std::vector<int> key_columns;        ///< Indexes into columns; empty: no key.

  bool StreamsBinary() const;  ///< Every column has a binary decoder.
};

/// What the configuration says of a table's columns, by their source names.
struct ColumnSettings {
  /// Columns that are stored as another type than the one above ("columns: {amount: decimal(38,9)}"): anything as
  /// string; a numeric as any decimal; int2 and int4 as long; float4 as double; json and jsonb as variant; an array as
  /// a list of what its elements may be stored as.
  std::map<std::string, iceberg::Type, std::less<>> types;
  /// For values that a column's type can't hold. kString makes the columns that may meet such values strings, where
  /// `types` doesn't name them. Key columns take kString alone: kClamp and kNull would make one row of two.
  ValuePolicy policy = ValuePolicy::kError;
  std::map<std::string, ValuePolicy, std::less<>> column_policies;  ///< Go before `policy`.
};

/// Field ids count from 1 in column order, nested ones after the top level ones. Key columns are required fields and
/// the identifier fields (float, double and list keys can't be identifiers by the spec: then no field is). All other
/// fields are optional, NOT NULL or not, so that DROP NOT NULL needs no change of the schema. kUnsupported for a table
/// without columns; kInvalidConfig names a setting that can't be.
Result<TableMapping> MapTable(const SourceTable& table, const ColumnSettings& settings = {});

/// The mapping of `table` onto a schema that exists: columns are matched by attnum through `attnum_to_field`
/// (the table property kept by the pipeline). kSchemaMismatch says what differs and what to do.
///
/// A field may be wider than its column needs (long for int4, double for float4, decimal(20,4) for numeric(10,2), and
/// string for anything), and its name may differ: a rename is the caller's to notice. Fields that `attnum_to_field`
/// does not name are not firn's to fill and are left out of the mapping, whose schema holds the columns' fields in
/// column order, under the existing schema's id and with those of its identifier fields.
Result<TableMapping> MapTableOnto(const SourceTable& table, const iceberg::Schema& existing,
                                  const std::vector<std::pair<int16_t, iceberg::FieldId>>& attnum_to_field,
                                  const ColumnSettings& settings = {});

/// Whether every value of `from` is one of `to`, so that a column which needs `from` can be stored in a field of `to`,
/// and a field of `from` can become one of `to` (spec: "Schema Evolution"). Nested fields' ids don't matter.
bool Widens(const iceberg::Type& from, const iceberg::Type& to);

}  // namespace firn::encode
