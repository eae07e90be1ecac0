#include "pipeline/table_lane.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/try.h"

namespace firn::pipeline {
namespace {

/// The value of the mapping's column in a tuple of the message.
WireValue ValueOf(const RelationBinding& binding, size_t column, postgres::Tuple row) {
  if (binding.relation_column[column] != RelationBinding::kMissing) return row[binding.relation_column[column]];
  const std::optional<std::string>& missing = binding.missing_values[column];
  if (!missing) return {};
  return {.data = missing->data(), .size = static_cast<int32_t>(missing->size()), .format = WireFormat::kText};
}

}  // namespace

RelationBinding BindColumns(const encode::TableMapping& mapping, const std::vector<SourceColumn>& source,
                            const std::vector<int16_t>& attnums) {
  RelationBinding binding{.width = attnums.size()};
  for (const encode::ColumnMapping& column : mapping.columns) {
    const auto place = std::ranges::find(attnums, column.attnum);
    const auto described = std::ranges::find(source, column.attnum, &SourceColumn::attnum);
    binding.relation_column.push_back(place == attnums.end() ? RelationBinding::kMissing
                                                             : static_cast<int>(place - attnums.begin()));
    binding.missing_values.push_back(described == source.end() ? std::nullopt : described->missing_value);
  }
  return binding;
}

Result<std::unique_ptr<TableLane>> TableLane::Make(encode::TableMapping mapping, RowIdentity identity, ChangeMode mode,
                                                   Lsn start) {
  std::unique_ptr<TableLane> lane(new TableLane(std::move(mapping), identity, mode, start));
  const int columns = static_cast<int>(lane->mapping_.columns.size());
  lane->is_key_column_.resize(columns, identity == RowIdentity::kWholeRow);
  if (identity == RowIdentity::kWholeRow) {
    for (int column = 0; column < columns; ++column) lane->key_columns_.push_back(column);
  } else {
    lane->key_columns_ = lane->mapping_.key_columns;
    for (const int column : lane->key_columns_) lane->is_key_column_[column] = true;
  }
  TRY(lane->rows_, encode::RowEncoder::Make(lane->mapping_));
  lane->old_columns_ = lane->key_columns_;
  if (mode == ChangeMode::kAppend) {
    lane->old_columns_.resize(static_cast<size_t>(columns));
    std::iota(lane->old_columns_.begin(), lane->old_columns_.end(), 0);
  }
  TRY(lane->old_keys_, encode::RowEncoder::Make(lane->mapping_, lane->old_columns_));
  return lane;
}

Status TableLane::Insert(const RelationBinding& binding, postgres::Tuple new_row) {
  TRY_VOID(AppendRow(binding, new_row, std::nullopt, false));
  changes_.push_back({.kind = ChangeKind::kInsert, .row = static_cast<int32_t>(rows_->rows() - 1)});
  return {};
}

Status TableLane::Update(const RelationBinding& binding, const postgres::UpdateMessage& update) {
  TRY_VOID(RequireIdentity("UPDATE"));
  TRY_VOID(AppendRow(binding, update.new_row, update.old_row, update.old_is_key));
  Change change{.kind = ChangeKind::kUpdate, .row = static_cast<int32_t>(rows_->rows() - 1)};
  if (update.old_row) {
    TRY_VOID(CheckWidth(binding, *update.old_row));
    // REPLICA IDENTITY FULL always sends the old row: only a changed key is of interest where there is a key.
    if (identity_ == RowIdentity::kWholeRow || !SameKey(binding, *update.old_row, update.new_row)) {
      TRY_VOID(AppendOldKey(binding, *update.old_row, "an UPDATE"));
      change.old = static_cast<int32_t>(old_keys_->rows() - 1);
    }
  } else if (identity_ == RowIdentity::kWholeRow) {
    return MakeError(
        ErrorKind::kUnsupported,
        "an UPDATE came without the old row: the table's REPLICA IDENTITY is no longer FULL; set it again");
  }
  changes_.push_back(change);
  return {};
}

Status TableLane::Delete(const RelationBinding& binding, const postgres::DeleteMessage& deletion) {
  TRY_VOID(RequireIdentity("DELETE"));
  TRY_VOID(CheckWidth(binding, deletion.old_row));
  if (identity_ == RowIdentity::kWholeRow && deletion.old_is_key) {
    return MakeError(
        ErrorKind::kUnsupported,
        "a DELETE came without the whole old row: the table's REPLICA IDENTITY is no longer FULL; set it again");
  }
  TRY_VOID(AppendOldKey(binding, deletion.old_row, "a DELETE"));
  changes_.push_back({.kind = ChangeKind::kDelete, .old = static_cast<int32_t>(old_keys_->rows() - 1)});
  return {};
}

Status TableLane::Truncate() {
  if (mode_ != ChangeMode::kMirror) {
    changes_.push_back({.kind = ChangeKind::kTruncate});
    return {};
  }
  // Nothing before it matters any more.
  TRY_VOID(Seal());
  truncated_ = true;
  return {};
}

Status TableLane::RequireIdentity(std::string_view operation) const {
  if (identity_ != RowIdentity::kAppendOnly) return {};
  return MakeError(ErrorKind::kUnsupported,
                   "{} on a table that had no replica identity when firn started; give it a primary key or run ALTER "
                   "TABLE … REPLICA IDENTITY FULL, remove it from the Iceberg catalog and start firn again",
                   operation);
}

Status TableLane::CheckWidth(const RelationBinding& binding, postgres::Tuple row) {
  if (row.size() == binding.width) return {};
  return MakeError(ErrorKind::kCorrupt, "a tuple of {} values for a table of {} columns", row.size(), binding.width);
}

Status TableLane::AppendRow(const RelationBinding& binding, postgres::Tuple row,
                            const std::optional<postgres::Tuple>& old_row, bool old_is_key) {
  TRY_VOID(CheckWidth(binding, row));
  if (old_row) TRY_VOID(CheckWidth(binding, *old_row));
  scratch_.clear();
  for (size_t column = 0; column < binding.relation_column.size(); ++column) {
    WireValue value = ValueOf(binding, column, row);
    // An old row, where there is one, brings the value that was not sent again. That is never NULL: where it seems to
    // be, the row's partition has another replica identity than its table, and left it out.
    if (value.format == WireFormat::kUnchangedToast && old_row && (!old_is_key || is_key_column_[column])) {
      const WireValue old = ValueOf(binding, column, *old_row);
      if (old.format == WireFormat::kText || old.format == WireFormat::kBinary) {
        value = old;
      } else if (identity_ == RowIdentity::kWholeRow) {
        return MakeError(
            ErrorKind::kUnsupported, ErrorOrigin::kSource,
            "an UPDATE came without the whole old row: the REPLICA IDENTITY of the partition that it is of "
            "was not FULL; where it still isn't, set it");
      }
    }
    scratch_.push_back(value);
  }
  return rows_->AppendRow(scratch_);
}

/// A key column is never NULL in the source: it is where PostgreSQL was not to tell it.
Status TableLane::RequireOldKey(const RelationBinding& binding, postgres::Tuple old_row,
                                std::string_view operation) const {
  if (identity_ != RowIdentity::kKey) return {};
  for (const int column : key_columns_) {
    if (ValueOf(binding, static_cast<size_t>(column), old_row).format != WireFormat::kNull) continue;
    return MakeError(ErrorKind::kUnsupported, ErrorOrigin::kSource,
                     "{} did not tell the old value of key column {}: the replica identity of the table, or of the "
                     "partition that the row is in, was another one; where it still is, run ALTER TABLE … REPLICA "
                     "IDENTITY DEFAULT (or FULL)",
                     operation, mapping_.columns[column].field.name);
  }
  return {};
}

Status TableLane::AppendOldKey(const RelationBinding& binding, postgres::Tuple old_row, std::string_view operation) {
  TRY_VOID(RequireOldKey(binding, old_row, operation));
  scratch_.clear();
  for (const int column : old_columns_) scratch_.push_back(ValueOf(binding, static_cast<size_t>(column), old_row));
  return old_keys_->AppendRow(scratch_);
}

bool TableLane::SameKey(const RelationBinding& binding, postgres::Tuple a, postgres::Tuple b) const {
  return std::ranges::all_of(key_columns_, [&](int column) {
    const WireValue in_a = ValueOf(binding, static_cast<size_t>(column), a);
    const WireValue in_b = ValueOf(binding, static_cast<size_t>(column), b);
    return in_b.format == WireFormat::kUnchangedToast || (in_a.format == in_b.format && in_a.bytes() == in_b.bytes());
  });
}

Result<TableBatch> TableLane::Seal() {
  TableBatch batch{.truncate_first = std::exchange(truncated_, false), .bytes = bytes()};
  batch.changes = std::exchange(changes_, {});
  batch.transactions = std::exchange(transactions_, {});
  if (rows_->rows() > 0) {
    TRY(batch.rows, rows_->Finish());
  }
  if (old_keys_->rows() > 0) {
    TRY(batch.old_keys, old_keys_->Finish());
  }
  return batch;
}

}  // namespace firn::pipeline
