#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/one_op_model.h"

namespace assay::runtime {
namespace {

using testing::HasSubstr;

OneOpModel Conv3D(int padding, int stride_d) {
  OneOpModel model(graph::BuiltinOp::kConv3D);
  model.Option("padding", padding).Option("stride_d", stride_d).Option("stride_h", 1).Option("stride_w", 1);
  return model;
}

TEST(Conv3D, SumsOverDepthToo) {
  // Two planes of 1x2 pixels, a filter of two planes.
  const auto run = [](int padding, int stride_d) {
    return Conv3D(padding, stride_d)
        .Input<float>({1, 3, 1, 2, 1}, {1, 2, 3, 4, 5, 6})
        .Constant<float>({2, 1, 1, 1, 2}, {1, 10, 100, 1000})
        .Constant<float>({2}, {0, 0.5F})
        .Output(DType::kFloat32)
        .Run<float>();
  };
  EXPECT_EQ(run(1, 1), (std::vector<float>{301, 3010.5F, 402, 4020.5F, 503, 5030.5F, 604, 6040.5F}));
  EXPECT_EQ(run(0, 2), (std::vector<float>{301, 3010.5F, 402, 4020.5F, 5, 50.5F, 6, 60.5F}));
}

TEST(Conv3D, RefusesWhatCannotBe) {
  const auto message = [](Shape filter, int stride_d) {
    return Conv3D(1, stride_d)
        .Input<float>({1, 2, 2, 2, 3}, std::vector<float>(24))
        .Constant<float>(filter, std::vector<float>(static_cast<size_t>(filter.NumElements())))
        .Output(DType::kFloat32)
        .Message();
  };
  EXPECT_EQ(message({2, 1, 1, 3, 4}, 1), "");
  EXPECT_THAT(message({2, 1, 1, 2, 4}, 1), HasSubstr("input has 3 channels, the filter 2"));
  EXPECT_THAT(message({3, 1, 1, 3, 4}, 1), HasSubstr("does not fit into the depth of 2"));
  EXPECT_THAT(message({2, 1, 1, 3, 4}, 0), HasSubstr("stride of the depth is 0"));
  EXPECT_THAT(message({2, 1, 3, 4}, 1), HasSubstr("filter has rank 4"));
}

}  // namespace
}  // namespace assay::runtime
