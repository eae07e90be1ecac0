#include "maintenance/file_rewriter.h"

#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/try.h"
#include "base/unix_time.h"
#include "base/uuid.h"
#include "iceberg/deleted_rows.h"
#include "iceberg/reserved_fields.h"
#include "iceberg/row_bytes.h"
#include "iceberg/row_deletes.h"
#include "iceberg/row_delta.h"
#include "iceberg/row_order.h"
#include "iceberg/table_scan.h"
#include "maintenance/rewrite_order.h"
#include "maintenance/row_sorter.h"

namespace firn::maintenance {
namespace {

using iceberg::DataFile;
using iceberg::LiveDataFile;
using iceberg::RowPositions;

iceberg::Schema RewrittenSchema(const iceberg::TableMetadata& metadata) {
  iceberg::Schema schema = metadata.CurrentSchema();
  if (metadata.format_version >= 3) {
    // Spec, "Row Lineage": a row that only moves keeps both.
    schema.fields.push_back(iceberg::RowIdField());
    schema.fields.push_back(iceberg::LastUpdatedField());
  }
  return schema;
}

/// A new file ends behind a batch: so many of a file's size make ends that are near the size wanted.
constexpr int64_t kSortedBatchesOfFile = 8;
constexpr int64_t kSortedBatchBytesMin = 4 << 10;

/// One rewrite in progress.
class Rewriter {
 public:
  Rewriter(storage::FileStore& store, iceberg::TableMetadataPtr metadata)
      : store_(store),
        metadata_(std::move(metadata)),
        schema_(RewrittenSchema(*metadata_)),
        order_(RewriteOrder(*metadata_)),
        deleted_rows_(store) {}

  Result<RewrittenFiles> Run(Metrics& metrics, std::vector<LiveDataFile> files,
                             const pipeline::DataFileOptions& options, const std::string& table, std::stop_token stop,
                             const RewritePace& pace) {
    const std::string id = NewUuid();
    TRY(writer_,
        pipeline::PartitionedWriter::Make(store_, metrics, metadata_, schema_, options, table,
                                          [&id, n = 0]() mutable { return fmt::format("{}-{:05}.parquet", id, n++); }));
    result_.from = std::move(files);
    result_.sorted_by = Describe(order_, *metadata_);
    result_.moves = RowMoves(options.spill_folder);
    std::optional<RowSorter> sorter;
    if (order_ != nullptr) {
      TRY(auto rows, iceberg::RowOrder::Make(schema_, metadata_->DefaultSpec(), *order_));
      // The other half of the memory is for the rows that the new files hold.
      sorter.emplace(std::move(rows),
                     RowSorterOptions{.folder = options.spill_folder,
                                      .memory_bytes = options.memory->bytes_max() / 2,
                                      .batch_bytes = std::clamp(options.target_file_size_bytes / kSortedBatchesOfFile,
                                                                kSortedBatchBytesMin, iceberg::kBatchBytes),
                                      .memory = options.memory});
    }
    for (size_t i = 0; i < result_.from.size(); ++i) {
      TRY_VOID(Copy(i, sorter ? &*sorter : nullptr, stop, pace)
                   .Context("rewriting {}", result_.from[i].entry.file.file_path));
    }
    if (sorter) {
      const auto write = [&](const std::shared_ptr<arrow::RecordBatch>& rows, std::span<const int64_t> origins) {
        return WriteSorted(rows, origins);
      };
      TRY_VOID(sorter->Finish(write, stop).Context("sorting rows by {}", result_.sorted_by));
    }
    TRY_VOID(writer_->CloseAll());
    TakeClosed();
    return std::move(result_);
  }

  /// What an attempt that failed has written; files that are still open go with the writer.
  void RemoveClosed() {
    TakeClosed();
    RemoveWritten(store_, result_);
  }

