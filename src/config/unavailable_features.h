// Keys and values that firn's configuration has and this version can't do yet. Each is refused, so that nobody believes
// that it works. When a feature arrives, its row goes.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "config/flat_values.h"

namespace firn::config {

struct UnavailableFeature {
  std::string_view path;                    ///< A key, or a section with all that is in it.
  std::vector<std::string_view> available;  ///< The values that work. None: the key may not be given.
};
std::span<const UnavailableFeature> UnavailableFeatures();

/// Adds a problem for each value of `values` that is not available.
void RefuseUnavailableFeatures(const FlatValues& values, Problems& problems);

}  // namespace firn::config
