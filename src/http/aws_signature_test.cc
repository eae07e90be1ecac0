// The vectors are AWS's own, of its "Signature Version 4 test suite"; their secrets are published there.
#include "http/aws_signature.h"

#include <gmock/gmock.h>

namespace firn::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr int64_t kSuiteTime = 1440938160;  // 2015-08-30T12:36:00Z

AwsSigning Suite(const std::string& token = "") {
  return {.credentials = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token},
          .region = "us-east-1",
          .service = "service"};
}

std::string Authorization(std::string_view method, std::string_view url, const HttpHeaders& headers = {},
                          std::string_view body = "", const AwsSigning& signing = Suite()) {
  const auto added = SignWithAwsV4(method, url, headers, Sha256Hex(body), signing, kSuiteTime);
  return added.has_value() ? added->back().second : added.error().message();
}

std::string Expected(const std::string& headers, const std::string& signature) {
  return "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=" + headers +
         ", Signature=" + signature;
}

TEST(AwsSignature, HashesAsSha256) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(AwsSignature, SignsGetVanilla) {
  EXPECT_EQ(Authorization("GET", "https://example.amazonaws.com/"),
            Expected("host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"));
  EXPECT_EQ(Authorization("GET", "https://example.amazonaws.com"),
            Authorization("GET", "https://example.amazonaws.com/"));
}

TEST(AwsSignature, SignsGetVanillaQueryOrderKeyCase) {
  EXPECT_EQ(Authorization("GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1"),
            Expected("host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"));
}

TEST(AwsSignature, SignsGetVanillaUtf8Query) {
  EXPECT_EQ(Authorization("GET", "https://example.amazonaws.com/?%E1%88%B4=bar"),
            Expected("host;x-amz-date", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"));
}

TEST(AwsSignature, SignsPostVanilla) {
  EXPECT_EQ(Authorization("POST", "https://example.amazonaws.com/"),
            Expected("host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"));
}

TEST(AwsSignature, SignsPostXWwwFormUrlencoded) {
  EXPECT_EQ(
      Authorization("POST", "https://example.amazonaws.com/", {{"Content-Type", "application/x-www-form-urlencoded"}},
                    "Param1=value1"),
      Expected("content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"));
}

TEST(AwsSignature, SignsGetHeaderValueTrim) {
  EXPECT_EQ(Authorization("GET", "https://example.amazonaws.com/",
                          {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}}),
            Expected("host;my-header1;my-header2;x-amz-date",
                     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"));
}

TEST(AwsSignature, SignsPathsAsAwsNormalizesThem) {
  // get-relative-relative and get-slashes have get-vanilla's and get-slash-dot-slash's signatures.
  EXPECT_EQ(Authorization("GET", "https://example.amazonaws.com/example1/example2/../.."),
            Authorization("GET", "https://example.amazonaws.com/"));
  EXPECT_EQ(Authorization("GET", "https://example.amazonaws.com//example//"),
            Expected("host;x-amz-date", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"));
}

TEST(AwsSignature, EncodesThePathOnceMoreExceptForS3) {
  // get-space and get-utf8, whose paths are not encoded at all.
  EXPECT_EQ(Authorization("GET", "https://example.amazonaws.com/example space/"),
            Expected("host;x-amz-date", "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"));
  EXPECT_EQ(Authorization("GET", "https://example.amazonaws.com/ሴ"),
            Expected("host;x-amz-date", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"));
  AwsSigning s3 = Suite();
  s3.service = "s3";
  const std::string path_as_is = Authorization("GET", "https://example.amazonaws.com/a%1Fb", {}, "", s3);
  const std::string again = Authorization("GET", "https://example.amazonaws.com/a%251Fb", {}, "", s3);
  EXPECT_NE(path_as_is, again);
}

TEST(AwsSignature, SignsTheSessionToken) {
  const auto added =
      SignWithAwsV4("POST", "https://example.amazonaws.com/", {}, Sha256Hex(""), Suite("some/token"), kSuiteTime);
  ASSERT_TRUE(added.has_value());
  ASSERT_EQ(added->size(), 3u);
  EXPECT_EQ((*added)[0], (std::pair<std::string, std::string>("X-Amz-Date", "20150830T123600Z")));
  EXPECT_EQ((*added)[1], (std::pair<std::string, std::string>("X-Amz-Security-Token", "some/token")));
  EXPECT_THAT((*added)[2].second, HasSubstr("SignedHeaders=host;x-amz-date;x-amz-security-token"));
}

TEST(AwsSignature, RefusesHalfCredentials) {
  AwsSigning signing = Suite();
  signing.region.clear();
  const auto added = SignWithAwsV4("GET", "https://example.amazonaws.com/", {}, "", signing, kSuiteTime);
  ASSERT_FALSE(added.has_value());
  EXPECT_EQ(added.error().kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(added.error().message(), ::testing::Not(HasSubstr("wJalr")));
}

}  // namespace
}  // namespace firn::http
