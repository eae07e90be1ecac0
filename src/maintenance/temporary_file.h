// A local file that has no name: it goes with its last descriptor, also when the process is killed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "firn/result.h"

namespace firn::maintenance {

/// Single-threaded, but for Read, which may be called by several threads.
class TemporaryFile {
 public:
  /// In a folder that is made where it is missing; an empty name: the system's folder for such files.
  static Result<TemporaryFile> Make(const std::string& folder);
  TemporaryFile(TemporaryFile&& other) noexcept;
  TemporaryFile& operator=(TemporaryFile&& other) noexcept;
  ~TemporaryFile();

  /// kTransient where the disk is full.
  Status Append(std::string_view bytes);
  Status Read(char* to, size_t bytes, int64_t offset) const;
  int64_t size() const { return size_; }

  /// A descriptor of the same file, which the caller closes. What is written through it is not in size().
  Result<int> Duplicate() const;

 private:
  TemporaryFile(int descriptor, std::string folder) : descriptor_(descriptor), folder_(std::move(folder)) {}

  int descriptor_ = -1;
  std::string folder_;  ///< For messages.
  int64_t size_ = 0;
};

}  // namespace firn::maintenance
