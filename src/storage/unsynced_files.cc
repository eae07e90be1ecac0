#include "storage/unsynced_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/failpoint.h"
#include "base/try.h"
#include "storage/arrow_error.h"

namespace firn::storage {
namespace {

/// More files than this are synced with all else that their file systems have to write.
constexpr size_t kSyncedEachMax = 64;

/// Whether syncfs is known to wait until all of the file system is on its disk. A FUSE server need not be told of it,
/// and what a network's file systems do differs.
bool SyncsWhole(int fd) {
  struct statfs info;
  if (::fstatfs(fd, &info) != 0) return false;
  switch (static_cast<unsigned long>(info.f_type)) {
    case EXT4_SUPER_MAGIC:  // and ext2, ext3
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
    case OVERLAYFS_SUPER_MAGIC:
    case TMPFS_MAGIC:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string ParentOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

Status SyncFolder(const std::string& folder) {
  const Descriptor fd = OpenFile(folder, O_RDONLY | O_DIRECTORY);
  if (!fd.is_open()) return FromErrno(errno, fmt::format("opening folder {}", folder));
  if (const int error = SyncFile(fd.get()); error != 0)
    return FromErrno(error, fmt::format("syncing folder {}", folder));
  return {};
}

void UnsyncedFiles::AddFile(std::string path) {
  std::string folder = ParentOf(path);
  std::lock_guard lock(mutex_);
  files_.push_back(std::move(path));
  folders_.insert(std::move(folder));
}

void UnsyncedFiles::AddFolder(std::string path) {
  std::lock_guard lock(mutex_);
  folders_.insert(std::move(path));
}

Status UnsyncedFiles::SyncAll() {
  std::lock_guard syncing(syncing_);
  if (failure_) return *failure_;
  std::vector<std::string> files;
  std::unordered_set<std::string> folders;
  {
    std::lock_guard lock(mutex_);
    files.swap(files_);
    folders.swap(folders_);
  }
  const Status synced = [&]() -> Status {
    const int error = BeforeWrite(Failpoint::kStoreSyncBefore);
    if (error != 0) return FromErrno(error, "syncing files");
    if (files.size() <= kSyncedEachMax) return SyncEach(files, folders);
    TRY(const bool done, SyncFileSystems(folders));
    return done ? Status() : SyncEach(files, folders);
  }();
  AfterStep(Failpoint::kStoreSyncAfter);
  if (synced) return {};
  failure_ = Error(synced.error())
                 .WithKind(ErrorKind::kWriteFailed)
                 .WithContext("what was written may not be on the disk; nothing of it was committed. Start firn again");
  return *failure_;
}

Status UnsyncedFiles::SyncEach(const std::vector<std::string>& files, const std::unordered_set<std::string>& folders) {
  const auto sync = [](const std::string& path, int flags) -> Status {
    const Descriptor fd = OpenFile(path, O_RDONLY | flags);
    if (!fd.is_open() && errno == ENOENT) return {};
    if (!fd.is_open()) return FromErrno(errno, fmt::format("opening {}", path));
    if (const int error = SyncFile(fd.get()); error != 0) return FromErrno(error, fmt::format("syncing {}", path));
    return {};
  };
  for (const std::string& file : files) TRY_VOID(sync(file, 0));
  for (const std::string& folder : folders) TRY_VOID(sync(folder, O_DIRECTORY));
  return {};
}

Result<bool> UnsyncedFiles::SyncFileSystems(const std::unordered_set<std::string>& folders) {
  std::map<dev_t, std::string> found;
  for (const std::string& folder : folders) {
    struct stat info;
    if (::stat(folder.c_str(), &info) == 0) {
      found.emplace(info.st_dev, folder);
    } else if (errno != ENOENT) {
      return FromErrno(errno, fmt::format("looking at {}", folder));
    }
  }
  for (const auto& [device, folder] : found) {
    Descriptor& fd = file_systems_[device];
    if (!fd.is_open()) fd = OpenFile(folder, O_RDONLY | O_DIRECTORY);
    if (!fd.is_open()) return FromErrno(errno, fmt::format("opening folder {}", folder));
    if (!SyncsWhole(fd.get())) return false;
  }
  for (const auto& [device, folder] : found) {
    if (::syncfs(file_systems_[device].get()) != 0) {
      return FromErrno(errno, fmt::format("syncing the file system of {}", folder));
    }
  }
  return true;
}

}  // namespace firn::storage
