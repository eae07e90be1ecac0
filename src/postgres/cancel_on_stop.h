// Ends what a connection waits for when a stop is requested: for statements that take as long as others let them.
#pragma once

#include <memory>
#include <stop_token>
#include <thread>

#include "postgres/connection.h"

struct pg_cancel;

namespace firn::postgres {

/// From its making to its end, a stop request cancels the statement that runs on `connection`, which then fails with
/// kCancelled or what the server says. Uses a thread of its own; `connection` may not be used by others meanwhile.
class CancelOnStop {
 public:
  CancelOnStop(const Connection& connection, std::stop_token stop);

 private:
  struct Closer {
    void operator()(pg_cancel* cancel) const;
  };
  std::unique_ptr<pg_cancel, Closer> cancel_;
  std::jthread thread_;
};

}  // namespace firn::postgres
