// A column of json or jsonb that is stored as variant: a struct of two binaries, metadata and value.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "encode/column_buffers.h"
#include "encode/column_decoder.h"
#include "encode/variant_encoder.h"

namespace firn::encode {

class VariantColumn final : public ColumnDecoder {
 public:
  VariantColumn(ColumnContext context, std::shared_ptr<arrow::DataType> type)
      : unrepresentable_(std::move(context)), type_(std::move(type)) {}

  Status Decode(std::span<const WireValue> values) override;
  size_t bytes() const override;
  ReplacedValues TakeReplaced() override { return unrepresentable_.Take(); }
  Result<std::shared_ptr<arrow::Array>> Finish() override;
  void Reset() override;

 private:
  /// A child of the struct, without nulls: what lies below a null variant is empty.
  struct Binaries {
    arrow::TypedBufferBuilder<int32_t> offsets;
    arrow::BufferBuilder data;

    Status Append(std::string_view value, const ColumnContext& context);
    Result<std::shared_ptr<arrow::ArrayData>> Finish(const std::shared_ptr<arrow::DataType>& type, int64_t length);
  };

  UnrepresentableValues unrepresentable_;
  const std::shared_ptr<arrow::DataType> type_;
  VariantEncoder encoder_;
  Binaries metadata_;
  Binaries values_;
  Validity validity_;
  std::vector<uint8_t> valid_;  // of one Decode
};

}  // namespace firn::encode
