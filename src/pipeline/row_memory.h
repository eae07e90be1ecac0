// The memory of rows that data file writers hold until they are row groups.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace firn::pipeline {

/// A budget that the writers of a pipeline share. Thread-safe.
class RowMemory {
 public:
  explicit RowMemory(int64_t bytes_max) : bytes_max_(bytes_max) {}

  /// More is held than should be: whoever adds to it gives back what it can.
  bool exceeded() const { return held_ > bytes_max_; }
  int64_t held() const { return held_; }
  int64_t bytes_max() const { return bytes_max_; }

 private:
  friend class HeldRows;
  const int64_t bytes_max_;
  std::atomic<int64_t> held_ = 0;
};

/// One file's share, given back when it goes.
class HeldRows {
 public:
  explicit HeldRows(std::shared_ptr<RowMemory> memory) : memory_(std::move(memory)) {}
  HeldRows(HeldRows&& other) noexcept : memory_(std::move(other.memory_)), bytes_(std::exchange(other.bytes_, 0)) {}
  HeldRows& operator=(HeldRows&&) = delete;
  ~HeldRows() { Set(0); }

  void Set(int64_t bytes) {
    if (memory_) memory_->held_ += bytes - bytes_;
    bytes_ = bytes;
  }
  int64_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<RowMemory> memory_;
  int64_t bytes_ = 0;
};

}  // namespace firn::pipeline
