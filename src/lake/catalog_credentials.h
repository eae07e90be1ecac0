// The AWS credentials of a catalog: Glue's, and those of a REST catalog whose requests are signed.
#pragma once

#include <functional>

#include "config/config.h"
#include "firn/result.h"
#include "http/aws_signature.h"

namespace firn::lake {

/// Gives the configuration's credentials, or else those of the AWS chain, which is asked at each call. May be called
/// from any thread.
std::function<Result<AwsCredentials>()> CatalogAwsCredentials(const config::Config& config);

}  // namespace firn::lake
