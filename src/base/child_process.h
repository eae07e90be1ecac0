// Another program, run to its end: its output line by line, its exit status, and a stop that ends it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "firn/result.h"

namespace firn {

enum class OutputStream : uint8_t { kStdout, kStderr };

struct ChildCommand {
  std::vector<std::string> arguments;              ///< The program first; without a '/' it is looked for in PATH.
  std::map<std::string, std::string> environment;  ///< Over this process's own; "" takes a variable away.
  /// Called in the caller's thread for each line, without its end; of a line that is longer than kChildLineBytesMax
  /// with pieces of it.
  std::function<void(OutputStream, std::string_view line)> on_line;
};
constexpr size_t kChildLineBytesMax = 1 << 20;

/// Blocks until the program and whatever holds its output open have ended. Its exit code, or 128 and the number of the
/// signal that ended it. kNotFound, kPermission: it can't be started. kCancelled: `stop` ended it, with all processes
/// of its group: by SIGTERM, and ten seconds later by SIGKILL.
Result<int> RunChild(const ChildCommand& command, const std::stop_token& stop);

}  // namespace firn
