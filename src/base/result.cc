#include "firn/result.h"

namespace firn {

std::string_view ToString(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kTransient:
      return "transient";
    case ErrorKind::kConflict:
      return "conflict";
    case ErrorKind::kCommitUnknown:
      return "commit unknown";
    case ErrorKind::kInvalidConfig:
      return "invalid configuration";
    case ErrorKind::kPermission:
      return "permission";
    case ErrorKind::kUnsupported:
      return "unsupported";
    case ErrorKind::kSchemaMismatch:
      return "schema mismatch";
    case ErrorKind::kTableNotFound:
      return "table not found";
    case ErrorKind::kNotFound:
      return "not found";
    case ErrorKind::kAlreadyExists:
      return "already exists";
    case ErrorKind::kCorrupt:
      return "corrupt";
    case ErrorKind::kSourceLost:
      return "source lost";
    case ErrorKind::kWriteFailed:
      return "write failed";
    case ErrorKind::kCancelled:
      return "cancelled";
    case ErrorKind::kInternal:
      return "internal";
  }
  return "unknown";
}

}  // namespace firn
