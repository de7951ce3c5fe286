// RESHAPE and its kin, padding, joining, cutting, slicing, repeating.
#include <gtest/gtest.h>

#include "runtime/one_op_model.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;

std::vector<int32_t> Iota(int count) {
  std::vector<int32_t> values;
  for (int i = 0; i < count; ++i) values.push_back(i);
  return values;
}

bool Contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

#define EXPECT_REFUSED(model, part) EXPECT_TRUE(Contains((model).Message(), part)) << (model).Message()

OneOpModel Reshape(Shape from, std::vector<int32_t> to) {
  OneOpModel model(BuiltinOp::kReshape);
  model.Input<int32_t>(from, Iota(static_cast<int>(from.NumElements())));
  model.Constant<int32_t>({static_cast<int32_t>(to.size())}, to);
  return model.Output(DType::kInt32);
}

TEST(Reshape, OperandOptionAndOpenDimension) {
  EXPECT_EQ(Reshape({2, 6}, {3, -1, 2}).OutputShape(), (Shape{3, 2, 2}));
  EXPECT_EQ(Reshape({2, 6}, {12}).Run<int32_t>(), Iota(12));
  EXPECT_EQ(Reshape({1}, {}).OutputShape(), Shape{});
  EXPECT_EQ(Reshape({0, 3}, {-1, 3}).OutputShape(), (Shape{0, 3}));
  OneOpModel by_option(BuiltinOp::kReshape);
  by_option.Input<int32_t>({4}, Iota(4)).Output(DType::kInt32);
  EXPECT_EQ(OneOpModel(by_option).Option("new_shape", std::vector<int64_t>{2, 2}).OutputShape(), (Shape{2, 2}));
  EXPECT_REFUSED(OneOpModel(by_option).Option("new_shape", std::vector<int64_t>{2, 3}), "the new shape [2,3] has 6");
}

TEST(Reshape, BadShapes) {
  EXPECT_REFUSED(Reshape({4}, {-1, -1}), "-1 twice");
  EXPECT_REFUSED(Reshape({4}, {-2, 2}), "dimension of -2");
  EXPECT_REFUSED(Reshape({4}, {3, -1}), "has 4 elements");
  EXPECT_REFUSED(Reshape({4}, {2147483647, 2147483647, 2147483647}), "too many elements");
  EXPECT_REFUSED(OneOpModel(BuiltinOp::kReshape).Input<int32_t>({1}, {1}).Output(DType::kFloat32),
                 "input is int32 but output is float32");
}

TEST(Reshape, ShapeFedWhenTheGraphRuns) {
  const auto model =
      OneOpModel(BuiltinOp::kReshape).Input<int32_t>({6}, Iota(6)).Input<int32_t>({2}, {3, -1}).Output(DType::kInt32);
  EXPECT_EQ(model.OutputShape(), (Shape{3, 2}));
  EXPECT_EQ(model.Run<int32_t>("xnnpack", 2), Iota(6));
}

TEST(Squeeze, NamedOrAllDimensionsOfOne) {
  OneOpModel model(BuiltinOp::kSqueeze);
  model.Input<int32_t>({1, 2, 1}, {3, 4}).Output(DType::kInt32);
  EXPECT_EQ(model.OutputShape(), (Shape{2}));
  EXPECT_EQ(OneOpModel(model).Option("squeeze_dims", std::vector<int64_t>{-1}).OutputShape(), (Shape{1, 2}));
  EXPECT_REFUSED(OneOpModel(model).Option("squeeze_dims", std::vector<int64_t>{1}), "is not 1");
  EXPECT_REFUSED(OneOpModel(model).Option("squeeze_dims", std::vector<int64_t>{3}), "outside of rank 3");
}

