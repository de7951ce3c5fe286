#include "demo/digits.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/mapped_file.h"

namespace assay::demo {
namespace {

uint64_t Fnv1a(const std::vector<uint8_t>& bytes, uint64_t hash = 0xCBF29CE484222325U) {
  for (const uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001B3U;
  return hash;
}

// The training data, the models' accuracies and every report of the demo rest on these bytes.
TEST(Digits, AThousandDigitsAreTheSameBytesEverywhere) {
  const DigitSet digits = GenerateDigits(1, 1000);
  EXPECT_EQ(Fnv1a(digits.labels, Fnv1a(digits.images)), 3372703105842893606U);
}

TEST(Digits, ClassesAreBalancedAndShuffled) {
  const DigitSet digits = GenerateDigits(7, 503);
  ASSERT_EQ(digits.count(), 503);
  ASSERT_EQ(digits.images.size(), size_t{503} * kDigitPixels);
  for (int digit = 0; digit < kDigitClasses; ++digit) {
    EXPECT_EQ(std::count(digits.labels.begin(), digits.labels.end(), digit), digit < 3 ? 51 : 50);
  }
  size_t in_turn = 0;
  for (size_t i = 0; i < digits.labels.size(); ++i) in_turn += digits.labels[i] == i % kDigitClasses;
  EXPECT_LT(in_turn, 100U);
}

TEST(Digits, EveryPictureShowsLightInkOnADarkerGround) {
  const DigitSet digits = GenerateDigits(3, 200);
  int64_t contrast = 0;
  for (int64_t i = 0; i < digits.count(); ++i) {
    std::vector<uint8_t> pixels(digits.images.begin() + i * kDigitPixels,
                                digits.images.begin() + (i + 1) * kDigitPixels);
    std::sort(pixels.begin(), pixels.end());
    // The brightest pixels against the median, which is ground.
    EXPECT_GT(pixels[kDigitPixels - 20], pixels[kDigitPixels / 2] + 20) << "digit " << i;
    contrast += pixels[kDigitPixels - 20] - pixels[kDigitPixels / 2];
  }
  EXPECT_GT(contrast / digits.count(), 60);
}

TEST(Digits, SeedsDiffer) { EXPECT_NE(GenerateDigits(1, 10).images, GenerateDigits(2, 10).images); }

TEST(Digits, IdxFilesCarryTheirHeaders) {
  const auto folder = std::filesystem::temp_directory_path() / ("assay_digits_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const DigitSet digits = GenerateDigits(5, 12);
  WriteIdx(digits, folder / "images.idx", folder / "labels.idx");
  const auto images = MappedFile::Open(folder / "images.idx");
  const auto labels = MappedFile::Open(folder / "labels.idx");
  std::vector<uint8_t> expected = {0, 0, 8, 3, 0, 0, 0, 12, 0, 0, 0, 28, 0, 0, 0, 28};
  expected.insert(expected.end(), digits.images.begin(), digits.images.end());
  EXPECT_TRUE(std::ranges::equal(images->bytes(), expected));
  expected = {0, 0, 8, 1, 0, 0, 0, 12};
  expected.insert(expected.end(), digits.labels.begin(), digits.labels.end());
  EXPECT_TRUE(std::ranges::equal(labels->bytes(), expected));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace assay::demo
