#include "encode/variant_encoder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "encode/text_pieces.h"
#include "encode/wire_numeric.h"

namespace firn::encode {
namespace {

/// For its parser: with doubles it would refuse numbers that only a decimal holds.
using Json = nlohmann::basic_json<std::map, std::vector, std::string, bool, int64_t, uint64_t, long double>;

// VariantEncoding.md, "Encoding types": basic types in the lower two bits of a value's header.
constexpr uint8_t kPrimitive = 0, kShortString = 1, kObject = 2, kArray = 3;
// Types of a primitive, in the other six.
constexpr uint8_t kNull = 0, kTrue = 1, kFalse = 2, kInt8 = 3, kInt16 = 4, kInt32 = 5, kInt64 = 6, kDouble = 7,
                  kDecimal4 = 8, kDecimal8 = 9, kDecimal16 = 10, kLongString = 16;
constexpr size_t kMaxShortString = 63;
constexpr uint8_t kMetadataVersion = 1;
constexpr size_t kMaxSmallCount = 255;  ///< More elements, or members: their number takes 4 bytes.
constexpr int kMaxDecimalDigits = 38;
constexpr size_t kMaxDepth = 500;  ///< Arrays and objects within each other.

constexpr uint8_t HeaderOf(uint8_t basic_type, unsigned rest) { return static_cast<uint8_t>(rest << 2 | basic_type); }

template <typename Integer>
void PutLittleEndian(Integer number, std::string& out, size_t size = sizeof(Integer)) {
  for (size_t i = 0; i < size; ++i) {
    out.push_back(static_cast<char>(number & 0xFF));
    number >>= 8;
  }
}

/// The bytes, 1 to 4, that hold every number up to this one.
size_t BytesFor(size_t number) {
  if (number <= 0xFF) return 1;
  if (number <= 0xFFFF) return 2;
  return number <= 0xFF'FFFF ? 3 : 4;
}

/// A JSON number as ± digits × 10^exponent, without zeros at the front.
struct Number {
  bool negative = false;
  std::string digits;
  int64_t exponent = 0;
};

bool ParseNumber(std::string_view token, Number& number) {
  size_t at = 0;
  number.negative = token.starts_with('-');
  if (number.negative) ++at;
  const size_t begin = at;
  for (; at < token.size() && IsDigit(token[at]); ++at) number.digits += token[at];
  if (at == begin) return false;
  if (at < token.size() && token[at] == '.') {
    const size_t point = ++at;
    for (; at < token.size() && IsDigit(token[at]); ++at) number.digits += token[at];
    if (at == point) return false;
    number.exponent = -static_cast<int64_t>(at - point);
  }
  if (at < token.size() && (token[at] == 'e' || token[at] == 'E')) {
    ++at;
    if (at < token.size() && token[at] == '+') ++at;
    int32_t exponent = 0;
    const auto [stop, error] = std::from_chars(token.data() + at, token.data() + token.size(), exponent);
    if (error != std::errc()) return false;
    at = static_cast<size_t>(stop - token.data());
    number.exponent += exponent;
  }
  number.digits.erase(0, std::min(number.digits.find_first_not_of('0'), number.digits.size()));
  return at == token.size();
}

/// Whether the shortest text of `value`, which only it reads back from, says just this number. `number`: not negative.
bool IsExactly(double value, std::string_view digits, int64_t exponent) {
  const size_t zeros = digits.size() - (digits.find_last_not_of('0') + 1);
  digits.remove_suffix(zeros);
  std::array<char, 32> buffer;
  const char* const end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific).ptr;
  Number shortest;
  if (!ParseNumber({buffer.data(), static_cast<size_t>(end - buffer.data())}, shortest)) return false;
  const size_t shortest_zeros = shortest.digits.size() - (shortest.digits.find_last_not_of('0') + 1);
  shortest.digits.resize(shortest.digits.size() - shortest_zeros);
  return shortest.digits == digits &&
         shortest.exponent + static_cast<int64_t>(shortest_zeros) == exponent + static_cast<int64_t>(zeros);
}

/// The double next to `token`, and never an infinity.
double NearestDouble(std::string_view token, const Number& number) {
  double value = 0;
  const auto [stop, error] = std::from_chars(token.data(), token.data() + token.size(), value);
  if (error == std::errc()) return value;
  const bool large = static_cast<int64_t>(number.digits.size()) + number.exponent > 0;
  value = large ? std::numeric_limits<double>::max() : 0;
  return number.negative ? -value : value;
}

}  // namespace

class VariantEncoder::Handler : public nlohmann::json_sax<Json> {
 public:
  explicit Handler(VariantEncoder& encoder) : encoder_(encoder) {}

  Fault fault() const { return fault_; }

