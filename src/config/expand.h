// ${VAR} in the configuration's texts.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "firn/result.h"

namespace firn::config {

using Environment = std::map<std::string, std::string>;
/// Of this process.
Environment ProcessEnvironment();

/// `text` with ${VAR} replaced by the variable, ${VAR:-default} by the default where the variable is not set or empty,
/// and $$ by a dollar sign. Any other '$' stays. kInvalidConfig, with no value in its message, when a variable without
/// default is not set or a "${" has no end.
Result<std::string> ExpandVariables(std::string_view text, const Environment& environment);

}  // namespace firn::config
