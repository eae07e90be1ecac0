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
// Other numerics are those that no Iceberg decimal holds: without precision, of more than 38 digits, with a negative
// scale or one above the precision; the string is what PostgreSQL prints, NaN and Infinity included. money is stored as
// text, because its binary form counts in a unit that only the server's lc_monetary tells. Arrays of any other element
// type are strings, too, because neither their delimiter nor their element's form is known.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

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
  kArray,
  kTextForm,  ///< Stored as the type's text form (its output function): anything that firn doesn't know better.
};

struct ColumnMapping {
  int16_t attnum = 0;
  std::string source_name;
  TypeOid type_oid = 0;
  Codec codec = Codec::kTextForm;
  Codec element_codec = Codec::kTextForm;  ///< kArray
  TypeOid element_oid = 0;                 ///< kArray
  iceberg::Field field;
  /// False for types whose binary form firn can't read (kTextForm, mostly): COPY selects "col"::text, and the stream
  /// must run with binary 'false'.
  bool has_binary_decoder = true;
};

struct TableMapping {
  TableName source;
  std::vector<ColumnMapping> columns;  ///< In the source table's column order.
  iceberg::Schema schema;              ///< Identifier fields are the key columns, where they may be.
  std::vector<int> key_columns;        ///< Indexes into columns; empty: no key.

  bool StreamsBinary() const;  ///< Every column has a binary decoder.
};

/// Columns that the configuration stores as another type than the one above ("columns: {amount: decimal(38,9)}"), by
/// source name: anything as string; a numeric as any decimal; int2 and int4 as long; float4 as double.
using TypeOverrides = std::map<std::string, iceberg::Type, std::less<>>;

/// Field ids count from 1 in column order, nested ones after the top level ones. Key columns are required fields and
/// the identifier fields (float, double and list keys can't be identifiers by the spec: then no field is). All other
/// fields are optional, NOT NULL or not, so that DROP NOT NULL needs no change of the schema. kUnsupported for a table
/// without columns; kInvalidConfig names an override that can't be.
Result<TableMapping> MapTable(const SourceTable& table, const TypeOverrides& overrides = {});

/// The mapping of `table` onto a schema that exists: columns are matched by attnum through `attnum_to_field`
/// (the table property kept by the pipeline). kSchemaMismatch says what differs and what to do.
///
/// A field may be wider than its column needs (long for int4, double for float4, decimal(20,2) for numeric(10,2)), and
/// its name may differ: a rename is the caller's to notice. Fields that `attnum_to_field` does not name are not firn's
/// to fill and are left out of the mapping, whose schema holds the columns' fields in column order, under the existing
/// schema's id and with those of its identifier fields.
Result<TableMapping> MapTableOnto(const SourceTable& table, const iceberg::Schema& existing,
                                  const std::vector<std::pair<int16_t, iceberg::FieldId>>& attnum_to_field,
                                  const TypeOverrides& overrides = {});

}  // namespace firn::encode
