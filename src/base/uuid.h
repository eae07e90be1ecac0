// Random identifiers (RFC 4122, version 4), in their 36 character text form. Thread-safe.
#pragma once

#include <string>

namespace firn {

std::string NewUuid();

}  // namespace firn
