// What the readers and writers of values as text have in common.
#pragma once

#include <algorithm>
#include <string_view>

namespace firn::encode {

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// Writes `text` at `out`, which has room for it, and moves `out` behind it.
inline void Put(std::string_view text, char*& out) { out = std::copy(text.begin(), text.end(), out); }

}  // namespace firn::encode
