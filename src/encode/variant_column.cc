#include "encode/variant_column.h"

#include <utility>

namespace firn::encode {

using storage::FromArrow;

Status VariantColumn::Binaries::Append(std::string_view value, const ColumnContext& context) {
  const auto size = static_cast<int64_t>(value.size());
  if (data.length() + size > kMaxArrayBytes) return TooManyBytes(context);
  if (offsets.length() == 0) TRY_VOID(FromArrow(offsets.Append(0), "growing a column"));
  if (size > 0) TRY_VOID(FromArrow(data.Append(value.data(), size), "growing a column"));
  return FromArrow(offsets.Append(static_cast<int32_t>(data.length())), "growing a column");
}

Result<std::shared_ptr<arrow::ArrayData>> VariantColumn::Binaries::Finish(const std::shared_ptr<arrow::DataType>& type,
                                                                          int64_t length) {
  if (offsets.length() == 0) TRY_VOID(FromArrow(offsets.Append(0), "finishing a column"));
  TRY(auto finished_offsets, FromArrow(offsets.Finish(), "finishing a column"));
  TRY(auto finished_data, FromArrow(data.Finish(), "finishing a column"));
  return arrow::ArrayData::Make(type, length, {nullptr, std::move(finished_offsets), std::move(finished_data)}, 0);
}

Status VariantColumn::Decode(std::span<const WireValue> values) {
  const ColumnContext& context = unrepresentable_.context();
  const InexactNumbers inexact = unrepresentable_.clamps() ? InexactNumbers::kNearestDouble : InexactNumbers::kRefuse;
  valid_.assign(values.size(), 0);
  int64_t nulls = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const WireValue& value = values[i];
    if (HasBytes(value)) {
      std::string_view json = value.bytes();
      Fault fault = Fault::kNone;
      if (context.codec == Codec::kJsonb && value.format == WireFormat::kBinary) {
        // jsonb_send: a version byte, 1, before the text
        if (!json.starts_with('\1')) return unrepresentable_.ErrorOf(Fault::kMalformed, value);
        json.remove_prefix(1);
      }
      int64_t replaced = 0;
      fault = encoder_.Encode(json, inexact, replaced);
      unrepresentable_.Count(replaced, value);
      if (fault != Fault::kNone) TRY_VOID(unrepresentable_.Accept(fault, value));
      valid_[i] = fault == Fault::kNone;
    }
    nulls += valid_[i] == 0;
    TRY_VOID(metadata_.Append(valid_[i] ? encoder_.metadata() : std::string_view(), context));
    TRY_VOID(values_.Append(valid_[i] ? encoder_.value() : std::string_view(), context));
  }
  return validity_.Append(valid_, nulls);
}

size_t VariantColumn::bytes() const {
  const auto bytes_of = [](const Binaries& binaries) {
    return static_cast<size_t>(binaries.data.capacity()) +
           static_cast<size_t>(binaries.offsets.capacity()) * sizeof(int32_t);
  };
  return bytes_of(metadata_) + bytes_of(values_) + validity_.bytes() + valid_.capacity();
}

Result<std::shared_ptr<arrow::Array>> VariantColumn::Finish() {
  const int64_t length = validity_.length();
  const int64_t nulls = validity_.nulls();
  TRY(auto valid, validity_.Finish());
  TRY(auto metadata, metadata_.Finish(type_->field(0)->type(), length));
  TRY(auto values, values_.Finish(type_->field(1)->type(), length));
  Reset();
  return MakeArray(type_, length, nulls, {std::move(valid)}, {std::move(metadata), std::move(values)});
}

void VariantColumn::Reset() {
  (void)unrepresentable_.Take();
  for (Binaries* binaries : {&metadata_, &values_}) {
    binaries->offsets.Reset();
    binaries->data.Reset();
  }
  validity_.Reset();
  valid_ = std::vector<uint8_t>();
}

}  // namespace firn::encode
