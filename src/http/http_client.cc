#include "http/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <ctime>
#include <mutex>
#include <utility>
#include <vector>

#include "base/trim.h"
#include "base/try.h"
#include "base/unix_time.h"

namespace firn::http {
namespace {

constexpr std::chrono::hours kRetryAfterMax{1};
constexpr size_t kIdleHandlesMax = 16;

struct CloseHandle {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using CurlHandle = std::unique_ptr<CURL, CloseHandle>;
using CurlList = std::unique_ptr<curl_slist, CloseHandle>;

bool SameName(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

/// What libcurl's callbacks fill while a request runs.
struct Exchange {
  const size_t bytes_max;
  const bool may_be_sent_again;
  int times_sent = 0;
  bool too_large = false;
  HttpResponse response;
};

/// Called when a connection stands, before the request goes out on it. libcurl sends a request again, by itself, when
/// a kept connection breaks before the first byte of the answer; by then the server may have done what was asked.
int BeforeRequest(void* user_data, char*, char*, int, int) {
  auto& exchange = *static_cast<Exchange*>(user_data);
  ++exchange.times_sent;
  return exchange.times_sent > 1 && !exchange.may_be_sent_again ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

size_t TakeHeader(char* data, size_t size, size_t count, void* user_data) {
  auto& exchange = *static_cast<Exchange*>(user_data);
  const std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) {
    // A new answer: of a proxy before, or "100 Continue".
    exchange.response.headers.clear();
  } else if (const size_t colon = line.find(':'); colon != line.npos) {
    exchange.response.headers.emplace_back(Trim(line.substr(0, colon)), Trim(line.substr(colon + 1)));
  }
  return line.size();
}

size_t TakeBody(char* data, size_t size, size_t count, void* user_data) {
  auto& exchange = *static_cast<Exchange*>(user_data);
  const size_t bytes = size * count;
  if (exchange.response.body.size() + bytes > exchange.bytes_max) {
    exchange.too_large = true;
    return 0;
  }
  exchange.response.body.append(data, bytes);
  return bytes;
}

Error ToError(CURLcode code, const Exchange& exchange, std::string_view detail, const HttpClientOptions& options) {
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return MakeError(ErrorKind::kInvalidConfig, options.origin, "this is no http or https URL: {}", detail);
    case CURLE_PEER_FAILED_VERIFICATION:
      return MakeError(ErrorKind::kInvalidConfig, options.origin,
                       "the server's certificate is not trusted ({}): name the authority's certificates in {}", detail,
                       options.ca_file_key);
    case CURLE_SSL_CACERT_BADFILE:
      return MakeError(ErrorKind::kInvalidConfig, options.origin, "the file of trusted certificates: {}", detail);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
      return MakeError(ErrorKind::kTransient, options.origin,
                       "{}; check that the server is up, its address in the configuration, and firewalls", detail);
    default:
      break;
  }
  if (exchange.too_large) {
    return MakeError(ErrorKind::kCommitUnknown, options.origin, "the answer is larger than {} bytes",
                     exchange.bytes_max);
  }
  const ErrorKind kind = exchange.times_sent > 0 ? ErrorKind::kCommitUnknown : ErrorKind::kTransient;
  if (exchange.times_sent > 1 && !exchange.may_be_sent_again) {
    return MakeError(kind, options.origin, "the connection was closed before an answer came");
  }
  return MakeError(kind, options.origin, "{}", detail);
}

}  // namespace

std::string_view HttpResponse::Header(std::string_view name) const {
  for (const auto& [header, value] : headers) {
    if (SameName(header, name)) return value;
  }
  return {};
}

std::optional<std::chrono::milliseconds> HttpResponse::RetryAfter() const {
  // RFC 9110, section 10.2.3: seconds, or a date.
  const std::string text(Header("Retry-After"));
  if (text.empty()) return std::nullopt;
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc::result_out_of_range) return kRetryAfterMax;
  if (error != std::errc() || end != text.data() + text.size()) {
    const std::time_t date = curl_getdate(text.c_str(), nullptr);
    if (date == -1) return std::nullopt;
    seconds = static_cast<int64_t>(date) - UnixMillisNow() / 1000;
  }
  const int64_t max = std::chrono::duration_cast<std::chrono::seconds>(kRetryAfterMax).count();
  return std::chrono::seconds(std::clamp<int64_t>(seconds, 0, max));
}

/// Idle handles, each with its open connections. A handle is one request's at a time.
struct HttpClient::Impl {
  explicit Impl(HttpClientOptions o) : options(std::move(o)) {}

