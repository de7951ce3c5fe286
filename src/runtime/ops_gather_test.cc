// Ops that pick, place, order or make values: GATHER, SCATTER_ND, TOPK_V2, WHERE, RANGE, RFFT2D, ...
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "runtime/one_op_model.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;

bool Contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

#define EXPECT_REFUSED(model, part) EXPECT_TRUE(Contains((model).Message(), part)) << (model).Message()

OneOpModel Gather(Shape shape, Shape indices_shape, std::vector<int32_t> indices, int axis, int batch_dims) {
  std::vector<int32_t> values;
  for (int32_t i = 0; i < shape.NumElements(); ++i) values.push_back(i);
  return OneOpModel(BuiltinOp::kGather)
      .Input<int32_t>(std::move(shape), values)
      .Input<int32_t>(std::move(indices_shape), indices)
      .Option("axis", axis)
      .Option("batch_dims", batch_dims)
      .Output(DType::kInt32);
}

TEST(Gather, AxisAndBatches) {
  EXPECT_EQ(Gather({3, 2}, {2}, {2, 0}, 0, 0).Run<int32_t>(), (std::vector<int32_t>{4, 5, 0, 1}));
  EXPECT_EQ(Gather({2, 3}, {1, 2}, {2, 0}, -1, 0).OutputShape(), (Shape{2, 1, 2}));
  EXPECT_EQ(Gather({2, 3}, {2, 1}, {2, 0}, 1, 1).Run<int32_t>(), (std::vector<int32_t>{2, 3}));
  EXPECT_REFUSED(Gather({3}, {1}, {3}, 0, 0), "index 3 is out of range for a dimension of 3");
  EXPECT_REFUSED(Gather({3}, {1}, {-1}, 0, 0), "index -1 is out of range");
  EXPECT_REFUSED(Gather({3}, {1}, {0}, 1, 0), "axis is 1");
  EXPECT_REFUSED(Gather({2, 3}, {2, 1}, {2, 0}, 0, 1), "batch_dims is 1, beyond axis 0");
  EXPECT_REFUSED(Gather({2, 3}, {1, 1}, {2}, 1, 1), "differ in batch dimension 0");
}

TEST(GatherNd, Tuples) {
  const auto gather = [](Shape shape, std::vector<int64_t> indices) {
    return OneOpModel(BuiltinOp::kGatherNd)
        .Input<int32_t>({2, 2}, {1, 2, 3, 4})
        .Input<int64_t>(std::move(shape), indices)
        .Output(DType::kInt32);
  };
  EXPECT_EQ(gather({2, 2}, {1, 0, 0, 1}).Run<int32_t>(), (std::vector<int32_t>{3, 2}));
  EXPECT_EQ(gather({1, 1}, {1}).Run<int32_t>(), (std::vector<int32_t>{3, 4}));
  EXPECT_EQ(gather({1, 0}, {}).OutputShape(), (Shape{1, 2, 2}));
  EXPECT_REFUSED(gather({1, 1}, {2}), "points out of range");
  EXPECT_REFUSED(gather({1, 1}, {std::numeric_limits<int64_t>::max()}), "out of range");
  EXPECT_REFUSED(gather({1, 3}, {0, 0, 0}), "pick from rank 2");
}

TEST(ScatterNd, AddsUpAndWraps) {
  const auto scatter = [](std::vector<int32_t> indices, std::vector<int8_t> updates) {
    const auto count = static_cast<int32_t>(indices.size());
    return OneOpModel(BuiltinOp::kScatterNd)
        .Input<int32_t>({count, 1}, indices)
        .Input<int8_t>({static_cast<int32_t>(updates.size())}, updates)
        .Constant<int32_t>({1}, {4})
        .Output(DType::kInt8);
  };
  EXPECT_EQ(scatter({3, 1, 3}, {100, 5, 100}).Run<int8_t>(), (std::vector<int8_t>{0, 5, 0, -56}));
  EXPECT_REFUSED(scatter({4}, {1}), "tuple 0 of the indices points out of range");
  EXPECT_REFUSED(scatter({0}, {1, 2}), "updates have the shape [2], expected [1]");
}

