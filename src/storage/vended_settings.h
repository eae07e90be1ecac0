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

/// What a catalog vends for the locations at and below `prefix` ("s3://lake/shop/orders"; "s3", as some catalogs have
/// it, is every location of that kind; empty: all). Of several the longest counts. Its options are laid over the
/// configured ones; the credentials among these give way together when any of its own come. No options: nothing is
/// vended there, and the configured ones are to be used.
struct VendedSettings {
  std::string prefix;
  StoreOptions options;
  std::optional<std::chrono::system_clock::time_point> expires_at;
};

/// Gives what is vended for `location`, fresh: asked when a store holds nothing for it, when what it holds is about to
/// expire, and when the store's server has refused it. An empty list stands for nothing vended below the location's
/// folder, for a minute. Called from any thread, from several at once.
using VendSettings = std::function<Result<std::vector<VendedSettings>>(std::string_view location)>;

}  // namespace firn::storage
