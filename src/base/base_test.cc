#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/parallel.h"

namespace assay {
namespace {

TEST(ParallelForTest, EveryItemOnceAndTheLowestFailureWins) {
  std::vector<std::atomic<int>> seen(1000);
  ParallelFor(seen.size(), 4, [&](size_t i, int worker) {
    EXPECT_LT(worker, 4);
    ++seen[i];
  });
  for (const auto& count : seen) EXPECT_EQ(count, 1);
  for (int round = 0; round < 20; ++round) {
    try {
      ParallelFor(100, 4, [](size_t i, int) {
        if (i >= 40) throw InputError("item {}", i);
      });
      FAIL();
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), "item 40");
    }
  }
}

TEST(Files, WritesAreWholeOrAbsentAndNameThePath) {
  const std::string folder = testing::TempDir() + "/assay_base_test";
  std::filesystem::create_directories(folder);
  WriteFileAtomically(folder + "/a", "hello");
  WriteFileAtomically(folder + "/a", "world");
  EXPECT_EQ(ReadTextFile(folder + "/a"), "world");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  try {
    WriteFileAtomically(folder + "/none/a", "x");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(folder + "/none/a"), std::string::npos);
  }
  EXPECT_THROW(WriteFileAtomically(folder, "x"), Error);
  std::filesystem::create_symlink(folder + "/a", folder + "/link");
  WriteFileAtomically(folder + "/link", "through");
  EXPECT_TRUE(std::filesystem::is_symlink(folder + "/link"));
  EXPECT_EQ(ReadTextFile(folder + "/a"), "through");
  EXPECT_THROW(WriteFileAtomically("/dev/full", "x"), Error);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
  EXPECT_THROW(MappedFile::Open(folder), Error);
  EXPECT_THROW(MappedFile::Open(folder + "/missing"), Error);
  EXPECT_THROW(MappedFile::Open(folder + "/a", 3), Error);
  std::filesystem::remove_all(folder);
}

TEST(Files, WhatCannotBeWrittenShowsBefore) {
  const std::string folder = testing::TempDir() + "/assay_base_test";
  std::filesystem::create_directories(folder);
  WriteFileAtomically(folder + "/a", "hello");
  CheckWritable(folder + "/a");
  CheckWritable(folder + "/b");
  CheckWritable("/dev/full");
  EXPECT_EQ(ReadTextFile(folder + "/a"), "hello");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  for (const std::string& path : {folder, folder + "/none/a", folder + "/a/b", std::string()}) {
    std::string before, after;
    try {
      CheckWritable(path);
    } catch (const Error& error) {
      before = error.what();
    }
    try {
      WriteFileAtomically(path, "x");
    } catch (const Error& error) {
      after = error.what();
    }
    EXPECT_NE(before.find(path + ": cannot write"), std::string::npos) << path;
    EXPECT_EQ(before, after);
  }
  std::filesystem::remove_all(folder);
}

TEST(Errors, ContextIsPutInFront) {
  const Error error = InputError("scale is {}", 0).WithContext("op 3").WithContext("m.tflite");
  EXPECT_STREQ(error.what(), "m.tflite: op 3: scale is 0");
  EXPECT_EQ(error.code(), ErrorCode::kInput);
}

TEST(Errors, TheNearestNameIsOffered) {
  constexpr std::string_view kKnown[] = {"opencv-linear", "opencv-area", "pillow-bilinear"};
  EXPECT_EQ(NearestHint("opencv-liner", kKnown, 3), " (did you mean 'opencv-linear'?)");
  EXPECT_EQ(NearestHint("zzz", kKnown, 3), "");
}

}  // namespace
}  // namespace assay
