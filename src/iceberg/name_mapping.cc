#include "iceberg/name_mapping.h"

#include <algorithm>

#include "iceberg/json_member.h"

namespace firn::iceberg {
namespace {

Result<MappedField> MappedFieldFromJson(const Json& json) {
  if (!json.is_object()) return MakeError(ErrorKind::kCorrupt, "expected an object, found {}", json.type_name());
  MappedField field;
  TRY(field.field_id, OptionalMember<int32_t>(json, "field-id"));
  TRY(field.names, MemberArray<std::string>(json, "names", JsonValue<std::string>));
  TRY(field.fields, MemberArray<MappedField>(json, "fields", MappedFieldFromJson));
  return field;
}

}  // namespace

Result<NameMapping> ParseNameMapping(std::string_view json) {
  const auto read = [json]() -> Result<NameMapping> {
    TRY(Json fields, ParseJson(json));
    const Json holder{{"fields", std::move(fields)}};
    return MemberArray<MappedField>(holder, "fields", MappedFieldFromJson);
  };
  return read().Context("table property {}", kNameMappingProperty);
}

const MappedField* FindMapped(const NameMapping& mapping, std::string_view name) {
  const auto found = std::ranges::find_if(
      mapping, [name](const MappedField& field) { return std::ranges::find(field.names, name) != field.names.end(); });
  return found == mapping.end() ? nullptr : &*found;
}

}  // namespace firn::iceberg
