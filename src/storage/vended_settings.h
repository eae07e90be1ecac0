// What a catalog hands out for a while, so that a store can reach the files of its tables.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firn/result.h"
#include "storage/file_store.h"

namespace firn::storage {

/// What a catalog vends for the files below `prefix` (a URI: "s3://lake/shop/orders/"; empty: for all). Its options are
/// laid over the configured ones.
struct VendedSettings {
  std::string prefix;
  StoreOptions options;
  std::optional<std::chrono::system_clock::time_point> expires_at;
};

/// Gives what is vended for `location`, fresh: asked when a store holds nothing for it, when what it holds is about to
/// expire, and when the store's server has refused it. Nothing vended: an empty list. Called from any thread.
using VendSettings = std::function<Result<std::vector<VendedSettings>>(std::string_view location)>;

}  // namespace firn::storage