  CurlHandle TakeHandle() {
    std::lock_guard lock(mutex);
    if (idle.empty()) return CurlHandle(curl_easy_init());
    CurlHandle handle = std::move(idle.back());
    idle.pop_back();
    return handle;
  }

  void GiveBack(CurlHandle handle) {
    curl_easy_reset(handle.get());  // Keeps its connections.
    std::lock_guard lock(mutex);
    if (idle.size() < kIdleHandlesMax) idle.push_back(std::move(handle));
  }

  const HttpClientOptions options;
  std::mutex mutex;
  std::vector<CurlHandle> idle;
};

HttpClient::HttpClient(HttpClientOptions options) {
  curl_global_init(CURL_GLOBAL_DEFAULT);  // Counted and thread-safe.
  impl_ = std::make_unique<Impl>(std::move(options));
}

HttpClient::~HttpClient() {
  impl_.reset();
  curl_global_cleanup();
}

Result<HttpResponse> HttpClient::Send(const HttpRequest& request) {
  const UrlParts url = SplitUrl(request.url);
  const std::string what = fmt::format("{} {}{}", request.method, url.host, url.path);

  HttpHeaders headers = request.headers;
  if (request.signing) {
    const std::string hash = Sha256Hex(request.body);
    headers.emplace_back("X-Amz-Content-Sha256", hash);
    TRY(HttpHeaders added,
        SignWithAwsV4(request.method, request.url, headers, hash, *request.signing, UnixMillisNow() / 1000)
            .Context("{}", what));
    headers.insert(headers.end(), added.begin(), added.end());
  }
  CurlList lines;
  const auto add_line = [&](const std::string& line) {
    lines.reset(curl_slist_append(lines.release(), line.c_str()));  // NOLINT(bugprone-unused-return-value)
  };
  bool has_type = false;
  for (const auto& [name, value] : headers) {
    if ((name + value).find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      return MakeError(ErrorKind::kInvalidConfig, impl_->options.origin, "{}: the header \"{}\" has a line break", what,
                       name.substr(0, name.find_first_of("\r\n")));
    }
    has_type = has_type || SameName(name, "Content-Type");
    // libcurl takes "Name:" as one to leave out, and "Name;" as an empty one.
    add_line(value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
  }
  add_line("Expect:");
  if (!has_type) add_line("Content-Type:");

  CurlHandle handle = impl_->TakeHandle();
  if (handle == nullptr || lines == nullptr) {
    return MakeError(ErrorKind::kInternal, "{}: no memory for a request", what);
  }
  CURL* curl = handle.get();
  const HttpClientOptions& options = impl_->options;
  const bool reads = request.method == "GET" || request.method == "HEAD";
  Exchange exchange{.bytes_max = options.response_bytes_max, .may_be_sent_again = reads, .response = {}};
  std::string detail(CURL_ERROR_SIZE, '\0');
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail.data());
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  // One request a connection at a time: what became of it is then plain.
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);  // What is signed is what is sent.
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  if (request.method == "HEAD") {
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  } else if (request.method != "GET" || !request.body.empty()) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
  }
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, lines.get());
  curl_easy_setopt(curl, CURLOPT_USERAGENT, options.user_agent.c_str());
  curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(options.request_timeout.count()));
  if (options.stall_timeout.count() > 0) {
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stall_timeout.count()));
  }
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
  if (!options.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, options.ca_file.c_str());
  curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, &BeforeRequest);
  curl_easy_setopt(curl, CURLOPT_PREREQDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &TakeHeader);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &TakeBody);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);

  const CURLcode code = curl_easy_perform(curl);
  if (code != CURLE_OK) {
    detail.resize(detail.find('\0'));
    if (detail.empty()) detail = curl_easy_strerror(code);
    return ToError(code, exchange, detail, options)
        .WithContext(what);  // The handle goes: its connection is of no more use.
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  exchange.response.status = static_cast<int>(status);
  impl_->GiveBack(std::move(handle));
  return std::move(exchange.response);
}

}  // namespace firn::http
