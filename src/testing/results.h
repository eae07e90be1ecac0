// Results in tests where a failure is not what is tested: the value, or the end of the test with the error's message.
#pragma once

#include <stdexcept>
#include <utility>

#include "firn/result.h"

namespace firn::testing {

template <typename T>
T Value(Result<T> result) {
  if (!result.has_value()) throw std::runtime_error(result.error().message());
  return std::move(result).value();
}

inline void Do(Status status) {
  if (!status.has_value()) throw std::runtime_error(status.error().message());
}

}  // namespace firn::testing
