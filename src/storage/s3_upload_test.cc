#include "storage/s3_upload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <set>

#include "storage/arrow_error.h"
#include "testing/scripted_http_server.h"

namespace firn::storage {
namespace {

using firn::testing::ScriptedReply;
using firn::testing::ScriptedRequest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr size_t kPart = size_t{10} << 20;

ScriptedReply Refusal(int status, const std::string& code) {
  return {.status = status, .body = "<Error><Code>" + code + "</Code><Message>no</Message></Error>"};
}

/// An S3 that keeps one object, and takes the access keys that it is told to.
class S3UploadTest : public ::testing::Test {
 protected:
  /// The catalog vends `keys` in turn, the last one for ever.
  std::shared_ptr<arrow::io::OutputStream> Open(std::vector<std::string> keys, int max_retries = 0) {
    const auto vend = [this, keys](std::string_view) -> Result<std::vector<VendedSettings>> {
      std::lock_guard lock(mutex_);
      const std::string key = keys[std::min(asked_++, keys.size() - 1)];
      return std::vector<VendedSettings>{
          {.prefix = "s3://lake", .options = {{"access_key_id", key}, {"secret_access_key", "hunter2"}}}};
    };
    const RetryPolicy policy{.max_retries = max_retries,
                             .base_delay = std::chrono::milliseconds(1),
                             .max_delay = std::chrono::milliseconds(1)};
    const StoreOptions configured = {{"endpoint", server_.url()}, {"region", "us-east-1"}};
    return OpenS3Upload(S3Requests(ParseStoreLocation("s3://lake/data/a b.parquet").value(),
                                   {.vended = std::make_shared<VendedCredentials>(vend),
                                    .configured = configured,
                                    .client = MakeS3Client(configured),
                                    .retrier = std::make_shared<Retrier>(policy, metrics_, std::stop_token())}));
  }
  static std::string Rows(size_t size) {
    std::string rows(size, 'x');
    for (size_t i = 0; i < size; i += 1000) rows[i] = static_cast<char>('a' + i / 1000 % 26);
    return rows;
  }
  static arrow::Status Write(arrow::io::OutputStream& stream, const std::string& rows) {
    return stream.Write(rows.data(), static_cast<int64_t>(rows.size()));
  }
  void Refuse(const std::string& key, ScriptedReply reply) {
    std::lock_guard lock(mutex_);
    refused_[key] = std::move(reply);
  }
  /// The requests so far, without their parameters' values.
  std::vector<std::string> Requests() const {
    std::vector<std::string> requests;
    for (const ScriptedRequest& request : server_.requests()) {
      requests.push_back(request.method + " " + request.query().substr(0, request.query().find('=')));
    }
    return requests;
  }

  ScriptedReply Answer(const ScriptedRequest& request) {
    std::lock_guard lock(mutex_);
    for (const auto& [key, reply] : refused_) {
      if (request.header("authorization").find("Credential=" + key + "/") != std::string::npos) return reply;
    }
    if (const auto next = next_.find(request.method); next != next_.end() && !next->second.empty()) {
      const ScriptedReply reply = next->second.front();
      next->second.erase(next->second.begin());
      if (reply.fault == ScriptedReply::Fault::kReset) (void)Do(request);  // Done, and nobody learns of it.
      return reply;
    }
    return Do(request);
  }
  ScriptedReply Do(const ScriptedRequest& request) {
    const std::string query = request.query();
    if (request.method == "POST" && query == "uploads=") {
      open_ = true;
      return {.body = "<InitiateMultipartUploadResult><UploadId>an/id</UploadId></InitiateMultipartUploadResult>"};
    }
    if (request.method == "HEAD") {
      // Its length is said by the body, which a real server leaves out.
      return object_ ? ScriptedReply{.body = *object_} : ScriptedReply{.status = 404};
    }
    if (request.method == "PUT" && query.empty()) {
      object_ = request.body;
      return {};
    }
    if (!open_ || query.find("uploadId=an%2Fid") == query.npos) return Refusal(404, "NoSuchUpload");
    if (request.method == "PUT") {
      const int number = std::stoi(query.substr(query.find('=') + 1));
      parts_[number] = request.body;
      return {.headers = {{"ETag", "\"tag-" + std::to_string(number) + "\""}}};
    }
    open_ = false;
    if (request.method == "DELETE") return {.status = 204};
    std::string whole;
    for (const auto& [number, part] : parts_) {
      const std::string listed =
          "<PartNumber>" + std::to_string(number) + "</PartNumber><ETag>\"tag-" + std::to_string(number) + "\"</ETag>";
      if (request.body.find(listed) == std::string::npos) return Refusal(400, "InvalidPart");
      whole += part;
    }
    object_ = whole;
    return {.body = "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>"};
  }

