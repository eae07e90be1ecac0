// Reads members of JSON objects that others wrote: a wrong or missing one is kCorrupt and named, nothing throws.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/try.h"
#include "firn/result.h"

namespace firn::iceberg {

using Json = nlohmann::ordered_json;

/// Parses a whole text. Nesting is limited, as readers and writers of the values recurse.
Result<Json> ParseJson(std::string_view text);

/// The text of a value; bytes that are not UTF-8 become U+FFFD.
std::string DumpJson(const Json& value);

template <typename T>
Result<T> JsonValue(const Json& value) {
  if constexpr (std::same_as<T, Json>) {
    return value;
  } else if constexpr (std::same_as<T, bool>) {
    if (value.is_boolean()) return value.get<bool>();
    return MakeError(ErrorKind::kCorrupt, "expected true or false, found {}", value.type_name());
  } else if constexpr (std::same_as<T, std::string>) {
    if (value.is_string()) return value.get<std::string>();
    return MakeError(ErrorKind::kCorrupt, "expected a string, found {}", value.type_name());
  } else {
    static_assert(std::signed_integral<T>);
    if (!value.is_number_integer()) {
      return MakeError(ErrorKind::kCorrupt, "expected an integer, found {}", value.type_name());
    }
    if (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()}) {
      return MakeError(ErrorKind::kCorrupt, "the integer is too large");
    }
    const int64_t number = value.get<int64_t>();
    if (number < std::numeric_limits<T>::min() || number > std::numeric_limits<T>::max()) {
      return MakeError(ErrorKind::kCorrupt, "{} is out of range", number);
    }
    return static_cast<T>(number);
  }
}

/// The member, or null where it is missing or null.
inline const Json* FindMember(const Json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

template <typename T>
Result<std::optional<T>> OptionalMember(const Json& object, std::string_view name) {
  const Json* member = FindMember(object, name);
  if (member == nullptr) return std::optional<T>();
  TRY(T value, JsonValue<T>(*member).Context("{}", name));
  return std::optional<T>(std::move(value));
}

template <typename T>
Result<T> Member(const Json& object, std::string_view name) {
  const Json* member = FindMember(object, name);
  if (member == nullptr) return MakeError(ErrorKind::kCorrupt, "{}: the member is missing", name);
  return JsonValue<T>(*member).Context("{}", name);
}

/// The elements of an array member, each read by `read(const Json&)`; none where the member is missing.
template <typename T, typename Read>
Result<std::vector<T>> MemberArray(const Json& object, std::string_view name, Read read) {
  std::vector<T> elements;
  const Json* member = FindMember(object, name);
  if (member == nullptr) return elements;
  if (!member->is_array())
    return MakeError(ErrorKind::kCorrupt, "{}: expected an array, found {}", name, member->type_name());
  elements.reserve(member->size());
  for (const Json& item : *member) {
    TRY(T element, read(item).Context("{}[{}]", name, elements.size()));
    elements.push_back(std::move(element));
  }
  return elements;
}

}  // namespace firn::iceberg
