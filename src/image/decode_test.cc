#include "image/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "base/error.h"
#include "image/codecs.h"
#include "tensor/npy.h"

namespace assay {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::testing::StrEq;

constexpr Decoder kDecoders[] = {Decoder::kOpencv, Decoder::kPillow, Decoder::kTensorflow};

// Pictures and the pixels that the libraries themselves gave, by scripts/oracle/make_image_goldens.py.
const NamedArrays& DecodeGoldens() {
  static const NamedArrays goldens = ReadNpz(ASSAY_SOURCE_DIR "/src/image/testdata/decode.npz");
  return goldens;
}

std::vector<uint8_t> FileBytes(std::string_view name) {
  const Array* file = FindArray(DecodeGoldens(), "file/" + std::string(name));
  if (file == nullptr) throw std::runtime_error("no golden file " + std::string(name));
  const auto bytes = file->bytes();
  return {bytes.begin(), bytes.end()};
}

std::vector<std::string> FileNames() {
  std::vector<std::string> names;
  for (const auto& [name, array] : DecodeGoldens()) {
    if (name.starts_with("file/")) names.push_back(name.substr(5));
  }
  return names;
}

// "" where decoding succeeds; only an InputError is a proper refusal.
std::string ErrorOf(std::span<const uint8_t> bytes, Decoder decoder = Decoder::kOpencv,
                    const DecodeLimits& limits = {}) {
  try {
    DecodeImage(bytes, "x.jpg", decoder, limits);
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInput) << error.what();
    return error.what();
  }
}

TEST(DecodeImage, PixelsAreThoseOfEachLibrary) {
  int compared = 0;
  for (const std::string& name : FileNames()) {
    const std::vector<uint8_t> bytes = FileBytes(name);
    for (const Decoder decoder : kDecoders) {
      const Array* common = FindArray(DecodeGoldens(), "pixels/" + name);
      const Array* golden =
          common != nullptr ? common : FindArray(DecodeGoldens(), std::string(DecoderName(decoder)) + "/" + name);
      if (golden == nullptr) {
        EXPECT_THAT(ErrorOf(bytes, decoder), HasSubstr("truncated")) << name << ' ' << DecoderName(decoder);
        continue;
      }
      const Array image = DecodeImage(bytes, name, decoder);
      ASSERT_EQ(image.shape(), golden->shape()) << name << ' ' << DecoderName(decoder);
      EXPECT_TRUE(std::ranges::equal(image.bytes(), golden->bytes())) << name << ' ' << DecoderName(decoder);
      ++compared;
    }
  }
  EXPECT_GE(compared, 200);
}

TEST(DecodeImage, LibrariesDifferWhereTheyShould) {
  const auto differ = [](std::string_view name, Decoder a, Decoder b) {
    const std::vector<uint8_t> bytes = FileBytes(name);
    const Array first = DecodeImage(bytes, "a", a), second = DecodeImage(bytes, "b", b);
    return !std::ranges::equal(first.bytes(), second.bytes());
  };
  EXPECT_FALSE(differ("jpeg_420", Decoder::kOpencv, Decoder::kPillow));
  EXPECT_TRUE(differ("jpeg_420", Decoder::kOpencv, Decoder::kTensorflow));
  EXPECT_TRUE(differ("jpeg_cmyk", Decoder::kOpencv, Decoder::kPillow));
  EXPECT_TRUE(differ("png_grey16", Decoder::kOpencv, Decoder::kPillow));
  EXPECT_TRUE(differ("jpeg_orientation6", Decoder::kOpencv, Decoder::kPillow));
}

