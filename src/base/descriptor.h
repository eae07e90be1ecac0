// A file descriptor that closes itself, and the calls around it that a signal may interrupt.
#pragma once

#include <sys/types.h>

#include <string>

namespace firn {

/// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  /// The errno, or 0.
  int Close();
  /// Whoever calls it closes it.
  int Release();

 private:
  int fd_;
};

/// open(2), again where a signal came. Not open, and errno set, where it fails.
Descriptor OpenFile(const std::string& path, int flags, mode_t mode = 0);
/// fsync(2): the errno, or 0. After an error the file's pages may be lost: it has to be written anew.
int SyncFile(int fd);

}  // namespace firn
