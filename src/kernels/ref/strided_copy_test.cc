#include "kernels/ref/strided_copy.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "kernels/ref/pad.h"
#include "kernels/ref/rfft2d.h"
#include "kernels/ref/top_k.h"

namespace assay::kernels::ref {
namespace {

StridedCopy Transposed() {
  StridedCopy copy;
  copy.rank = 2;
  copy.size[0] = 3, copy.size[1] = 2;
  copy.in_stride[0] = 1, copy.in_stride[1] = 3;
  copy.out_stride[0] = 2, copy.out_stride[1] = 1;
  return copy;
}

template <typename T>
void ExpectTransposes() {
  const std::array<T, 6> input = {0, 1, 2, 3, 4, 5};
  std::array<T, 6> output = {};
  CopyStrided(Transposed(), static_cast<int>(sizeof(T) * 8), input.data(), output.data());
  EXPECT_EQ(output, (std::array<T, 6>{0, 3, 1, 4, 2, 5}));
}

TEST(StridedCopy, EveryWidth) {
  ExpectTransposes<uint8_t>();
  ExpectTransposes<uint16_t>();
  ExpectTransposes<uint32_t>();
  ExpectTransposes<uint64_t>();
}

TEST(StridedCopy, PackedElements) {
  const std::array<uint8_t, 3> fours = {0x10, 0x32, 0x54};
  std::array<uint8_t, 3> output = {};
  CopyStrided(Transposed(), 4, fours.data(), output.data());
  EXPECT_EQ(output, (std::array<uint8_t, 3>{0x30, 0x41, 0x52}));
  // 0 1 2 3 | 3 2 and their transposition 0 3 1 3 | 2 2, two bits each.
  const std::array<uint8_t, 2> twos = {0b11100100, 0b1011};
  std::array<uint8_t, 2> output_twos = {};
  CopyStrided(Transposed(), 2, twos.data(), output_twos.data());
  EXPECT_EQ(output_twos, (std::array<uint8_t, 2>{0b11011100, 0b1010}));
}

TEST(StridedCopy, BackwardsRepeatedEmptyAndScalar) {
  const std::array<int32_t, 3> input = {1, 2, 3};
  std::array<int32_t, 4> output = {};
  StridedCopy copy;
  copy.rank = 2;
  copy.size[0] = copy.size[1] = 2;
  copy.in_stride[0] = 0, copy.in_stride[1] = -2, copy.in_offset = 2;
  copy.out_stride[0] = 2, copy.out_stride[1] = 1;
  CopyStrided(copy, 32, input.data(), output.data());
  EXPECT_EQ(output, (std::array<int32_t, 4>{3, 1, 3, 1}));
  copy.size[0] = 0;
  CopyStrided(copy, 32, nullptr, nullptr);
  StridedCopy scalar;
  scalar.in_offset = 1, scalar.out_offset = 3;
  CopyStrided(scalar, 32, input.data(), output.data());
  EXPECT_EQ(output[3], 2);
}

TEST(FillElements, EveryWidth) {
  std::array<uint8_t, 3> bytes = {0, 0, 0};
  const uint8_t three = 3;
  FillElements(4, &three, 5, bytes.data());
  EXPECT_EQ(bytes, (std::array<uint8_t, 3>{0x33, 0x33, 0x03}));
  std::array<int64_t, 2> words = {};
  const int64_t value = -7;
  FillElements(64, &value, 2, words.data());
  EXPECT_EQ(words, (std::array<int64_t, 2>{-7, -7}));
}

TEST(MirrorPad, RepeatsElementZeroBehindTheImage) {
  MirrorPadGeometry g;
  g.rank = 1, g.border = 1;
  g.input[0] = 2, g.before[0] = 1, g.output[0] = 6;
  const std::array<int32_t, 2> input = {4, 5};
  std::array<int32_t, 6> output = {};
  MirrorPad(g, 32, input.data(), output.data());
  EXPECT_EQ(output, (std::array<int32_t, 6>{5, 4, 5, 4, 4, 4}));
}

// Against the sum that defines the transform.
TEST(Rfft2d, EqualsTheDefinition) {
  const Rfft2dGeometry g = {.images = 1, .input_height = 3, .input_width = 9, .height = 4, .width = 8};
  std::vector<float> input;
  for (int i = 0; i < 27; ++i) input.push_back(static_cast<float>((i * 7) % 11) - 4);
  std::vector<double> scratch(static_cast<size_t>(Rfft2dScratch(g)));
  std::vector<float> output(4 * 5 * 2);
  Rfft2d(g, input.data(), scratch.data(), output.data());
  for (int u = 0; u < 4; ++u) {
    for (int v = 0; v < 5; ++v) {
      double re = 0, im = 0;
      for (int r = 0; r < 3; ++r) {
        for (int c = 0; c < 8; ++c) {
          const double angle = -2 * std::numbers::pi * (u * r / 4.0 + v * c / 8.0);
          re += static_cast<double>(input[static_cast<size_t>(r * 9 + c)]) * std::cos(angle);
          im += static_cast<double>(input[static_cast<size_t>(r * 9 + c)]) * std::sin(angle);
        }
      }
      EXPECT_NEAR(output[static_cast<size_t>((u * 5 + v) * 2)], re, 1e-5);
      EXPECT_NEAR(output[static_cast<size_t>((u * 5 + v) * 2) + 1], im, 1e-5);
    }
  }
}

TEST(TopK, NanIsTheSmallest) {
  const std::array<float, 4> input = {NAN, -INFINITY, NAN, 1};
  std::array<int32_t, 4> order = {}, indices = {};
  std::array<float, 4> values = {};
  TopK(input.data(), 1, 4, 4, order.data(), values.data(), indices.data());
  EXPECT_EQ(indices, (std::array<int32_t, 4>{3, 1, 0, 2}));
}

}  // namespace
}  // namespace assay::kernels::ref
