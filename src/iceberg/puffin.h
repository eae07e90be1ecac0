// Puffin files (Iceberg's Puffin spec): blobs one after another, then a footer that describes them.
//
//   "PFA1" | blob … blob | "PFA1" | footer, JSON | its length (int32 LE) | flags (4 bytes) | "PFA1"
//                                                                          bit 0: the footer is compressed
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "firn/result.h"
#include "storage/file_store.h"

namespace firn::iceberg {

struct PuffinBlob {
  std::string type;
  std::vector<int32_t> fields;  ///< Ids of the fields that the blob was made of.
  int64_t snapshot_id = -1;     ///< -1: not known when the file was written.
  int64_t sequence_number = -1;
  int64_t offset = 0;  ///< In the file.
  int64_t length = 0;
  std::string compression_codec;  ///< Empty: none; else "lz4" or "zstd".
  std::map<std::string, std::string> properties;
  bool operator==(const PuffinBlob&) const = default;
};

struct PuffinFooter {
  std::vector<PuffinBlob> blobs;
  std::map<std::string, std::string> properties;
};

/// Writes a file blob by blob. Single-threaded. A file that was not finished is deleted by the destructor, as far as
/// the store can.
class PuffinWriter {
 public:
  static Result<PuffinWriter> Open(storage::FileStore& store, std::string location);
  PuffinWriter(PuffinWriter&&) noexcept;
  PuffinWriter& operator=(PuffinWriter&&) = delete;
  ~PuffinWriter();

  /// Appends `content` as it is; `blob` says what it is, its offset and length are filled in and given back.
  Result<PuffinBlob> Add(PuffinBlob blob, std::string_view content);
  /// Writes the footer, uncompressed; the size of the whole file.
  Result<int64_t> Finish();

  const std::string& location() const { return location_; }

 private:
  PuffinWriter(storage::FileStore& store, std::string location, std::shared_ptr<arrow::io::OutputStream> stream);
  Status Write(std::string_view bytes);

  storage::FileStore* store_;
  std::string location_;
  std::shared_ptr<arrow::io::OutputStream> stream_;  ///< Null once finished, or moved from.
  int64_t size_ = 0;
  PuffinFooter footer_;
};

/// kCorrupt for bytes that are no Puffin file. Footers that are compressed (lz4, zstd) are read as well.
Result<PuffinFooter> ReadPuffinFooter(arrow::io::RandomAccessFile& file);
/// A blob's content, decompressed.
Result<std::string> ReadPuffinBlob(arrow::io::RandomAccessFile& file, const PuffinBlob& blob);

}  // namespace firn::iceberg
