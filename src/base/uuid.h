// Random identifiers (RFC 9562), in their 36 character text form. Thread-safe.
#pragma once

#include <string>

namespace firn {

/// Version 4.
std::string NewUuid();
/// Version 7: in the order of time, to the millisecond.
std::string NewTimeOrderedUuid();

}  // namespace firn