 private:
  /// To the new files, or, where they are to be sorted, to the sorter.
  Status Copy(size_t from, RowSorter* sorter, const std::stop_token& stop, const RewritePace& pace) {
    const LiveDataFile& file = result_.from[from];
    const double row_bytes = static_cast<double>(file.entry.file.file_size_in_bytes) /
                             static_cast<double>(std::max<int64_t>(1, file.entry.file.record_count));
    TRY(RowPositions deleted, deleted_rows_.Of(*metadata_, file));
    result_.deleted.push_back(deleted);
    TRY(auto reader, iceberg::LiveRowReader::Open(store_, *metadata_, file.entry, schema_, std::move(deleted)));
    while (true) {
      if (stop.stop_requested()) return MakeError(ErrorKind::kCancelled, "stopped on request");
      TRY(const auto live, reader->Next());
      if (!live) return {};
      if (pace) pace(static_cast<int64_t>(row_bytes * static_cast<double>(live->rows->num_rows())));
      TRY_VOID(sorter != nullptr ? Sort(from, *live, *sorter) : Write(from, *live));
    }
  }

  Status Write(size_t from, const iceberg::LiveRows& live) {
    TRY(const auto placed, writer_->Write(live.rows));
    for (const pipeline::PlacedRows& part : placed) {
      const size_t to = NumberOf(part.location);
      int64_t row = part.first_position;
      for (const int32_t i : part.rows) result_.moves.Add(from, live.positions[static_cast<size_t>(i)], to, row++);
    }
    return {};
  }

  Status Sort(size_t from, const iceberg::LiveRows& live, RowSorter& sorter) {
    origins_.clear();
    for (const int64_t position : live.positions) origins_.push_back(RowOrigin::Of(from, position));
    return sorter.Add(*live.rows, origins_);
  }

  Status WriteSorted(const std::shared_ptr<arrow::RecordBatch>& rows, std::span<const int64_t> origins) {
    TRY(const auto placed, writer_->Write(rows));
    for (const pipeline::PlacedRows& part : placed) {
      origins_.clear();
      for (const int32_t i : part.rows) origins_.push_back(origins[static_cast<size_t>(i)]);
      TRY_VOID(result_.moves.AddSorted(origins_, NumberOf(part.location), part.first_position));
    }
    return {};
  }

  size_t NumberOf(const std::string& location) { return numbers_.emplace(location, numbers_.size()).first->second; }

  /// In the order of their numbers.
  void TakeClosed() {
    if (!writer_) return;
    for (DataFile& file : writer_->TakeClosed()) {
      const size_t number = NumberOf(file.file_path);
      if (number >= result_.to.size()) result_.to.resize(number + 1);
      if (order_ != nullptr) file.sort_order_id = order_->order_id;
      result_.to[number] = std::move(file);
    }
  }

  storage::FileStore& store_;
  const iceberg::TableMetadataPtr metadata_;
  const iceberg::Schema schema_;
  const iceberg::SortOrder* const order_;  ///< Null: rows stay in the order in which they are.
  iceberg::DeletedRows deleted_rows_;
  std::unique_ptr<pipeline::PartitionedWriter> writer_;
  std::unordered_map<std::string, size_t> numbers_;  ///< Of new files, by location.
  std::vector<int64_t> origins_;                     ///< Of the rows at hand.
  RewrittenFiles result_;
};

bool HasSameDeletes(const std::vector<iceberg::SharedEntry>& a, const std::vector<iceberg::SharedEntry>& b) {
  return std::ranges::is_permutation(a, b, [](const auto& one, const auto& other) { return one->file == other->file; });
}

/// Builds the exchange on the table as it is; what it writes for an attempt that is lost goes with it.
class Exchange {
 public:
  Exchange(storage::FileStore& store, iceberg::ManifestCache& manifests, const RewrittenFiles& rewritten,
           iceberg::Compression compression, std::string commit_id)
      : store_(store),
        manifests_(manifests),
        rewritten_(rewritten),
        compression_(compression),
        commit_id_(std::move(commit_id)) {}