TEST(ExpandDims, Axes) {
  const auto with_axis = [](int64_t axis) {
    return OneOpModel(BuiltinOp::kExpandDims)
        .Input<int32_t>({2, 3}, Iota(6))
        .Constant<int64_t>({}, {axis})
        .Output(DType::kInt32);
  };
  EXPECT_EQ(with_axis(0).OutputShape(), (Shape{1, 2, 3}));
  EXPECT_EQ(with_axis(-1).OutputShape(), (Shape{2, 3, 1}));
  EXPECT_REFUSED(with_axis(3), "axis is 3");
}

TEST(Bitcast, WiderAndNarrowerTypes) {
  EXPECT_EQ(OneOpModel(BuiltinOp::kBitcast).Input<int16_t>({1, 2}, {1, 2}).Output(DType::kInt32).Run<int32_t>(),
            (std::vector<int32_t>{0x20001}));
  EXPECT_EQ(OneOpModel(BuiltinOp::kBitcast).Input<int32_t>({1}, {0x20001}).Output(DType::kInt16).OutputShape(),
            (Shape{1, 2}));
  EXPECT_REFUSED(OneOpModel(BuiltinOp::kBitcast).Input<int16_t>({3}, {1, 2, 3}).Output(DType::kInt32),
                 "last dimension is not 2");
}

TEST(ShapeAndRank, AreKnownFromShapes) {
  const auto shape = OneOpModel(BuiltinOp::kShape).Input<float>({2, 0, 3}, {}).Output(DType::kInt64);
  EXPECT_EQ(shape.Run<int64_t>(), (std::vector<int64_t>{2, 0, 3}));
  EXPECT_REFUSED(OneOpModel(shape).Option("out_type", 2), "out_type is 2");
  EXPECT_EQ(OneOpModel(BuiltinOp::kRank).Input<float>({1, 1}, {1}).Output(DType::kInt32).Run<int32_t>(),
            (std::vector<int32_t>{2}));
}

TEST(BroadcastArgs, JoinsShapes) {
  const auto of = [](std::vector<int32_t> a, std::vector<int32_t> b) {
    return OneOpModel(BuiltinOp::kBroadcastArgs)
        .Constant<int32_t>({static_cast<int32_t>(a.size())}, a)
        .Input<int32_t>({static_cast<int32_t>(b.size())}, b)
        .Output(DType::kInt32);
  };
  EXPECT_EQ(of({2, 1, 3}, {4, 1}).Run<int32_t>(), (std::vector<int32_t>{2, 4, 3}));
  EXPECT_REFUSED(of({2, 3}, {2}), "do not broadcast");
}

OneOpModel Pad(BuiltinOp op, std::vector<int32_t> paddings) {
  OneOpModel model(op);
  model.Input<int32_t>({1, 3}, {1, 2, 3});
  model.Constant<int32_t>({static_cast<int32_t>(paddings.size()) / 2, 2}, paddings);
  return model.Output(DType::kInt32);
}

TEST(Pad, ZerosZeroPointsAndValues) {
  EXPECT_EQ(Pad(BuiltinOp::kPad, {0, 1, 1, 0}).Run<int32_t>(), (std::vector<int32_t>{0, 1, 2, 3, 0, 0, 0, 0}));
  EXPECT_EQ(OneOpModel(BuiltinOp::kPad)
                .Input<int8_t>({1}, {5}, ModelBuilder::PerTensor(0.5F, -7))
                .Constant<int32_t>({1, 2}, {1, 1})
                .Output(DType::kInt8, ModelBuilder::PerTensor(0.5F, -7))
                .Run<int8_t>(),
            (std::vector<int8_t>{-7, 5, -7}));
  EXPECT_EQ(OneOpModel(BuiltinOp::kPadv2)
                .Input<float>({1}, {5})
                .Constant<int64_t>({1, 2}, {1, 0})
                .Input<float>({}, {9})
                .Output(DType::kFloat32)
                .Run<float>(),
            (std::vector<float>{9, 5}));
}

