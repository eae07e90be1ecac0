#include "iceberg/schema.h"

#include <algorithm>
#include <charconv>

namespace firn::iceberg {
namespace {

FieldId HighestId(const std::vector<Field>& fields) {
  FieldId highest = 0;
  for (const Field& field : fields) highest = std::max({highest, field.id, HighestId(field.type.fields)});
  return highest;
}

const Field* FindNested(const std::vector<Field>& fields, FieldId id) {
  for (const Field& field : fields) {
    if (field.id == id) return &field;
    if (const Field* nested = FindNested(field.type.fields, id)) return nested;
  }
  return nullptr;
}

}  // namespace

const Field* Schema::FindField(FieldId id) const {
  auto found = std::ranges::find(fields, id, &Field::id);
  return found == fields.end() ? nullptr : &*found;
}

const Field* Schema::FindField(std::string_view name) const {
  auto found = std::ranges::find(fields, name, &Field::name);
  return found == fields.end() ? nullptr : &*found;
}

const Field* Schema::FindNestedField(FieldId id) const { return FindNested(fields, id); }

FieldId Schema::HighestFieldId() const { return HighestId(fields); }

std::string ToString(const Transform& transform) {
  switch (transform.kind) {
    case TransformKind::kIdentity:
      return "identity";
    case TransformKind::kBucket:
      return fmt::format("bucket[{}]", transform.parameter);
    case TransformKind::kTruncate:
      return fmt::format("truncate[{}]", transform.parameter);
    case TransformKind::kYear:
      return "year";
    case TransformKind::kMonth:
      return "month";
    case TransformKind::kDay:
      return "day";
    case TransformKind::kHour:
      return "hour";
    case TransformKind::kVoid:
      return "void";
  }
  return "void";
}

Result<Transform> ParseTransform(std::string_view text) {
  static constexpr std::pair<std::string_view, TransformKind> kPlain[] = {
      {"identity", TransformKind::kIdentity}, {"year", TransformKind::kYear}, {"month", TransformKind::kMonth},
      {"day", TransformKind::kDay},           {"hour", TransformKind::kHour}, {"void", TransformKind::kVoid},
  };
  static constexpr std::pair<std::string_view, TransformKind> kWithParameter[] = {
      {"bucket[", TransformKind::kBucket},
      {"truncate[", TransformKind::kTruncate},
  };
  for (const auto& [name, kind] : kPlain) {
    if (text == name) return Transform{kind};
  }
  for (const auto& [prefix, kind] : kWithParameter) {
    if (!text.starts_with(prefix) || !text.ends_with(']')) continue;
    const char* begin = text.data() + prefix.size();
    const char* end = text.data() + text.size() - 1;
    Transform transform{kind};
    auto [stop, error] = std::from_chars(begin, end, transform.parameter);
    if (error == std::errc() && stop == end && transform.parameter > 0) return transform;
    return MakeError(ErrorKind::kCorrupt, "transform \"{}\": the number in brackets must be a positive integer", text);
  }
  return MakeError(ErrorKind::kUnsupported, "transform \"{}\" is not one that firn knows", text);
}

Type ResultType(const Transform& transform, const Type& source) {
  switch (transform.kind) {
    case TransformKind::kBucket:
    case TransformKind::kYear:
    case TransformKind::kMonth:
    case TransformKind::kHour:
      return Type::Primitive(TypeId::kInt);
    case TransformKind::kDay:
      return Type::Primitive(TypeId::kDate);
    case TransformKind::kIdentity:
    case TransformKind::kTruncate:
    case TransformKind::kVoid:
      return source;
  }
  return source;
}

bool IsUnpartitioned(const PartitionSpec& spec) {
  return std::ranges::all_of(spec.fields,
                             [](const PartitionField& field) { return field.transform.kind == TransformKind::kVoid; });
}

}  // namespace firn::iceberg
