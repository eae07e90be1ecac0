#include "observe/redact.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace firn {
namespace {

constexpr std::string_view kMask = "***";
constexpr std::array<std::string_view, 12> kSecretParameters = {
    "password",      "passwd",     "pwd",          "sslpassword", "secret",  "secret_access_key",
    "client_secret", "credential", "access_token", "token",       "api_key", "session_token"};

bool IsSpace(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }
bool IsWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-'; }

/// The end of a URL that starts somewhere before `from`: white space or a double quote.
size_t EndOfUrl(std::string_view text, size_t from) {
  size_t end = from;
  while (end < text.size() && !IsSpace(text[end]) && text[end] != '"') ++end;
  return end;
}

/// user:password@ after "://": from the first ':' to the last '@' of the URL. A password may hold '@', '/' or ':' that
/// its owner forgot to percent-encode, so the last '@' is the safe end.
std::string RedactUserInfo(std::string_view text) {
  std::string out;
  size_t position = 0;
  while (true) {
    const size_t scheme_end = text.find("://", position);
    if (scheme_end == std::string_view::npos) break;
    const size_t start = scheme_end + 3;
    const size_t end = EndOfUrl(text, start);
    const std::string_view rest = text.substr(start, end - start);
    const size_t colon = rest.find_first_of(":@/?#");
    const size_t at = rest.rfind('@');
    if (colon != std::string_view::npos && rest[colon] == ':' && at != std::string_view::npos && at > colon) {
      out.append(text.substr(position, start + colon + 1 - position)).append(kMask);
      position = start + at;
    } else {
      out.append(text.substr(position, start - position));
      position = start;
    }
  }
  out.append(text.substr(position));
  return out;
}

/// Whether the word that ends right before `equals` names a secret. Spaces may stand before the '='.
bool NamesSecret(std::string_view text, size_t equals) {
  size_t end = equals;
  while (end > 0 && IsSpace(text[end - 1])) --end;
  size_t begin = end;
  while (begin > 0 && IsWord(text[begin - 1])) --begin;
  std::string word(text.substr(begin, end - begin));
  std::ranges::transform(word, word.begin(),
                         [](unsigned char c) { return c == '-' ? '_' : static_cast<char>(std::tolower(c)); });
  return std::ranges::find(kSecretParameters, word) != kSecretParameters.end();
}

/// The end of a parameter's value: the closing quote of a quoted one (libpq: backslash escapes), else a separator.
size_t EndOfValue(std::string_view text, size_t from) {
  if (from < text.size() && (text[from] == '\'' || text[from] == '"')) {
    const char quote = text[from];
    size_t end = from + 1;
    while (end < text.size() && text[end] != quote) end += text[end] == '\\' ? 2 : 1;
    return std::min(end + 1, text.size());
  }
  size_t end = from;
  while (end < text.size() && !IsSpace(text[end]) && text[end] != '&') ++end;
  return end;
}

std::string RedactParameters(std::string_view text) {
  std::string out;
  size_t position = 0;
  while (true) {
    const size_t equals = text.find('=', position);
    if (equals == std::string_view::npos) break;
    out.append(text.substr(position, equals + 1 - position));
    position = equals + 1;
    if (!NamesSecret(text, equals)) continue;
    while (position < text.size() && IsSpace(text[position])) ++position;
    position = EndOfValue(text, position);
    out.append(kMask);
  }
  out.append(text.substr(position));
  return out;
}

}  // namespace

std::string RedactSecrets(std::string_view text) { return RedactParameters(RedactUserInfo(text)); }

Error Redacted(const Error& error) {
  return Error(error.kind(), RedactSecrets(error.message()), error.origin(), error.native_code());
}

}  // namespace firn