  bool null() override { return Constant(kNull); }
  bool boolean(bool value) override { return Constant(value ? kTrue : kFalse); }
  bool number_integer(int64_t value) override { return Number(std::to_string(value)); }
  bool number_unsigned(uint64_t value) override { return Number(std::to_string(value)); }
  bool number_float(long double, const std::string& token) override { return Number(token); }
  bool string(std::string& text) override {
    Begin();
    encoder_.PutString(text);
    return End();
  }
  bool binary(Json::binary_t&) override { return false; }  // JSON has none
  bool start_object(size_t) override { return Open(); }
  bool start_array(size_t) override { return Open(); }
  bool key(std::string& name) override {
    Container& object = open_.back();
    object.parts.push_back({.id = encoder_.IdOf(name), .begin = encoder_.value_.size() - object.begin});
    has_key_ = true;
    return true;
  }
  bool end_object() override {
    encoder_.FinishObject(open_.back());
    return Close();
  }
  bool end_array() override {
    encoder_.FinishArray(open_.back());
    return Close();
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& error) override {
    constexpr int kNumberOverflow = 406;
    const bool is_half = std::string_view(error.what()).find("surrogate") != std::string_view::npos;
    fault_ = error.id == kNumberOverflow ? Fault::kInexactNumber : is_half ? Fault::kNotUnicode : Fault::kMalformed;
    return false;
  }

 private:
  /// A value begins: of an array the next element, of an object the member that its key began.
  void Begin() {
    if (!open_.empty() && !has_key_)
      open_.back().parts.push_back({.begin = encoder_.value_.size() - open_.back().begin});
    has_key_ = false;
  }
  bool End() {
    if (!open_.empty()) open_.back().parts.back().end = encoder_.value_.size() - open_.back().begin;
    return true;
  }
  bool Constant(uint8_t type) {
    Begin();
    encoder_.value_.push_back(static_cast<char>(HeaderOf(kPrimitive, type)));
    return End();
  }
  bool Number(std::string_view token) {
    Begin();
    fault_ = encoder_.PutNumber(token);
    return fault_ == Fault::kNone && End();
  }
  bool Open() {
    if (open_.size() == kMaxDepth) {
      fault_ = Fault::kTooDeep;
      return false;
    }
    Begin();
    open_.push_back({.begin = encoder_.value_.size()});
    return true;
  }
  bool Close() {
    open_.pop_back();
    return End();
  }

  VariantEncoder& encoder_;
  std::vector<Container> open_;
  bool has_key_ = false;
  Fault fault_ = Fault::kNone;
};

Fault VariantEncoder::Encode(std::string_view json, InexactNumbers inexact, int64_t& replaced) {
  metadata_.clear();
  value_.clear();
  names_.clear();
  ids_.clear();
  inexact_ = inexact;
  replaced_ = 0;
  Handler handler(*this);
  if (!Json::sax_parse(json.begin(), json.end(), &handler)) {
    value_.clear();
    return handler.fault() == Fault::kNone ? Fault::kMalformed : handler.fault();
  }
  FinishMetadata();
  replaced += replaced_;
  return Fault::kNone;
}

void VariantEncoder::FinishObject(Container& object) {
  std::vector<Part>& members = object.parts;
  const auto by_name = [this](const Part& a, const Part& b) { return names_[a.id] < names_[b.id]; };
  std::ranges::stable_sort(members, by_name);
  DropRepeatedNames(members, object.begin);
  const size_t size = value_.size() - object.begin;
  const size_t offset_bytes = BytesFor(size);
  const size_t id_bytes = BytesFor(names_.empty() ? 0 : names_.size() - 1);
  const bool large = members.size() > kMaxSmallCount;
  std::string head;
  head.push_back(static_cast<char>(
      HeaderOf(kObject, static_cast<unsigned>(large << 4 | (id_bytes - 1) << 2 | (offset_bytes - 1)))));
  PutLittleEndian(members.size(), head, large ? 4 : 1);
  for (const Part& member : members) PutLittleEndian(member.id, head, id_bytes);
  for (const Part& member : members) PutLittleEndian(member.begin, head, offset_bytes);
  PutLittleEndian(size, head, offset_bytes);
  value_.insert(object.begin, head);
}

void VariantEncoder::FinishArray(const Container& array) {
  const size_t size = value_.size() - array.begin;
  const size_t offset_bytes = BytesFor(size);
  const bool large = array.parts.size() > kMaxSmallCount;
  std::string head;
  head.push_back(static_cast<char>(HeaderOf(kArray, static_cast<unsigned>(large << 2 | (offset_bytes - 1)))));
  PutLittleEndian(array.parts.size(), head, large ? 4 : 1);
  for (const Part& element : array.parts) PutLittleEndian(element.begin, head, offset_bytes);
  PutLittleEndian(size, head, offset_bytes);
  value_.insert(array.begin, head);
}

