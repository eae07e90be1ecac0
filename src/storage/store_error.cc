#include "storage/store_error.h"

#include <arrow/util/io_util.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "storage/arrow_error.h"

namespace firn::storage {
namespace {

enum class Cause : uint8_t {
  kNoFile,
  kNoBucket,
  kRegion,       ///< The bucket is in another region.
  kDenied,       ///< The credentials are good and may not do it.
  kCredentials,  ///< The credentials are not taken.
  kExpired,      ///< They were good, and have run out.
  kClock,
  kUnknown,  ///< May pass.
};

/// The native code of what has run out, whatever the store calls it.
constexpr std::string_view kExpired = "ExpiredToken";

struct Code {
  std::string_view name;
  Cause cause;
};

// Arrow's names for the AWS SDK's errors, and the service's own ("Error Responses" in the Amazon S3 API reference). A
// 400 to a HEAD request comes without a name: expired credentials or another region.
constexpr std::array kS3Codes = std::to_array<Code>({{"NO_SUCH_KEY", Cause::kNoFile},
                                                     {"RESOURCE_NOT_FOUND", Cause::kNoFile},
                                                     {"NO_SUCH_BUCKET", Cause::kNoBucket},
                                                     {"NoSuchBucket", Cause::kNoBucket},
                                                     {"PermanentRedirect", Cause::kRegion},
                                                     {"TemporaryRedirect", Cause::kUnknown},
                                                     {"AuthorizationHeaderMalformed", Cause::kRegion},
                                                     {"IllegalLocationConstraintException", Cause::kRegion},
                                                     {"301", Cause::kRegion},
                                                     {"ACCESS_DENIED", Cause::kDenied},
                                                     {"AccessDenied", Cause::kDenied},
                                                     {"AccountProblem", Cause::kDenied},
                                                     {"AllAccessDisabled", Cause::kDenied},
                                                     {"InvalidObjectState", Cause::kDenied},
                                                     {"403", Cause::kDenied},
                                                     {"401", Cause::kCredentials},
                                                     {"400", Cause::kCredentials},
                                                     {"MISSING_AUTHENTICATION_TOKEN", Cause::kCredentials},
                                                     {"UNRECOGNIZED_CLIENT", Cause::kCredentials},
                                                     {"INCOMPLETE_SIGNATURE", Cause::kCredentials},
                                                     {"INVALID_SIGNATURE", Cause::kCredentials},
                                                     {"SIGNATURE_DOES_NOT_MATCH", Cause::kCredentials},
                                                     {"INVALID_ACCESS_KEY_ID", Cause::kCredentials},
                                                     {"INVALID_CLIENT_TOKEN_ID", Cause::kCredentials},
                                                     {"SignatureDoesNotMatch", Cause::kCredentials},
                                                     {"InvalidAccessKeyId", Cause::kCredentials},
                                                     {"InvalidToken", Cause::kCredentials},
                                                     {"InvalidSecurity", Cause::kCredentials},
                                                     {"ExpiredToken", Cause::kExpired},
                                                     {"TokenRefreshRequired", Cause::kExpired},
                                                     {"REQUEST_EXPIRED", Cause::kExpired},
                                                     {"REQUEST_TIME_TOO_SKEWED", Cause::kClock},
                                                     {"RequestTimeTooSkewed", Cause::kClock}});

// google::cloud::StatusCode.
constexpr std::array kGcsCodes = std::to_array<Code>(
    {{"NOT_FOUND", Cause::kNoFile}, {"PERMISSION_DENIED", Cause::kDenied}, {"UNAUTHENTICATED", Cause::kCredentials}});

// "Azure Blob Storage error codes" and "Common REST API error codes" of Azure Storage.
constexpr std::array kAzureCodes = std::to_array<Code>({{"BlobNotFound", Cause::kNoFile},
                                                        {"PathNotFound", Cause::kNoFile},
                                                        {"ContainerNotFound", Cause::kNoBucket},
                                                        {"FilesystemNotFound", Cause::kNoBucket},
                                                        {"ResourceNotFound", Cause::kNoBucket},
                                                        {"AuthorizationFailure", Cause::kDenied},
                                                        {"AuthorizationPermissionMismatch", Cause::kDenied},
                                                        {"AuthorizationProtocolMismatch", Cause::kDenied},
                                                        {"AuthorizationResourceTypeMismatch", Cause::kDenied},
                                                        {"AuthorizationServiceMismatch", Cause::kDenied},
                                                        {"AuthorizationSourceIPMismatch", Cause::kDenied},
                                                        {"InsufficientAccountPermissions", Cause::kDenied},
                                                        {"PublicAccessNotPermitted", Cause::kDenied},
                                                        {"AccountIsDisabled", Cause::kDenied},
                                                        {"KeyBasedAuthenticationNotPermitted", Cause::kCredentials},
                                                        {"NoAuthenticationInformation", Cause::kCredentials},
                                                        {"InvalidAuthenticationInfo", Cause::kCredentials},
                                                        {"AuthenticationFailed", Cause::kCredentials}});

/// The text between `before` and the next of `ends`; empty where `before` isn't there.
std::string_view Between(std::string_view text, std::string_view before, std::string_view ends) {
  const size_t start = text.find(before);
  if (start == std::string_view::npos) return {};
  const std::string_view rest = text.substr(start + before.size());
  return rest.substr(0, rest.find_first_of(ends));
}

/// "AWS Error UNKNOWN (HTTP status 400) during PutObject operation: Unable to parse ExceptionName: ExpiredToken …"
std::string_view S3Code(std::string_view message) {
  const std::string_view code = Between(message, "AWS Error ", " ");
  if (code != "UNKNOWN") return code;
  if (const auto name = Between(message, "ExceptionName: ", " "); !name.empty()) return name;
  return Between(message, "(HTTP status ", ")");
}

/// The code that the store gave, as text.
std::string_view CodeOf(StoreKind kind, std::string_view message) {
  switch (kind) {
    case StoreKind::kS3:
      return S3Code(message);
    case StoreKind::kGcs:
      return Between(message, "google::cloud::Status(", ":)");
    case StoreKind::kAzure:
      return Between(message, "Azure Error: [", "]");
    case StoreKind::kLocal:
      break;
  }
  return {};
}

std::span<const Code> CodesOf(StoreKind kind) {
  switch (kind) {
    case StoreKind::kS3:
      return kS3Codes;
    case StoreKind::kGcs:
      return kGcsCodes;
    case StoreKind::kAzure:
      return kAzureCodes;
    case StoreKind::kLocal:
      break;
  }
  return {};
}

/// Azure's client throws this where it gets no token, and Arrow names the exception's type.
bool IsWithoutToken(const arrow::Status& status, StoreKind kind) {
  return kind == StoreKind::kAzure && status.message().find("AuthenticationException") != std::string::npos;
}

Cause CauseOf(StoreKind kind, std::string_view code) {
  const auto codes = CodesOf(kind);
  const auto known = std::ranges::find(codes, code, &Code::name);
  return known == codes.end() ? Cause::kUnknown : known->cause;
}

Cause CauseOf(const arrow::Status& status, StoreAction action, const StoreLocation& where, std::string_view code) {
  const std::string_view message = status.message();
  if (message.find("Looks like the configured region") != message.npos) return Cause::kRegion;
  if (IsWithoutToken(status, where.kind)) return Cause::kCredentials;
  Cause cause = CauseOf(where.kind, code);
  if (cause == Cause::kUnknown && arrow::internal::ErrnoFromStatus(status) == ENOENT) cause = Cause::kNoFile;
  // Where nothing need be there before, it is the bucket that is not.
  const bool needs_a_file =
      action == StoreAction::kRead || action == StoreAction::kStat || action == StoreAction::kDelete;
  if (cause == Cause::kNoFile && !needs_a_file) cause = Cause::kNoBucket;
  if (cause == Cause::kCredentials && message.find("Signature not valid in the specified time frame") != message.npos) {
    cause = Cause::kExpired;
  }
  return cause;
}

/// The right that `action` takes.
std::string_view RightFor(StoreAction action, StoreKind kind) {
  const auto of = [&](std::string_view s3, std::string_view gcs, std::string_view azure) {
    return kind == StoreKind::kS3 ? s3 : kind == StoreKind::kGcs ? gcs : azure;
  };
  switch (action) {
    case StoreAction::kRead:
    case StoreAction::kStat:
      return of("s3:GetObject", "storage.objects.get", "read");
    case StoreAction::kWrite:
      return of("s3:PutObject", "storage.objects.create and storage.objects.delete", "read, create and write");
    case StoreAction::kDelete:
      return of("s3:DeleteObject", "storage.objects.delete", "delete");
    case StoreAction::kList:
      return of("s3:ListBucket", "storage.objects.list", "list");
  }
  return {};
}

std::string_view CredentialKeys(StoreKind kind) {
  switch (kind) {
    case StoreKind::kS3:
      return "storage.s3.access_key_id and storage.s3.secret_access_key, or what the AWS credential chain finds";
    case StoreKind::kGcs:
      return "storage.gcs.credentials_file, or the application default credentials";
    case StoreKind::kAzure:
      return "storage.azure.account_key or storage.azure.sas_token, or the default Azure credentials";
    case StoreKind::kLocal:
      break;
  }
  return {};
}

std::pair<ErrorKind, std::string> MeaningOf(Cause cause, StoreAction action, const StoreLocation& where) {
  const std::string_view container = where.kind == StoreKind::kAzure ? "container" : "bucket";
  switch (cause) {
    case Cause::kNoFile:
      return {ErrorKind::kNotFound, "there is no such file"};
    case Cause::kNoBucket:
      return {ErrorKind::kInvalidConfig,
              fmt::format("there is no {0} {1}; make it, or correct the location or storage.{2}.endpoint", container,
                          where.bucket, SectionOf(where.kind))};
    case Cause::kRegion:
      return {ErrorKind::kInvalidConfig,
              fmt::format("bucket {} is in another region; set storage.s3.region to its own", where.bucket)};
    case Cause::kDenied:
      return {ErrorKind::kPermission, fmt::format("access denied; give firn's credentials the right {} on {} {}",
                                                  RightFor(action, where.kind), container, where.bucket)};
    case Cause::kCredentials:
      return {ErrorKind::kPermission,
              fmt::format("the store does not take the credentials; correct {}", CredentialKeys(where.kind))};
    case Cause::kExpired:
      return {ErrorKind::kPermission,
              fmt::format("the credentials have expired; renew {}", CredentialKeys(where.kind))};
    case Cause::kClock:
      return {ErrorKind::kInvalidConfig, "this machine's clock differs from the store's; set it"};
    case Cause::kUnknown:
      return {ErrorKind::kTransient, ""};
  }
  return {ErrorKind::kInternal, ""};
}

/// One line, without the queries of URLs: a signature may be in them.
std::string Cleaned(std::string_view message) {
  std::string text;
  bool in_query = false;
  for (const char c : message) {
    const bool ends = c == '\'' || c == '"' || c == ' ' || c == '\n' || c == '\r';
    if (in_query && !ends) continue;
    in_query = false;
    if (c == '\r') continue;
    if (c == '?' && text.find("://", text.find_last_of(" '\"") + 1) != text.npos) {
      in_query = true;
      continue;
    }
    text += c == '\n' ? ' ' : c;
  }
  return text;
}

Error MakeStoreError(Cause cause, StoreAction action, const StoreLocation& where, std::string_view code,
                     const std::string& said) {
  auto [kind, meaning] = MeaningOf(cause, action, where);
  std::string native(cause == Cause::kExpired ? kExpired : code);
  if (kind == ErrorKind::kNotFound) return {kind, std::move(meaning), ErrorOrigin::kStorage, std::move(native)};
  return {kind, meaning.empty() ? said : fmt::format("{} ({})", meaning, said), ErrorOrigin::kStorage,
          std::move(native)};
}

}  // namespace

Error ToStoreError(const arrow::Status& status, StoreAction action, const StoreLocation& where) {
  if (!status.IsIOError() && CodeOf(where.kind, status.message()).empty() && !IsWithoutToken(status, where.kind)) {
    // Arrow's own doing: a key that it can't take ("a//b"), a stream closed twice, memory.
    Error error = ToError(status, Describe(action, where.root + where.key));
    return status.IsInvalid() ? std::move(error).WithKind(ErrorKind::kInvalidConfig) : error;
  }
  const std::string_view code = CodeOf(where.kind, status.message());
  return MakeStoreError(CauseOf(status, action, where, code), action, where, code, Cleaned(status.message()));
}

Error ToStoreError(const S3Refusal& refusal, StoreAction action, const StoreLocation& where) {
  const std::string said = refusal.message.empty() ? fmt::format("the store answered {}", refusal.code)
                                                   : fmt::format("{}: {}", refusal.code, Cleaned(refusal.message));
  return MakeStoreError(CauseOf(StoreKind::kS3, refusal.code), action, where, refusal.code, said);
}

std::string Describe(StoreAction action, std::string_view location) {
  switch (action) {
    case StoreAction::kRead:
      return fmt::format("reading {}", location);
    case StoreAction::kWrite:
      return fmt::format("writing {}", location);
    case StoreAction::kDelete:
      return fmt::format("deleting {}", location);
    case StoreAction::kStat:
      return fmt::format("looking at {}", location);
    case StoreAction::kList:
      return fmt::format("listing {}", location);
  }
  return std::string(location);
}

bool AreCredentialsRefused(const Error& error) {
  return error.origin() == ErrorOrigin::kStorage && error.kind() == ErrorKind::kPermission;
}

bool HaveCredentialsExpired(const Error& error) {
  return AreCredentialsRefused(error) && error.native_code() == kExpired;
}

}  // namespace firn::storage
