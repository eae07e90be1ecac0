#include <arrow/filesystem/s3fs.h>

#include <utility>

#include "storage/arrow_error.h"
#include "storage/aws_sdk.h"
#include "storage/ca_certificates.h"
#include "storage/object_file_systems.h"
#include "storage/option_reader.h"
#include "storage/s3_address.h"

namespace firn::storage {
namespace {

using arrow::fs::S3Options;

constexpr double kConnectTimeoutS = 10;
constexpr double kRequestTimeoutS = 60;

/// Whole files are tried again by those who asked for them.
class NoRetries : public arrow::fs::S3RetryStrategy {
 public:
  bool ShouldRetry(const AWSErrorDetail&, int64_t) override { return false; }
  int64_t CalculateDelayBeforeNextRetry(const AWSErrorDetail&, int64_t) override { return 0; }
};

/// The requests of an open stream. The pause is ours, so that a stop ends it; the SDK's is none.
class StreamRetries : public arrow::fs::S3RetryStrategy {
 public:
  explicit StreamRetries(std::shared_ptr<Retrier> retrier) : retrier_(std::move(retrier)) {}

  bool ShouldRetry(const AWSErrorDetail& error, int64_t attempted_retries) override {
    if (!error.should_retry) return false;
    const std::string said = error.exception_name.empty() ? error.message : error.exception_name + ": " + error.message;
    const Error transient(ErrorKind::kTransient, said, ErrorOrigin::kStorage, error.exception_name);
    return retrier_->WaitBefore(static_cast<int>(attempted_retries), "store_request", "S3", transient);
  }
  int64_t CalculateDelayBeforeNextRetry(const AWSErrorDetail&, int64_t) override { return 0; }

 private:
  const std::shared_ptr<Retrier> retrier_;
};

Status SetCredentials(OptionReader& read, S3Options& s3) {
  const std::string access_key = read.Text("access_key_id"), secret_key = read.Text("secret_access_key");
  const std::string session_token = read.Text("session_token"), role = read.Text("role_arn");
  const std::string session_name = read.Text("role_session_name"), external_id = read.Text("role_external_id");
  TRY(const bool anonymous, read.Switch("anonymous", false));
  if (access_key.empty() != secret_key.empty()) {
    return OptionReader::Refuse("storage.s3: access_key_id and secret_access_key go together; one is missing");
  }
  if (access_key.empty() && !session_token.empty()) {
    return OptionReader::Refuse("storage.s3.session_token needs access_key_id and secret_access_key beside it");
  }
  if ((!access_key.empty()) + anonymous + (!role.empty()) > 1) {
    return OptionReader::Refuse("storage.s3: choose one of access_key_id, anonymous and role_arn");
  }
  if (role.empty() && !(session_name + external_id).empty()) {
    return OptionReader::Refuse("storage.s3: role_session_name and role_external_id need role_arn beside them");
  }
  if (!access_key.empty()) {
    s3.ConfigureAccessKey(access_key, secret_key, session_token);
  } else if (anonymous) {
    s3.ConfigureAnonymousCredentials();
  } else if (!role.empty()) {
    s3.ConfigureAssumeRoleCredentials(role, session_name, external_id);
  } else {
    s3.ConfigureDefaultCredentials();
  }
  return {};
}

Result<ObjectFileSystem> Open(const StoreLocation& where, const StoreOptions& options,
                              const std::shared_ptr<Retrier>& retrier) {
  OptionReader read("s3", options);
  S3Options s3;
  s3.connect_timeout = kConnectTimeoutS;
  s3.request_timeout = kRequestTimeoutS;
  s3.allow_delayed_open = true;  // A small file is one request.
  s3.tls_ca_file_path = read.Text("ca_file");
  if (s3.tls_ca_file_path.empty()) s3.tls_ca_file_path = SystemCaFile();
  TRY_VOID(SetCredentials(read, s3));
  TRY(S3Address address, ReadS3Address(read));
  TRY_VOID(read.CheckAllKnown());
  TRY(address, WithRegion(std::move(address), where));
  s3.scheme = address.scheme;
  s3.endpoint_override = address.endpoint;
  s3.region = address.region;
  s3.force_virtual_addressing = !address.path_style;

  ObjectFileSystem opened;
  s3.retry_strategy = std::make_shared<NoRetries>();
  TRY(opened.calls, FromArrow(arrow::fs::S3FileSystem::Make(s3), "opening {}", where.root));
  s3.retry_strategy = nullptr;
  if (retrier) s3.retry_strategy = std::make_shared<StreamRetries>(retrier);
  TRY(opened.streams, FromArrow(arrow::fs::S3FileSystem::Make(s3), "opening {}", where.root));
  return opened;
}

}  // namespace

Result<ObjectFileSystem> OpenS3(const StoreLocation& where, const StoreOptions& options,
                                const std::shared_ptr<Retrier>& retrier) {
  TRY_VOID(StartAwsSdk());
  auto opened = Open(where, options, retrier);
  if (opened.has_value()) {
    static const AwsSdkEnd end;
  } else {
    static const AwsSdkEnd end;  // It was started all the same. What a later call makes has an end of its own.
  }
  return opened;
}

}  // namespace firn::storage
