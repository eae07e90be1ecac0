// What the page, or a script with the token, may ask of the pipeline.
#pragma once

#include <functional>
#include <string>

#include "firn/result.h"

namespace firn::serve {

/// Called on the server's threads, several at once. An error's kind becomes the answer's status: kConflict 409,
/// kNotFound and kTableNotFound 404, kPermission 403, kUnsupported 501, kInvalidConfig 400, any other 502.
struct Actions {
  std::string token;  ///< Of 16 characters or more; empty: there are no actions.
  /// A table as /status names its source. The text tells what becomes of it.
  std::function<Result<std::string>(const std::string& table)> resync;
  /// The same, for its files.
  std::function<Result<std::string>(const std::string& table)> compact;
  /// Both give kConflict where it is so already.
  std::function<Result<std::string>()> pause;
  std::function<Result<std::string>()> resume;
};

}  // namespace firn::serve
