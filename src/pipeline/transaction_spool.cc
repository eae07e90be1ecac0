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
};
struct PieceHeader {
  uint64_t plain_bytes;
  uint64_t stored_bytes;
};
struct RecordHeader {
  uint32_t xid;
  uint32_t length;
};

/// Large enough to compress well, small beside the records.
constexpr size_t kPieceBytes = 4 << 20;
/// The fastest level: it has to keep up with the stream.
constexpr int kCompressionLevel = 1;

Result<std::unique_ptr<arrow::util::Codec>> MakeCodec() {
  return storage::FromArrow(arrow::util::Codec::Create(arrow::Compression::ZSTD, kCompressionLevel),
                            "compressing the spool");
}

}  // namespace

TransactionSpool::~TransactionSpool() {
  if (descriptor_.is_open()) ::unlink(file_.c_str());
}

void TransactionSpool::Append(postgres::Xid xid, std::string_view message) {
  const RecordHeader header{xid, static_cast<uint32_t>(message.size())};
  buffer_.append(reinterpret_cast<const char*>(&header), sizeof header);
  buffer_.append(message);
}

Status TransactionSpool::AppendToFile(postgres::Xid xid, std::string_view message) {
  TRY_VOID(Spill());
  TRY_VOID(OpenFile());
  const RecordHeader header{xid, static_cast<uint32_t>(message.size())};
  return WriteBlock({{reinterpret_cast<const char*>(&header), sizeof header}, message});
}

Status TransactionSpool::Spill() {
  if (buffer_.empty()) return {};
  TRY_VOID(OpenFile());
  TRY_VOID(WriteBlock({buffer_}));
  std::string().swap(buffer_);
  return {};
}

Status TransactionSpool::OpenFile() {
  if (descriptor_.is_open()) return {};
  descriptor_ = firn::OpenFile(file_, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
  if (!descriptor_.is_open()) return storage::FromErrno(errno, "opening the spool file " + file_);
  return {};
}

Status TransactionSpool::WriteBlock(std::initializer_list<std::string_view> records) {
  TRY(const auto codec, MakeCodec());
  BlockHeader block{};
  for (const std::string_view part : records) block.plain_bytes += part.size();
  TRY_VOID(Write({reinterpret_cast<const char*>(&block), sizeof block}));
  std::string piece;
  for (std::string_view part : records) {
    while (!part.empty()) {
      const std::string_view plain = part.substr(0, kPieceBytes);
      part.remove_prefix(plain.size());
      const auto* bytes = reinterpret_cast<const uint8_t*>(plain.data());
      const auto plain_bytes = static_cast<int64_t>(plain.size());
      piece.resize(sizeof(PieceHeader) + static_cast<size_t>(codec->MaxCompressedLen(plain_bytes, bytes)));
      TRY(const int64_t stored_bytes,
          storage::FromArrow(
              codec->Compress(plain_bytes, bytes, static_cast<int64_t>(piece.size() - sizeof(PieceHeader)),
                              reinterpret_cast<uint8_t*>(piece.data() + sizeof(PieceHeader))),
              "compressing for the spool file {}", file_));
      const PieceHeader header{plain.size(), static_cast<uint64_t>(stored_bytes)};
      std::memcpy(piece.data(), &header, sizeof header);
      TRY_VOID(Write(std::string_view(piece).substr(0, sizeof header + static_cast<size_t>(stored_bytes))));
    }
  }
  return {};
}

Status TransactionSpool::Write(std::string_view bytes) {
  file_bytes_ += static_cast<int64_t>(bytes.size());
  if (const int error = BeforeWrite(Failpoint::kSpoolWriteBefore); error != 0) {
    return storage::FromErrno(error, "writing the spool file " + file_);
  }
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return storage::FromErrno(errno, "writing the spool file " + file_);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  AfterStep(Failpoint::kSpoolWriteAfter);
  return {};
}

Status TransactionSpool::Read(char* to, uint64_t size, int64_t offset) const {
  for (uint64_t done = 0; done < size;) {
    const ssize_t got = ::pread(descriptor_.get(), to + done, size - done, offset + static_cast<int64_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return storage::FromErrno(errno, "reading the spool file " + file_);
    if (got == 0) return MakeError(ErrorKind::kCorrupt, "spool file {} is cut at byte {}", file_, offset);
    done += static_cast<uint64_t>(got);
  }
  return {};
}

Status TransactionSpool::Replay(const Visitor& visit) {
  std::string records;
  for (int64_t offset = 0; offset < file_bytes_;) {
    TRY_VOID(ReadBlock(offset, records));
    TRY_VOID(VisitRecords(records, visit));
  }
  std::string().swap(records);
  return VisitRecords(buffer_, visit);
}

Status TransactionSpool::ReadBlock(int64_t& offset, std::string& records) const {
  TRY(const auto codec, MakeCodec());
  BlockHeader block;
  TRY_VOID(Read(reinterpret_cast<char*>(&block), sizeof block, offset));
  offset += static_cast<int64_t>(sizeof block);
  if (records.capacity() < block.plain_bytes) std::string().swap(records);  // Else it would be copied.
  records.resize(block.plain_bytes);
  std::string piece;
  for (size_t done = 0; done < records.size();) {
    PieceHeader header;
    TRY_VOID(Read(reinterpret_cast<char*>(&header), sizeof header, offset));
    offset += static_cast<int64_t>(sizeof header);
    if (header.plain_bytes == 0 || header.plain_bytes > records.size() - done) {
      return MakeError(ErrorKind::kCorrupt, "spool file {}: a piece of {} bytes where {} are to come", file_,
                       header.plain_bytes, records.size() - done);
    }
    piece.resize(header.stored_bytes);
    TRY_VOID(Read(piece.data(), header.stored_bytes, offset));
    offset += static_cast<int64_t>(header.stored_bytes);
    TRY(const int64_t plain_bytes,
        storage::FromArrow(
            codec->Decompress(static_cast<int64_t>(piece.size()), reinterpret_cast<const uint8_t*>(piece.data()),
                              static_cast<int64_t>(header.plain_bytes),
                              reinterpret_cast<uint8_t*>(records.data() + done)),
            "reading the spool file {}", file_));
    if (static_cast<uint64_t>(plain_bytes) != header.plain_bytes) {
      return MakeError(ErrorKind::kCorrupt, "spool file {}: a piece of {} bytes instead of {}", file_, plain_bytes,
                       header.plain_bytes);
    }
    done += header.plain_bytes;
  }
  return {};
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
