// Requests for one object in S3 with credentials that a catalog vends: each is signed with those that hold at its time.
// Arrow's filesystem keeps the ones that it was opened with.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "firn/result.h"
#include "http/http_client.h"
#include "observe/retrier.h"
#include "storage/store_location.h"
#include "storage/vended_credentials.h"

namespace firn::storage {

struct S3Access {
  std::shared_ptr<VendedCredentials> vended;
  StoreOptions configured;  ///< What is vended is laid over it.
  std::shared_ptr<http::HttpClient> client;
  std::shared_ptr<Retrier> retrier;  ///< Null: nothing is tried again.
};

/// The text of the first element of that name in what S3 answered; empty where there is none.
std::string_view ElementText(std::string_view xml, std::string_view name);

/// A client for them; `configured` is the section `s3`.
std::shared_ptr<http::HttpClient> MakeS3Client(const StoreOptions& configured);

/// Thread-safe.
class S3Requests {
 public:
  S3Requests(StoreLocation where, S3Access access);

  /// The answer, of a status below 300. Asks for other credentials where these are refused, and tries again what may
  /// pass; so each request must be one that may be repeated. Errors as ToStoreError; kTransient once the retries are
  /// used up, and where the credentials have run out and there are no others yet. `query` is percent-encoded.
  Result<http::HttpResponse> Send(std::string_view method, std::string_view query, std::string body) const;

 private:
  Result<http::HttpResponse> SendRenewed(http::HttpRequest& request, std::string_view query) const;
  Result<http::HttpResponse> SendWith(const StoreOptions& vended, http::HttpRequest& request,
                                      std::string_view query) const;
  Error Refusal(const http::HttpResponse& answer) const;

  const StoreLocation where_;
  const std::string location_;
  const S3Access access_;
};

}  // namespace firn::storage
