// The table property schema.name-mapping.default: which fields the columns of files without field ids are (spec:
// "Column Projection", "Name Mapping Serialization"). Plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firn/result.h"
#include "iceberg/type.h"

namespace firn::iceberg {

constexpr std::string_view kNameMappingProperty = "schema.name-mapping.default";

struct MappedField {
  std::vector<std::string> names;  ///< In any of which the column may be found.
  std::optional<FieldId> field_id;
  std::vector<MappedField> fields;  ///< Of a struct; of a list, "element"; of a map, "key" and "value".
};

using NameMapping = std::vector<MappedField>;

Result<NameMapping> ParseNameMapping(std::string_view json);

/// The first of the fields that may have this name, or null.
const MappedField* FindMapped(const NameMapping& mapping, std::string_view name);

}  // namespace firn::iceberg
