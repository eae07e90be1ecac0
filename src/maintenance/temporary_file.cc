#include "maintenance/temporary_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "storage/arrow_error.h"

namespace firn::maintenance {

Result<TemporaryFile> TemporaryFile::Make(const std::string& folder) {
  std::error_code error;
  const auto parent = folder.empty() ? std::filesystem::temp_directory_path(error) : std::filesystem::path(folder);
  if (!error) std::filesystem::create_directories(parent, error);
  if (error) {
    return MakeError(ErrorKind::kPermission,
                     "making the folder {} for temporary files: {}; set state_dir to a folder that firn may write",
                     parent.string(), error.message());
  }
  std::string name = (parent / "firn-XXXXXX").string();
  const int descriptor = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor < 0) return storage::FromErrno(errno, "making a temporary file in " + parent.string());
  ::unlink(name.c_str());
  return TemporaryFile(descriptor, parent.string());
}

TemporaryFile::TemporaryFile(TemporaryFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), folder_(std::move(other.folder_)), size_(other.size_) {}

TemporaryFile& TemporaryFile::operator=(TemporaryFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(folder_, other.folder_);
  std::swap(size_, other.size_);
  return *this;
}

TemporaryFile::~TemporaryFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status TemporaryFile::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), size_);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return storage::FromErrno(errno, "writing a temporary file in " + folder_);
    bytes.remove_prefix(static_cast<size_t>(written));
    size_ += written;
  }
  return {};
}

Status TemporaryFile::Read(char* to, size_t bytes, int64_t offset) const {
  while (bytes > 0) {
    const ssize_t got = ::pread(descriptor_, to, bytes, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return storage::FromErrno(errno, "reading a temporary file in " + folder_);
    if (got == 0) return MakeError(ErrorKind::kCorrupt, "a temporary file in {} is cut at byte {}", folder_, offset);
    to += got;
    bytes -= static_cast<size_t>(got);
    offset += got;
  }
  return {};
}

Result<int> TemporaryFile::Duplicate() const {
  const int descriptor = ::fcntl(descriptor_, F_DUPFD_CLOEXEC, 0);
  if (descriptor < 0) return storage::FromErrno(errno, "opening a temporary file in " + folder_);
  return descriptor;
}

}  // namespace firn::maintenance
