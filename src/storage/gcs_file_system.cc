#include <arrow/filesystem/gcsfs.h>

#include <fstream>
#include <iterator>

#include "storage/arrow_error.h"
#include "storage/object_file_systems.h"
#include "storage/option_reader.h"

namespace firn::storage {
namespace {

using arrow::fs::GcsOptions;

/// Google's client has no other way to say "once": the time is over when the first answer is in.
constexpr double kOnceS = 0.001;
/// How long the requests of an open stream are tried again, where nothing else is said.
constexpr double kStreamRetriesS = 60;

Result<std::string> ReadKeyFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file.is_open() || content.empty()) {
    return OptionReader::Refuse("storage.gcs.credentials_file: {} can't be read", path);
  }
  if (content.find("\"service_account\"") == std::string::npos) {
    return OptionReader::Refuse(
        "storage.gcs.credentials_file: {} is no service account's key; name a file of another kind in the environment "
        "variable GOOGLE_APPLICATION_CREDENTIALS",
        path);
  }
  return content;
}

Result<GcsOptions> WithCredentials(OptionReader& read) {
  const std::string key_file = read.Text("credentials_file"), token = read.Text("token");
  TRY(const bool anonymous, read.Switch("anonymous", false));
  if ((!key_file.empty()) + (!token.empty()) + anonymous > 1) {
    return OptionReader::Refuse("storage.gcs: choose one of credentials_file, token and anonymous");
  }
  if (anonymous) return GcsOptions::Anonymous();
  if (!token.empty()) {
    // When it ends is for those who gave it to know: Google's client would refuse to use one that is about to.
    return GcsOptions::FromAccessToken(token, std::chrono::system_clock::now() + std::chrono::hours(24 * 365));
  }
  if (key_file.empty()) return GcsOptions::Defaults();
  TRY(const std::string key, ReadKeyFile(key_file));
  return GcsOptions::FromServiceAccountCredentials(key);
}

}  // namespace

Result<ObjectFileSystem> OpenGcs(const StoreOptions& options, const std::shared_ptr<Retrier>& retrier) {
  OptionReader read("gcs", options);
  TRY(GcsOptions gcs, WithCredentials(read));
  TRY(const OptionReader::Endpoint endpoint, read.AsEndpoint("endpoint"));
  gcs.scheme = endpoint.scheme;
  gcs.endpoint_override = endpoint.host;
  TRY_VOID(read.CheckAllKnown());

  ObjectFileSystem opened;
  gcs.retry_limit_seconds = kOnceS;
  TRY(opened.calls, FromArrow(arrow::fs::GcsFileSystem::Make(gcs), "opening a GCS client"));
  gcs.retry_limit_seconds =
      retrier ? std::chrono::duration<double>(retrier->policy().TotalDelay()).count() : kStreamRetriesS;
  TRY(opened.streams, FromArrow(arrow::fs::GcsFileSystem::Make(gcs), "opening a GCS client"));
  return opened;
}

}  // namespace firn::storage
