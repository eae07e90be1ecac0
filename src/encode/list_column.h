// A column of arrays: each value is split into its elements, which another decoder takes.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "encode/column_buffers.h"
#include "encode/column_decoder.h"
#include "encode/wire_array.h"

namespace firn::encode {

class ListColumn final : public ColumnDecoder {
 public:
  /// How the arrays arrive.
  struct Form {
    bool is_text = false;     ///< By their text form, in either wire format.
    TypeOid element_oid = 0;  ///< Not is_text: what a binary array says of its elements' type.
    char delimiter = ',';
  };

  ListColumn(ColumnContext context, std::shared_ptr<arrow::DataType> type, Form form,
             std::unique_ptr<ColumnDecoder> elements)
      : unrepresentable_(std::move(context)), type_(std::move(type)), form_(form), elements_(std::move(elements)) {}

  Status Decode(std::span<const WireValue> values) override;
  size_t bytes() const override;
  ReplacedValues TakeReplaced() override;
  Result<std::shared_ptr<arrow::Array>> Finish() override;
  void Reset() override;

 private:
  /// Appends the value's elements to split_.
  Fault Split(const WireValue& value, LowerBounds bounds, char*& unescaped);

  UnrepresentableValues unrepresentable_;
  const std::shared_ptr<arrow::DataType> type_;
  const Form form_;
  const std::unique_ptr<ColumnDecoder> elements_;
  arrow::TypedBufferBuilder<int32_t> offsets_;
  int64_t decoded_elements_ = 0;
  Validity validity_;
  // Of one Decode:
  std::vector<uint8_t> valid_;
  std::vector<WireValue> split_;
  std::vector<char> unescaped_;
};

}  // namespace firn::encode
