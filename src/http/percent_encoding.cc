#include "http/percent_encoding.h"

#include <algorithm>
#include <charconv>

namespace firn::http {
namespace {

bool IsUnreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

}  // namespace

std::string PercentEncode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (IsUnreserved(c)) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += '%';
    encoded += kDigits[byte >> 4];
    encoded += kDigits[byte & 15];
  }
  return encoded;
}

std::string PercentDecode(std::string_view encoded) {
  std::string text;
  text.reserve(encoded.size());
  for (size_t i = 0; i < encoded.size(); ++i) {
    unsigned byte = 0;
    const std::string_view digits = encoded.substr(std::min(i + 1, encoded.size()), 2);
    if (encoded[i] == '%' && digits.size() == 2 &&
        std::from_chars(digits.data(), digits.data() + 2, byte, 16).ptr == digits.data() + 2) {
      text += static_cast<char>(byte);
      i += 2;
    } else {
      text += encoded[i];
    }
  }
  return text;
}

UrlParts SplitUrl(std::string_view url) {
  UrlParts parts;
  url = url.substr(0, url.find('#'));
  if (const size_t end = url.find("://"); end != url.npos) {
    parts.scheme = url.substr(0, end);
    url.remove_prefix(end + 3);
  }
  if (const size_t question = url.find('?'); question != url.npos) {
    parts.query = url.substr(question + 1);
    url = url.substr(0, question);
  }
  const size_t slash = std::min(url.find('/'), url.size());
  parts.path = url.substr(slash);
  parts.host = url.substr(0, slash);
  if (const size_t at = parts.host.rfind('@'); at != parts.host.npos) parts.host.remove_prefix(at + 1);
  return parts;
}

}  // namespace firn::http
