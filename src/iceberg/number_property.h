// Table properties that are numbers.
#pragma once

#include <charconv>
#include <string>
#include <system_error>

#include "iceberg/table_metadata.h"

namespace firn::iceberg {

/// The property as a number above 0; `otherwise` where it is missing or something else.
template <typename Number>
Number NumberProperty(const TableMetadata& metadata, const std::string& key, Number otherwise) {
  const auto found = metadata.properties.find(key);
  if (found == metadata.properties.end()) return otherwise;
  const std::string& text = found->second;
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value > 0 ? value : otherwise;
}

}  // namespace firn::iceberg
