// The pieces of Avro schemas that manifests and manifest lists have in common.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "iceberg/json_member.h"

namespace firn::iceberg {

/// Above any count of rows, files or bytes; sums of such don't overflow.
inline constexpr int64_t kCountMax = int64_t{1} << 50;

inline Json RequiredField(std::string_view name, int32_t id, Json type) {
  return {{"name", name}, {"type", std::move(type)}, {"field-id", id}};
}

inline Json OptionalField(std::string_view name, int32_t id, Json type) {
  return {{"name", name}, {"type", Json::array({"null", std::move(type)})}, {"default", nullptr}, {"field-id", id}};
}

}  // namespace firn::iceberg
