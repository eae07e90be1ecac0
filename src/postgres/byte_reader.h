// Reads PostgreSQL's network byte order from a message. Running out of bytes is remembered, not thrown: every later
// read gives zero or nothing, so a parser checks ok() once a message and stops its loops by it.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace firn::postgres {

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : begin_(bytes.data()), at_(begin_), end_(begin_ + bytes.size()) {}

  bool ok() const { return ok_; }
  size_t offset() const { return static_cast<size_t>(at_ - begin_); }
  size_t remaining() const { return static_cast<size_t>(end_ - at_); }

  uint8_t Byte() { return Number<uint8_t>(); }
  char Letter() { return static_cast<char>(Number<uint8_t>()); }
  int16_t Int16() { return static_cast<int16_t>(Number<uint16_t>()); }
  int32_t Int32() { return static_cast<int32_t>(Number<uint32_t>()); }
  int64_t Int64() { return static_cast<int64_t>(Number<uint64_t>()); }
  uint32_t Uint32() { return Number<uint32_t>(); }
  uint64_t Uint64() { return Number<uint64_t>(); }

  /// `size` bytes; a negative size fails.
  std::string_view Bytes(int64_t size) {
    if (size < 0 || static_cast<uint64_t>(size) > remaining()) return Fail(), std::string_view();
    const std::string_view bytes(at_, static_cast<size_t>(size));
    at_ += size;
    return bytes;
  }

  /// Up to a NUL byte, which is skipped.
  std::string_view CString() {
    const void* nul = remaining() == 0 ? nullptr : std::memchr(at_, '\0', remaining());
    if (nul == nullptr) return Fail(), std::string_view();
    const std::string_view text(at_, static_cast<size_t>(static_cast<const char*>(nul) - at_));
    at_ += text.size() + 1;
    return text;
  }

  /// For values that a parser refuses: stops at this offset.
  void Fail() { ok_ = false, end_ = at_; }

 private:
  template <typename T>
  T Number() {
    if (remaining() < sizeof(T)) [[unlikely]]
      return Fail(), T{0};
    T number;
    std::memcpy(&number, at_, sizeof(T));
    at_ += sizeof(T);
    if constexpr (sizeof(T) > 1 && std::endian::native == std::endian::little) number = std::byteswap(number);
    return number;
  }

  const char* begin_;
  const char* at_;
  const char* end_;
  bool ok_ = true;
};

}  // namespace firn::postgres
