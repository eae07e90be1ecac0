// A store that fails when it is told to, over another one. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/file_store.h"

namespace firn::testing {

class FaultyFileStore : public storage::FileStore {
 public:
  explicit FaultyFileStore(storage::FileStore& store) : store_(store) {}

  /// The calls number `first` to `first + count - 1` from now on (0 is the next) fail with `error`, and do nothing.
  void Fail(int first, int count, Error error) {
    std::lock_guard lock(mutex_);
    first_failure_ = calls_ + first;
    failures_ = count;
    error_ = std::move(error);
  }
  /// Calls so far, those that failed included.
  int calls() const {
    std::lock_guard lock(mutex_);
    return calls_;
  }

  Result<std::string> Read(std::string_view location, int64_t size) override {
    if (auto error = Next()) return *std::move(error);
    return store_.Read(location, size);
  }
  Status Write(std::string_view location, std::string_view content) override {
    if (auto error = Next()) return *std::move(error);
    return store_.Write(location, content);
  }
  Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenInput(std::string_view location, int64_t size) override {
    if (auto error = Next()) return *std::move(error);
    return store_.OpenInput(location, size);
  }
  Result<std::shared_ptr<arrow::io::OutputStream>> OpenOutput(std::string_view location) override {
    if (auto error = Next()) return *std::move(error);
    return store_.OpenOutput(location);
  }
  Status MakeDurable() override { return store_.MakeDurable(); }
  Status Delete(std::string_view location) override {
    if (auto error = Next()) return *std::move(error);
    return store_.Delete(location);
  }
  Result<storage::FileInfo> Stat(std::string_view location) override {
    if (auto error = Next()) return *std::move(error);
    return store_.Stat(location);
  }
  Result<std::vector<storage::FileInfo>> List(std::string_view location_prefix) override {
    if (auto error = Next()) return *std::move(error);
    return store_.List(location_prefix);
  }

 private:
  std::optional<Error> Next() {
    std::lock_guard lock(mutex_);
    const int call = calls_++;
    if (call < first_failure_ || call >= first_failure_ + failures_) return std::nullopt;
    return error_;
  }

  storage::FileStore& store_;
  mutable std::mutex mutex_;
  int calls_ = 0;
  int first_failure_ = 0;
  int failures_ = 0;
  Error error_{ErrorKind::kTransient, "the store fails as it was told to", ErrorOrigin::kStorage};
};

}  // namespace firn::testing
