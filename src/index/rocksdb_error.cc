#include "index/rocksdb_error.h"

namespace firn::index {
namespace {

ErrorKind KindOf(const rocksdb::Status& status) {
  switch (status.code()) {
    case rocksdb::Status::kCorruption:
      return ErrorKind::kCorrupt;
    case rocksdb::Status::kBusy:
    case rocksdb::Status::kTryAgain:
    case rocksdb::Status::kTimedOut:
    case rocksdb::Status::kIncomplete:
      return ErrorKind::kTransient;
    case rocksdb::Status::kShutdownInProgress:
    case rocksdb::Status::kAborted:
      return ErrorKind::kCancelled;
    case rocksdb::Status::kIOError:
      if (status.subcode() == rocksdb::Status::kPathNotFound) return ErrorKind::kCorrupt;
      // RocksDB keeps no errno: the text of EACCES and EROFS is all there is.
      if (status.ToString().find("Permission denied") != std::string::npos) return ErrorKind::kPermission;
      if (status.ToString().find("Read-only file system") != std::string::npos) return ErrorKind::kPermission;
      return ErrorKind::kTransient;
    default:
      return ErrorKind::kInternal;
  }
}

}  // namespace

Status FromRocksDb(const rocksdb::Status& status) {
  if (status.ok()) return {};
  std::string message = status.ToString();
  if (status.subcode() == rocksdb::Status::kNoSpace) message += " (free some space on the disk of state_dir)";
  return Error(KindOf(status), std::move(message));
}

}  // namespace firn::index