  std::mutex mutex_;
  size_t asked_ = 0;
  std::map<std::string, ScriptedReply> refused_;            ///< By access key.
  std::map<std::string, std::vector<ScriptedReply>> next_;  ///< By method, before what it is asked is done.
  bool open_ = false;
  std::map<int, std::string> parts_;
  std::optional<std::string> object_;
  Metrics metrics_;
  testing::ScriptedHttpServer server_{[this](const ScriptedRequest& request) { return Answer(request); }};
};

TEST_F(S3UploadTest, ASmallFileIsOneRequest) {
  const auto stream = Open({"KEY"});
  ASSERT_TRUE(Write(*stream, "rows").ok());
  EXPECT_EQ(stream->Tell().ValueOrDie(), 4);
  EXPECT_THAT(Requests(), IsEmpty());
  const arrow::Status closed = stream->Close();
  ASSERT_TRUE(closed.ok()) << closed.ToString();
  EXPECT_EQ(object_, "rows");
  EXPECT_THAT(Requests(), ElementsAre("PUT "));
  EXPECT_EQ(server_.requests()[0].path(), "/lake/data/a%20b.parquet");
}

TEST_F(S3UploadTest, ALargeFileGoesUpInParts) {
  const auto stream = Open({"KEY"});
  const std::string rows = Rows(2 * kPart + 5);
  ASSERT_TRUE(Write(*stream, rows.substr(0, 7)).ok());
  ASSERT_TRUE(Write(*stream, rows.substr(7)).ok());
  const arrow::Status closed = stream->Close();
  ASSERT_TRUE(closed.ok()) << closed.ToString();
  EXPECT_TRUE(object_ == rows);
  EXPECT_EQ(parts_.size(), 3u);
  EXPECT_EQ(asked_, 1u);
}

TEST_F(S3UploadTest, GoesOnWithFreshCredentialsWhenThoseOfItsFirstPartsHaveRunOut) {
  const auto stream = Open({"OLD", "NEW", "NEWEST"}, 5);
  const std::string rows = Rows(3 * kPart);
  ASSERT_TRUE(Write(*stream, rows.substr(0, kPart + 1)).ok());
  Refuse("OLD", Refusal(400, "ExpiredToken"));
  ASSERT_TRUE(Write(*stream, rows.substr(kPart + 1)).ok());
  Refuse("NEW", Refusal(400, "ExpiredToken"));
  const arrow::Status closed = stream->Close();
  ASSERT_TRUE(closed.ok()) << closed.ToString();
  EXPECT_TRUE(object_ == rows);
}

TEST_F(S3UploadTest, SaysThatARightIsMissingAndLeavesNoParts) {
  Refuse("ONLY", Refusal(403, "AccessDenied"));
  const auto stream = Open({"ONLY"}, 3);
  ASSERT_TRUE(Write(*stream, "rows").ok());
  const Error error = ToError(stream->Close(), "writing");
  EXPECT_EQ(error.kind(), ErrorKind::kPermission) << error.message();
  EXPECT_THAT(error.message(), HasSubstr("s3:PutObject"));
  EXPECT_THAT(error.message(), Not(HasSubstr("hunter2")));
  EXPECT_EQ(object_, std::nullopt);
}

TEST_F(S3UploadTest, WaitsForCredentialsThatTheCatalogHasNotRenewedYet) {
  Refuse("OLD", Refusal(400, "ExpiredToken"));
  const auto stream = Open({"OLD", "OLD", "OLD", "NEW"}, 5);
  ASSERT_TRUE(Write(*stream, "rows").ok());
  const arrow::Status closed = stream->Close();
  ASSERT_TRUE(closed.ok()) << closed.ToString();
  EXPECT_EQ(object_, "rows");
}

TEST_F(S3UploadTest, TriesTheRequestThatFailedAgain) {
  next_["PUT"] = {Refusal(503, "SlowDown"), {.fault = ScriptedReply::Fault::kReset}};
  // What a 200 says in its body counts.
  next_["POST"] = {Refusal(500, "InternalError"), Refusal(200, "InternalError")};
  const auto stream = Open({"KEY"}, 5);
  const std::string rows = Rows(kPart + 1);
  ASSERT_TRUE(Write(*stream, rows).ok());
  const arrow::Status closed = stream->Close();
  ASSERT_TRUE(closed.ok()) << closed.ToString();
  EXPECT_TRUE(object_ == rows);
  EXPECT_THAT(metrics_.Expose(), HasSubstr("firn_retries_total{what=\"store_request\"} 4"));
}

TEST_F(S3UploadTest, FindsTheFileWhoseCompletionWasNotAnswered) {
  const auto stream = Open({"KEY"}, 5);
  const std::string rows = Rows(kPart + 1);
  ASSERT_TRUE(Write(*stream, rows).ok());
  {
    std::lock_guard lock(mutex_);
    next_["POST"] = {{.fault = ScriptedReply::Fault::kReset}};
  }
  const arrow::Status closed = stream->Close();
  ASSERT_TRUE(closed.ok()) << closed.ToString();
  EXPECT_TRUE(object_ == rows);
  EXPECT_EQ(Requests().back(), "HEAD ");
}

TEST_F(S3UploadTest, GivesUpAfterTheRetriesAndTakesTheUploadBack) {
  const auto stream = Open({"KEY"}, 2);
  ASSERT_TRUE(Write(*stream, Rows(kPart + 1)).ok());
  {
    std::lock_guard lock(mutex_);
    next_["POST"] = std::vector<ScriptedReply>(3, Refusal(503, "SlowDown"));
  }
  const Error error = ToError(stream->Close(), "writing");
  EXPECT_EQ(error.kind(), ErrorKind::kTransient) << error.message();
  EXPECT_THAT(error.message(), HasSubstr("SlowDown"));
  EXPECT_FALSE(open_);
  EXPECT_EQ(object_, std::nullopt);
}

TEST_F(S3UploadTest, AStreamThatIsNotClosedLeavesNothing) {
  auto stream = Open({"KEY"});
  ASSERT_TRUE(Write(*stream, Rows(2 * kPart)).ok());
  EXPECT_TRUE(open_);
  stream.reset();
  EXPECT_FALSE(open_);
  EXPECT_EQ(object_, std::nullopt);
}

}  // namespace
}  // namespace firn::storage
