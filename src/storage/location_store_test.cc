#include "storage/location_store.h"

#include <arrow/io/interfaces.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "storage/arrow_error.h"
#include "testing/scripted_http_server.h"
#include "testing/temporary_folder.h"

namespace firn::storage {
namespace {

using firn::testing::ScriptedReply;
using firn::testing::ScriptedRequest;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

ScriptedReply S3Error(int status, const std::string& code) {
  return {
      .status = status,
      .body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>" + code + "</Code><Message>no</Message></Error>",
      .headers = {{"Content-Type", "application/xml"}}};
}

/// A store that speaks S3's protocol as far as writing goes, and takes the credentials that it is told to.
class LocationStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<FileStore> Open(VendSettings vend = {}, std::shared_ptr<Retrier> retrier = nullptr) {
    StoreOptions s3 = {{"endpoint", server_.url()}, {"region", "us-east-1"}};
    if (!vend) s3.merge(StoreOptions{{"access_key_id", "CONFIGURED"}, {"secret_access_key", "hunter2"}});
    return OpenLocationStore("", {.sections = {{"s3", s3}}, .vend = std::move(vend), .retrier = std::move(retrier)})
        .value();
  }
  /// Vends each of `keys` in turn, the last one for ever.
  VendSettings Vend(std::vector<std::string> keys) {
    return [this, keys](std::string_view) -> Result<std::vector<VendedSettings>> {
      const std::string key = keys[std::min(asked_++, keys.size() - 1)];
      return std::vector<VendedSettings>{
          {.prefix = "s3://lake", .options = {{"access_key_id", key}, {"secret_access_key", "hunter2"}}}};
    };
  }
  static arrow::Status WriteAFile(FileStore& store) {
    auto stream = store.OpenOutput("s3://lake/data/x.parquet").value();
    ARROW_RETURN_NOT_OK(stream->Write("rows", 4));
    return stream->Close();
  }
  void Expire(const std::string& key) {
    std::lock_guard lock(mutex_);
    refused_ = {{key, S3Error(400, "ExpiredToken")}};
  }
  /// The paths that were written to. (The server takes bodies in chunks for further requests.)
  std::vector<std::string> written() const {
    std::vector<std::string> paths;
    for (const ScriptedRequest& request : server_.requests()) {
      if (request.method == "PUT") paths.push_back(request.path());
    }
    return paths;
  }

  static constexpr int64_t kSize = 1000;  ///< Of every file.

  std::map<std::string, ScriptedReply> refused_;  ///< By access key.
  std::vector<ScriptedReply> next_;               ///< Before anything else is answered.
  std::mutex mutex_;
  size_t asked_ = 0;
  testing::ScriptedHttpServer server_{[this](const ScriptedRequest& request) -> ScriptedReply {
    std::lock_guard lock(mutex_);
    if (!next_.empty()) {
      const ScriptedReply reply = next_.front();
      next_.erase(next_.begin());
      return reply;
    }
    for (const auto& [key, reply] : refused_) {
      if (request.header("authorization").find("Credential=" + key + "/") != std::string::npos) return reply;
    }
    return {.body = request.method == "GET" ? std::string(kSize, 'x') : "", .headers = {{"ETag", "\"1\""}}};
  }};
};

TEST_F(LocationStoreTest, TakesEachFileToItsStore) {
  const auto store = Open();
  const firn::testing::TemporaryFolder folder;
  ASSERT_TRUE(store->Write(folder.url() + "/x", "1").has_value());
  EXPECT_EQ(store->Read(folder / "x").value(), "1");
  EXPECT_THAT(written(), IsEmpty());
  ASSERT_TRUE(store->Write("s3://lake/a", "1").has_value());
  ASSERT_TRUE(store->Write("s3://other/b", "2").has_value());
  EXPECT_THAT(written(), ElementsAre("/lake/a", "/other/b")) << "one request a file";
}

TEST_F(LocationStoreTest, AsksForOthersWhenVendedCredentialsAreRefused) {
  refused_ = {{"OLD", S3Error(400, "ExpiredToken")}};
  const auto store = Open(Vend({"OLD", "NEW"}));
  const Status done = store->Write("s3://lake/x", "1");
  EXPECT_TRUE(done.has_value()) << done.error().message();
  EXPECT_EQ(asked_, 2u);
  EXPECT_TRUE(store->Write("s3://lake/y", "1").has_value());
  EXPECT_EQ(asked_, 2u);
  EXPECT_THAT(written(), SizeIs(3));
}

TEST_F(LocationStoreTest, SaysThatARightIsMissingWhereFreshCredentialsAreNoBetter) {
  refused_ = {{"ONLY", S3Error(403, "AccessDenied")}};
  const auto store = Open(Vend({"ONLY"}));
  const Status done = store->Write("s3://lake/x", "1");
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().kind(), ErrorKind::kPermission);
  EXPECT_THAT(done.error().message(), AllOf(HasSubstr("s3:PutObject"), Not(HasSubstr("hunter2"))));
  EXPECT_EQ(ToError(WriteAFile(*store), "writing").kind(), ErrorKind::kPermission);
}