/// Of members with one name the last stays; what lies in value_ is then only what is left. `members` are by name.
void VariantEncoder::DropRepeatedNames(std::vector<Part>& members, size_t begin) {
  std::vector<Part> kept;
  for (const Part& member : members) {
    if (!kept.empty() && kept.back().id == member.id) {
      kept.back() = member;
    } else {
      kept.push_back(member);
    }
  }
  if (kept.size() == members.size()) return;
  std::string values;
  for (Part& member : kept) {
    const size_t moved = values.size();
    values.append(value_, begin + member.begin, member.end - member.begin);
    member = {.id = member.id, .begin = moved, .end = values.size()};
  }
  value_.replace(begin, std::string::npos, values);
  members = std::move(kept);
}

void VariantEncoder::PutString(std::string_view text) {
  if (text.size() <= kMaxShortString) {
    value_.push_back(static_cast<char>(HeaderOf(kShortString, static_cast<unsigned>(text.size()))));
  } else {
    value_.push_back(static_cast<char>(HeaderOf(kPrimitive, kLongString)));
    PutLittleEndian(static_cast<uint32_t>(text.size()), value_);
  }
  value_.append(text);
}

Fault VariantEncoder::PutNumber(std::string_view token) {
  Number number;
  if (!ParseNumber(token, number)) return Fault::kMalformed;
  std::string digits = number.digits;
  int64_t exponent = number.exponent;
  // More digits than a decimal has, but only zeros: 1.000…0
  const auto too_fine = [&] { return exponent < -kMaxDecimalDigits || digits.size() > kMaxDecimalDigits; };
  while (exponent < 0 && too_fine() && digits.ends_with('0')) {
    digits.pop_back();
    ++exponent;
  }
  if (digits.empty()) exponent = std::max<int64_t>(exponent, -kMaxDecimalDigits);
  if (exponent > 0 && static_cast<int64_t>(digits.size()) + exponent <= kMaxDecimalDigits) {
    if (!digits.empty()) digits.append(static_cast<size_t>(exponent), '0');
    exponent = 0;
  }
  if (digits.empty()) exponent = std::min<int64_t>(exponent, 0);
  if (digits.size() <= kMaxDecimalDigits && exponent <= 0 && exponent >= -kMaxDecimalDigits) {
    PutDecimal(digits, number.negative, static_cast<int>(-exponent));
    return Fault::kNone;
  }
  const double nearest = NearestDouble(token, number);
  if (!IsExactly(std::abs(nearest), number.digits, number.exponent)) {
    if (inexact_ == InexactNumbers::kRefuse) return Fault::kInexactNumber;
    ++replaced_;
  }
  PutDouble(nearest);
  return Fault::kNone;
}

void VariantEncoder::PutDecimal(std::string_view digits, bool negative, int scale) {
  UInt128 magnitude = 0;
  for (const char c : digits) magnitude = magnitude * 10 + static_cast<unsigned>(c - '0');
  const Int128 value = negative ? -static_cast<Int128>(magnitude) : static_cast<Int128>(magnitude);
  const auto fits = [&]<typename Integer>(Integer) {
    return value >= std::numeric_limits<Integer>::min() && value <= std::numeric_limits<Integer>::max();
  };
  const auto put = [&](uint8_t type, size_t size) {
    value_.push_back(static_cast<char>(HeaderOf(kPrimitive, type)));
    if (type >= kDecimal4) value_.push_back(static_cast<char>(scale));
    PutLittleEndian(value, value_, size);
  };
  if (scale == 0 && fits(int64_t{})) {
    if (fits(int8_t{})) return put(kInt8, 1);
    if (fits(int16_t{})) return put(kInt16, 2);
    if (fits(int32_t{})) return put(kInt32, 4);
    return put(kInt64, 8);
  }
  // A decimal of 4 bytes has up to 9 digits, one of 8 bytes up to 18.
  if (digits.size() <= 9 && scale <= 9) return put(kDecimal4, 4);
  if (digits.size() <= 18 && scale <= 18) return put(kDecimal8, 8);
  put(kDecimal16, 16);
}

void VariantEncoder::PutDouble(double number) {
  value_.push_back(static_cast<char>(HeaderOf(kPrimitive, kDouble)));
  PutLittleEndian(std::bit_cast<uint64_t>(number), value_);
}

uint32_t VariantEncoder::IdOf(std::string_view name) {
  const auto found = ids_.find(name);
  if (found != ids_.end()) return found->second;
  const auto id = static_cast<uint32_t>(names_.size());
  names_.push_back(ids_.emplace(name, id).first->first);
  return id;
}

void VariantEncoder::FinishMetadata() {
  size_t bytes = 0;
  for (const std::string_view name : names_) bytes += name.size();
  const size_t offset_bytes = BytesFor(std::max(bytes, names_.size()));
  metadata_.push_back(static_cast<char>(kMetadataVersion | (offset_bytes - 1) << 6));
  PutLittleEndian(names_.size(), metadata_, offset_bytes);
  size_t offset = 0;
  for (const std::string_view name : names_) {
    PutLittleEndian(offset, metadata_, offset_bytes);
    offset += name.size();
  }
  PutLittleEndian(offset, metadata_, offset_bytes);
  for (const std::string_view name : names_) metadata_.append(name);
}

}  // namespace firn::encode
