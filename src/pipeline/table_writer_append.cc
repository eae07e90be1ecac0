// Append mode: each change is a row. The rest of TableWriter is in table_writer.cc.
//
// No row is ever looked for, but for values that an UPDATE left as they were and PostgreSQL didn't send again: they are
// in the key's latest row. So the index comes into being with the first such value, and from then on follows.
#include <arrow/api.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>

#include "base/try.h"
#include "iceberg/data_file_reader.h"
#include "iceberg/row_bytes.h"
#include "iceberg/table_files.h"
#include "index/key_codec.h"
#include "observe/log.h"
#include "pipeline/change_rows.h"
#include "pipeline/own_columns.h"
#include "pipeline/table_writer.h"
#include "pipeline/unchanged_values.h"
#include "pipeline/write_order.h"

namespace firn::pipeline {
namespace {

/// A row of files whose rows come in an order that only their LSNs tell.
struct Candidate {
  std::string key;
  int64_t lsn = 0;
  const iceberg::DataFile* file = nullptr;
  LsnRange of_file;
  index::RowPosition position;

  /// Of two rows of one transaction: whether this one surely is the later, where it comes behind the other.
  bool SurelyFollows(const Candidate& other) const {
    if (file == other.file) return true;
    return file->partition_spec_id == other.file->partition_spec_id && file->partition == other.file->partition &&
           other.of_file.highest <= of_file.lowest;
  }
};

/// What the index is to learn: the latest row of each key. A key with rows of one transaction in several partitions, or
/// in a merged file and beside it, has none that could be told: should its value be asked for, that is an error, and
/// never another row's value. The changes look into the candidates.
std::vector<index::TableIndex::Change> LatestOf(std::vector<Candidate>& candidates) {
  std::ranges::stable_sort(candidates, {},
                           [](const Candidate& row) { return std::tuple(std::string_view(row.key), row.lsn); });
  std::vector<index::TableIndex::Change> changes;
  for (size_t begin = 0, end = 0; begin < candidates.size(); begin = end) {
    while (end < candidates.size() && candidates[end].key == candidates[begin].key) ++end;
    const Candidate& last = candidates[end - 1];
    bool is_certain = true;
    for (size_t i = end - 1; i > begin && candidates[i - 1].lsn == last.lsn; --i) {
      is_certain = is_certain && last.SurelyFollows(candidates[i - 1]);
    }
    changes.push_back(is_certain ? index::TableIndex::Change{.key = last.key, .put = last.position}
                                 : index::TableIndex::Change{.key = last.key, .erase = index::RowPosition{}});
  }
  return changes;
}

/// What a segment's changes may hold of the table's values, whose size is known only once they are read.
constexpr int64_t kSegmentBytesMax = 4 * iceberg::kBatchBytes;

/// Divides a batch into consecutive changes that are written at a time, so that their order stays.
class SegmentPlan {
 public:
  SegmentPlan(const TableBatch& batch, const UnchangedValues& values)
      : batch_(batch),
        values_(values),
        is_one_(values.empty() && batch.bytes <= static_cast<size_t>(kSegmentBytesMax)),
        change_count_(static_cast<int32_t>(batch.changes.size())) {}

  /// The first segment, or the one behind range(); false when there is none.
  bool Next() {
    range_.first = range_.end;
    if (range_.first == change_count_) return false;
    placed_ = 0;
    if (is_one_) {
      range_.end = change_count_;
      return true;
    }
    for (int64_t bytes = 0; range_.end < change_count_; ++range_.end) {
      const Change& change = batch_.changes[static_cast<size_t>(range_.end)];
      if (change.row >= 0) bytes += values_.Bytes(change.row);
      if (change.old >= 0) bytes += iceberg::RowBytes(*batch_.old_keys.batch, change.old);
      const bool is_placed = change.row >= 0 && values_.PlaceOf(change.row).has_value();
      const bool is_full = bytes > iceberg::kBatchBytes || (is_placed && placed_ >= placed_max_);
      if (is_full && range_.end > range_.first) break;
      if (is_placed) ++placed_;
    }
    return true;
  }
  ChangeRange range() const { return range_; }

  /// The segment's rows are too large: it is to come again, with fewer of them.
  void Shrink() {
    range_.end = range_.first;
    placed_max_ = std::max<int64_t>(1, placed_ / 4);
  }
  /// The segment had so many bytes of the table: the next may have as many rows as give a batch.
  void Took(int64_t bytes) {
    if (placed_ == 0) return;
    const int64_t fitting = iceberg::kBatchBytes / std::max<int64_t>(1, bytes / placed_);
    placed_max_ = std::clamp<int64_t>(fitting, 1, 4 * placed_);
  }

