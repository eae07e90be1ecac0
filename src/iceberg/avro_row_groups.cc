#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/try.h"
#include "iceberg/avro_columns.h"
#include "iceberg/avro_container.h"
#include "iceberg/row_groups.h"
#include "storage/arrow_error.h"

namespace firn::iceberg {
namespace {

using BatchPtr = std::shared_ptr<arrow::RecordBatch>;

/// An Avro file as one group whose batches are its blocks, the large ones in parts. Holds one block at a time.
class AvroRowGroups : public RowGroups {
 public:
  Status Open(storage::FileStore& store, const DataFile& file, const Schema& projection, const ColumnContext& context) {
    TRY(input_, store.OpenInput(file.file_path, file.file_size_in_bytes));
    TRY(size_, storage::FromArrow(input_->GetSize(), "reading its size"));
    TRY_VOID(ReadHeader());
    TRY(columns_, AvroColumns::Make(reader_->schema(), projection, context));
    return {};
  }

  int count() const override { return 1; }
  int64_t rows(int) const override { return kUnknownRows; }

  Result<Batches> Open(int) override {
    return [this, position = blocks_begin_, open = std::shared_ptr<OpenBlock>()]() mutable -> Result<BatchPtr> {
      if (open && open->left > 0) return columns_->Decode(open->decoder, open->left);
      open.reset();
      if (position == size_) return nullptr;
      TRY(const std::string head, Read(position, static_cast<int64_t>(AvroReader::kBlockHeadBytes)));
      TRY(const size_t block_size, reader_->BlockSize(head));
      TRY(const std::string bytes, Read(position, static_cast<int64_t>(block_size)));
      TRY(AvroReader::Block block, reader_->DecodeBlock(bytes));
      position += static_cast<int64_t>(bytes.size());
      open = std::make_shared<OpenBlock>(std::move(block));
      return columns_->Decode(open->decoder, open->left);
    };
  }

  Result<BatchPtr> Project(const BatchPtr& batch) override { return batch; }

 private:
  /// The block that is being decoded.
  struct OpenBlock {
    explicit OpenBlock(AvroReader::Block block) : bytes(std::move(block.bytes)), left(block.records), decoder(bytes) {}
    const std::string bytes;
    int64_t left;
    AvroDecoder decoder;
  };

  /// Reads as much of the file as its header takes: the schema, whose size nothing tells.
  Status ReadHeader() {
    for (int64_t bytes = 64 << 10;; bytes *= 8) {
      TRY(const std::string start, Read(0, bytes));
      auto reader = AvroReader::Open(start);
      if (reader) {
        blocks_begin_ = static_cast<int64_t>(start.size() - reader->blocks().size());
        reader_ = *std::move(reader);
        return {};
      }
      if (bytes >= std::min(size_, kHeaderBytesMax)) return std::move(reader).error();
    }
  }

  /// Fewer bytes at the end of the file.
  Result<std::string> Read(int64_t position, int64_t bytes) {
    std::string content(static_cast<size_t>(std::min(bytes, size_ - position)), '\0');
    TRY(const int64_t read,
        storage::FromArrow(input_->ReadAt(position, static_cast<int64_t>(content.size()), content.data()),
                           "reading at byte {}", position));
    content.resize(static_cast<size_t>(read));
    return content;
  }

  static constexpr int64_t kHeaderBytesMax = 64 << 20;

  std::shared_ptr<arrow::io::RandomAccessFile> input_;
  int64_t size_ = 0;
  int64_t blocks_begin_ = 0;
  std::optional<AvroReader> reader_;
  std::optional<AvroColumns> columns_;
};

}  // namespace

Result<std::unique_ptr<RowGroups>> OpenAvroRowGroups(storage::FileStore& store, const DataFile& file,
                                                     const Schema& projection, const ColumnContext& context) {
  auto groups = std::make_unique<AvroRowGroups>();
  TRY_VOID(groups->Open(store, file, projection, context));
  return groups;
}

}  // namespace firn::iceberg
