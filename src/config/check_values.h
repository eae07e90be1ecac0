// What the key table can't say: values that must be there, have a form of their own, or agree with others; and the
// defaults that depend on other values.
#pragma once

#include <functional>

#include "config/config.h"
#include "config/expand.h"
#include "config/problems.h"

namespace firn::config {

/// Where the value of a path was given, or where it is missing.
using FindOrigin = std::function<Origin(std::string_view path)>;

/// Where source.shard is given: {shard} in the names of slot and publication becomes its number.
void NameShard(Config& config, const FindOrigin& origin_of, Problems& problems);

void CheckValues(const Config& config, const FindOrigin& origin_of, Problems& problems);
/// Of these, what is said of `catalog` and `storage`.
void CheckLakeValues(const Config& config, const FindOrigin& origin_of, Problems& problems);

/// Those of FillLakeDefaults, and state_dir.
void FillDerivedDefaults(Config& config, const Environment& environment, const FindOrigin& origin_of,
                         Problems& problems);
/// A local warehouse becomes absolute; catalog.uri and Glue's region get their defaults.
void FillLakeDefaults(Config& config, const Environment& environment, const FindOrigin& origin_of, Problems& problems);

}  // namespace firn::config