 private:
  static constexpr int64_t kFirstRows = 16;

  const TableBatch& batch_;
  const UnchangedValues& values_;
  const bool is_one_;
  const int32_t change_count_;
  ChangeRange range_;
  int64_t placed_ = 0;               ///< Rows of the segment that have values of the table,
  int64_t placed_max_ = kFirstRows;  ///< and how many it may have.
};

/// Whether a file's rows are in the order in which they were written: merged ones need not be.
Result<bool> HasRowsInOrder(storage::FileStore& store, const iceberg::TableMetadata& metadata,
                            const iceberg::DataFile& file, const iceberg::Field& lsn) {
  TRY(auto reader, iceberg::OpenDataFile(store, metadata, file, iceberg::Schema{.fields = {lsn}}));
  int64_t last = 0;
  while (true) {
    TRY(const auto batch, reader->Next().Context("reading {}", file.file_path));
    if (!batch) return true;
    const auto& lsns = static_cast<const arrow::Int64Array&>(*batch->column(0));
    for (int64_t row = 0; row < lsns.length(); ++row) {
      if (lsns.Value(row) < last) return false;
      last = lsns.Value(row);
    }
  }
}

}  // namespace

Status TableWriter::AppendChanges(const std::string& commit_id, const TableBatch& batch) {
  BatchKeys keys;
  FoldedBatch latest;
  UnchangedValues values(batch.rows);
  if (index_ready_ || !values.empty()) {
    TRY_VOID(EnsureLatestRows(commit_id));
    TRY(keys, EncodeBatchKeys(batch));
    TRY(latest, FindLatestRows(batch, keys, values));
  }
  IndexChanges changes;
  EraseFromIndex(latest, {}, changes);
  UnchangedValuesReader reader(context_.store, layout_.schema, values);
  SegmentPlan plan(batch, values);
  while (plan.Next()) {
    const ChangeRange range = plan.range();
    const RowsOfChanges rows_of = RowsOf(batch, range);
    std::shared_ptr<arrow::RecordBatch> rows;
    if (rows_of.rows.end > 0 && values.empty()) {
      rows = batch.rows.batch->Slice(rows_of.rows.first, rows_of.rows.end - rows_of.rows.first);
    } else if (rows_of.rows.end > 0) {
      std::vector<int32_t> wanted(static_cast<size_t>(rows_of.rows.end - rows_of.rows.first));
      std::iota(wanted.begin(), wanted.end(), rows_of.rows.first);
      TRY(rows, reader.Fill(wanted, kSegmentBytesMax));
      if (!rows) {
        plan.Shrink();
        continue;
      }
    }
    plan.Took(reader.fetched_bytes());
    TRY(const auto change_rows, MakeChangeRows(layout_, batch, range, rows));
    rows.reset();
    const KeyOfRow key_of = [&](size_t change) -> std::optional<std::string_view> {
      const int32_t row = batch.changes[static_cast<size_t>(range.first) + change].row;
      if (row < 0 || !std::ranges::binary_search(latest.live_rows, row)) return std::nullopt;
      return keys.rows[static_cast<size_t>(row)];
    };
    TRY_VOID(AppendRows(change_rows, key_of, changes));
  }
  if (changes.empty()) return {};
  return index_->Apply(changes).Context("index of {}", name_);
}

Status TableWriter::EnsureLatestRows(const std::string& commit_id) {
  if (index_ready_ || pending_->rows == 0) return EnsureIndex(commit_id);
  // Rows of the commit in the making are not in the index, however it stands to the table.
  TRY_VOID(CloseDataFiles());
  TRY_VOID(OpenIndex());
  TRY_VOID(index_->Reset(commit_id));
  TRY_VOID(IndexLatestRows());
  index_ready_ = true;
  return {};
}

Status TableWriter::IndexLatestRows() {
  const iceberg::TableMetadata& metadata = *table_.metadata;
  std::vector<WrittenFile> files;
  if (!pending_->truncate) {
    TRY(auto live, iceberg::PlanFiles(context_.store, metadata, metadata.CurrentSnapshot(), manifests_));
    for (iceberg::LiveDataFile& file : live) {
      files.push_back({.file = std::move(file.entry.file), .sequence_number = file.entry.sequence_number});
    }
  }
  for (iceberg::DataFile& file : files_.AddedFiles()) {
    files.push_back({.file = std::move(file), .sequence_number = std::numeric_limits<int64_t>::max()});
  }
  TRY(const int64_t rows, PutLatestRows(std::move(files), [this](const auto& file) { return files_.Deleted(file); }));
  LogInfo("built the index of each key's latest row, for values that updates leave as they are",
          {{"table", name_}, {"rows", rows}});
  return {};
}

Result<int64_t> TableWriter::PutLatestRows(std::vector<WrittenFile> files, const DeletedOf& deleted_of,
                                           std::set<uint32_t>* moved_from) {
  const iceberg::TableMetadata& metadata = *table_.metadata;
  const iceberg::Field& lsn = *layout_.schema.FindField(NameOf(OwnColumn::kLsn));
  const iceberg::FieldId operation = layout_.schema.FindField(NameOf(OwnColumn::kOperation))->id;
  iceberg::Schema projection = KeyProjection();
  std::vector<int> key_columns(projection.fields.size());
  std::iota(key_columns.begin(), key_columns.end(), 0);
  projection.fields.push_back(lsn);
  int64_t rows = 0;
  for (const WrittenFiles& group : InWriteOrder(std::move(files), lsn.id, operation)) {
    std::vector<Candidate> candidates;
    bool in_order = !group.interleaved;
    for (const WrittenFile& written : group.files) {
      if (!in_order) break;
      TRY(in_order, HasRowsInOrder(context_.store, metadata, written.file, lsn));
    }
    for (const WrittenFile& written : group.files) {
      const std::string& location = written.file.file_path;
      TRY(const uint32_t file, index_->AddFile(location));
      if (moved_from != nullptr) moved_from->insert(file);
      TRY(const iceberg::RowPositions deleted, deleted_of(location));
      TRY(auto reader, iceberg::OpenDataFile(context_.store, metadata, written.file, projection));
      index::RowPosition position{.file = file};
      while (true) {
        TRY(const auto batch, reader->Next().Context("reading {}", location));
        if (!batch) break;
        TRY(const auto keys, index::EncodeKeys(*batch, key_columns));
        Positions known;
        if (moved_from != nullptr) {
          std::vector<std::string_view> all;
          for (size_t i = 0; i < keys.size(); ++i) all.push_back(keys[i]);
          TRY(known, index_->Lookup(all));
        }
        const auto& lsns = static_cast<const arrow::Int64Array&>(*batch->columns().back());
        IndexChanges changes;
        for (size_t i = 0; i < keys.size(); ++i, ++position.row) {
          // A deleted row's key is found, too: whatever comes next for it brings all values.
          if (deleted.contains(uint64_t{position.row})) continue;
          if (moved_from != nullptr && (!known[i] || !moved_from->contains(known[i]->file))) continue;
          if (in_order) {
            changes.push_back({.key = keys[i], .put = position});
          } else {
            candidates.push_back({.key = std::string(keys[i]),
                                  .lsn = lsns.Value(static_cast<int64_t>(i)),
                                  .file = &written.file,
                                  .of_file = LsnsOf(written.file, lsn.id),
                                  .position = position});
          }
        }
        rows += batch->num_rows();
        if (!changes.empty()) TRY_VOID(index_->Apply(changes));
      }
    }
    if (!candidates.empty()) TRY_VOID(index_->Apply(LatestOf(candidates)));
  }
  return rows;
}

Result<FoldedBatch> TableWriter::FindLatestRows(const TableBatch& batch, const BatchKeys& keys,
                                                UnchangedValues& values) {
  FoldedBatch latest;
  const std::span<const Change> all(batch.changes);
  const auto find = [&](ChangeRange range) -> Status {
    const auto changes = all.subspan(static_cast<size_t>(range.first), static_cast<size_t>(range.end - range.first));
    latest = Fold(changes, layout_.identity, keys.rows, keys.old, /*with_previous=*/true);
    if (values.empty()) return {};
    TRY(const Positions positions, index_->Lookup(latest.removed_keys));
    std::vector<int32_t> rows;
    for (const Change& change : changes) {
      if (change.row >= 0) rows.push_back(change.row);
    }
    return values.Find(latest, rows, positions, [this](uint32_t file) { return ReadableFile(file); });
  };
  ChangeRange range;
  for (const Change& change : batch.changes) {
    if (change.kind == ChangeKind::kTruncate) {
      TRY_VOID(find(range));
      TRY_VOID(CloseDataFiles());
      TRY_VOID(index_->Reset(pending_->commit_id));
      range.first = range.end + 1;
    }
    ++range.end;
  }
  TRY_VOID(find(range));
  return latest;
}

}  // namespace firn::pipeline