TEST(Pad, BadOperands) {
  EXPECT_REFUSED(Pad(BuiltinOp::kPad, {0, 1}), "paddings have the shape [1,2], expected [2,2]");
  EXPECT_REFUSED(Pad(BuiltinOp::kPad, {0, -1, 0, 0}), "padded by (0, -1)");
  EXPECT_REFUSED(Pad(BuiltinOp::kPad, {2147483647, 2147483647, 0, 0}), "has a dimension of 4294967295");
  EXPECT_REFUSED(Pad(BuiltinOp::kPad, {2000000000, 0, 2000000000, 0}), "would have the shape");
  EXPECT_REFUSED(OneOpModel(BuiltinOp::kPadv2)
                     .Input<uint8_t>({1}, {5}, ModelBuilder::PerTensor(0.5F, 1))
                     .Constant<int32_t>({1, 2}, {1, 0})
                     .Constant<uint8_t>({}, {9}, ModelBuilder::PerTensor(0.25F, 1))
                     .Output(DType::kUInt8, ModelBuilder::PerTensor(0.5F, 1)),
                 "the padding value by 0.25");
}

TEST(MirrorPad, ReflectAndSymmetric) {
  const auto reflect = Pad(BuiltinOp::kMirrorPad, {0, 0, 2, 2});
  EXPECT_EQ(reflect.Run<int32_t>(), (std::vector<int32_t>{3, 2, 1, 2, 3, 2, 1}));
  EXPECT_EQ(OneOpModel(reflect).Option("mode", 1).Run<int32_t>(), (std::vector<int32_t>{2, 1, 1, 2, 3, 3, 2}));
  EXPECT_REFUSED(Pad(BuiltinOp::kMirrorPad, {0, 0, 3, 0}), "its mirror image has 2");
  EXPECT_REFUSED(OneOpModel(reflect).Option("mode", 2), "mode is 2");
}

TEST(Concatenation, JoinsAlongAnAxis) {
  OneOpModel model(BuiltinOp::kConcatenation);
  model.Input<int32_t>({2, 1}, {1, 2}).Constant<int32_t>({2, 2}, {3, 4, 5, 6}).Output(DType::kInt32);
  EXPECT_EQ(OneOpModel(model).Option("axis", -1).Run<int32_t>(), (std::vector<int32_t>{1, 3, 4, 2, 5, 6}));
  EXPECT_REFUSED(OneOpModel(model).Option("axis", 0), "do not join along axis 0");
  EXPECT_REFUSED(OneOpModel(model).Option("axis", 2), "axis is 2");
  EXPECT_REFUSED(OneOpModel(model).Option("axis", 1).Option("fused_activation_function", 1), "RELU has no kernel");
}

TEST(Concatenation, DifferentScales) {
  // (10 - 2) * 0.5 = 4 real, 4 / 0.25 + 1 = 17; 255 saturates.
  EXPECT_EQ(OneOpModel(BuiltinOp::kConcatenation)
                .Input<uint8_t>({2}, {10, 255}, ModelBuilder::PerTensor(0.5F, 2))
                .Input<uint8_t>({1}, {7}, ModelBuilder::PerTensor(0.25F, 1))
                .Output(DType::kUInt8, ModelBuilder::PerTensor(0.25F, 1))
                .Run<uint8_t>("xnnpack"),
            (std::vector<uint8_t>{17, 255, 7}));
  EXPECT_REFUSED(OneOpModel(BuiltinOp::kConcatenation)
                     .Input<int8_t>({1}, {1}, ModelBuilder::PerTensor(0.5F))
                     .Output(DType::kInt8, ModelBuilder::PerTensor(0.25F)),
                 "input 0 is quantized by 0.5");
}

