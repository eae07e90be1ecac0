#include "storage/aws_credentials.h"

#include <arrow/filesystem/s3fs.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "base/try.h"
#include "storage/aws_sdk.h"

namespace firn::storage {
namespace {

class Chain {
 public:
  Result<AwsCredentials> Keys() {
    TRY(const arrow::fs::S3Options* const options, Options());
    AwsCredentials keys = Read(*options);
    if (!keys.access_key_id.empty()) {
      had_keys_ = true;
      return keys;
    }
    if (had_keys_) {
      return MakeError(ErrorKind::kTransient, "the AWS credential chain gives no credentials at the moment");
    }
    return MakeError(ErrorKind::kPermission,
                     "the AWS credential chain has no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a "
                     "profile in ~/.aws/credentials (AWS_PROFILE), or give this machine or container a role");
  }

 private:
  Result<const arrow::fs::S3Options*> Options() {
    std::lock_guard lock(mutex_);
    if (!options_.has_value()) {
      TRY_VOID(StartAwsSdk());
      static const AwsSdkEnd end;
      options_ = arrow::fs::S3Options::Defaults();
    }
    return &*options_;
  }

  /// The provider tells the three parts one by one, and may renew all in between.
  static AwsCredentials Read(const arrow::fs::S3Options& options) {
    constexpr int kAttemptsMax = 10;
    AwsCredentials keys;
    for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
      keys = {.access_key_id = options.GetAccessKey(),
              .secret_access_key = options.GetSecretKey(),
              .session_token = options.GetSessionToken()};
      if (options.GetAccessKey() == keys.access_key_id) break;
    }
    return keys;
  }

  std::mutex mutex_;
  std::optional<arrow::fs::S3Options> options_;  ///< Constant once it is there.
  std::atomic<bool> had_keys_ = false;
};

}  // namespace

GetAwsCredentials AwsCredentialChain() {
  return [chain = std::make_shared<Chain>()] { return chain->Keys(); };
}

}  // namespace firn::storage
