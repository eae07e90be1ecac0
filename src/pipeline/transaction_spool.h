// The changes of an in-progress transaction, in the order they came: in memory up to a limit, then in a file of the
// spool folder, which goes with the transaction.
//
//   record:  u32 xid of the (sub)transaction │ u32 length │ pgoutput message
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "firn/result.h"
#include "postgres/pgoutput.h"

namespace firn::pipeline {

/// Single-threaded.
class TransactionSpool {
 public:
  /// `file`: where it goes once more than `memory_bytes` are held.
  TransactionSpool(std::string file, size_t memory_bytes) : file_(std::move(file)), memory_bytes_(memory_bytes) {}
  ~TransactionSpool();
  TransactionSpool(const TransactionSpool&) = delete;
  TransactionSpool& operator=(const TransactionSpool&) = delete;

  Status Append(postgres::Xid xid, std::string_view message);
  /// Every record, oldest first. Stops at the first error.
  Status Replay(const std::function<Status(postgres::Xid, std::string_view)>& visit);
  size_t bytes_in_memory() const { return buffer_.size(); }

 private:
  Status Spill();

  std::string file_;
  size_t memory_bytes_;
  std::string buffer_;
  int descriptor_ = -1;
};

}  // namespace firn::pipeline
