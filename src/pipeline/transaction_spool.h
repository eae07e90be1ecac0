// The changes of an in-progress transaction, in the order they came: in memory until the assembler needs that, then,
// compressed, in a file of the spool folder, which goes with the transaction.
//
//   file:    block*
//   block:   u64 bytes of its records │ piece*
//   piece:   u64 bytes of records │ u64 bytes here │ up to kPieceBytes of the records, compressed with Zstandard
//   record:  u32 xid of the (sub)transaction │ u32 length │ pgoutput message
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "firn/result.h"
#include "postgres/pgoutput.h"

namespace firn::pipeline {

/// Single-threaded.
class TransactionSpool {
 public:
  /// `file`: where it goes when it is spilled.
  explicit TransactionSpool(std::string file) : file_(std::move(file)) {}
  ~TransactionSpool();
  TransactionSpool(const TransactionSpool&) = delete;
  TransactionSpool& operator=(const TransactionSpool&) = delete;

  void Append(postgres::Xid xid, std::string_view message);
  /// As Append and Spill would, without holding the message once more: for large ones.
  Status AppendToFile(postgres::Xid xid, std::string_view message);
  /// Moves what is in memory into the file. After an error the spool is of no use: parts of it may be there.
  Status Spill();
  /// Every record, oldest first. Stops at the first error.
  Status Replay(const std::function<Status(postgres::Xid, std::string_view)>& visit);
  size_t bytes_in_memory() const { return buffer_.size(); }

 private:
  using Visitor = std::function<Status(postgres::Xid, std::string_view)>;
  static Status VisitRecords(std::string_view records, const Visitor& visit);
  Status OpenFile();
  /// Writes a block of the records that these bytes are, one behind the other.
  Status WriteBlock(std::initializer_list<std::string_view> records);
  Status ReadBlock(int64_t& offset, std::string& records) const;
  Status Write(std::string_view bytes);
  Status Read(char* to, uint64_t size, int64_t offset) const;

  std::string file_;
  std::string buffer_;
  Descriptor descriptor_;
  int64_t file_bytes_ = 0;
};

}  // namespace firn::pipeline
