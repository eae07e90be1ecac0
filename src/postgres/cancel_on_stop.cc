#include "postgres/cancel_on_stop.h"

#include <libpq-fe.h>

#include <array>
#include <chrono>

#include "base/interruptible_sleep.h"

namespace firn::postgres {
namespace {

/// A cancellation that comes just before the statement begins is lost: it is sent until the statement has ended.
constexpr std::chrono::milliseconds kInterval{100};

}  // namespace

CancelOnStop::CancelOnStop(const Connection& connection, std::stop_token stop)
    : cancel_(PQgetCancel(connection.raw())),
      thread_([cancel = cancel_.get(), stop = std::move(stop)](std::stop_token end) {
        while (SleepFor(kInterval, end)) {
          std::array<char, 256> message;
          if (stop.stop_requested()) PQcancel(cancel, message.data(), message.size());
        }
      }) {}

void CancelOnStop::Closer::operator()(pg_cancel* cancel) const { PQfreeCancel(cancel); }

}  // namespace firn::postgres
