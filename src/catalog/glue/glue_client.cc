#include "catalog/glue/glue_client.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/try.h"
#include "catalog/glue/glue_json.h"
#include "catalog/unknown_outcome.h"

namespace firn::catalog {
namespace {

using nlohmann::json;

struct CodeKind {
  std::string_view code;
  ErrorKind kind;
};

// What is not here goes by the HTTP status. An OperationTimeoutException is one of those: a write may have happened.
constexpr std::array kKinds = {
    CodeKind{"EntityNotFoundException", ErrorKind::kNotFound},
    CodeKind{"AlreadyExistsException", ErrorKind::kAlreadyExists},
    CodeKind{"ConcurrentModificationException", ErrorKind::kConflict},
    CodeKind{"VersionMismatchException", ErrorKind::kConflict},
    CodeKind{"ThrottlingException", ErrorKind::kTransient},
    CodeKind{"Throttling", ErrorKind::kTransient},
    CodeKind{"ThrottledException", ErrorKind::kTransient},
    CodeKind{"RequestThrottledException", ErrorKind::kTransient},
    CodeKind{"TooManyRequestsException", ErrorKind::kTransient},
    CodeKind{"RequestLimitExceeded", ErrorKind::kTransient},
    CodeKind{"ResourceNotReadyException", ErrorKind::kTransient},
    CodeKind{"FederationSourceRetryableException", ErrorKind::kTransient},
    CodeKind{"ExpiredTokenException", ErrorKind::kTransient},
    CodeKind{"AccessDeniedException", ErrorKind::kPermission},
    CodeKind{"GlueEncryptionException", ErrorKind::kPermission},
    CodeKind{"UnrecognizedClientException", ErrorKind::kPermission},
    CodeKind{"InvalidClientTokenId", ErrorKind::kPermission},
    CodeKind{"InvalidSignatureException", ErrorKind::kPermission},
    CodeKind{"IncompleteSignatureException", ErrorKind::kPermission},
    CodeKind{"MissingAuthenticationTokenException", ErrorKind::kPermission},
    CodeKind{"InvalidInputException", ErrorKind::kUnsupported},
    CodeKind{"ValidationException", ErrorKind::kUnsupported},
    CodeKind{"ResourceNumberLimitExceededException", ErrorKind::kUnsupported},
};

std::string UrlOf(const GlueClientOptions& options) {
  if (!options.endpoint.empty()) return options.endpoint.ends_with('/') ? options.endpoint : options.endpoint + "/";
  const std::string_view domain = options.region.starts_with("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  return fmt::format("https://glue.{}.{}/", options.region, domain);
}

std::string Remedy(std::string_view code, std::string_view action) {
  if (code == "AccessDeniedException") {
    return fmt::format("; allow glue:{} on the catalog, its databases and tables (docs/catalogs.md has the policy)",
                       action);
  }
  if (code == "ExpiredTokenException") return "; give firn new credentials, or let it take them from the AWS chain";
  if (code == "InvalidSignatureException") {
    return "; check the secret access key, catalog.region and this machine's clock";
  }
  if (code == "UnrecognizedClientException" || code == "InvalidClientTokenId") {
    return "; check the access key, and the session token that belongs to it";
  }
  if (code == "GlueEncryptionException") return "; allow the use of the catalog's KMS key";
  if (code == "ResourceNumberLimitExceededException")
    return "; ask AWS for a higher quota of Glue, or drop what is old";
  return "";
}

}  // namespace

GlueClient::GlueClient(GlueClientOptions options)
    : options_(std::move(options)), url_(UrlOf(options_)), http_(options_.http) {}

Result<json> GlueClient::Call(GlueCall kind, std::string_view action, json request) {
  if (!options_.catalog_id.empty()) request["CatalogId"] = options_.catalog_id;
  TRY(AwsCredentials credentials, options_.credentials());
  auto response = http_.Send(
      {.method = "POST",
       .url = url_,
       .headers = {{"Content-Type", "application/x-amz-json-1.1"}, {"X-Amz-Target", fmt::format("AWSGlue.{}", action)}},
       .body = request.dump(-1, ' ', false, json::error_handler_t::replace),
       .signing =
           http::AwsSigning{.credentials = std::move(credentials), .region = options_.region, .service = "glue"}});
  if (!response.has_value()) {
    const Error error = kind == GlueCall::kRead ? AsRepeatable(response.error()) : response.error();
    return Error(error.kind(), fmt::format("Glue {}: {}", action, error.message()), ErrorOrigin::kCatalog,
                 error.native_code());
  }
  if (response->status != 200) return ErrorOf(kind, action, *response);
  json answer = json::parse(response->body, nullptr, /*allow_exceptions=*/false);
  if (answer.is_object()) return answer;
  // A write was done all the same.
  if (kind == GlueCall::kWrite) return json::object();
  return MakeError(ErrorKind::kTransient, ErrorOrigin::kCatalog, "Glue {}: an answer that is no JSON object", action);
}

Error GlueClient::ErrorOf(GlueCall kind, std::string_view action, const http::HttpResponse& response) const {
  const json body = json::parse(response.body, nullptr, /*allow_exceptions=*/false);
  // "EntityNotFoundException", in some places "com.amazonaws.glue#EntityNotFoundException" or "…:http://…".
  std::string code = TextOf(body, "__type");
  if (code.empty()) code = response.Header("x-amzn-ErrorType");
  code = code.substr(0, code.find(':'));
  if (const size_t hash = code.rfind('#'); hash != std::string::npos) code.erase(0, hash + 1);
  std::string message = TextOf(body, "Message");
  if (message.empty()) message = TextOf(body, "message");

  const auto* known = std::ranges::find(kKinds, code, &CodeKind::code);
  ErrorKind error = ErrorKind::kInternal;
  if (known != kKinds.end()) {
    error = known->kind;
  } else if (response.status == 429) {
    error = ErrorKind::kTransient;
  } else if (response.status >= 500 || code == "OperationTimeoutException") {
    error = kind == GlueCall::kWrite ? ErrorKind::kCommitUnknown : ErrorKind::kTransient;
  } else if (response.status == 401 || response.status == 403) {
    error = ErrorKind::kPermission;
  }
  const std::string name = code.empty() ? fmt::format("HTTP {}", response.status) : code;
  Error made(error,
             fmt::format("Glue {}: {}{}{}{}", action, name, message.empty() ? "" : ": ", message, Remedy(code, action)),
             ErrorOrigin::kCatalog, name);
  return std::move(made).WithRetryAfter(response.RetryAfter().value_or(std::chrono::milliseconds(0)));
}

}  // namespace firn::catalog