TEST(PackAndUnpack, AreInverse) {
  EXPECT_EQ(OneOpModel(BuiltinOp::kPack)
                .Input<int32_t>({2}, {1, 2})
                .Input<int32_t>({2}, {3, 4})
                .Option("values_count", 2)
                .Option("axis", -1)
                .Output(DType::kInt32)
                .Run<int32_t>(),
            (std::vector<int32_t>{1, 3, 2, 4}));
  OneOpModel unpack(BuiltinOp::kUnpack);
  unpack.Input<int32_t>({2, 2}, {1, 3, 2, 4}).Option("axis", 1).Output(DType::kInt32).Output(DType::kInt32);
  const std::vector<Array> parts = OneOpModel(unpack).Option("num", 2).RunAll();
  EXPECT_EQ(parts[1].shape(), (Shape{2}));
  EXPECT_EQ(parts[1].values<int32_t>()[1], 4);
  EXPECT_REFUSED(OneOpModel(unpack).Option("num", 3), "has 2 outputs, but num is 3");
  EXPECT_REFUSED(OneOpModel(BuiltinOp::kPack).Input<int32_t>({1}, {1}).Output(DType::kInt32), "values_count is 0");
}

TEST(Split, EqualAndGivenParts) {
  OneOpModel split(BuiltinOp::kSplit);
  split.Constant<int32_t>({}, {1}).Input<int32_t>({2, 4}, Iota(8)).Option("num_splits", 2);
  split.Output(DType::kInt32).Output(DType::kInt32);
  const std::vector<Array> halves = split.RunAll();
  EXPECT_EQ(halves[1].values<int32_t>()[2], 6);
  const auto split_v = [](std::vector<int32_t> sizes) {
    OneOpModel model(BuiltinOp::kSplitV);
    model.Input<int32_t>({5}, Iota(5)).Constant<int32_t>({static_cast<int32_t>(sizes.size())}, sizes);
    model.Constant<int32_t>({}, {0}).Option("num_splits", static_cast<int>(sizes.size()));
    for (size_t i = 0; i < sizes.size(); ++i) model.Output(DType::kInt32);
    return model;
  };
  EXPECT_EQ(split_v({1, -1}).RunAll()[1].shape(), (Shape{4}));
  EXPECT_REFUSED(split_v({-1, -1}), "-1 twice");
  EXPECT_REFUSED(split_v({1, 2}), "sum to 3");
  EXPECT_REFUSED(split_v({7, -1}), "sum to 7");
  EXPECT_REFUSED(split_v({7, -2}), "value 1 of size_splits is -2");
}

OneOpModel StridedSlice(std::vector<int32_t> begin, std::vector<int32_t> end, std::vector<int32_t> strides) {
  const auto count = static_cast<int32_t>(begin.size());
  return OneOpModel(BuiltinOp::kStridedSlice)
      .Input<int32_t>({3, 4}, Iota(12))
      .Constant<int32_t>({count}, begin)
      .Constant<int32_t>({count}, end)
      .Constant<int32_t>({static_cast<int32_t>(strides.size())}, strides)
      .Output(DType::kInt32);
}

TEST(StridedSlice, StepsAndMasks) {
  EXPECT_EQ(StridedSlice({1, -1}, {3, -5}, {1, -2}).Run<int32_t>(), (std::vector<int32_t>{7, 5, 11, 9}));
  const auto row = StridedSlice({1, 1}, {2, 2}, {1, 1}).Option("shrink_axis_mask", 1);
  EXPECT_EQ(row.OutputShape(), (Shape{1}));
  EXPECT_EQ(OneOpModel(row).Option("end_mask", 2).Run<int32_t>(), (std::vector<int32_t>{5, 6, 7}));
  EXPECT_EQ(StridedSlice({0, 2}, {0, 3}, {1, 1}).Option("ellipsis_mask", 1).Run<int32_t>(),
            (std::vector<int32_t>{2, 6, 10}));
  EXPECT_EQ(StridedSlice({0, 2}, {0, 3}, {1, 1}).Option("new_axis_mask", 1).OutputShape(), (Shape{1, 1, 4}));
  EXPECT_EQ(StridedSlice({1, 1}, {1, 2}, {1, 1}).Option("offset", true).Run<int32_t>(), (std::vector<int32_t>{5, 6}));
  EXPECT_EQ(StridedSlice({2}, {1}, {1}).OutputShape(), (Shape{0, 4}));
}

