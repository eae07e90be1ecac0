#include "storage/s3_address.h"

#include <arrow/filesystem/s3fs.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <string_view>

#include "base/try.h"
#include "http/percent_encoding.h"

namespace firn::storage {
namespace {

/// The first of these variables of the environment that says something; empty where none does.
std::string FromEnvironment(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  }
  return {};
}

}  // namespace

Result<S3Address> ReadS3Address(OptionReader& read) {
  S3Address address;
  TRY(OptionReader::Endpoint endpoint, read.AsEndpoint("endpoint"));
  if (endpoint.host.empty()) {
    const StoreOptions environment = {{"endpoint", FromEnvironment({"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"})}};
    TRY(endpoint, OptionReader("s3", environment).AsEndpoint("endpoint"));
  }
  address.scheme = endpoint.scheme;
  address.endpoint = endpoint.host;
  address.region = read.Text("region");
  if (address.region.empty()) address.region = FromEnvironment({"AWS_DEFAULT_REGION", "AWS_REGION"});
  TRY(address.path_style, read.Switch("path_style", !address.endpoint.empty()));
  return address;
}

Result<S3Address> WithRegion(S3Address address, const StoreLocation& where) {
  if (!address.endpoint.empty()) return address;
  if (address.region.empty()) {
    // AWS says it to anyone. Where it can't be asked, the SDK goes on with its default.
    address.region = arrow::fs::ResolveS3BucketRegion(where.bucket).ValueOr("");
  }
  if (address.path_style) {
    // Arrow has the bucket in the path only where an endpoint is given.
    if (address.region.empty()) {
      return OptionReader::Refuse("storage.s3.path_style needs storage.s3.region or storage.s3.endpoint beside it");
    }
    address.endpoint = "s3." + address.region + ".amazonaws.com";
  }
  return address;
}

std::string S3Url(const S3Address& address, const StoreLocation& where) {
  std::string host = address.endpoint;
  if (host.empty()) {
    const std::string_view china = address.region.starts_with("cn-") ? ".cn" : "";
    host = fmt::format("s3.{}.amazonaws.com{}", address.region, china);
  }
  // A certificate of AWS's covers no name of a bucket with a dot in it.
  const bool in_path = address.path_style || (address.endpoint.empty() && where.bucket.find('.') != std::string::npos);
  std::string url = in_path ? fmt::format("{}://{}/{}", address.scheme, host, http::PercentEncode(where.bucket))
                            : fmt::format("{}://{}.{}", address.scheme, where.bucket, host);
  for (size_t from = 0; from <= where.key.size();) {
    const size_t to = std::min(where.key.find('/', from), where.key.size());
    url += "/" + http::PercentEncode(std::string_view(where.key).substr(from, to - from));
    from = to + 1;
  }
  return url;
}

}  // namespace firn::storage
