// Arrow's errors as firn's: the only place where an arrow::Status becomes an Error.
//
//   TRY(auto file, FromArrow(arrow::io::ReadableFile::Open(path), "opening {}", path));  // an arrow::Result
//   TRY_VOID(FromArrow(stream->Close(), "closing {}", path));                            // an arrow::Status
//   return ToError(status, "reading the footer");                                        // of a status not OK
//
// Thread-safety: pure.
#pragma once

#include <arrow/result.h>
#include <arrow/status.h>
#include <fmt/core.h>

#include <string_view>
#include <utility>

#include "firn/result.h"

namespace firn::storage {

/// A status that carries `error`: ToError gives it back, whatever Arrow and Parquet do with the status meanwhile. For
/// streams of firn's own.
arrow::Status ToArrowStatus(Error error);

/// The error of a status that is not OK, "doing: " before its message. By errno where the status carries one (see
/// FromErrno); else kTransient for input/output and memory, kUnsupported, kCancelled, kAlreadyExists, kCorrupt for
/// bytes that don't parse, and kInternal for misuse of Arrow.
Error ToError(const arrow::Status& status, std::string_view doing);

/// OK, or the error of `status`; the text is formatted only then.
template <typename... Args>
Status FromArrow(const arrow::Status& status, fmt::format_string<Args...> doing, Args&&... args) {
  if (status.ok()) [[likely]]
    return {};
  return ToError(status, fmt::format(doing, std::forward<Args>(args)...));
}

/// The value of `result`, or its error; the text is formatted only then.
template <typename T, typename... Args>
Result<T> FromArrow(arrow::Result<T> result, fmt::format_string<Args...> doing, Args&&... args) {
  if (result.ok()) [[likely]]
    return std::move(result).MoveValueUnsafe();
  return ToError(result.status(), fmt::format(doing, std::forward<Args>(args)...));
}

/// The error of a system call on a file, "doing: " first and what the operator can do last: kNotFound, kPermission,
/// kAlreadyExists, kInvalidConfig for a path that can't be; kTransient for the rest, a full disk among them (space may
/// be freed while the write is tried again). The errno's name is the native code.
Error FromErrno(int error_number, std::string_view doing);

}  // namespace firn::storage
