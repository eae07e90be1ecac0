// A local file that has no name: it goes with its last descriptor, also when the process is killed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/descriptor.h"
#include "firn/result.h"

namespace firn::maintenance {

/// Single-threaded, but for Read, which may be called by several threads.
class TemporaryFile {
 public:
  /// In a folder that is made where it is missing; an empty name: the system's folder for such files.
  static Result<TemporaryFile> Make(const std::string& folder);

  /// kTransient where the disk is full.
  Status Append(std::string_view bytes);
  Status Read(char* to, size_t bytes, int64_t offset) const;
  int64_t size() const { return size_; }

  /// Another descriptor of the same file. What is written through it is not in size().
  Result<Descriptor> Duplicate() const;

 private:
  TemporaryFile(Descriptor descriptor, std::string folder)
      : descriptor_(std::move(descriptor)), folder_(std::move(folder)) {}

  Descriptor descriptor_;
  std::string folder_;  ///< For messages.
  int64_t size_ = 0;
};

}  // namespace firn::maintenance