TEST(TopK, FallingEqualsInOrder) {
  const auto top = [](int32_t k, std::vector<float> values) {
    return OneOpModel(BuiltinOp::kTopkV2)
        .Input<float>({1, static_cast<int32_t>(values.size())}, values)
        .Constant<int32_t>({}, {k})
        .Output(DType::kFloat32)
        .Output(DType::kInt32);
  };
  const std::vector<Array> outputs = top(3, {1, 3, 2, 3}).RunAll();
  EXPECT_EQ(outputs[0].values<float>()[2], 2);
  const auto indices = outputs[1].values<int32_t>();
  EXPECT_EQ(std::vector<int32_t>(indices.begin(), indices.end()), (std::vector<int32_t>{1, 3, 2}));
  EXPECT_EQ(top(1, {NAN, 2, NAN}).Run<float>(), (std::vector<float>{2}));
  EXPECT_EQ(top(-1, {1}).OutputShape(), (Shape{1, 0}));
  EXPECT_REFUSED(top(2, {1}), "k is 2");
}

TEST(Cumsum, ExclusiveAndReverse) {
  const auto cumsum = [](bool exclusive, bool reverse, int32_t axis) {
    return OneOpModel(BuiltinOp::kCumsum)
        .Input<int32_t>({3}, {1, 2, std::numeric_limits<int32_t>::max()})
        .Input<int32_t>({}, {axis})
        .Option("exclusive", exclusive)
        .Option("reverse", reverse)
        .Output(DType::kInt32);
  };
  constexpr int32_t kLow = std::numeric_limits<int32_t>::min(), kHigh = std::numeric_limits<int32_t>::max();
  EXPECT_EQ(cumsum(false, false, 0).Run<int32_t>(), (std::vector<int32_t>{1, 3, kLow + 2}));
  EXPECT_EQ(cumsum(true, true, -1).Run<int32_t>(), (std::vector<int32_t>{kLow + 1, kHigh, 0}));
  EXPECT_REFUSED(cumsum(false, false, 1), "axis is 1");
}

TEST(OneHot, AxisAndDepth) {
  const auto one_hot = [](int axis, int32_t depth) {
    return OneOpModel(BuiltinOp::kOneHot)
        .Input<int64_t>({2}, {1, 5})
        .Constant<int32_t>({}, {depth})
        .Constant<float>({}, {2})
        .Constant<float>({}, {-1})
        .Option("axis", axis)
        .Output(DType::kFloat32);
  };
  EXPECT_EQ(one_hot(-1, 2).Run<float>(), (std::vector<float>{-1, 2, -1, -1}));
  EXPECT_EQ(one_hot(0, 2).Run<float>(), (std::vector<float>{-1, -1, 2, -1}));
  EXPECT_REFUSED(one_hot(2, 2), "axis is 2");
  EXPECT_REFUSED(one_hot(0, -1), "depth is -1");
}

TEST(WhereAndUnique, ShapesFollowFromValues) {
  const auto where =
      OneOpModel(BuiltinOp::kWhere).Input<float>({2, 2}, {0, NAN, -0.0F, 3}).Output(DType::kInt64).RunAll();
  EXPECT_EQ(where[0].shape(), (Shape{2, 2}));
  const auto places = where[0].values<int64_t>();
  EXPECT_EQ(std::vector<int64_t>(places.begin(), places.end()), (std::vector<int64_t>{0, 1, 1, 1}));
  OneOpModel unique(BuiltinOp::kUnique);
  unique.Input<int32_t>({4}, {7, 3, 7, 1}).Output(DType::kInt32).Output(DType::kInt32);
  const auto outputs = unique.RunAll();
  EXPECT_EQ(unique.Run<int32_t>(), (std::vector<int32_t>{7, 3, 1}));
  EXPECT_EQ(outputs[1].values<int32_t>()[3], 2);
  EXPECT_REFUSED(OneOpModel(unique).Option("idx_out_type", 4), "idx_out_type is 4");
}

TEST(SparseToDense, PlacesAreChecked) {
  const auto dense = [](std::vector<int32_t> places) {
    return OneOpModel(BuiltinOp::kSparseToDense)
        .Input<int32_t>({1, 2}, places)
        .Constant<int32_t>({2}, {2, 2})
        .Input<float>({1}, {5})
        .Constant<float>({}, {-1})
        .Output(DType::kFloat32);
  };
  EXPECT_EQ(dense({1, 0}).Run<float>(), (std::vector<float>{-1, -1, 5, -1}));
  EXPECT_REFUSED(dense({0, 2}), "index 1 of entry 0 is 2");
}

