#include "pipeline/transaction_spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/try.h"
#include "storage/arrow_error.h"

namespace firn::pipeline {
namespace {

struct RecordHeader {
  uint32_t xid;
  uint32_t length;
};

/// pread until `size` bytes or the end of the file.
Result<size_t> ReadFully(int descriptor, char* to, size_t size, off_t offset, const std::string& file) {
  size_t done = 0;
  while (done < size) {
    const ssize_t got = ::pread(descriptor, to + done, size - done, offset + static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return storage::FromErrno(errno, "reading the spool file " + file);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

}  // namespace

TransactionSpool::~TransactionSpool() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(file_.c_str());
}

Status TransactionSpool::Append(postgres::Xid xid, std::string_view message) {
  const RecordHeader header{xid, static_cast<uint32_t>(message.size())};
  buffer_.append(reinterpret_cast<const char*>(&header), sizeof header);
  buffer_.append(message);
  return buffer_.size() > memory_bytes_ ? Spill() : Status{};
}

Status TransactionSpool::Spill() {
  if (descriptor_ < 0) {
    descriptor_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor_ < 0) return storage::FromErrno(errno, "opening the spool file " + file_);
  }
  for (size_t done = 0; done < buffer_.size();) {
    const ssize_t written = ::write(descriptor_, buffer_.data() + done, buffer_.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return storage::FromErrno(errno, "writing the spool file " + file_);
    done += static_cast<size_t>(written);
  }
  buffer_.clear();
  return {};
}

Status TransactionSpool::Replay(const std::function<Status(postgres::Xid, std::string_view)>& visit) {
  if (descriptor_ >= 0) {
    std::string message;
    for (off_t offset = 0;;) {
      RecordHeader header;
      TRY(const size_t got, ReadFully(descriptor_, reinterpret_cast<char*>(&header), sizeof header, offset, file_));
      if (got == 0) break;
      if (got < sizeof header) return MakeError(ErrorKind::kCorrupt, "spool file {} is cut at byte {}", file_, offset);
      offset += sizeof header;
      message.resize(header.length);
      TRY(const size_t body, ReadFully(descriptor_, message.data(), message.size(), offset, file_));
      if (body < message.size())
        return MakeError(ErrorKind::kCorrupt, "spool file {} is cut at byte {}", file_, offset);
      offset += static_cast<off_t>(body);
      TRY_VOID(visit(header.xid, message));
    }
  }
  for (size_t offset = 0; offset < buffer_.size();) {
    RecordHeader header;
    std::memcpy(&header, buffer_.data() + offset, sizeof header);
    offset += sizeof header;
    TRY_VOID(visit(header.xid, std::string_view(buffer_).substr(offset, header.length)));
    offset += header.length;
  }
  return {};
}

}  // namespace firn::pipeline
