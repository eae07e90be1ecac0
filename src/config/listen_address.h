// "host:port" of a listening socket.
#pragma once

#include <string>
#include <string_view>

#include "firn/result.h"

namespace firn::config {

struct ListenAddress {
  std::string host;  ///< Without brackets.
  int port = 0;      ///< 0: any free port.
};

/// "127.0.0.1:9090", "localhost:9090", "[::1]:9090", ":9090" (every IPv4 address). kInvalidConfig.
Result<ListenAddress> ParseListenAddress(std::string_view text);

}  // namespace firn::config
