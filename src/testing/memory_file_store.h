// A FileStore in memory: locations are any text, files are whole strings. For unit tests.
// Thread-safety: every method may be called from any thread.
#pragma once

#include <arrow/buffer.h>
#include <arrow/io/memory.h>

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/unix_time.h"
#include "firn/result.h"
#include "storage/file_store.h"

namespace firn::testing {

class MemoryFileStore : public storage::FileStore {
 public:
  Result<std::string> Read(std::string_view location, int64_t) override {
    std::lock_guard lock(mutex_);
    ++reads_;
    auto found = files_.find(location);
    if (found == files_.end()) return NotFound(location);
    return found->second.content;
  }

  Status Write(std::string_view location, std::string_view content) override {
    std::lock_guard lock(mutex_);
    if (writes_until_failure_ == 0) {
      return MakeError(ErrorKind::kTransient, ErrorOrigin::kStorage, "{}: the store fails as it was told to", location);
    }
    if (writes_until_failure_ > 0) --writes_until_failure_;
    files_.insert_or_assign(std::string(location), File{std::string(content), UnixMillisNow()});
    undurable_.emplace(location);
    return {};
  }

  Status MakeDurable() override {
    std::lock_guard lock(mutex_);
    undurable_.clear();
    return {};
  }

  Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenInput(std::string_view location, int64_t size) override {
    auto content = Read(location, size);
    if (!content.has_value()) return std::move(content).error();
    return std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(*std::move(content)));
  }

  Result<std::shared_ptr<arrow::io::OutputStream>> OpenOutput(std::string_view location) override {
    return std::make_shared<Output>(*this, std::string(location));
  }

  Status Delete(std::string_view location) override {
    std::lock_guard lock(mutex_);
    if (auto found = files_.find(location); found != files_.end()) files_.erase(found);
    return {};
  }

  Result<storage::FileInfo> Stat(std::string_view location) override {
    std::lock_guard lock(mutex_);
    auto found = files_.find(location);
    if (found == files_.end()) return NotFound(location);
    return InfoOf(*found);
  }

  Result<std::vector<storage::FileInfo>> List(std::string_view location_prefix) override {
    std::lock_guard lock(mutex_);
    while (location_prefix.ends_with('/')) location_prefix.remove_suffix(1);
    const std::string folder = std::string(location_prefix) + "/";
    std::vector<storage::FileInfo> infos;
    for (auto file = files_.lower_bound(folder); file != files_.end() && file->first.starts_with(folder); ++file) {
      infos.push_back(InfoOf(*file));
    }
    return infos;
  }

  /// The files that a power cut would take.
  std::set<std::string, std::less<>> undurable() const {
    std::lock_guard lock(mutex_);
    return undurable_;
  }
  void CutPower() {
    std::lock_guard lock(mutex_);
    for (const std::string& location : undurable_) files_.erase(location);
    undurable_.clear();
  }

  /// Calls of Read and OpenInput so far.
  int reads() const {
    std::lock_guard lock(mutex_);
    return reads_;
  }

  /// This many more calls of Write succeed; a negative number: all.
  void FailWritesAfter(int writes) {
    std::lock_guard lock(mutex_);
    writes_until_failure_ = writes;
  }

 private:
  /// A file is there once its stream is closed.
  class Output : public arrow::io::OutputStream {
   public:
    Output(MemoryFileStore& store, std::string location) : store_(store), location_(std::move(location)) {
      set_mode(arrow::io::FileMode::WRITE);
    }
    arrow::Status Close() override {
      if (closed_) return arrow::Status::OK();
      closed_ = true;
      const Status written = store_.Write(location_, content_);
      if (!written.has_value()) return arrow::Status::IOError(written.error().message());
      return arrow::Status::OK();
    }
    arrow::Status Abort() override {
      closed_ = true;
      return arrow::Status::OK();
    }
    bool closed() const override { return closed_; }
    arrow::Result<int64_t> Tell() const override { return static_cast<int64_t>(content_.size()); }
    arrow::Status Write(const void* data, int64_t size) override {
      if (closed_) return arrow::Status::Invalid("the file is closed");
      content_.append(static_cast<const char*>(data), static_cast<size_t>(size));
      return arrow::Status::OK();
    }
    using arrow::io::OutputStream::Write;

   private:
    MemoryFileStore& store_;
    std::string location_;
    std::string content_;
    bool closed_ = false;
  };

  struct File {
    std::string content;
    int64_t modified_ms = 0;
  };

  static storage::FileInfo InfoOf(const std::pair<const std::string, File>& file) {
    return {.location = file.first,
            .size = static_cast<int64_t>(file.second.content.size()),
            .modified_ms = file.second.modified_ms};
  }

  static Error NotFound(std::string_view location) {
    return MakeError(ErrorKind::kNotFound, ErrorOrigin::kStorage, "{}: there is no such file", location);
  }

  mutable std::mutex mutex_;
  std::map<std::string, File, std::less<>> files_;
  std::set<std::string, std::less<>> undurable_;
  int reads_ = 0;
  int writes_until_failure_ = -1;
};

}  // namespace firn::testing