TEST(DecodeImage, RefusesWhatIsNoPicture) {
  EXPECT_THAT(ErrorOf({}), StrEq("x.jpg: the file is empty"));
  const std::string text = "hello, world";
  EXPECT_THAT(ErrorOf({reinterpret_cast<const uint8_t*>(text.data()), text.size()}),
              HasSubstr("neither a JPEG nor a PNG"));
  EXPECT_THAT(ErrorOf(std::vector<uint8_t>{0xff, 0xd8, 0xff}), AllOf(StartsWith("x.jpg: "), HasSubstr("JPEG")));
  EXPECT_THAT(ErrorOf(std::vector<uint8_t>{0xff, 0xd8, 0xff, 0xd9}), AllOf(StartsWith("x.jpg: "), HasSubstr("JPEG")));
  EXPECT_THAT(ErrorOf(std::vector<uint8_t>(100, 0)), HasSubstr("neither"));
  EXPECT_THAT([] { DecodeImageFile("/nowhere/x.jpg", Decoder::kPillow); },
              testing::Throws<Error>(testing::Property(&Error::what, HasSubstr("/nowhere/x.jpg"))));
}

TEST(DecodeImage, RefusesTruncatedFilesOfEveryLength) {
  for (const char* name : {"jpeg_420", "jpeg_progressive", "jpeg_grey", "jpeg_cmyk", "jpeg_optimized_restarts"}) {
    const std::vector<uint8_t> bytes = FileBytes(name);
    for (const Decoder decoder : kDecoders) {
      // All of these but OpenCV want the end marker, which is the last two bytes.
      const size_t whole = bytes.size() - (decoder == Decoder::kOpencv ? 2 : 0);
      for (size_t length = 0; length < whole; ++length) {
        ASSERT_NE(ErrorOf(std::span(bytes).first(length), decoder), "") << name << ' ' << length;
      }
    }
  }
  for (const char* name : {"png_rgb8", "png_rgb8_interlaced", "png_palette4", "png_rgba16"}) {
    const std::vector<uint8_t> bytes = FileBytes(name);
    for (size_t length = 0; length < bytes.size(); ++length) {
      ASSERT_NE(ErrorOf(std::span(bytes).first(length), Decoder::kOpencv), "") << name << ' ' << length;
    }
  }
  std::vector<uint8_t> half = FileBytes("jpeg_420");
  half.resize(half.size() * 3 / 4);
  EXPECT_EQ(ErrorOf(half), "x.jpg: truncated JPEG: the data end early");
}

