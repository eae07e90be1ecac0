// A side's rows as sums: each row is in the bucket of its key, and a bucket is how many rows it has and the sum of
// their digests. Two sides with equal buckets have equal rows; where buckets differ, only their rows need a second
// look.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "verify/row_digests.h"
#include "verify/row_sink.h"

namespace firn::verify {

class BucketSums {
 public:
  static constexpr size_t kBuckets = 1 << 16;

  static size_t BucketOf(std::string_view key) { return DigestOf(key) % kBuckets; }

  void Add(const Row& row) {
    Bucket& bucket = buckets_[BucketOf(row.key)];
    bucket.rows += row.count;
    bucket.sum += DigestOf(row.columns) * static_cast<uint64_t>(row.count);
    rows_ += row.count;
  }

  int64_t rows() const { return rows_; }
  int64_t rows_in(size_t bucket) const { return buckets_[bucket].rows; }

  /// Ascending.
  std::vector<size_t> DifferingFrom(const BucketSums& other) const {
    std::vector<size_t> differing;
    for (size_t i = 0; i < kBuckets; ++i) {
      if (buckets_[i] != other.buckets_[i]) differing.push_back(i);
    }
    return differing;
  }

 private:
  struct Bucket {
    int64_t rows = 0;
    uint64_t sum = 0;
    bool operator==(const Bucket&) const = default;
  };
  std::vector<Bucket> buckets_ = std::vector<Bucket>(kBuckets);
  int64_t rows_ = 0;
};

}  // namespace firn::verify
