// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace firn::cli {

std::string FormatCount(int64_t count);     ///< "1,200,000"
std::string FormatRows(int64_t rows);       ///< "1,200,000 rows", "1 row"
std::string FormatBytes(int64_t bytes);     ///< "512 B", "1.5 MiB"
std::string FormatSeconds(double seconds);  ///< "0.4 s", "9 s", "2 min 5 s", "3 h 10 min", "2 d 4 h"

}  // namespace firn::cli
