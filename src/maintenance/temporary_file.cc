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
  Descriptor descriptor(::mkostemp(name.data(), O_CLOEXEC));
  if (!descriptor.is_open()) return storage::FromErrno(errno, "making a temporary file in " + parent.string());
  ::unlink(name.c_str());
  return TemporaryFile(std::move(descriptor), parent.string());
}

Status TemporaryFile::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(descriptor_.get(), bytes.data(), bytes.size(), size_);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return storage::FromErrno(errno, "writing a temporary file in " + folder_);
    bytes.remove_prefix(static_cast<size_t>(written));
    size_ += written;
  }
  return {};
}

Status TemporaryFile::Read(char* to, size_t bytes, int64_t offset) const {
  while (bytes > 0) {
    const ssize_t got = ::pread(descriptor_.get(), to, bytes, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return storage::FromErrno(errno, "reading a temporary file in " + folder_);
    if (got == 0) return MakeError(ErrorKind::kCorrupt, "a temporary file in {} is cut at byte {}", folder_, offset);
    to += got;
    bytes -= static_cast<size_t>(got);
    offset += got;
  }
  return {};
}

Result<Descriptor> TemporaryFile::Duplicate() const {
  Descriptor descriptor(::fcntl(descriptor_.get(), F_DUPFD_CLOEXEC, 0));
  if (!descriptor.is_open()) return storage::FromErrno(errno, "opening a temporary file in " + folder_);
  return descriptor;
}

}  // namespace firn::maintenance
