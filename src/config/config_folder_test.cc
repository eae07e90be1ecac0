#include "config/config_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "testing/temporary_folder.h"

namespace firn::config {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class ConfigFolderTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& slot, const std::string& more = "") {
    std::ofstream(folder_ / name) << "source: {url: postgresql://firn@db/shop, slot: " << slot
                                  << "}\ncatalog: {warehouse: /lake}\nstate_dir: /state\n"
                                  << more;
  }
  Result<std::vector<PipelineConfig>> Load() { return LoadConfigFolder(folder_.path()); }
  std::string Refused() {
    const auto loaded = Load();
    if (loaded) return "";
    EXPECT_EQ(loaded.error().kind(), ErrorKind::kInvalidConfig);
    return loaded.error().message();
  }

  const firn::testing::TemporaryFolder folder_;
};

TEST_F(ConfigFolderTest, EachFileIsAPipelineInTheOrderOfTheirNames) {
  Write("b.yaml", "stock", "http: {listen: '127.0.0.1:0'}\n");
  Write("a.yml", "shop", "http: {listen: '127.0.0.1:0'}\n");
  Write(".hidden.yaml", "shop");
  Write("notes.txt", "shop");
  fs::create_directory(folder_ / "old.yaml");
  // As Kubernetes mounts files.
  fs::create_directory(folder_ / "..data");
  Write("..data/c.yaml", "users");
  fs::create_symlink("..data/c.yaml", folder_ / "c.yaml");
  const auto pipelines = Load();
  ASSERT_TRUE(pipelines) << pipelines.error().message();
  std::vector<std::string> slots;
  for (const PipelineConfig& pipeline : *pipelines) slots.push_back(pipeline.config.source.slot);
  EXPECT_THAT(slots, ElementsAre("shop", "stock", "users"));
  EXPECT_EQ(pipelines->front().file, folder_ / "a.yml");
}

TEST_F(ConfigFolderTest, TwoPipelinesShareNoSlotAndNoPort) {
  Write("a.yaml", "shop", "http: {listen: '127.0.0.1:9090'}\n");
  Write("b.yaml", "shop");
  Write("c.yaml", "stock", "http: {listen: '127.0.0.1:9090'}\n");
  EXPECT_THAT(Refused(), AllOf(HasSubstr("b.yaml: source.slot: 'shop' is that of"), HasSubstr("a.yaml, too"),
                               HasSubstr("c.yaml: http.listen: 127.0.0.1:9090")));
}

TEST_F(ConfigFolderTest, AllShareOneLog) {
  Write("a.yaml", "shop");
  Write("b.yaml", "stock", "log: {level: debug}\n");
  EXPECT_THAT(Refused(), AllOf(HasSubstr("b.yaml: log: level debug"), HasSubstr("(info, text)")));
}

TEST_F(ConfigFolderTest, TheProblemsOfAllFilesAreToldAtOnce) {
  Write("a.yaml", "Shop");
  Write("b.yaml", "stock", "sorce: {}\n");
  Write("c.yaml", "users");
  EXPECT_THAT(Refused(), AllOf(HasSubstr("a.yaml:1: source.slot: 'Shop'"), HasSubstr("b.yaml:4: unknown key 'sorce'"),
                               Not(HasSubstr("c.yaml"))));
}

TEST_F(ConfigFolderTest, AFolderWithoutFilesIsRefused) {
  Write("notes.txt", "shop");
  EXPECT_THAT(Refused(), HasSubstr("has no configuration"));
  EXPECT_FALSE(LoadConfigFolder("/nowhere"));
}

TEST_F(ConfigFolderTest, WhoTakesOnePipelineSaysSo) {
  const auto config = LoadConfig(folder_.path());
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message(), HasSubstr("takes the file of one pipeline"));
}

}  // namespace
}  // namespace firn::config
