// Errors and results: what every fallible function of firn returns.
//
//   Result<Table> LoadTable(...);
//   TRY(auto table, LoadTable(...));                       // the value, or return the error
//   TRY_VOID(Flush().Context("flushing {}", name));         // for a Status
//
// Thread-safety: plain values. A message reads outermost first ("copying table public.orders: …") and ends with what
// the operator can do.
#pragma once

#include <fmt/core.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace firn {

/// What can be done about an error; it decides between retrying, parking a table and stopping (pipeline/error_policy).
enum class ErrorKind : uint8_t {
  kTransient,       ///< May pass by itself: network, time-out, server restarting. Retried.
  kConflict,        ///< Another writer committed first; start again from fresh metadata.
  kCommitUnknown,   ///< A commit may or may not have happened: look for the commit id before trying again.
  kInvalidConfig,   ///< Wrong usage or configuration; nothing was touched. Exit code 2.
  kPermission,      ///< A right is missing; the message names the grant.
  kUnsupported,     ///< Something that firn or Iceberg can't do (a type, a server version).
  kSchemaMismatch,  ///< Source and target disagree on a column or type.
  kTableNotFound,   ///< The table does not exist at the source or in the catalog.
  kNotFound,        ///< Any other thing that does not exist (a file, a slot, a namespace).
  kAlreadyExists,   ///< The thing to make is already there.
  kCorrupt,         ///< Bytes that are not what their format says.
  kSourceLost,      ///< The slot, the timeline or the pipeline's ownership is gone; a new copy is needed.
  kWriteFailed,     ///< Given up after the retries that the configuration allows.
  kCancelled,       ///< Stopped on request.
  kInternal,        ///< A broken invariant: a bug in firn.
};

/// The side that an error came from.
enum class ErrorOrigin : uint8_t { kFirn, kSource, kCatalog, kStorage };

std::string_view ToString(ErrorKind kind);

class [[nodiscard]] Error {
 public:
  Error(ErrorKind kind, std::string message, ErrorOrigin origin = ErrorOrigin::kFirn, std::string native_code = {})
      : kind_(kind), origin_(origin), message_(std::move(message)), native_code_(std::move(native_code)) {}

  ErrorKind kind() const { return kind_; }
  ErrorOrigin origin() const { return origin_; }
  const std::string& message() const { return message_; }
  /// The code that the other side gave, where it gave one: a SQLSTATE, an HTTP status, an errno name.
  const std::string& native_code() const { return native_code_; }
  /// How long the other side asked to wait before the next try (HTTP's Retry-After); zero where it didn't.
  std::chrono::milliseconds retry_after() const { return retry_after_; }

  /// The same error with "context: " before its message, unless it begins with the context ("table public.orders").
  Error WithContext(std::string_view context) && {
    const bool is_said =
        message_.starts_with(context) && message_.find_first_of(":, ", context.size()) == context.size();
    if (is_said) return std::move(*this);
    message_.insert(0, ": ");
    message_.insert(0, context);
    return std::move(*this);
  }
  Error WithKind(ErrorKind kind) && {
    kind_ = kind;
    return std::move(*this);
  }
  Error WithRetryAfter(std::chrono::milliseconds time) && {
    retry_after_ = time;
    return std::move(*this);
  }

 private:
  ErrorKind kind_;
  ErrorOrigin origin_;
  std::string message_;
  std::string native_code_;
  std::chrono::milliseconds retry_after_{0};
};

/// A value or an Error.
template <typename T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using Base = std::expected<T, Error>;
  using Base::Base;
  Result(Base&& base) : Base(std::move(base)) {}
  Result(Error error) : Base(std::unexpected(std::move(error))) {}

  /// Adds "context: " before the message of an error; the text is formatted only then.
  template <typename... Args>
  Result Context(fmt::format_string<Args...> format, Args&&... args) && {
    if (this->has_value()) return std::move(*this);
    return std::move(this->error()).WithContext(fmt::format(format, std::forward<Args>(args)...));
  }
};

using Status = Result<void>;

/// MakeError(ErrorKind::kCorrupt, "offset {}: …", offset)
template <typename... Args>
Error MakeError(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  return Error(kind, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
Error MakeError(ErrorKind kind, ErrorOrigin origin, fmt::format_string<Args...> format, Args&&... args) {
  return Error(kind, fmt::format(format, std::forward<Args>(args)...), origin);
}

}  // namespace firn
