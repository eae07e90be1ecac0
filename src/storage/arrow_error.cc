#include "storage/arrow_error.h"

#include <arrow/util/io_util.h>
#include <string.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

namespace firn::storage {
namespace {

struct ErrnoMeaning {
  ErrorKind kind;
  std::string text;  // what is wrong, and what to do about it
};

ErrnoMeaning Meaning(int error_number) {
  switch (error_number) {
    case ENOENT:
      return {ErrorKind::kNotFound, "no such file or folder"};
    case EACCES:
    case EPERM:
      return {ErrorKind::kPermission,
              fmt::format("permission denied; give the user that firn runs as (uid {}) the right to it", ::geteuid())};
    case EROFS:
      return {ErrorKind::kPermission, "the file system is mounted read-only; mount it writable"};
    case EEXIST:
      return {ErrorKind::kAlreadyExists, "it exists already"};
    case ENOSPC:
      return {ErrorKind::kTransient, "no space left on the disk; free some or move to a larger one"};
    case EDQUOT:
      return {ErrorKind::kTransient, "the disk quota is used up; free space or raise the quota"};
    case EMFILE:
    case ENFILE:
      return {ErrorKind::kTransient, "too many open files; raise the limit (ulimit -n)"};
    case ENOTDIR:
      return {ErrorKind::kInvalidConfig, "a part of the path is a file where a folder should be"};
    case EISDIR:
      return {ErrorKind::kInvalidConfig, "it is a folder where a file should be"};
    case ENAMETOOLONG:
      return {ErrorKind::kInvalidConfig, "the path is too long for the file system"};
    case ELOOP:
      return {ErrorKind::kInvalidConfig, "too many symbolic links in the path"};
    default:
      return {ErrorKind::kTransient,
              ::strerrordesc_np(error_number) ? ::strerrordesc_np(error_number) : "unknown error"};
  }
}

ErrorKind KindOf(const arrow::Status& status) {
  switch (status.code()) {
    case arrow::StatusCode::OutOfMemory:
    case arrow::StatusCode::IOError:
      return ErrorKind::kTransient;
    case arrow::StatusCode::NotImplemented:
    case arrow::StatusCode::CapacityError:
      return ErrorKind::kUnsupported;
    case arrow::StatusCode::Cancelled:
      return ErrorKind::kCancelled;
    case arrow::StatusCode::AlreadyExists:
      return ErrorKind::kAlreadyExists;
    case arrow::StatusCode::SerializationError:
      return ErrorKind::kCorrupt;
    default:
      return ErrorKind::kInternal;
  }
}

constexpr char kErrorDetailType[] = "firn::Error";

class ErrorDetail : public arrow::StatusDetail {
 public:
  explicit ErrorDetail(Error error) : error_(std::move(error)) {}
  const char* type_id() const override { return kErrorDetailType; }
  std::string ToString() const override { return std::string(firn::ToString(error_.kind())); }
  const Error& error() const { return error_; }

 private:
  Error error_;
};

}  // namespace

arrow::Status ToArrowStatus(Error error) {
  std::string message = error.message();
  return {arrow::StatusCode::IOError, std::move(message), std::make_shared<ErrorDetail>(std::move(error))};
}

Error FromErrno(int error_number, std::string_view doing) {
  ErrnoMeaning meaning = Meaning(error_number);
  const char* name = ::strerrorname_np(error_number);
  return Error(meaning.kind, fmt::format("{}: {}", doing, meaning.text), ErrorOrigin::kStorage,
               name ? std::string(name) : std::to_string(error_number));
}

Error ToError(const arrow::Status& status, std::string_view doing) {
  if (status.detail() && status.detail()->type_id() == kErrorDetailType) {
    return Error(static_cast<const ErrorDetail&>(*status.detail()).error()).WithContext(doing);
  }
  if (const int error_number = arrow::internal::ErrnoFromStatus(status); error_number != 0) {
    return FromErrno(error_number, doing);
  }
  const ErrorOrigin origin = status.IsIOError() ? ErrorOrigin::kStorage : ErrorOrigin::kFirn;
  return Error(KindOf(status), fmt::format("{}: {}", doing, status.message()), origin, status.CodeAsString());
}

}  // namespace firn::storage
