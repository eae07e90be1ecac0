#include "http/aws_signature.h"

#include <fmt/chrono.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>
#include <map>

#include "base/try.h"
#include "http/percent_encoding.h"

namespace firn::http {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

std::string HmacSha256(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), digest.data(), &size);
  return std::string(reinterpret_cast<const char*>(digest.data()), size);
}

/// "/a/../b//c" as "/b/c", which is what AWS checks for every service but S3.
std::string RemoveDotSegments(std::string_view path) {
  std::vector<std::string_view> kept;
  for (size_t from = 0; from <= path.size();) {
    const size_t to = std::min(path.find('/', from), path.size());
    const std::string_view segment = path.substr(from, to - from);
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (!segment.empty() && segment != ".") {
      kept.push_back(segment);
    }
    from = to + 1;
  }
  std::string normal;
  for (const std::string_view segment : kept) (normal += '/') += segment;
  if (normal.empty() || path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..")) normal += '/';
  return normal;
}

std::string CanonicalPath(std::string_view path, std::string_view service) {
  if (path.empty()) return "/";
  if (service == "s3") return std::string(path);
  // The path is encoded already, and the signature is of that encoded once more.
  std::string canonical;
  for (const char c : RemoveDotSegments(path)) {
    canonical += c == '/' ? std::string(1, c) : PercentEncode(std::string_view(&c, 1));
  }
  return canonical;
}

/// The parameters sorted by their encoded names, then values; each name with a '='.
std::string CanonicalQuery(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  for (size_t from = 0; from < query.size();) {
    const size_t to = std::min(query.find('&', from), query.size());
    const std::string_view parameter = query.substr(from, to - from);
    if (!parameter.empty()) {
      const size_t equals = std::min(parameter.find('='), parameter.size());
      const std::string_view value = parameter.substr(std::min(equals + 1, parameter.size()));
      parameters.emplace_back(PercentEncode(PercentDecode(parameter.substr(0, equals))),
                              PercentEncode(PercentDecode(value)));
    }
    from = to + 1;
  }
  std::ranges::sort(parameters);
  std::string canonical;
  for (const auto& [name, value] : parameters) {
    if (!canonical.empty()) canonical += '&';
    canonical += name + "=" + value;
  }
  return canonical;
}

/// Without space around it, and runs of spaces as one.
std::string TrimmedValue(std::string_view value) {
  std::string trimmed;
  for (const char c : value) {
    if (c == ' ' && (trimmed.empty() || trimmed.back() == ' ')) continue;
    trimmed += c;
  }
  if (trimmed.ends_with(' ')) trimmed.pop_back();
  return trimmed;
}

}  // namespace

std::string Sha256Hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return Hex(std::string_view(reinterpret_cast<const char*>(digest.data()), size));
}

Result<HttpHeaders> SignWithAwsV4(std::string_view method, std::string_view url, const HttpHeaders& headers,
                                  std::string_view body_sha256, const AwsSigning& signing, int64_t unix_seconds) {
  if (signing.credentials.access_key_id.empty() || signing.credentials.secret_access_key.empty() ||
      signing.region.empty() || signing.service.empty()) {
    return MakeError(ErrorKind::kInvalidConfig,
                     "a request to AWS can't be signed: give an access key, its secret, a region and a service");
  }
  const UrlParts parts = SplitUrl(url);
  const std::string time = fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(static_cast<std::time_t>(unix_seconds)));
  const std::string date = time.substr(0, 8);
  HttpHeaders added = {{"X-Amz-Date", time}};
  if (!signing.credentials.session_token.empty()) {
    added.emplace_back("X-Amz-Security-Token", signing.credentials.session_token);
  }

  std::map<std::string, std::string> by_name;
  const auto sign_header = [&](std::string_view name, std::string_view value) {
    std::string lower(name);
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    std::string& signed_value = by_name[lower];
    if (!signed_value.empty()) signed_value += ',';
    signed_value += TrimmedValue(value);
  };
  sign_header("host", parts.host);
  for (const HttpHeaders* some : {&headers, static_cast<const HttpHeaders*>(&added)}) {
    for (const auto& [name, value] : *some) sign_header(name, value);
  }
  std::string header_lines;
  std::string names;
  for (const auto& [name, value] : by_name) {
    header_lines += name + ":" + value + "\n";
    names += (names.empty() ? "" : ";") + name;
  }

  const std::string request = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", method, CanonicalPath(parts.path, signing.service),
                                          CanonicalQuery(parts.query), header_lines, names, body_sha256);
  const std::string scope = fmt::format("{}/{}/{}/aws4_request", date, signing.region, signing.service);
  const std::string to_sign = fmt::format("{}\n{}\n{}\n{}", kAlgorithm, time, scope, Sha256Hex(request));
  std::string key = HmacSha256("AWS4" + signing.credentials.secret_access_key, date);
  for (const std::string_view part :
       {std::string_view(signing.region), std::string_view(signing.service), std::string_view("aws4_request")}) {
    key = HmacSha256(key, part);
  }
  added.emplace_back("Authorization",
                     fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm,
                                 signing.credentials.access_key_id, scope, names, Hex(HmacSha256(key, to_sign))));
  return added;
}

}  // namespace firn::http
