// A row's key columns as bytes, the same whether the row came by COPY, by the stream or out of a Parquet file: it works
// on Arrow values. Big-endian, sign flipped, so that keys sort as integers do (RocksDB and position deletes profit).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firn/result.h"

namespace arrow {
class RecordBatch;
}

namespace firn::index {

/// Keys of a batch's rows, laid out in one buffer.
class EncodedKeys {
 public:
  size_t size() const { return offsets_.empty() ? 0 : offsets_.size() - 1; }
  std::string_view operator[](size_t row) const {
    return std::string_view(bytes_).substr(offsets_[row], offsets_[row + 1] - offsets_[row]);
  }
  /// Which row's key this is, for a view that operator[] gave of a key that is not empty; nothing for other bytes.
  std::optional<size_t> Find(std::string_view key) const;

 private:
  friend Result<EncodedKeys> EncodeKeys(const arrow::RecordBatch& batch, const std::vector<int>& columns);
  std::string bytes_;
  std::vector<size_t> offsets_;
};

/// Every value is written so that the concatenation is unambiguous and injective: a presence byte (whatever the schema
/// says of nulls, so that a required column of a file and its nullable one of the stream give the same key; none for a
/// key of a single column of fixed width, whose NULL is the empty key); integers, dates, times, timestamps and decimals
/// at fixed width, big-endian with the sign bit flipped; floats with -0 as 0 and one NaN (PostgreSQL's equality);
/// strings and binaries with 0x00 escaped and a terminator; lists, structs by their parts. An int column and a long one
/// give different keys. kUnsupported names a column whose type has no key. Thread-safety: pure.
Result<EncodedKeys> EncodeKeys(const arrow::RecordBatch& batch, const std::vector<int>& columns);

}  // namespace firn::index
