// What the column decoders grow their Arrow arrays in.
#pragma once

#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/buffer_builder.h>
#include <arrow/type.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "base/try.h"
#include "encode/unrepresentable_values.h"
#include "firn/result.h"
#include "model/wire_value.h"
#include "storage/arrow_error.h"

namespace firn::encode {

/// Arrow's string, binary and list arrays have 32-bit offsets.
inline constexpr int64_t kMaxArrayBytes = std::numeric_limits<int32_t>::max();

inline bool HasBytes(const WireValue& value) {
  return value.format == WireFormat::kBinary || value.format == WireFormat::kText;
}

/// Which slots are null. Costs nothing until the first null.
class Validity {
 public:
  Status Append(const std::vector<uint8_t>& valid, int64_t nulls) {
    const auto count = static_cast<int64_t>(valid.size());
    if (nulls > 0 || bits_.length() > 0) {
      if (bits_.length() < length_) TRY_VOID(storage::FromArrow(bits_.Append(length_, true), "growing a column"));
      TRY_VOID(storage::FromArrow(bits_.Append(valid.data(), count), "growing a column"));
    }
    length_ += count;
    nulls_ += nulls;
    return {};
  }
  int64_t length() const { return length_; }
  int64_t nulls() const { return nulls_; }
  size_t bytes() const { return static_cast<size_t>(bits_.capacity() / 8); }
  /// Null when there is no null.
  Result<std::shared_ptr<arrow::Buffer>> Finish() {
    length_ = nulls_ = 0;
    if (bits_.length() == 0) return std::shared_ptr<arrow::Buffer>();
    return storage::FromArrow(bits_.Finish(), "finishing a column");
  }
  void Reset() {
    bits_.Reset();
    length_ = nulls_ = 0;
  }

 private:
  arrow::TypedBufferBuilder<bool> bits_;
  int64_t length_ = 0;
  int64_t nulls_ = 0;
};

inline Result<std::shared_ptr<arrow::Array>> MakeArray(const std::shared_ptr<arrow::DataType>& type, int64_t length,
                                                       int64_t nulls,
                                                       std::vector<std::shared_ptr<arrow::Buffer>> buffers,
                                                       std::vector<std::shared_ptr<arrow::ArrayData>> children = {}) {
  return arrow::MakeArray(arrow::ArrayData::Make(type, length, std::move(buffers), std::move(children), nulls));
}

inline Error TooManyBytes(const ColumnContext& context) {
  return MakeError(ErrorKind::kUnsupported,
                   "table {}, column {}: one batch would hold more than 2 GiB of this column; lower "
                   "writer.memory_limit_bytes, so that batches are written earlier",
                   context.table, context.column);
}

}  // namespace firn::encode
