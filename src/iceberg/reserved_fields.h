// Fields that every table has beside its schema (spec: "Reserved Field IDs"): of position delete files, and those that
// a scan can give for each row.
#pragma once

#include <string>
#include <utility>

#include "iceberg/type.h"

namespace firn::iceberg {

/// Those of a schema are lower.
constexpr FieldId kReservedIdsBegin = 2147483448;

constexpr FieldId kFileFieldId = 2147483646;         ///< _file: the data file that holds the row
constexpr FieldId kPosFieldId = 2147483645;          ///< _pos: the row's position in it
constexpr FieldId kDeletePathFieldId = 2147483546;   ///< file_path of position delete files
constexpr FieldId kDeletePosFieldId = 2147483545;    ///< pos of position delete files
constexpr FieldId kRowIdFieldId = 2147483540;        ///< _row_id (v3)
constexpr FieldId kLastUpdatedFieldId = 2147483539;  ///< _last_updated_sequence_number (v3)

inline Field FileField() {
  return {.id = kFileFieldId, .name = "_file", .required = true, .type = Type::Primitive(TypeId::kString)};
}
inline Field PosField() {
  return {.id = kPosFieldId, .name = "_pos", .required = true, .type = Type::Primitive(TypeId::kLong)};
}
inline Field RowIdField() { return {.id = kRowIdFieldId, .name = "_row_id", .type = Type::Primitive(TypeId::kLong)}; }
inline Field LastUpdatedField() {
  return {.id = kLastUpdatedFieldId, .name = "_last_updated_sequence_number", .type = Type::Primitive(TypeId::kLong)};
}

}  // namespace firn::iceberg