TEST(StridedSlice, BadOperands) {
  EXPECT_REFUSED(StridedSlice({0}, {1}, {0}), "a stride is 0");
  EXPECT_REFUSED(StridedSlice({0}, {1}, {1, 1}), "strides has the shape [2], expected [1]");
  EXPECT_REFUSED(StridedSlice({3}, {4}, {1}).Option("shrink_axis_mask", 1), "index 3 of a dimension of 3");
  EXPECT_REFUSED(StridedSlice({0, 0}, {1, 1}, {1, 1}).Option("ellipsis_mask", 3), "at most one bit");
  EXPECT_REFUSED(StridedSlice({2, 0}, {2, 1}, {1, 1}).Option("offset", true), "does not fit");
  const std::vector<int32_t> many(32, 0);
  EXPECT_REFUSED(StridedSlice(many, many, many), "at most 31");
}

TEST(Slice, BeginAndSize) {
  const auto slice = [](std::vector<int64_t> begin, std::vector<int64_t> size) {
    return OneOpModel(BuiltinOp::kSlice)
        .Input<int32_t>({3, 4}, Iota(12))
        .Constant<int64_t>({static_cast<int32_t>(begin.size())}, begin)
        .Constant<int64_t>({static_cast<int32_t>(size.size())}, size)
        .Output(DType::kInt32);
  };
  EXPECT_EQ(slice({1, 2}, {2, -1}).Run<int32_t>(), (std::vector<int32_t>{6, 7, 10, 11}));
  EXPECT_REFUSED(slice({1, 2}, {2, 3}), "do not fit into dimension 1");
  EXPECT_REFUSED(slice({-1, 2}, {1, 1}), "do not fit into dimension 0");
  EXPECT_REFUSED(slice({0, INT64_MAX}, {1, INT64_MAX}), "do not fit into dimension 1");
  EXPECT_REFUSED(slice({1}, {2}), "begin has the shape [1], expected [2]");
}

TEST(DynamicUpdateSlice, TheStartIsMovedBack) {
  const auto update = [](std::vector<int32_t> start, Shape shape) {
    return OneOpModel(BuiltinOp::kDynamicUpdateSlice)
        .Input<int32_t>({2, 3}, Iota(6))
        .Input<int32_t>(shape, std::vector<int32_t>(static_cast<size_t>(shape.NumElements()), 9))
        .Input<int32_t>({static_cast<int32_t>(start.size())}, start)
        .Output(DType::kInt32);
  };
  EXPECT_EQ(update({7, -7}, {1, 2}).Run<int32_t>(), (std::vector<int32_t>{0, 1, 2, 9, 9, 5}));
  EXPECT_REFUSED(update({0, 0}, {1, 4}), "does not fit into operand");
  EXPECT_REFUSED(update({0}, {1, 2}), "start_indices has the shape [1]");
}

TEST(Transpose, PermutesDimensions) {
  const auto transpose = [](std::vector<int32_t> perm) {
    return OneOpModel(BuiltinOp::kTranspose)
        .Input<int32_t>({1, 2, 3}, Iota(6))
        .Constant<int32_t>({static_cast<int32_t>(perm.size())}, perm)
        .Output(DType::kInt32);
  };
  EXPECT_EQ(transpose({2, 0, 1}).Run<int32_t>(), (std::vector<int32_t>{0, 3, 1, 4, 2, 5}));
  EXPECT_REFUSED(transpose({0, 0, 1}), "entry 0 twice");
  EXPECT_REFUSED(transpose({0, 3, 1}), "an entry of perm is 3");
  EXPECT_REFUSED(transpose({0, 1}), "expected [3]");
}