TEST_F(LocationStoreTest, AFileThatIsWrittenGoesOnWithFreshCredentials) {
  const auto store = Open(Vend({"OLD", "NEW"}));
  auto stream = store->OpenOutput("s3://lake/data/x.parquet").value();
  ASSERT_TRUE(stream->Write("rows", 4).ok());
  Expire("OLD");
  const arrow::Status closed = stream->Close();
  EXPECT_TRUE(closed.ok()) << closed.ToString();
  EXPECT_EQ(asked_, 2u);
}

TEST_F(LocationStoreTest, AFileWhoseCredentialsRunOutWhileItIsReadCanBeReadAgain) {
  const auto store = Open(Vend({"OLD", "NEW"}));
  const auto file = store->OpenInput("s3://lake/data/x.parquet", kSize).value();
  Expire("OLD");
  const Error error = ToError(file->ReadAt(0, kSize).status(), "reading s3://lake/data/x.parquet");
  EXPECT_EQ(error.kind(), ErrorKind::kTransient) << error.message();
  EXPECT_THAT(error.message(), HasSubstr("run out meanwhile"));
  const auto again = store->OpenInput("s3://lake/data/x.parquet", kSize).value()->ReadAt(0, kSize);
  EXPECT_TRUE(again.ok()) << again.status().ToString();
  EXPECT_EQ(asked_, 2u);
}

TEST_F(LocationStoreTest, WholeFilesFailAtTheFirstError) {
  next_ = {S3Error(503, "SlowDown")};
  const auto store = Open();
  EXPECT_EQ(store->Write("s3://lake/x", "1").error().kind(), ErrorKind::kTransient);
  EXPECT_THAT(written(), SizeIs(1));
}

TEST_F(LocationStoreTest, TheRequestsOfAStreamAreTriedAgain) {
  next_ = {S3Error(503, "SlowDown"), S3Error(500, "InternalError")};
  Metrics metrics;
  const RetryPolicy policy{
      .max_retries = 3, .base_delay = std::chrono::milliseconds(1), .max_delay = std::chrono::milliseconds(1)};
  const auto store = Open({}, std::make_shared<Retrier>(policy, metrics, std::stop_token()));
  const arrow::Status done = WriteAFile(*store);
  EXPECT_TRUE(done.ok()) << done.ToString();
  EXPECT_THAT(written(), SizeIs(3));
  EXPECT_THAT(metrics.Expose(), HasSubstr("firn_retries_total{what=\"store_request\"} 2"));
}

TEST(OpenLocationStoreTest, RefusesOptionsThatCannotBe) {
  const auto refused = [](const std::string& root, const std::string& section, StoreOptions options) {
    const auto store = OpenLocationStore(root, {.sections = {{section, std::move(options)}}});
    EXPECT_FALSE(store.has_value()) << root;
    if (store.has_value()) return std::string();
    EXPECT_EQ(store.error().kind(), ErrorKind::kInvalidConfig) << store.error().message();
    return store.error().message();
  };
  EXPECT_THAT(refused("s3://lake", "s3", {{"access_key_id", "a"}}), HasSubstr("secret_access_key"));
  EXPECT_THAT(refused("s3://lake", "s3", {{"colour", "red"}}), HasSubstr("colour"));
  EXPECT_THAT(refused("s3://lake", "s3", {{"endpoint", "ftp://x"}}), HasSubstr("storage.s3.endpoint"));
  EXPECT_THAT(refused("s3://lake", "s3", {{"endpoint", "http://a:hunter2@x"}}), Not(HasSubstr("hunter2")));
  EXPECT_THAT(refused("s3://lake", "s3", {{"region", "x"}, {"anonymous", "true"}, {"role_arn", "r"}}),
              HasSubstr("choose one"));
  EXPECT_THAT(refused("gs://lake", "gcs", {{"credentials_file", "/no/such/file"}}), HasSubstr("/no/such/file"));
  EXPECT_THAT(refused("gs://lake", "gcs", {{"token", "t"}, {"anonymous", "true"}}), HasSubstr("choose one"));
  EXPECT_THAT(refused("abfss://lake/x", "azure", {}), HasSubstr("storage.azure.account"));
  EXPECT_THAT(refused("abfss://lake@shop.dfs.core.windows.net", "azure", {{"account", "other"}, {"sas_token", "s"}}),
              HasSubstr("other"));
  EXPECT_THAT(refused("abfss://lake@shop.dfs.core.windows.net", "azure", {{"client_secret", "s"}}),
              HasSubstr("tenant_id"));
}

}  // namespace
}  // namespace firn::storage
