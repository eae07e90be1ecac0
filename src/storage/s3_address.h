// Where the requests for a bucket go, by the settings of its store.
#pragma once

#include <string>

#include "firn/result.h"
#include "storage/option_reader.h"
#include "storage/store_location.h"

namespace firn::storage {

struct S3Address {
  std::string scheme;    ///< "https"
  std::string endpoint;  ///< "host:port"; empty: AWS's, which follows from the region.
  std::string region;    ///< Empty: nothing names it.
  bool path_style = false;
};

/// Reads endpoint, region and path_style. kInvalidConfig for what can't be.
Result<S3Address> ReadS3Address(OptionReader& read);

/// With the region of the bucket, which AWS is asked for where nothing names it.
Result<S3Address> WithRegion(S3Address address, const StoreLocation& where);

/// The URL of the object at `where`, percent-encoded.
std::string S3Url(const S3Address& address, const StoreLocation& where);

}  // namespace firn::storage