TEST(Reverse, AxesAndSequences) {
  const auto reverse = [](std::vector<int32_t> axes) {
    return OneOpModel(BuiltinOp::kReverseV2)
        .Input<int32_t>({2, 2}, Iota(4))
        .Constant<int32_t>({static_cast<int32_t>(axes.size())}, axes)
        .Output(DType::kInt32);
  };
  EXPECT_EQ(reverse({-1}).Run<int32_t>(), (std::vector<int32_t>{1, 0, 3, 2}));
  EXPECT_EQ(reverse({0, 1}).Run<int32_t>(), (std::vector<int32_t>{3, 2, 1, 0}));
  EXPECT_REFUSED(reverse({0, -2}), "axis 0 is given twice");
  const auto sequence = [](std::vector<int64_t> lengths) {
    return OneOpModel(BuiltinOp::kReverseSequence)
        .Input<int32_t>({2, 3}, Iota(6))
        .Input<int64_t>({2}, lengths)
        .Option("seq_dim", 1)
        .Output(DType::kInt32);
  };
  EXPECT_EQ(sequence({2, 3}).Run<int32_t>(), (std::vector<int32_t>{1, 0, 2, 5, 4, 3}));
  EXPECT_REFUSED(sequence({2, 4}), "has 4 for 3 steps");
}

TEST(Repeat, BroadcastToTileAndFill) {
  const auto with = [](BuiltinOp op, std::vector<int32_t> operand) {
    return OneOpModel(op)
        .Input<int32_t>({2, 1}, {1, 2})
        .Constant<int32_t>({static_cast<int32_t>(operand.size())}, operand)
        .Output(DType::kInt32);
  };
  EXPECT_EQ(with(BuiltinOp::kBroadcastTo, {2, 2, 2}).Run<int32_t>(), (std::vector<int32_t>{1, 1, 2, 2, 1, 1, 2, 2}));
  EXPECT_REFUSED(with(BuiltinOp::kBroadcastTo, {3, 2}), "does not broadcast to [3,2]");
  EXPECT_REFUSED(with(BuiltinOp::kBroadcastTo, {2}), "does not broadcast to [2]");
  EXPECT_EQ(with(BuiltinOp::kTile, {2, 1}).Run<int32_t>(), (std::vector<int32_t>{1, 2, 1, 2}));
  EXPECT_EQ(with(BuiltinOp::kTile, {0, 1}).OutputShape(), (Shape{0, 1}));
  EXPECT_REFUSED(with(BuiltinOp::kTile, {-1, 1}), "repeated -1 times");
  EXPECT_EQ(OneOpModel(BuiltinOp::kFill)
                .Constant<int64_t>({2}, {1, 3})
                .Input<float>({}, {2.5F})
                .Output(DType::kFloat32)
                .Run<float>(),
            (std::vector<float>{2.5F, 2.5F, 2.5F}));
  EXPECT_REFUSED(OneOpModel(BuiltinOp::kFill)
                     .Constant<int64_t>({1}, {int64_t{1} << 40})
                     .Input<float>({}, {1})
                     .Output(DType::kFloat32),
                 "has a dimension of 1099511627776");
}

TEST(Blocks, SpaceToDepthAndBack) {
  const auto with = [](BuiltinOp op, Shape shape, int block) {
    return OneOpModel(op)
        .Input<int32_t>(shape, Iota(static_cast<int>(shape.NumElements())))
        .Option("block_size", block)
        .Output(DType::kInt32);
  };
  EXPECT_EQ(with(BuiltinOp::kSpaceToDepth, {1, 2, 4, 1}, 2).Run<int32_t>(),
            (std::vector<int32_t>{0, 1, 4, 5, 2, 3, 6, 7}));
  EXPECT_EQ(with(BuiltinOp::kDepthToSpace, {1, 1, 2, 4}, 2).Run<int32_t>(),
            (std::vector<int32_t>{0, 1, 4, 5, 2, 3, 6, 7}));
  EXPECT_REFUSED(with(BuiltinOp::kSpaceToDepth, {1, 3, 4, 1}, 2), "blocks of 2");
  EXPECT_REFUSED(with(BuiltinOp::kDepthToSpace, {1, 3, 4, 1}, 2), "no blocks of 2 x 2");
  EXPECT_REFUSED(with(BuiltinOp::kDepthToSpace, {1, 3, 4, 1}, 0), "block_size is 0");
}

