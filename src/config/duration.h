// Durations as people write them: "30m", "12h", "7d".
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace firn::config {

/// A whole number of s, m, h or d, of at most a thousand years; nothing for other text.
std::optional<std::chrono::seconds> ParseDuration(std::string_view text);

}  // namespace firn::config