TEST(DecodeImage, SurvivesFlippedBits) {
  std::mt19937 random(7);
  int refused = 0, decoded = 0;
  for (const std::string& name : FileNames()) {
    const std::vector<uint8_t> bytes = FileBytes(name);
    for (int trial = 0; trial < 60; ++trial) {
      std::vector<uint8_t> damaged = bytes;
      const int flips = 1 + trial % 4;
      for (int i = 0; i < flips; ++i) damaged[random() % damaged.size()] ^= static_cast<uint8_t>(1U << (random() % 8));
      const DecodeLimits limits{1 << 20, 1 << 20, 20};
      ErrorOf(damaged, kDecoders[trial % 3], limits).empty() ? ++decoded : ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(decoded, 100);
}

TEST(DecodeImage, SaysWhatIsCorrupt) {
  std::vector<uint8_t> bytes = FileBytes("jpeg_420");
  // An end marker in the middle of the entropy-coded data.
  const size_t middle = bytes.size() * 2 / 3;
  bytes[middle] = 0xff;
  bytes[middle + 1] = 0xd9;
  EXPECT_THAT(ErrorOf(bytes), StartsWith("x.jpg: corrupt JPEG: "));
  std::vector<uint8_t> png = FileBytes("png_rgb8");
  png[png.size() / 2] ^= 0x10;
  EXPECT_THAT(ErrorOf(png), StartsWith("x.jpg: corrupt PNG: "));
}

void SetBigEndian(std::vector<uint8_t>* bytes, size_t at, uint32_t value, int size) {
  for (int i = 0; i < size; ++i)
    (*bytes)[at + static_cast<size_t>(i)] = static_cast<uint8_t>(value >> (8 * (size - 1 - i)));
}

// The header with new dimensions and, for PNG, a checksum that fits them.
std::vector<uint8_t> WithJpegSize(std::vector<uint8_t> bytes, uint32_t width, uint32_t height) {
  constexpr uint8_t kBaselineFrame[] = {0xff, 0xc0};
  const auto frame = std::ranges::search(bytes, kBaselineFrame).begin() - bytes.begin();
  SetBigEndian(&bytes, static_cast<size_t>(frame) + 5, height, 2);
  SetBigEndian(&bytes, static_cast<size_t>(frame) + 7, width, 2);
  return bytes;
}

TEST(DecodeImage, RefusesGiantPicturesBeforeAllocating) {
  const std::vector<uint8_t> jpeg = FileBytes("jpeg_420");
  EXPECT_THAT(ErrorOf(WithJpegSize(jpeg, 65500, 65500)), HasSubstr("65500x65500 pixels; the limit is 134217728"));
  EXPECT_THAT(ErrorOf(WithJpegSize(jpeg, 10000, 10000)), HasSubstr("cannot hold 10000x10000 pixels"));
  EXPECT_THAT(ErrorOf(jpeg, Decoder::kPillow, DecodeLimits{100}), HasSubstr("the limit is 100 in all"));
  EXPECT_THAT(ErrorOf(FileBytes("png_rgb8"), Decoder::kPillow, DecodeLimits{142}),
              HasSubstr("13x11 pixels; the limit is 142"));
  EXPECT_EQ(ErrorOf(FileBytes("png_rgb8"), Decoder::kPillow, DecodeLimits{143}), "");
  EXPECT_THAT(ErrorOf(FileBytes("jpeg_progressive"), Decoder::kPillow, DecodeLimits{1 << 20, 1 << 20, 3}),
              HasSubstr("more than 3 scans"));
}

std::vector<uint8_t> PngHeader(uint32_t width, uint32_t height, uint32_t checksum) {
  std::vector<uint8_t> bytes = FileBytes("png_rgb8");
  SetBigEndian(&bytes, 16, width, 4);
  SetBigEndian(&bytes, 20, height, 4);
  SetBigEndian(&bytes, 29, checksum, 4);
  return bytes;
}

TEST(DecodeImage, RefusesPngHeadersThatLie) {
  EXPECT_THAT(ErrorOf(PngHeader(2147483647, 2147483647, 0x5ecb6b0e)), StartsWith("x.jpg: "));
  EXPECT_THAT(ErrorOf(PngHeader(0, 5, 0)), StartsWith("x.jpg: corrupt PNG"));
  EXPECT_THAT(ErrorOf(PngHeader(5, 5, 0)), StartsWith("x.jpg: corrupt PNG"));
}

TEST(ExifOrientation, ReadsBothByteOrdersAndNothingElse) {
  const std::vector<uint8_t> little = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0};
  const std::vector<uint8_t> big = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 8, 0, 0};
  EXPECT_EQ(ExifOrientation(little), 6);
  EXPECT_EQ(ExifOrientation(big), 8);
  std::vector<uint8_t> wrong = little;
  wrong[18] = 9;
  EXPECT_EQ(ExifOrientation(wrong), 0);
  wrong = little;
  wrong[4] = 0xff;
  wrong[7] = 0xff;
  EXPECT_EQ(ExifOrientation(wrong), 0);
  for (size_t length = 0; length < little.size() - 3; ++length) {
    EXPECT_EQ(ExifOrientation(std::span(little).first(length)), 0) << length;
  }
}

TEST(DecodeImage, RealPhotos) {
  const char* root = std::getenv("ASSAY_TEST_DATA");
  if (root == nullptr) GTEST_SKIP() << "ASSAY_TEST_DATA is not set";
  for (const Decoder decoder : kDecoders) {
    const Array image = DecodeImageFile(std::string(root) + "/imagenet/images/n01440764.JPEG", decoder);
    EXPECT_EQ(image.shape().rank(), 3);
    EXPECT_GT(image.shape()[0], 100);
  }
}

}  // namespace
}  // namespace assay
