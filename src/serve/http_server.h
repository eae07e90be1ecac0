// The HTTP side of a running pipeline: the page, /metrics, /status, /history, /healthz, /readyz, and
// with a token /actions.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "firn/result.h"
#include "observe/metrics.h"
#include "observe/pipeline_status.h"
#include "serve/actions.h"

namespace firn::serve {

/// Listens on a thread of its own from Start until the destructor, and on another keeps the last minutes for the page.
/// kInvalidConfig for a bad address; kTransient with the address in the message when the port is taken.
class HttpServer {
 public:
  virtual ~HttpServer() = default;
  static Result<std::unique_ptr<HttpServer>> Start(const std::string& listen, const Metrics& metrics,
                                                   const StatusBoard& status, Actions actions = {});
  virtual int port() const = 0;
};

}  // namespace firn::serve
