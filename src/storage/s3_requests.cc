#include "storage/s3_requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "storage/ca_certificates.h"
#include "storage/option_reader.h"
#include "storage/s3_address.h"
#include "storage/store_error.h"

namespace firn::storage {
namespace {

/// A request may take as long as it likes while bytes flow.
constexpr std::chrono::seconds kStallTimeout{60};
constexpr std::chrono::hours kRequestTimeout{1};

bool IsDone(const http::HttpResponse& answer) {
  // S3 begins to answer the end of an upload before it knows how that went.
  return answer.status < 300 && answer.body.find("<Error>") == answer.body.npos;
}

bool MayPass(const http::HttpResponse& answer) {
  return answer.status >= 500 || answer.status == 429 || answer.status == 408 || answer.status < 300;
}

}  // namespace

std::string_view ElementText(std::string_view xml, std::string_view name) {
  const std::string begin = fmt::format("<{}>", name);
  const size_t from = xml.find(begin);
  if (from == xml.npos) return {};
  const std::string_view rest = xml.substr(from + begin.size());
  return rest.substr(0, std::min(rest.find('<'), rest.size()));
}

std::shared_ptr<http::HttpClient> MakeS3Client(const StoreOptions& configured) {
  const auto ca_file = configured.find("ca_file");
  return std::make_shared<http::HttpClient>(
      http::HttpClientOptions{.user_agent = "firn",
                              .request_timeout = kRequestTimeout,
                              .stall_timeout = kStallTimeout,
                              .ca_file = ca_file == configured.end() ? SystemCaFile() : ca_file->second,
                              .ca_file_key = "storage.s3.ca_file",
                              .origin = ErrorOrigin::kStorage});
}

S3Requests::S3Requests(StoreLocation where, S3Access access)
    : where_(std::move(where)), location_(where_.root + where_.key), access_(std::move(access)) {}

Result<http::HttpResponse> S3Requests::Send(std::string_view method, std::string_view query, std::string body) const {
  http::HttpRequest request{.method = std::string(method), .body = std::move(body)};
  for (int retry = 0;; ++retry) {
    auto answer = SendRenewed(request, query);
    if (answer.has_value() && IsDone(*answer)) return answer;
    const bool may_pass = answer.has_value() ? MayPass(*answer) : answer.error().kind() == ErrorKind::kTransient;
    Error error = answer.has_value() ? Refusal(*answer) : std::move(answer).error();
    if (!may_pass || access_.retrier == nullptr || !access_.retrier->WaitBefore(retry, "store_request", "S3", error)) {
      return error;
    }
  }
}

Result<http::HttpResponse> S3Requests::SendRenewed(http::HttpRequest& request, std::string_view query) const {
  const auto current = [&] { return access_.vended->For(location_).Context("asking for its credentials"); };
  TRY(const StoreOptions vended, current());
  TRY(http::HttpResponse answer, SendWith(vended, request, query));
  if (IsDone(answer) || !AreCredentialsRefused(Refusal(answer))) return answer;
  (void)access_.vended->Refused(vended);
  TRY(const StoreOptions fresh, current());
  if (fresh != vended) {
    TRY(answer, SendWith(fresh, request, query));
    if (IsDone(answer) || !AreCredentialsRefused(Refusal(answer))) return answer;
  }
  return access_.vended->Judge(Refusal(answer), fresh);
}

Result<http::HttpResponse> S3Requests::SendWith(const StoreOptions& vended, http::HttpRequest& request,
                                                std::string_view query) const {
  const StoreOptions options = LayOver(access_.configured, vended);
  OptionReader read("s3", options);
  TRY(S3Address address, ReadS3Address(read));
  TRY(address, WithRegion(std::move(address), where_));
  if (address.region.empty()) address.region = "us-east-1";  // As the AWS SDK has it.
  request.url = S3Url(address, where_);
  if (!query.empty()) request.url.append("?").append(query);
  request.signing = http::AwsSigning{.credentials = {.access_key_id = read.Text("access_key_id"),
                                                     .secret_access_key = read.Text("secret_access_key"),
                                                     .session_token = read.Text("session_token")},
                                     .region = address.region,
                                     .service = "s3"};
  auto answer = access_.client->Send(request);
  if (answer.has_value() || answer.error().kind() != ErrorKind::kCommitUnknown) return answer;
  return std::move(answer).error().WithKind(ErrorKind::kTransient);  // It may be sent again.
}

Error S3Requests::Refusal(const http::HttpResponse& answer) const {
  const std::string status = fmt::format("{}", answer.status);
  const std::string_view code = ElementText(answer.body, "Code");
  Error error = ToStoreError(
      S3Refusal{.code = code.empty() ? std::string_view(status) : code, .message = ElementText(answer.body, "Message")},
      StoreAction::kWrite, where_);
  return std::move(error).WithRetryAfter(answer.RetryAfter().value_or(std::chrono::milliseconds(0)));
}

}  // namespace firn::storage
