// PostgreSQL type → Iceberg type: the one table that says how each source column is stored, and how its bytes arrive.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "firn/result.h"
#include "iceberg/schema.h"
#include "model/source_table.h"

namespace firn::encode {

/// How a column's values become Arrow values. One enumerator per decoder of row_encoder.
enum class Codec : uint8_t {
  kBool, kInt2, kInt4, kInt8, kOid, kFloat4, kFloat8, kNumericDecimal, kNumericString, kMoney, kText, kBytea, kUuid,
  kDate, kTime, kTimestamp, kTimestampTz, kJson, kJsonb, kArray,
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

/// Field ids count from 1 in column order, nested ones after the top level ones. Key columns are required fields and the
/// identifier fields (float, double keys can't be identifiers by the spec: then no field is). kUnsupported names the
/// column.
Result<TableMapping> MapTable(const SourceTable& table);

/// The mapping of `table` onto a schema that exists: columns are matched by attnum through `attnum_to_field`
/// (the table property kept by the pipeline). kSchemaMismatch says what differs and what to do.
Result<TableMapping> MapTableOnto(const SourceTable& table, const iceberg::Schema& existing,
                                  const std::vector<std::pair<int16_t, iceberg::FieldId>>& attnum_to_field);

}  // namespace firn::encode
