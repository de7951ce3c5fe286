#include <gtest/gtest.h>

#include "runtime/one_op_model.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;

template <typename T>
OneOpModel Resize(BuiltinOp op, std::vector<T> row, int32_t width, bool align, bool half, Quantization q = {}) {
  OneOpModel model(op);
  model.Option("align_corners", align).Option("half_pixel_centers", half);
  model.Input<T>({1, 1, static_cast<int32_t>(row.size()), 1}, row, q);
  model.Constant<int32_t>({2}, {1, width});
  return model.Output(DTypeOf<T>(), q);
}

TEST(ResizeBilinear, TheThreeGrids) {
  const auto run = [](bool align, bool half, const char* profile) {
    return Resize<float>(BuiltinOp::kResizeBilinear, {0, 4, 8}, 6, align, half).Run<float>(profile);
  };
  for (const char* profile : {"reference", "builtin", "xnnpack"}) {
    EXPECT_EQ(run(false, false, profile), (std::vector<float>{0, 2, 4, 6, 8, 8}));
    EXPECT_EQ(run(false, true, profile), (std::vector<float>{0, 1, 3, 5, 7, 8}));
    const std::vector<float> aligned = run(true, false, profile);
    for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(aligned[i], 1.6F * static_cast<float>(i), 1e-5F);
  }
}

TEST(ResizeBilinear, CodesRoundByEngine) {
  const Quantization q = ModelBuilder::PerTensor(0.5F, 3);
  const auto run = [&](const char* profile) {
    return Resize<int8_t>(BuiltinOp::kResizeBilinear, {-3, 0}, 4, false, false, q).Run<int8_t>(profile);
  };
  EXPECT_EQ(run("reference"), (std::vector<int8_t>{-3, -2, 0, 0}));  // -1.5 goes away from zero
  EXPECT_EQ(run("xnnpack"), (std::vector<int8_t>{-3, -1, 0, 0}));    // and here up
}

TEST(ResizeNearestNeighbor, FloorsOrRounds) {
  const auto run = [](bool align, bool half) {
    return Resize<int16_t>(BuiltinOp::kResizeNearestNeighbor, {10, 20, 30}, 5, align, half).Run<int16_t>();
  };
  EXPECT_EQ(run(false, false), (std::vector<int16_t>{10, 10, 20, 20, 30}));
  EXPECT_EQ(run(false, true), (std::vector<int16_t>{10, 10, 20, 30, 30}));
  EXPECT_EQ(run(true, false), (std::vector<int16_t>{10, 20, 20, 30, 30}));
}

TEST(Resize, RefusesWhatCannotBe) {
  EXPECT_NE(Resize<float>(BuiltinOp::kResizeBilinear, {1, 2}, 0, false, false).Message().find("size is 1 x 0"),
            std::string::npos);
  EXPECT_NE(Resize<float>(BuiltinOp::kResizeBilinear, {1, 2}, 2, true, true).Message().find("exclude each other"),
            std::string::npos);
  EXPECT_NE(Resize<float>(BuiltinOp::kResizeNearestNeighbor, {}, 2, true, false).Message().find("has no pixels"),
            std::string::npos);
  EXPECT_NE(
      Resize<float>(BuiltinOp::kResizeNearestNeighbor, {1}, 2147483647, true, false).Message().find("the limit is"),
      std::string::npos);
}

TEST(ArgMinMax, TheFirstOfEqualOnesAlongAnyAxis) {
  const auto run = [](BuiltinOp op, int64_t axis) {
    return OneOpModel(op)
        .Option("output_type", 2)
        .Input<int8_t>({2, 3}, {5, 1, 5, 0, 1, 7})
        .Constant<int64_t>({1}, {axis})
        .Output(DType::kInt32)
        .Run<int32_t>();
  };
  EXPECT_EQ(run(BuiltinOp::kArgMax, 1), (std::vector<int32_t>{0, 2}));
  EXPECT_EQ(run(BuiltinOp::kArgMax, -2), (std::vector<int32_t>{0, 0, 1}));
  EXPECT_EQ(run(BuiltinOp::kArgMin, 0), (std::vector<int32_t>{1, 0, 0}));
}

