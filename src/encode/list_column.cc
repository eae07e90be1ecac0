#include "encode/list_column.h"

#include <utility>

namespace firn::encode {

using storage::FromArrow;

Fault ListColumn::Split(const WireValue& value, LowerBounds bounds, char*& unescaped) {
  if (value.format == WireFormat::kBinary && !form_.is_text) {
    return SplitBinaryArray(value.bytes(), form_.element_oid, bounds, split_);
  }
  // A text begins with a brace or a bracket; array_send begins with a number below 7, whose first byte is zero.
  if (form_.is_text && value.bytes().starts_with('\0')) return Fault::kNoBinaryDecoder;
  return SplitTextArray(value.bytes(), form_.delimiter, bounds, unescaped, split_);
}

Status ListColumn::Decode(std::span<const WireValue> values) {
  size_t text_bytes = 0;
  for (const WireValue& value : values) {
    const bool is_text = value.format == WireFormat::kText || (form_.is_text && value.format == WireFormat::kBinary);
    text_bytes += is_text ? static_cast<size_t>(value.size) : 0;
  }
  if (unescaped_.size() < text_bytes) unescaped_.resize(text_bytes);
  char* unescaped = unescaped_.data();

  split_.clear();
  TRY_VOID(FromArrow(offsets_.Reserve(static_cast<int64_t>(values.size()) + 1), "growing a column"));
  if (offsets_.length() == 0) offsets_.UnsafeAppend(0);
  valid_.resize(values.size());
  int64_t nulls = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const WireValue& value = values[i];
    const size_t begin = split_.size();
    char* const unescaped_begin = unescaped;
    Fault fault = Fault::kNone;
    valid_[i] = HasBytes(value);
    if (valid_[i]) fault = Split(value, LowerBounds::kOne, unescaped);
    if (fault != Fault::kNone) [[unlikely]] {
      TRY_VOID(unrepresentable_.Accept(fault, value));
      split_.resize(begin);
      unescaped = unescaped_begin;
      // Where an array begins is let go. Of an array of arrays there is no nearest list.
      const bool clamped = unrepresentable_.clamps() && fault == Fault::kLowerBound;
      if (clamped) fault = Split(value, LowerBounds::kAny, unescaped);
      if (fault != Fault::kNone) split_.resize(begin);
      valid_[i] = clamped && fault == Fault::kNone;
    }
    nulls += valid_[i] == 0;
    const int64_t end = decoded_elements_ + static_cast<int64_t>(split_.size());
    if (end > kMaxArrayBytes) {
      return MakeError(ErrorKind::kUnsupported,
                       "table {}, column {}: one batch would hold more than 2^31 array elements of this column; lower "
                       "writer.memory_limit_bytes, so that batches are written earlier",
                       unrepresentable_.context().table, unrepresentable_.context().column);
    }
    offsets_.UnsafeAppend(static_cast<int32_t>(end));
  }
  TRY_VOID(elements_->Decode(split_));
  decoded_elements_ += static_cast<int64_t>(split_.size());
  return validity_.Append(valid_, nulls);
}

size_t ListColumn::bytes() const {
  return elements_->bytes() + static_cast<size_t>(offsets_.capacity()) * sizeof(int32_t) + validity_.bytes() +
         split_.capacity() * sizeof(WireValue) + unescaped_.capacity() + valid_.capacity();
}

ReplacedValues ListColumn::TakeReplaced() {
  ReplacedValues replaced = unrepresentable_.Take();
  replaced.Add(elements_->TakeReplaced());
  return replaced;
}

Result<std::shared_ptr<arrow::Array>> ListColumn::Finish() {
  const int64_t length = validity_.length();
  const int64_t nulls = validity_.nulls();
  if (offsets_.length() == 0) TRY_VOID(FromArrow(offsets_.Append(0), "finishing a column"));
  TRY(auto valid, validity_.Finish());
  TRY(auto offsets, FromArrow(offsets_.Finish(), "finishing a column"));
  TRY(auto elements, elements_->Finish());
  Reset();
  return MakeArray(type_, length, nulls, {std::move(valid), std::move(offsets)}, {elements->data()});
}

void ListColumn::Reset() {
  (void)unrepresentable_.Take();
  elements_->Reset();
  offsets_.Reset();
  validity_.Reset();
  valid_ = std::vector<uint8_t>();
  split_ = std::vector<WireValue>();
  unescaped_ = std::vector<char>();
  decoded_elements_ = 0;
}

}  // namespace firn::encode
