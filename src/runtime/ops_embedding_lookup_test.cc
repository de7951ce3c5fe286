#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/one_op_model.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;
using testing::HasSubstr;

TEST(EmbeddingLookup, CopiesRows) {
  OneOpModel model(BuiltinOp::kEmbeddingLookup);
  model.Input<int32_t>({3}, {1, 0, 1}).Constant<int16_t>({2, 1, 2}, {1, 2, 3, 4}).Output(DType::kInt16);
  EXPECT_EQ(model.OutputShape(), (Shape{3, 1, 2}));
  EXPECT_EQ(model.Run<int16_t>(), (std::vector<int16_t>{3, 4, 1, 2, 3, 4}));
}

TEST(EmbeddingLookup, DequantizesByTheRowsScale) {
  OneOpModel model(BuiltinOp::kEmbeddingLookup);
  model.Input<int32_t>({2}, {1, 0})
      .Constant<int8_t>({2, 2}, {1, -2, 3, -4}, ModelBuilder::PerChannel({0.5F, 2}, 0))
      .Output(DType::kFloat32);
  EXPECT_EQ(model.Run<float>(), (std::vector<float>{6, -8, 0.5F, -1}));
}

TEST(EmbeddingLookup, RefusesIndicesOutsideOfTheTable) {
  for (const int32_t index : {-1, 2}) {
    OneOpModel model(BuiltinOp::kEmbeddingLookup);
    model.Input<int32_t>({1}, {index}).Constant<float>({2, 1}, {1, 2}).Output(DType::kFloat32);
    EXPECT_THAT(model.Message(), HasSubstr(fmt::format("index {} is outside of the table's 2 rows", index)));
  }
}

TEST(EmbeddingLookup, RefusesTablesItCannotRead) {
  OneOpModel model(BuiltinOp::kEmbeddingLookup);
  model.Input<int32_t>({1}, {0})
      .Constant<int8_t>({2, 1}, {1, 2}, ModelBuilder::PerTensor(1, 3))
      .Output(DType::kFloat32);
  EXPECT_THAT(model.Message(), HasSubstr("table has the zero point 3, expected 0"));
}

}  // namespace
}  // namespace assay::runtime
