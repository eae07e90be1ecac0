#include "storage/local_file_store.h"

#include <arrow/io/file.h>
#include <arrow/util/io_util.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/failpoint.h"
#include "base/try.h"
#include "storage/arrow_error.h"
#include "storage/unsynced_files.h"

namespace firn::storage {
namespace {

/// The errno, or 0.
int WriteAll(int fd, const char* data, size_t size) {
  if (const int error = BeforeWrite(Failpoint::kStoreWriteBefore); error != 0) return error;
  while (size > 0) {
    const ssize_t written = ::write(fd, data, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    data += written;
    size -= static_cast<size_t>(written);
  }
  AfterStep(Failpoint::kStoreWriteAfter);
  return 0;
}

/// When written files come to be on the disk.
class Durability {
 public:
  explicit Durability(LocalSync when) : when_(when) {}

  /// A file that is written whole and still open comes to its place; the errno, or 0.
  int SyncContent(int fd, int64_t size) const {
    // Large ones are written back while there is other work.
    const bool now = when_ == LocalSync::kAtOnce || (when_ == LocalSync::kWhenAsked && size >= kSyncedAtOnceMin);
    return now ? SyncFile(fd) : 0;
  }
  /// It is there.
  Status TakeFile(const std::string& path, int64_t size) {
    if (when_ != LocalSync::kWhenAsked || size >= kSyncedAtOnceMin) return TakeFolder(path);
    unsynced_.AddFile(path);
    return {};
  }
  /// A folder was made, or a file whose content is taken care of.
  Status TakeFolder(const std::string& path) {
    if (when_ == LocalSync::kAtOnce) return SyncFolder(ParentOf(path));
    if (when_ == LocalSync::kWhenAsked) unsynced_.AddFolder(ParentOf(path));
    return {};
  }
  Status SyncAll() { return unsynced_.SyncAll(); }

 private:
  static constexpr int64_t kSyncedAtOnceMin = 1 << 20;

  const LocalSync when_;
  UnsyncedFiles unsynced_;  ///< kWhenAsked
};

/// Makes a folder and the missing ones above it.
Status MakeFolder(const std::string& folder, Durability& durability) {
  if (::mkdir(folder.c_str(), 0777) == 0) return durability.TakeFolder(folder);
  if (errno == EEXIST) return {};  // a file in its place shows when something is opened below it
  if (errno != ENOENT || folder == "/") return FromErrno(errno, fmt::format("making folder {}", folder));
  TRY_VOID(MakeFolder(ParentOf(folder), durability));
  if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) {
    return FromErrno(errno, fmt::format("making folder {}", folder));
  }
  return durability.TakeFolder(folder);
}

/// Opens a file for writing, from empty, and makes the folders that are missing.
Result<Descriptor> OpenForWriting(const std::string& path, Durability& durability) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC;
  Descriptor fd = OpenFile(path, kFlags, 0666);
  if (!fd.is_open() && errno == ENOENT) {
    TRY_VOID(MakeFolder(ParentOf(path), durability));
    fd = OpenFile(path, kFlags, 0666);
  }
  if (!fd.is_open()) return FromErrno(errno, fmt::format("opening {} for writing", path));
  return fd;
}

arrow::Status ToArrow(int error_number, const char* doing, const std::string& path) {
  return arrow::internal::IOErrorFromErrno(error_number, doing, " ", path);
}

/// A file being written; there once Close has succeeded. Writes go straight to the system: Parquet writes whole column
/// chunks and Avro whole blocks. What was not closed is taken away.
class LocalOutputStream : public arrow::io::OutputStream {
 public:
  LocalOutputStream(std::string path, Descriptor fd, std::shared_ptr<Durability> durability)
      : path_(std::move(path)), fd_(std::move(fd)), durability_(std::move(durability)) {}
  ~LocalOutputStream() override { (void)Abort(); }

