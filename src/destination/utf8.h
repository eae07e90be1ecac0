// Whether an application's text is UTF-8, as Iceberg's strings and names are.
#pragma once

#include <arrow/util/utf8.h>

#include <string_view>

namespace firn::destination {

inline bool IsUtf8(std::string_view text) {
  static const bool initialized = (arrow::util::InitializeUTF8(), true);
  return initialized && arrow::util::ValidateUTF8(text);
}

}  // namespace firn::destination
