#include "format/tflite/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/error.h"

namespace assay::tflite {
namespace {

std::vector<std::string> TestModels() {
  std::vector<std::string> paths;
  const char* folder = std::getenv("ASSAY_TEST_DATA");
  if (folder == nullptr) return paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".tflite") paths.push_back(entry.path());
  }
  return paths;
}

TEST(Reader, ReadsEveryModelOfTheTestData) {
  const std::vector<std::string> paths = TestModels();
  if (paths.empty()) GTEST_SKIP() << "ASSAY_TEST_DATA names no folder with models";
  for (const std::string& path : paths) {
    const auto model = ReadModel(path);
    EXPECT_THAT(model->warnings, testing::IsEmpty()) << path;
    EXPECT_FALSE(model->has_unknown_fields) << path;
    ASSERT_FALSE(model->subgraphs.empty());
    EXPECT_FALSE(model->subgraphs[0].operators.empty()) << path;
  }
}

}  // namespace
}  // namespace assay::tflite