  arrow::Status Write(const void* data, int64_t size) override {
    if (!fd_.is_open()) return arrow::Status::Invalid("write to ", path_, ", which is closed");
    if (const int error = WriteAll(fd_.get(), static_cast<const char*>(data), static_cast<size_t>(size)); error != 0) {
      failed_ = true;
      return ToArrow(error, "writing", path_);
    }
    position_ += size;
    return arrow::Status::OK();
  }
  using arrow::io::OutputStream::Write;

  arrow::Status Close() override {
    if (!fd_.is_open()) return arrow::Status::OK();
    const int sync_error = failed_ ? 0 : durability_->SyncContent(fd_.get(), position_);
    const int close_error = fd_.Close();
    if (sync_error != 0) return ToArrow(sync_error, "syncing", path_);
    if (close_error != 0) return ToArrow(close_error, "closing", path_);
    if (failed_) return arrow::Status::OK();
    const Status taken = durability_->TakeFile(path_, position_);
    return taken ? arrow::Status::OK() : ToArrowStatus(taken.error());
  }

  arrow::Status Abort() override {
    if (!fd_.is_open()) return arrow::Status::OK();
    struct stat info;
    const bool is_file = ::fstat(fd_.get(), &info) == 0 && S_ISREG(info.st_mode);  // and no device
    fd_.Close();
    if (is_file && ::unlink(path_.c_str()) != 0 && errno != ENOENT) return ToArrow(errno, "removing", path_);
    return arrow::Status::OK();
  }

  arrow::Result<int64_t> Tell() const override { return position_; }
  bool closed() const override { return !fd_.is_open(); }

 private:
  const std::string path_;
  Descriptor fd_;
  const std::shared_ptr<Durability> durability_;
  bool failed_ = false;
  int64_t position_ = 0;
};

/// The path of a "file:" location, without a trailing slash.
Result<std::string> LocalPath(std::string_view location) {
  std::string_view path = location;
  if (path.starts_with("file://localhost/")) {
    path.remove_prefix(std::string_view("file://localhost").size());
  } else if (path.starts_with("file:///")) {
    path.remove_prefix(std::string_view("file://").size());
  } else if (path.starts_with("file:/") && !path.starts_with("file://")) {
    path.remove_prefix(std::string_view("file:").size());
  }
  if (!path.starts_with('/') || path.find('\0') != path.npos) {
    return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kStorage,
                     "{} is no local file; a location here starts with file:///", location);
  }
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return std::string(path);
}

FileInfo InfoOf(const struct stat& stat, std::string location) {
  return {.location = std::move(location),
          .size = stat.st_size,
          .modified_ms = static_cast<int64_t>(stat.st_mtim.tv_sec) * 1000 + stat.st_mtim.tv_nsec / 1'000'000};
}

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

/// Adds the files below `folder`. What goes away meanwhile is not an error.
Status ListFolder(const std::string& folder, const std::string& folder_location, std::vector<FileInfo>& files) {
  const std::unique_ptr<DIR, CloseFolder> stream(::opendir(folder.c_str()));
  if (!stream) {
    if (errno == ENOENT) return {};
    return FromErrno(errno, fmt::format("listing {}", folder));
  }
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) {
      if (errno != 0) return FromErrno(errno, fmt::format("listing {}", folder));
      return {};
    }
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    const std::string path = fmt::format("{}/{}", folder == "/" ? "" : folder, name);
    std::string location = fmt::format("{}/{}", folder_location, name);
    struct stat info;
    if (::fstatat(::dirfd(stream.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;
      return FromErrno(errno, fmt::format("looking at {}", path));
    }
    if (S_ISDIR(info.st_mode)) {
      TRY_VOID(ListFolder(path, location, files));
    } else if (S_ISREG(info.st_mode)) {
      files.push_back(InfoOf(info, std::move(location)));
    }
  }
}

class LocalFileStore : public FileStore {
 public:
  explicit LocalFileStore(LocalSync sync) : durability_(std::make_shared<Durability>(sync)) {}