  Result<iceberg::CommitRequest> Build(const catalog::LoadedTable& fresh) {
    iceberg::RowDelta delta{.replace = true, .summary = {{catalog::kCommitIdKey, commit_id_}}};
    TRY(const auto deleted, DeletedSince(*fresh.metadata));
    const auto name = [&](std::string_view ending) {
      return iceberg::DataLocation(*fresh.metadata, NewUuid() + std::string(ending));
    };
    deletes_written_.clear();
    for (size_t to = 0; to < rewritten_.to.size(); ++to) {
      const DataFile& file = rewritten_.to[to];
      const auto found = deleted.find(to);
      if (found != deleted.end() && found->second.cardinality() == static_cast<uint64_t>(file.record_count)) continue;
      delta.added_data_files.push_back(file);
      if (found == deleted.end()) continue;
      TRY(delta.added_delete_files.emplace_back(),
          iceberg::WriteRowDeletes(store_, fresh.metadata->format_version, name, file, found->second, compression_));
      deletes_written_.push_back(delta.added_delete_files.back().file_path);
    }
    for (const LiveDataFile& file : rewritten_.from) delta.removed_data_files.push_back(file.entry.file.file_path);
    return iceberg::BuildRowDelta(store_, fresh.ident, *fresh.metadata, delta, manifests_, UnixMillisNow());
  }

  void Discard(const catalog::LoadedTable& base, const iceberg::CommitRequest& lost) {
    iceberg::RemoveBuilt(store_, *base.metadata, lost);
    for (const std::string& location : std::exchange(deletes_written_, {})) (void)store_.Delete(location);
  }

 private:
  /// The rows of the new files that were deleted in the old ones since those were read.
  Result<std::map<size_t, RowPositions>> DeletedSince(const iceberg::TableMetadata& fresh) {
    TRY(const auto live, iceberg::PlanFiles(store_, fresh, fresh.CurrentSnapshot(), manifests_));
    std::unordered_map<std::string_view, const LiveDataFile*> by_path;
    for (const LiveDataFile& file : live) by_path.emplace(file.entry.file.file_path, &file);
    std::map<size_t, RowPositions> gone;  // By old file.
    iceberg::DeletedRows deleted_rows(store_);
    for (size_t from = 0; from < rewritten_.from.size(); ++from) {
      const LiveDataFile& then = rewritten_.from[from];
      const auto found = by_path.find(then.entry.file.file_path);
      if (found == by_path.end()) {
        return MakeError(ErrorKind::kConflict, "{} left the table while it was rewritten", then.entry.file.file_path);
      }
      const LiveDataFile& now = *found->second;
      if (HasSameDeletes(then.position_deletes, now.position_deletes) &&
          HasSameDeletes(then.equality_deletes, now.equality_deletes)) {
        continue;
      }
      TRY(RowPositions rows, deleted_rows.Of(fresh, now));
      rows -= rewritten_.deleted[from];
      if (!rows.isEmpty()) gone.emplace(from, std::move(rows));
    }
    if (gone.empty()) return std::map<size_t, RowPositions>();
    return rewritten_.moves.Find(gone);
  }

  storage::FileStore& store_;
  iceberg::ManifestCache& manifests_;
  const RewrittenFiles& rewritten_;
  const iceberg::Compression compression_;
  const std::string commit_id_;
  std::vector<std::string> deletes_written_;  ///< For the last request.
};

}  // namespace

Result<RewrittenFiles> RewriteFiles(storage::FileStore& store, Metrics& metrics, iceberg::TableMetadataPtr metadata,
                                    std::vector<LiveDataFile> files, const pipeline::DataFileOptions& options,
                                    const std::string& table, std::stop_token stop, const RewritePace& pace) {
  Rewriter rewriter(store, std::move(metadata));
  auto rewritten = rewriter.Run(metrics, std::move(files), options, table, stop, pace);
  if (!rewritten) rewriter.RemoveClosed();
  return rewritten;
}

void RemoveWritten(storage::FileStore& store, const RewrittenFiles& rewritten) {
  for (const DataFile& file : rewritten.to) {
    if (!file.file_path.empty()) (void)store.Delete(file.file_path);  // What stays is an orphan.
  }
}

catalog::TableChange MakeRewriteChange(storage::FileStore& store, iceberg::ManifestCache& manifests,
                                       catalog::LoadedTable base, const RewrittenFiles& rewritten,
                                       iceberg::Compression compression, const std::string& commit_id) {
  auto exchange = std::make_shared<Exchange>(store, manifests, rewritten, compression, commit_id);
  return {.base = std::move(base),
          .build = [exchange](const catalog::LoadedTable& fresh) { return exchange->Build(fresh); },
          .discard = [exchange](const catalog::LoadedTable& lost_base,
                                const iceberg::CommitRequest& lost) { exchange->Discard(lost_base, lost); }};
}

}  // namespace firn::maintenance
