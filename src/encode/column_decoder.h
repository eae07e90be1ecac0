// One column: wire values in, an Arrow array out. The type is dispatched on once a call, and each type has a loop of
// its own behind it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "encode/type_mapping.h"
#include "encode/unrepresentable_values.h"
#include "firn/result.h"
#include "model/wire_value.h"

namespace arrow {
class Array;
class DataType;
}  // namespace arrow

namespace firn::encode {

/// Single-threaded. After an error the decoder holds a part of the values: call Reset.
class ColumnDecoder {
 public:
  virtual ~ColumnDecoder() = default;

  /// `type`: that of the column in iceberg::ToArrowSchema. kUnsupported when the codec has no way into it.
  static Result<std::unique_ptr<ColumnDecoder>> Make(const TableName& table, const ColumnMapping& column,
                                                     const std::shared_ptr<arrow::DataType>& type);

  /// Appends one slot per value; null for kNull and kUnchangedToast. Sizes of values that have bytes are not negative.
  virtual Status Decode(std::span<const WireValue> values) = 0;
  /// Memory held by the buffers.
  virtual size_t bytes() const = 0;
  /// The values since the last call that the column's policy replaced.
  virtual ReplacedValues TakeReplaced() = 0;
  /// The array of all values since the last Finish or Reset.
  virtual Result<std::shared_ptr<arrow::Array>> Finish() = 0;
  virtual void Reset() = 0;
};

}  // namespace firn::encode
