// The AWS credential chain, for services other than S3 that take the same credentials (Glue, SigV4 before a REST
// catalog): environment, shared files and profiles, web identity, container and instance roles.
#pragma once

#include <functional>

#include "base/aws_credentials.h"
#include "firn/result.h"

namespace firn::storage {

/// Gives credentials that hold now; the chain renews them before they expire. May be called from any thread, and asks a
/// role's service where need be, for seconds at worst. kPermission where the chain has none; kTransient where it had
/// some before; kInternal where the AWS SDK can't start, which it does at the first call.
using GetAwsCredentials = std::function<Result<AwsCredentials>()>;

GetAwsCredentials AwsCredentialChain();

}  // namespace firn::storage