TEST(MatrixDiag, NewAndReplacedDiagonals) {
  EXPECT_EQ(OneOpModel(BuiltinOp::kMatrixDiag).Input<float>({2}, {1, 2}).Output(DType::kFloat32).Run<float>(),
            (std::vector<float>{1, 0, 0, 2}));
  OneOpModel set(BuiltinOp::kMatrixSetDiag);
  set.Input<int32_t>({2, 3}, {1, 2, 3, 4, 5, 6}).Output(DType::kInt32);
  EXPECT_EQ(OneOpModel(set).Input<int32_t>({2}, {8, 9}).Run<int32_t>(), (std::vector<int32_t>{8, 2, 3, 4, 9, 6}));
  EXPECT_REFUSED(OneOpModel(set).Input<int32_t>({3}, {8, 9, 7}), "diagonal has the shape [3], expected [2]");
}

template <typename T>
OneOpModel Range(T start, T limit, T delta) {
  OneOpModel model(BuiltinOp::kRange);
  model.Input<T>({}, {start});
  model.Constant<T>({}, {limit});
  model.Constant<T>({}, {delta});
  return model.Output(DTypeOf<T>());
}

TEST(Range, StepsUpAndDown) {
  EXPECT_EQ(Range<int32_t>(1, 8, 3).Run<int32_t>(), (std::vector<int32_t>{1, 4, 7}));
  EXPECT_EQ(Range<float>(1, 0, -0.5F).Run<float>(), (std::vector<float>{1, 0.5F}));
  EXPECT_EQ(Range<int64_t>(std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(),
                           std::numeric_limits<int64_t>::max())
                .OutputShape(),
            (Shape{3}));
  EXPECT_REFUSED(Range<int32_t>(1, 8, 0), "delta is 0");
  EXPECT_REFUSED(Range<int32_t>(1, 8, -1), "leads away");
  EXPECT_REFUSED(Range<float>(NAN, 8, 1), "not a number");
  EXPECT_REFUSED(Range<float>(0, 1e30F, 1e-5F), "the range has 1e+35 values");
  EXPECT_REFUSED(Range<int64_t>(0, int64_t{1} << 40, 1), "the range has 1099511627776 values");
}

TEST(Rfft2d, OfAConstantAndOfAWave) {
  const auto transform = [](std::vector<int32_t> lengths, std::vector<float> image) {
    OneOpModel model(BuiltinOp::kRfft2d);
    model.Input<float>({1, static_cast<int32_t>(image.size())}, image);
    return model.Constant<int32_t>({2}, lengths).Output(DType::kComplex64);
  };
  const auto read = [](const OneOpModel& model) {
    const std::vector<Array> outputs = model.RunAll();
    std::vector<float> parts(outputs[0].bytes().size() / sizeof(float));
    std::memcpy(parts.data(), outputs[0].bytes().data(), outputs[0].bytes().size());
    return parts;
  };
  EXPECT_EQ(read(transform({1, 4}, {1, 1, 1, 1})), (std::vector<float>{4, 0, 0, 0, 0, 0}));
  EXPECT_EQ(read(transform({2, 2}, {1, 0, 5})), (std::vector<float>{1, 0, 1, 0, 1, 0, 1, 0}));
  const std::vector<float> wave = read(transform({1, 4}, {0, 1, 0, -1}));
  EXPECT_NEAR(wave[3], -2, 1e-6);
  EXPECT_REFUSED(transform({1, 3}, {1}), "3 is no power of two");
}

// Two blocks of two rows: a 4 x 2 matrix whose rows 2 and 3 are stored.
TEST(Densify, BlockSparseConstant) {
  ModelBuilder m;
  const int x = m.Constant<float>("x", Shape{4, 2}, std::vector<float>{1, 2, 3, 4});
  graph::Sparsity sparsity;
  sparsity.traversal_order = {0, 1, 2};
  sparsity.block_map = {0};
  sparsity.dimensions = {{.sparse_csr = true, .dense_size = 0, .segments = {0, 1}, .indices = {1}},
                         {.sparse_csr = false, .dense_size = 2, .segments = {}, .indices = {}},
                         {.sparse_csr = false, .dense_size = 2, .segments = {}, .indices = {}}};
  m.tensor(x).sparsity = sparsity;
  const int y = m.Tensor("y", DType::kFloat32, {4, 2});
  m.Op(BuiltinOp::kDensify, {x}, {y});
  m.Output(y);
  Interpreter interpreter(m.Build());
  interpreter.Invoke();
  const Array dense = interpreter.Output(0);
  const auto values = dense.values<float>();
  EXPECT_EQ(std::vector<float>(values.begin(), values.end()), (std::vector<float>{0, 0, 0, 0, 1, 3, 2, 4}));
  EXPECT_REFUSED(OneOpModel(BuiltinOp::kDensify).Constant<float>({1}, {1}).Output(DType::kFloat32),
                 "not a sparse constant");
}

}  // namespace
}  // namespace assay::runtime
