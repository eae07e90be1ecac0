// TRY: returns the error of a Result to the caller, else goes on with its value.
#pragma once

#include <utility>

#include "firn/result.h"

#define FIRN_CONCAT_INNER(a, b) a##b
#define FIRN_CONCAT(a, b) FIRN_CONCAT_INNER(a, b)
#define FIRN_TRY_ASSIGN(result, target, ...)           \
  auto result = (__VA_ARGS__);                         \
  if (!result.has_value()) [[unlikely]] {              \
    return std::unexpected(std::move(result).error()); \
  }                                                    \
  target = std::move(result).value()

/// TRY(auto table, LoadTable(id));   TRY(member_, Open(path));
#define TRY(target, ...) FIRN_TRY_ASSIGN(FIRN_CONCAT(firn_try_, __COUNTER__), target, __VA_ARGS__)

/// TRY_VOID(Flush());
#define TRY_VOID(...)                                                                      \
  do {                                                                                     \
    if (auto firn_try_status = (__VA_ARGS__); !firn_try_status.has_value()) [[unlikely]] { \
      return std::unexpected(std::move(firn_try_status).error());                          \
    }                                                                                      \
  } while (false)
