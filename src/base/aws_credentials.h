// What an AWS request is signed with.
#pragma once

#include <string>

namespace firn {

struct AwsCredentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  ///< Empty: none.
};

}  // namespace firn
