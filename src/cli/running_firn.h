// The firn that runs with a configuration, as it tells of itself at http.listen.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"
#include "firn/result.h"

namespace firn::cli {

/// Where a process of this machine reaches `path` of that firn. kInvalidConfig where http.listen does not say.
Result<std::string> UrlOfRunning(const config::Config& config, std::string_view path);

/// What it tells at /status; nothing where none answers soon, or another pipeline's.
std::optional<nlohmann::json> AskRunning(const config::Config& config);

/// What `status` has at `key`; `otherwise` where that is missing, null or of another kind.
template <typename Value>
Value ValueOf(const nlohmann::json& status, const char* key, Value otherwise = {}) {
  const auto found = status.find(key);
  if (found == status.end()) return otherwise;
  if constexpr (std::is_same_v<Value, std::string>) {
    return found->is_string() ? found->template get<std::string>() : otherwise;
  } else {
    return found->is_number() ? found->template get<Value>() : otherwise;
  }
}

}  // namespace firn::cli
