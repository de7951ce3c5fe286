#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "tensor/float16.h"
#include "tensor/npy.h"

namespace assay {
namespace {

Array Sample() {
  Array array(DType::kInt16, {2, 3});
  int16_t next = -2;
  for (int16_t& value : array.values<int16_t>()) value = next++;
  return array;
}

TEST(Npy, RoundTripsEveryDType) {
  for (const DType dtype :
       {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kInt8, DType::kUInt8, DType::kBool, DType::kInt16,
        DType::kUInt16, DType::kInt32, DType::kUInt32, DType::kInt64, DType::kUInt64}) {
    for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 0}, Shape{2, 3, 4}}) {
      const Array array(dtype, shape);
      const Array back = ParseNpy(SerializeNpy(array), "x");
      EXPECT_EQ(back.dtype(), dtype);
      EXPECT_EQ(back.shape(), shape);
    }
  }
  const Array back = ParseNpy(SerializeNpy(Sample()), "x");
  EXPECT_THAT(back.values<int16_t>(), testing::ElementsAre(-2, -1, 0, 1, 2, 3));
}

TEST(Npy, EveryTruncationIsAnError) {
  const auto bytes = SerializeNpy(Sample());
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_THROW(ParseNpy(std::span(bytes).first(n), "x"), Error) << n;
  }
}

TEST(Npz, RoundTripsAndIsDeterministic) {
  const std::string path = testing::TempDir() + "/assay_npz_test.npz";
  const NamedArrays arrays = {{"in/x", Sample()}, {"out/0", Array(DType::kFloat32, {2})}};
  WriteNpz(path, arrays);
  const NamedArrays back = ReadNpz(path);
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(back[0].first, "in/x");
  EXPECT_THAT(back[0].second.values<int16_t>(), testing::ElementsAre(-2, -1, 0, 1, 2, 3));
  EXPECT_EQ(FindArray(back, "out/0")->shape(), (Shape{2}));
  EXPECT_EQ(FindArray(back, "none"), nullptr);
  std::filesystem::remove(path);
}

TEST(Npz, WhatIsNotAZipIsRefusedWithThePath) {
  const std::string path = testing::TempDir() + "/assay_not_npz";
  WriteNpy(path, Sample());
  try {
    ReadNpz(path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(path));
  }
  std::filesystem::resize_file(path, 0);
  EXPECT_THROW(ReadNpz(path), Error) << "an archive of nothing, to libzip";
  std::filesystem::remove(path);
}

TEST(Half, EveryHalfRoundTrips) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = HalfToFloat(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(HalfToFloat(FloatToHalf(value))));
    } else {
      EXPECT_EQ(FloatToHalf(value), bits);
    }
  }
}

TEST(Half, RoundsHalfToEven) {
  EXPECT_EQ(FloatToHalf(1.0F + 0x1p-11F), 0x3C00);
  EXPECT_EQ(FloatToHalf(1.0F + 0x3p-11F), 0x3C02);
  EXPECT_EQ(FloatToHalf(65519.9F), 0x7BFF);
  EXPECT_EQ(FloatToHalf(65520.0F), 0x7C00);
  EXPECT_EQ(FloatToHalf(0x1p-25F), 0);
  EXPECT_EQ(FloatToHalf(0x1.8p-25F), 1);
}

TEST(Broadcast, FollowsNumpy) {
  Shape out;
  EXPECT_TRUE(BroadcastShapes({2, 1, 3}, {4, 1}, &out));
  EXPECT_EQ(out, (Shape{2, 4, 3}));
  EXPECT_FALSE(BroadcastShapes({2}, {3}, &out));
}

TEST(ShapeTest, ProductsThatOverflowAreInvalid) {
  EXPECT_FALSE((Shape{1 << 30, 1 << 30, 1 << 30}).IsValid(int64_t{1} << 40));
  EXPECT_FALSE((Shape{1 << 30, 1 << 30, 0}).IsValid(int64_t{1} << 40));
  EXPECT_TRUE((Shape{1 << 20, 1 << 20, 0}).IsValid(int64_t{1} << 40));
  EXPECT_FALSE((Shape{-1, 2}).IsValid(int64_t{1} << 40));
}

}  // namespace
}  // namespace assay
