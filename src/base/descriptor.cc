#include "base/descriptor.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace firn {

Descriptor::Descriptor(Descriptor&& other) noexcept : fd_(other.Release()) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

int Descriptor::Close() { return ::close(Release()) == 0 || errno == EINTR ? 0 : errno; }

int Descriptor::Release() { return std::exchange(fd_, -1); }

Descriptor OpenFile(const std::string& path, int flags, mode_t mode) {
  int fd;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  return Descriptor(fd);
}

int SyncFile(int fd) {
  while (::fsync(fd) != 0) {
    if (errno == EINTR) continue;
    if (errno == EINVAL || errno == ENOTSUP) return 0;  // a file system that has nothing to sync here
    return errno;
  }
  return 0;
}

}  // namespace firn
