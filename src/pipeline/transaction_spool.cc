#include "pipeline/transaction_spool.h"

#include <arrow/util/compression.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "base/failpoint.h"
#include "base/try.h"
#include "storage/arrow_error.h"

namespace firn::pipeline {
namespace {

struct BlockHeader {
  uint64_t plain_bytes;
  uint64_t stored_bytes;
};
struct RecordHeader {
  uint32_t xid;
  uint32_t length;
};

/// The fastest level: it has to keep up with the stream.
constexpr int kCompressionLevel = 1;

Result<std::unique_ptr<arrow::util::Codec>> MakeCodec() {
  return storage::FromArrow(arrow::util::Codec::Create(arrow::Compression::ZSTD, kCompressionLevel),
                            "compressing the spool");
}

}  // namespace

TransactionSpool::~TransactionSpool() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(file_.c_str());
}

void TransactionSpool::Append(postgres::Xid xid, std::string_view message) {
  const RecordHeader header{xid, static_cast<uint32_t>(message.size())};
  buffer_.append(reinterpret_cast<const char*>(&header), sizeof header);
  buffer_.append(message);
}

Status TransactionSpool::Spill() {
  if (buffer_.empty()) return {};
  if (descriptor_ < 0) {
    descriptor_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor_ < 0) return storage::FromErrno(errno, "opening the spool file " + file_);
  }
  TRY(const auto codec, MakeCodec());
  const auto* records = reinterpret_cast<const uint8_t*>(buffer_.data());
  const auto plain_bytes = static_cast<int64_t>(buffer_.size());
  std::string block(sizeof(BlockHeader) + static_cast<size_t>(codec->MaxCompressedLen(plain_bytes, records)), '\0');
  auto* compressed = reinterpret_cast<uint8_t*>(block.data() + sizeof(BlockHeader));
  TRY(const int64_t stored_bytes,
      storage::FromArrow(
          codec->Compress(plain_bytes, records, static_cast<int64_t>(block.size() - sizeof(BlockHeader)), compressed),
          "compressing for the spool file {}", file_));
  const BlockHeader header{static_cast<uint64_t>(plain_bytes), static_cast<uint64_t>(stored_bytes)};
  std::memcpy(block.data(), &header, sizeof header);
  std::string().swap(buffer_);
  return Write(std::string_view(block).substr(0, sizeof header + static_cast<size_t>(stored_bytes)));
}

Status TransactionSpool::Write(std::string_view bytes) {
  file_bytes_ += static_cast<int64_t>(bytes.size());
  if (const int error = BeforeWrite(Failpoint::kSpoolWriteBefore); error != 0) {
    return storage::FromErrno(error, "writing the spool file " + file_);
  }
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return storage::FromErrno(errno, "writing the spool file " + file_);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  AfterStep(Failpoint::kSpoolWriteAfter);
  return {};
}

Status TransactionSpool::Read(char* to, uint64_t size, int64_t offset) const {
  for (uint64_t done = 0; done < size;) {
    const ssize_t got = ::pread(descriptor_, to + done, size - done, offset + static_cast<int64_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return storage::FromErrno(errno, "reading the spool file " + file_);
    if (got == 0) return MakeError(ErrorKind::kCorrupt, "spool file {} is cut at byte {}", file_, offset);
    done += static_cast<uint64_t>(got);
  }
  return {};
}

Status TransactionSpool::Replay(const Visitor& visit) {
  TRY(const auto codec, MakeCodec());
  std::string stored;
  std::string records;
  for (int64_t offset = 0; offset < file_bytes_;) {
    BlockHeader header;
    TRY_VOID(Read(reinterpret_cast<char*>(&header), sizeof header, offset));
    offset += static_cast<int64_t>(sizeof header);
    stored.resize(header.stored_bytes);
    TRY_VOID(Read(stored.data(), header.stored_bytes, offset));
    offset += static_cast<int64_t>(header.stored_bytes);
    records.resize(header.plain_bytes);
    TRY(const int64_t plain_bytes,
        storage::FromArrow(
            codec->Decompress(static_cast<int64_t>(stored.size()), reinterpret_cast<const uint8_t*>(stored.data()),
                              static_cast<int64_t>(records.size()), reinterpret_cast<uint8_t*>(records.data())),
            "reading the spool file {}", file_));
    if (static_cast<uint64_t>(plain_bytes) != header.plain_bytes) {
      return MakeError(ErrorKind::kCorrupt, "spool file {}: a block of {} bytes instead of {}", file_, plain_bytes,
                       header.plain_bytes);
    }
    TRY_VOID(VisitRecords(records, visit));
  }
  return VisitRecords(buffer_, visit);
}

Status TransactionSpool::VisitRecords(std::string_view records, const Visitor& visit) {
  while (!records.empty()) {
    RecordHeader header;
    std::memcpy(&header, records.data(), sizeof header);
    records.remove_prefix(sizeof header);
    TRY_VOID(visit(header.xid, records.substr(0, header.length)));
    records.remove_prefix(header.length);
  }
  return {};
}

}  // namespace firn::pipeline
