// What an unknown outcome means for a call that may be made twice. Pure.
#pragma once

#include <utility>

#include "firn/result.h"

namespace firn::catalog {

/// For reads, and for changes that come to the same when they are made twice: kCommitUnknown becomes kTransient.
inline Error AsRepeatable(Error error) {
  if (error.kind() != ErrorKind::kCommitUnknown) return error;
  return std::move(error).WithKind(ErrorKind::kTransient);
}
inline Status AsRepeatable(Status status) {
  if (status.has_value()) return status;
  return AsRepeatable(std::move(status).error());
}

}  // namespace firn::catalog
