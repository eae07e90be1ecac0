// A table's open batch: what arrived since the last flush, its columns filled as it comes.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "encode/row_encoder.h"
#include "encode/type_mapping.h"
#include "model/lsn.h"
#include "pipeline/table_batch.h"
#include "postgres/pgoutput.h"

namespace firn::pipeline {

/// How the columns of a Relation message lie in the table's mapping.
struct RelationBinding {
  static constexpr int kMissing = -1;
  /// By column of the mapping: its place in the message's tuples, or kMissing for one that was added later.
  std::vector<int> relation_column;
  /// By column of the mapping: what a row holds that was written before it was added, as text; nothing for NULL.
  std::vector<std::optional<std::string>> missing_values;
  size_t width = 0;  ///< Columns of the message.
};

/// `attnums`: by column of the message, as MatchRelation gives them.
RelationBinding BindColumns(const encode::TableMapping& mapping, const std::vector<SourceColumn>& source,
                            const std::vector<int16_t>& attnums);

/// Single-threaded: the replicator's.
class TableLane {
 public:
  /// `start`: transactions whose commit record starts before it are in the table already.
  static Result<std::unique_ptr<TableLane>> Make(encode::TableMapping mapping, RowIdentity identity, ChangeMode mode,
                                                 Lsn start);

  /// The changes that follow are of this transaction. Cheap enough to say before each one.
  void ContinueTransaction(Lsn commit_lsn, int64_t committed_at_us) {
    if (!transactions_.empty() && transactions_.back().commit_lsn == commit_lsn) return;
    transactions_.push_back({.first_change = static_cast<int32_t>(changes_.size()),
                             .commit_lsn = commit_lsn,
                             .committed_at_us = committed_at_us});
  }
  Status Insert(const RelationBinding& binding, postgres::Tuple new_row);
  Status Update(const RelationBinding& binding, const postgres::UpdateMessage& update);
  Status Delete(const RelationBinding& binding, const postgres::DeleteMessage& deletion);
  Status Truncate();

  bool empty() const { return changes_.empty() && !truncated_; }
  size_t bytes() const {
    return rows_->bytes() + old_keys_->bytes() + changes_.capacity() * sizeof(Change) +
           transactions_.capacity() * sizeof(TransactionRun);
  }
  Lsn start() const { return start_; }
  const encode::TableMapping& mapping() const { return mapping_; }
  const TableName& name() const { return mapping_.source; }

  /// The open batch; the lane is empty afterwards.
  Result<TableBatch> Seal();

 private:
  TableLane(encode::TableMapping mapping, RowIdentity identity, ChangeMode mode, Lsn start)
      : mapping_(std::move(mapping)), identity_(identity), mode_(mode), start_(start) {}
  Status AppendRow(const RelationBinding& binding, postgres::Tuple row, const std::optional<postgres::Tuple>& old_row,
                   bool old_is_key);
  Status AppendOldKey(const RelationBinding& binding, postgres::Tuple old_row, std::string_view operation);
  Status RequireOldKey(const RelationBinding& binding, postgres::Tuple old_row, std::string_view operation) const;
  bool SameKey(const RelationBinding& binding, postgres::Tuple a, postgres::Tuple b) const;
  Status RequireIdentity(std::string_view operation) const;
  static Status CheckWidth(const RelationBinding& binding, postgres::Tuple row);

  encode::TableMapping mapping_;
  RowIdentity identity_;
  ChangeMode mode_;
  Lsn start_;
  std::vector<int> key_columns_;  ///< Of the mapping; every column for kWholeRow.
  std::vector<bool> is_key_column_;
  std::vector<int> old_columns_;  ///< Those of old rows that are kept.
  std::unique_ptr<encode::RowEncoder> rows_;
  std::unique_ptr<encode::RowEncoder> old_keys_;
  std::vector<Change> changes_;
  std::vector<TransactionRun> transactions_;
  std::vector<WireValue> scratch_;
  bool truncated_ = false;
};

}  // namespace firn::pipeline
