// The decode loops of columns of one value per slot: a template instance, and so a loop of its own, per codec.
#pragma once

#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "encode/column_buffers.h"
#include "encode/column_decoder.h"
#include "encode/wire_codecs.h"

namespace firn::encode {

/// Stored: the array's value type, which may be wider than the codec's.
template <typename WireCodec, typename Stored = typename WireCodec::Value>
class FixedWidthColumn final : public ColumnDecoder {
 public:
  FixedWidthColumn(ColumnContext context, std::shared_ptr<arrow::DataType> type, WireCodec codec = {})
      : unrepresentable_(std::move(context)), type_(std::move(type)), codec_(codec) {}

  Status Decode(std::span<const WireValue> values) override {
    const size_t count = values.size();
    TRY_VOID(storage::FromArrow(values_.Reserve(static_cast<int64_t>(count * sizeof(Stored))), "growing a column"));
    Stored* const out = values_.mutable_data_as<Stored>() + length_;
    valid_.resize(count);
    uint8_t* const valid = valid_.data();
    int64_t nulls = 0;
    for (size_t i = 0; i < count; ++i) {
      const WireValue& value = values[i];
      typename WireCodec::Value decoded{};
      Fault fault = Fault::kNone;
      if (value.format == WireFormat::kBinary) {
        fault = codec_.Binary(value.bytes(), decoded);
      } else if (value.format == WireFormat::kText) {
        fault = codec_.Text(value.bytes(), decoded);
      } else {
        out[i] = Stored{};
        valid[i] = 0;
        ++nulls;
        continue;
      }
      if (fault != Fault::kNone) [[unlikely]] {
        TRY_VOID(unrepresentable_.Accept(fault, value));
        typename WireCodec::Value nearest{};  // not `decoded`, which the loop keeps in a register
        if (!unrepresentable_.clamps() || !Clamp(codec_, fault, value, nearest)) {
          out[i] = Stored{};
          valid[i] = 0;
          ++nulls;
          continue;
        }
        decoded = nearest;
      }
      out[i] = static_cast<Stored>(decoded);
      valid[i] = 1;
    }
    values_.UnsafeAdvance(static_cast<int64_t>(count * sizeof(Stored)));
    length_ += count;
    return validity_.Append(valid_, nulls);
  }

  size_t bytes() const override {
    return static_cast<size_t>(values_.capacity()) + validity_.bytes() + valid_.capacity();
  }

  ReplacedValues TakeReplaced() override { return unrepresentable_.Take(); }

  Result<std::shared_ptr<arrow::Array>> Finish() override {
    const int64_t length = validity_.length();
    const int64_t nulls = validity_.nulls();
    TRY(auto valid, validity_.Finish());
    TRY(auto values, FinishValues());
    Reset();
    return MakeArray(type_, length, nulls, {std::move(valid), std::move(values)});
  }

  void Reset() override {
    (void)unrepresentable_.Take();
    values_.Reset();
    validity_.Reset();
    valid_ = std::vector<uint8_t>();
    length_ = 0;
  }

 private:
  Result<std::shared_ptr<arrow::Buffer>> FinishValues() {
    if constexpr (!std::is_same_v<WireCodec, BoolCodec>) {
      return storage::FromArrow(values_.Finish(), "finishing a column");
    } else {  // bytes until here, bits in the array
      arrow::TypedBufferBuilder<bool> bits;
      TRY_VOID(storage::FromArrow(bits.Append(values_.data(), static_cast<int64_t>(length_)), "finishing a column"));
      return storage::FromArrow(bits.Finish(), "finishing a column");
    }
  }

  UnrepresentableValues unrepresentable_;
  const std::shared_ptr<arrow::DataType> type_;
  const WireCodec codec_;
  arrow::BufferBuilder values_;
  size_t length_ = 0;
  Validity validity_;
  std::vector<uint8_t> valid_;  // of one Decode
};

template <typename WireCodec>
class VariableWidthColumn final : public ColumnDecoder {
 public:
  VariableWidthColumn(ColumnContext context, std::shared_ptr<arrow::DataType> type, WireCodec codec = {})
      : unrepresentable_(std::move(context)), type_(std::move(type)), codec_(codec) {}

  Status Decode(std::span<const WireValue> values) override {
    size_t bound = 0;
    for (const WireValue& value : values) bound += HasBytes(value) ? codec_.Bound(value) : 0;
    if (data_.length() + static_cast<int64_t>(bound) > kMaxArrayBytes) {
      return TooManyBytes(unrepresentable_.context());
    }
    const size_t count = values.size();
    TRY_VOID(storage::FromArrow(data_.Reserve(static_cast<int64_t>(bound)), "growing a column"));
    TRY_VOID(storage::FromArrow(offsets_.Reserve(static_cast<int64_t>(count) + 1), "growing a column"));
    if (offsets_.length() == 0) offsets_.UnsafeAppend(0);
    int32_t* const offsets = offsets_.mutable_data() + offsets_.length();
    valid_.resize(count);
    uint8_t* const valid = valid_.data();
    int64_t nulls = 0;
    char* const begin = data_.mutable_data_as<char>();
    char* out = begin + data_.length();
    for (size_t i = 0; i < count; ++i) {
      const WireValue& value = values[i];
      Fault fault = Fault::kNone;
      valid[i] = 1;
      if (value.format == WireFormat::kBinary) {
        fault = codec_.Binary(value.bytes(), out);
      } else if (value.format == WireFormat::kText) {
        fault = codec_.Text(value.bytes(), out);
      } else {
        valid[i] = 0;
        ++nulls;
      }
      if (fault != Fault::kNone) [[unlikely]]  // a string or binary holds every value: these bytes are none
        return unrepresentable_.ErrorOf(fault, value);
      offsets[i] = static_cast<int32_t>(out - begin);
    }
    data_.UnsafeAdvance(out - begin - data_.length());
    offsets_.UnsafeAdvance(static_cast<int64_t>(count));
    return validity_.Append(valid_, nulls);
  }

  size_t bytes() const override {
    return static_cast<size_t>(data_.capacity()) + static_cast<size_t>(offsets_.capacity()) * sizeof(int32_t) +
           validity_.bytes() + valid_.capacity();
  }

  ReplacedValues TakeReplaced() override { return unrepresentable_.Take(); }

  Result<std::shared_ptr<arrow::Array>> Finish() override {
    const int64_t length = validity_.length();
    const int64_t nulls = validity_.nulls();
    if (offsets_.length() == 0) TRY_VOID(storage::FromArrow(offsets_.Append(0), "finishing a column"));
    TRY(auto valid, validity_.Finish());
    TRY(auto offsets, storage::FromArrow(offsets_.Finish(), "finishing a column"));
    TRY(auto data, storage::FromArrow(data_.Finish(), "finishing a column"));
    Reset();
    return MakeArray(type_, length, nulls, {std::move(valid), std::move(offsets), std::move(data)});
  }

  void Reset() override {
    (void)unrepresentable_.Take();
    offsets_.Reset();
    data_.Reset();
    validity_.Reset();
    valid_ = std::vector<uint8_t>();
  }

 private:
  UnrepresentableValues unrepresentable_;
  const std::shared_ptr<arrow::DataType> type_;
  const WireCodec codec_;
  arrow::TypedBufferBuilder<int32_t> offsets_;
  arrow::BufferBuilder data_;
  Validity validity_;
  std::vector<uint8_t> valid_;  // of one Decode
};

}  // namespace firn::encode