  Result<std::string> Read(std::string_view location, int64_t) override {
    TRY(const std::string path, LocalPath(location));
    const Descriptor fd = OpenFile(path, O_RDONLY);
    if (!fd.is_open()) return FromErrno(errno, fmt::format("opening {}", path));
    struct stat info;
    if (::fstat(fd.get(), &info) != 0) return FromErrno(errno, fmt::format("looking at {}", path));
    std::string content(static_cast<size_t>(info.st_size), '\0');
    size_t filled = 0;
    while (filled < content.size()) {
      const ssize_t count = ::read(fd.get(), content.data() + filled, content.size() - filled);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return FromErrno(errno, fmt::format("reading {}", path));
      if (count == 0) break;
      filled += static_cast<size_t>(count);
    }
    content.resize(filled);
    return content;
  }

  // Written beside its place under a name that no one else has, then renamed: a kill leaves the old content, the new
  // content, or nothing, and perhaps a ".tmp" file that orphan cleaning finds. So does a power cut with kAtOnce.
  Status Write(std::string_view location, std::string_view content) override {
    TRY(const std::string path, LocalPath(location));
    const std::string folder = ParentOf(path);
    const std::string temporary = fmt::format("{}/.{}.{}.{}.tmp", folder == "/" ? "" : folder,
                                              path.substr(path.find_last_of('/') + 1), ::getpid(), next_temporary_++);
    TRY(Descriptor fd, OpenForWriting(temporary, *durability_));
    const auto size = static_cast<int64_t>(content.size());
    Status written = [&]() -> Status {
      if (const int error = WriteAll(fd.get(), content.data(), content.size()); error != 0) {
        return FromErrno(error, fmt::format("writing {}", path));
      }
      if (const int error = durability_->SyncContent(fd.get(), size); error != 0) {
        return FromErrno(error, fmt::format("syncing {}", path));
      }
      if (const int error = fd.Close(); error != 0) return FromErrno(error, fmt::format("closing {}", path));
      if (::rename(temporary.c_str(), path.c_str()) != 0) {
        return FromErrno(errno, fmt::format("moving {} into its place", path));
      }
      return {};
    }();
    if (!written) {
      ::unlink(temporary.c_str());
      return written;
    }
    return durability_->TakeFile(path, size);
  }

  Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenInput(std::string_view location, int64_t) override {
    TRY(const std::string path, LocalPath(location));
    TRY(std::shared_ptr<arrow::io::RandomAccessFile> file,
        FromArrow(arrow::io::ReadableFile::Open(path), "opening {}", path));
    return file;
  }

  Result<std::shared_ptr<arrow::io::OutputStream>> OpenOutput(std::string_view location) override {
    TRY(const std::string path, LocalPath(location));
    TRY(Descriptor fd, OpenForWriting(path, *durability_));
    return std::make_shared<LocalOutputStream>(path, std::move(fd), durability_);
  }

  Status MakeDurable() override { return durability_->SyncAll(); }

  Status Delete(std::string_view location) override {
    TRY(const std::string path, LocalPath(location));
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return FromErrno(errno, fmt::format("deleting {}", path));
    return {};
  }

  Result<FileInfo> Stat(std::string_view location) override {
    TRY(const std::string path, LocalPath(location));
    struct stat info;
    if (::stat(path.c_str(), &info) != 0) return FromErrno(errno, fmt::format("looking at {}", path));
    if (S_ISDIR(info.st_mode)) return FromErrno(EISDIR, fmt::format("looking at {}", path));
    return InfoOf(info, std::string(location));
  }

  Result<std::vector<FileInfo>> List(std::string_view location_prefix) override {
    TRY(const std::string path, LocalPath(location_prefix));
    while (location_prefix.ends_with('/')) location_prefix.remove_suffix(1);
    std::vector<FileInfo> files;
    TRY_VOID(ListFolder(path, std::string(location_prefix), files));
    return files;
  }

 private:
  const std::shared_ptr<Durability> durability_;  ///< Streams may outlive the store.
  std::atomic<uint64_t> next_temporary_ = 0;
};

}  // namespace

std::unique_ptr<FileStore> MakeLocalFileStore(LocalSync sync) { return std::make_unique<LocalFileStore>(sync); }

}  // namespace firn::storage