TEST(Blocks, SpaceToBatchAndBack) {
  const auto with = [](BuiltinOp op, Shape shape, std::vector<int32_t> block, std::vector<int32_t> border) {
    const auto space = static_cast<int32_t>(block.size());
    return OneOpModel(op)
        .Input<int32_t>(shape, Iota(static_cast<int>(shape.NumElements())))
        .Constant<int32_t>({space}, block)
        .Constant<int32_t>({space, 2}, border)
        .Output(DType::kInt32);
  };
  const auto to_batch = with(BuiltinOp::kSpaceToBatchNd, {1, 3, 1}, {2}, {1, 0});
  EXPECT_EQ(to_batch.OutputShape(), (Shape{2, 2, 1}));
  EXPECT_EQ(to_batch.Run<int32_t>(), (std::vector<int32_t>{0, 1, 0, 2}));
  const auto to_space = with(BuiltinOp::kBatchToSpaceNd, {2, 2, 1}, {2}, {1, 0});
  EXPECT_EQ(to_space.Run<int32_t>(), (std::vector<int32_t>{2, 1, 3}));
  EXPECT_REFUSED(with(BuiltinOp::kSpaceToBatchNd, {1, 3, 1}, {2}, {0, 0}), "cannot be cut into blocks of 2");
  EXPECT_REFUSED(with(BuiltinOp::kSpaceToBatchNd, {1, 3, 1}, {0}, {0, 0}), "block_shape has 0");
  EXPECT_REFUSED(with(BuiltinOp::kSpaceToBatchNd, {1, 3, 1}, {2000000}, {1999997, 0}), "more than 65536 places");
  EXPECT_REFUSED(with(BuiltinOp::kBatchToSpaceNd, {2, 2, 1}, {2}, {3, 2}), "leave nothing");
  EXPECT_REFUSED(with(BuiltinOp::kBatchToSpaceNd, {3, 2, 1}, {2}, {0, 0}), "3 batches are no blocks");
}

// Four-bit codes are packed two to a byte, the lower half first.
TEST(Movement, PackedTypes) {
  ModelBuilder m;
  const int x = m.ConstantBytes("x", DType::kInt4, {3}, {0x21, 0x03});
  const int perm = m.Constant<int32_t>("axes", {1}, {0});
  const int y = m.Tensor("y", DType::kInt4, {3});
  m.Op(BuiltinOp::kReverseV2, {x, perm}, {y});
  const int z = m.Tensor("z", DType::kInt4, {6});
  m.Op(BuiltinOp::kConcatenation, {y, x}, {z});
  m.Output(y), m.Output(z);
  Interpreter interpreter(m.Build());
  interpreter.Invoke();
  const auto reversed = interpreter.OutputBytes(0), joined = interpreter.OutputBytes(1);
  EXPECT_EQ(std::vector<uint8_t>(reversed.begin(), reversed.end()), (std::vector<uint8_t>{0x23, 0x01}));
  EXPECT_EQ(std::vector<uint8_t>(joined.begin(), joined.end()), (std::vector<uint8_t>{0x23, 0x11, 0x32}));
}

TEST(Movement, StringsAreRefused) {
  ModelBuilder m;
  const int x = m.ConstantBytes("x", DType::kString, {1}, {1, 0, 0, 0, 12, 0, 0, 0, 13, 0, 0, 0, 'a'});
  const int y = m.Tensor("y", DType::kString, {1});
  m.Op(BuiltinOp::kSqueeze, {x}, {y});
  m.Output(y);
  try {
    Interpreter interpreter(m.Build());
    interpreter.Invoke();
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(Contains(error.what(), "input is string, which has no kernel here")) << error.what();
  }
}

}  // namespace
}  // namespace assay::runtime
