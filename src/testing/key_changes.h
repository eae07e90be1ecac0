// Changes of a table whose only column is its key, an int64, as a lane gathers them: for tests of what folds them.
#pragma once

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "index/key_codec.h"
#include "pipeline/table_batch.h"

namespace firn::testing {

/// Keys of a batch with one int64 column.
inline index::EncodedKeys EncodeIntegerKeys(const std::vector<int64_t>& values) {
  arrow::Int64Builder builder;
  EXPECT_TRUE(builder.AppendValues(values).ok());
  const auto batch = arrow::RecordBatch::Make(arrow::schema({arrow::field("k", arrow::int64())}),
                                              static_cast<int64_t>(values.size()), {*builder.Finish()});
  auto keys = index::EncodeKeys(*batch, {0});
  EXPECT_TRUE(keys.has_value());
  return std::move(*keys);
}

inline int64_t DecodeIntegerKey(std::string_view encoded) {
  uint64_t value = 0;
  for (const char c : encoded) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<int64_t>(value ^ (uint64_t{1} << 63));
}

struct KeyChanges {
  pipeline::TableBatch batch;  ///< Without columns: rows and old rows are these.
  std::vector<int64_t> rows;
  std::vector<int64_t> old;
  index::EncodedKeys row_keys, old_keys;  ///< Of these, once EncodeKeys was called.

  /// A transaction, whose number is its LSN and its commit time.
  KeyChanges& Begin(int64_t transaction) {
    batch.transactions.push_back({.first_change = static_cast<int32_t>(batch.changes.size()),
                                  .commit_lsn = Lsn{static_cast<uint64_t>(transaction)},
                                  .committed_at_us = transaction});
    return *this;
  }
  KeyChanges& Insert(int64_t key) { return Add({.kind = pipeline::ChangeKind::kInsert, .row = AddTo(rows, key)}); }
  KeyChanges& Update(int64_t key) { return Add({.kind = pipeline::ChangeKind::kUpdate, .row = AddTo(rows, key)}); }
  KeyChanges& Move(int64_t old_key, int64_t key) {
    return Add({.kind = pipeline::ChangeKind::kUpdate, .row = AddTo(rows, key), .old = AddTo(old, old_key)});
  }
  KeyChanges& Delete(int64_t key) { return Add({.kind = pipeline::ChangeKind::kDelete, .old = AddTo(old, key)}); }

  void EncodeKeys() {
    row_keys = EncodeIntegerKeys(rows);
    old_keys = EncodeIntegerKeys(old);
  }
  pipeline::ChangeRange all() const { return {.first = 0, .end = static_cast<int32_t>(batch.changes.size())}; }

 private:
  static int32_t AddTo(std::vector<int64_t>& keys, int64_t key) {
    keys.push_back(key);
    return static_cast<int32_t>(keys.size() - 1);
  }
  KeyChanges& Add(pipeline::Change change) {
    batch.changes.push_back(change);
    return *this;
  }
};

}  // namespace firn::testing
