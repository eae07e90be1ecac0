#include <arrow/adapters/orc/adapter.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/try.h"
#include "iceberg/arrow_decoding.h"
#include "iceberg/row_groups.h"

namespace firn::iceberg {
namespace {

constexpr std::string_view kOrc = "ORC";

using BatchPtr = std::shared_ptr<arrow::RecordBatch>;

/// An ORC file's stripes. Arrow gives its timestamps in nanoseconds: those before 1677 and after 2262 don't fit.
class OrcRowGroups : public RowGroups {
 public:
  Status Open(storage::FileStore& store, const DataFile& file, const Schema& projection, const ColumnContext& context) {
    TRY(auto input, store.OpenInput(file.file_path, file.file_size_in_bytes));
    std::shared_ptr<arrow::Schema> schema;
    TRY_VOID(Decode(kOrc, [&]() -> arrow::Status {
      ARROW_ASSIGN_OR_RAISE(reader_,
                            arrow::adapters::orc::ORCFileReader::Open(std::move(input), arrow::default_memory_pool()));
      return reader_->ReadSchema().Value(&schema);
    }));
    TRY(projection_, ColumnProjection::Make(projection, FileColumnsOf(schema->fields(), "iceberg.id"), context));
    for (int64_t i = 0; i < reader_->NumberOfStripes(); ++i) stripes_.push_back(reader_->GetStripeInformation(i));
    return {};
  }

  int count() const override { return static_cast<int>(stripes_.size()); }
  int64_t rows(int group) const override { return stripes_[static_cast<size_t>(group)].num_rows; }

  Result<Batches> Open(int group) override {
    const auto& stripe = stripes_[static_cast<size_t>(group)];
    if (projection_->needed().empty()) return CountRows(stripe.num_rows);
    std::shared_ptr<arrow::RecordBatchReader> batches;
    TRY_VOID(Decode(kOrc, [&]() -> arrow::Status {
      ARROW_RETURN_NOT_OK(reader_->Seek(stripe.first_row_id));
      return reader_->NextStripeReader(BatchRows(stripe), projection_->needed()).Value(&batches);
    }));
    if (!batches) return MakeError(ErrorKind::kCorrupt, "an ORC stripe that is not there");
    return DecodedBatches(kOrc, std::move(batches));
  }

  Result<BatchPtr> Project(const BatchPtr& batch) override { return projection_->Project(*batch); }

 private:
  /// A stripe tells of its bytes in the file alone, of all columns, compressed.
  static int64_t BatchRows(const arrow::adapters::orc::StripeInformation& stripe) {
    constexpr int64_t kBytesOfStoredByte = 8;
    return RowGroups::BatchRows(stripe.num_rows, stripe.length * kBytesOfStoredByte);
  }

  /// Batches without columns: of ORC, no columns at all means all of them.
  static Batches CountRows(int64_t rows) {
    return [rows]() mutable -> Result<BatchPtr> {
      const int64_t next = std::min(rows, kBatchRows);
      if (next == 0) return nullptr;
      rows -= next;
      return arrow::RecordBatch::Make(arrow::schema({}), next, arrow::ArrayVector{});
    };
  }

  std::unique_ptr<arrow::adapters::orc::ORCFileReader> reader_;
  std::vector<arrow::adapters::orc::StripeInformation> stripes_;
  std::optional<ColumnProjection> projection_;
};

}  // namespace

Result<std::unique_ptr<RowGroups>> OpenOrcRowGroups(storage::FileStore& store, const DataFile& file,
                                                    const Schema& projection, const ColumnContext& context) {
  auto groups = std::make_unique<OrcRowGroups>();
  TRY_VOID(groups->Open(store, file, projection, context));
  return groups;
}

}  // namespace firn::iceberg