TEST(ArgMinMax, RefusesWhatCannotBe) {
  const auto message = [](Shape shape, std::vector<int32_t> axis, int output_type) {
    const auto count = static_cast<int32_t>(axis.size());
    const auto size = static_cast<size_t>(shape.NumElements());
    return OneOpModel(BuiltinOp::kArgMax)
        .Option("output_type", output_type)
        .Input<float>(shape, std::vector<float>(size))
        .Constant<int32_t>({count}, axis)
        .Output(DType::kInt64)
        .Message();
  };
  EXPECT_EQ(message({2, 3}, {1}, 4), "");
  EXPECT_NE(message({2, 3}, {1}, 2).find("output_type is 2, the output is int64"), std::string::npos);
  EXPECT_NE(message({2, 3}, {2}, 4).find("axis is 2"), std::string::npos);
  EXPECT_NE(message({2, 0}, {1}, 4).find("is empty along axis 1"), std::string::npos);
  EXPECT_NE(message({2, 3}, {0, 1}, 4).find("axis has 2 values"), std::string::npos);
}

TEST(L2Normalization, FloatsAndCodes) {
  EXPECT_EQ(OneOpModel(BuiltinOp::kL2Normalization).Input<float>({1, 2}, {3, 4}).Output(DType::kFloat32).Run<float>(),
            (std::vector<float>{0.6F, 0.8F}));
  const Quantization out = ModelBuilder::PerTensor(1.0F / 128);
  EXPECT_EQ(OneOpModel(BuiltinOp::kL2Normalization)
                .Version(2)
                .Input<int8_t>({1, 2}, {13, 14}, ModelBuilder::PerTensor(0.1F, 10))
                .Output(DType::kInt8, out)
                .Run<int8_t>(),
            (std::vector<int8_t>{77, 102}));  // 0.6 and 0.8 of 128
  EXPECT_NE(OneOpModel(BuiltinOp::kL2Normalization)
                .Version(2)
                .Input<int8_t>({1, 2}, {13, 14}, ModelBuilder::PerTensor(0.1F, 10))
                .Output(DType::kInt8, ModelBuilder::PerTensor(0.5F))
                .Message()
                .find("expected 1/128 and 0"),
            std::string::npos);
}

TEST(LocalResponseNormalization, TheReferenceLeavesTheLastChannelOut) {
  const auto run = [](const char* profile) {
    return OneOpModel(BuiltinOp::kLocalResponseNormalization)
        .Option("radius", 1)
        .Option("bias", 1.0)
        .Option("alpha", 1.0)
        .Option("beta", 1.0)
        .Input<float>({1, 1, 1, 3}, {1, 1, 1})
        .Output(DType::kFloat32)
        .Run<float>(profile);
  };
  EXPECT_EQ(run("reference"), (std::vector<float>{1.0F / 2, 1.0F / 3, 1.0F / 3}));
  EXPECT_EQ(run("builtin"), (std::vector<float>{1.0F / 3, 1.0F / 4, 1.0F / 3}));
}

TEST(Segment, SumsAndExtremes) {
  EXPECT_EQ(OneOpModel(BuiltinOp::kSegmentSum)
                .Input<int32_t>({3, 2}, {1, 2, 3, 4, 5, 6})
                .Constant<int32_t>({3}, {0, 0, 1})
                .Output(DType::kInt32)
                .Run<int32_t>(),
            (std::vector<int32_t>{4, 6, 5, 6}));
  EXPECT_EQ(OneOpModel(BuiltinOp::kUnsortedSegmentMax)
                .Input<int32_t>({4}, {1, 5, 3, 9})
                .Input<int32_t>({4}, {1, 0, 1, -1})
                .Constant<int32_t>({}, {2})
                .Output(DType::kInt32)
                .Run<int32_t>(),
            (std::vector<int32_t>{5, 3}));
}

TEST(Segment, RefusesWhatCannotBe) {
  const auto unsorted = [](std::vector<int32_t> ids, int32_t segments) {
    const auto count = static_cast<int32_t>(ids.size());
    return OneOpModel(BuiltinOp::kUnsortedSegmentSum)
        .Input<float>({2}, {1, 2})
        .Input<int32_t>({count}, ids)
        .Constant<int32_t>({}, {segments})
        .Output(DType::kFloat32)
        .Message();
  };
  EXPECT_EQ(unsorted({0, 1}, 2), "");
  EXPECT_NE(unsorted({0, 2}, 2).find("segment id 2 is not below num_segments, 2"), std::string::npos);
  EXPECT_NE(unsorted({0, 1}, -2).find("num_segments is -2"), std::string::npos);
  EXPECT_NE(unsorted({0, 1, 1}, 2).find("which the data's [2] does not begin with"), std::string::npos);
  EXPECT_NE(OneOpModel(BuiltinOp::kSegmentSum)
                .Input<float>({2}, {1, 2})
                .Input<int32_t>({2}, {0, 2})
                .Output(DType::kFloat32)
                .Message()
                .find("segment id 2 follows 0"),
            std::string::npos);
}

}  // namespace
}  // namespace assay::runtime
