// Ops that move, pick, join and count elements, and reductions.
#include <algorithm>
#include <numeric>

#include "format/savedmodel/node_call.h"
#include "graph/ops/arg_min_max.h"
#include "graph/ops/concatenation.h"
#include "graph/ops/cumsum.h"
#include "graph/ops/gather.h"
#include "graph/ops/one_hot.h"
#include "graph/ops/pad.h"
#include "graph/ops/reduce.h"
#include "graph/ops/reshape.h"
#include "graph/ops/reverse.h"
#include "graph/ops/shape.h"
#include "graph/ops/space_to_depth.h"
#include "graph/ops/strided_slice.h"
#include "graph/ops/unique.h"

namespace assay::savedmodel {
namespace {

using graph::Attributes;
using graph::BuiltinOp;

constexpr size_t kMaxPieces = 4096;

// The operand as int32 where it is int64.
Id Int32In(Call& c, size_t i, const char* suffix) { return c.AsInt32(c.In(i), suffix); }

void Reshape(Call& c) {
  const Id x = c.In(0);
  // Where one dimension follows from the open one, -1 says it without computing shapes when the model runs.
  const auto low = c.g.IntValues(c.In(1), false), high = c.g.IntValues(c.In(1), true);
  if (low.has_value() && high.has_value() && low->size() == high->size() && low->size() <= 32) {
    std::vector<int32_t> dims;
    int open = 0;
    for (size_t i = 0; i < low->size(); ++i) {
      const bool differs = (*low)[i] != (*high)[i];
      if (!differs && ((*low)[i] < -1 || (*low)[i] > INT32_MAX)) throw InputError("a dimension is {}", (*low)[i]);
      dims.push_back(differs ? -1 : static_cast<int32_t>((*low)[i]));
      open += dims.back() == -1 ? 1 : 0;
    }
    if (open <= 1) return c.Return(c.g.Reshape(c.name, x, dims));
  }
  c.Return(
      c.g.Op(BuiltinOp::kReshape, c.name, {x, Int32In(c, 1, "/shape")}, Attributes::From(graph::ReshapeAttributes{})));
}

// Dimensions after a squeeze or an expansion, with at most one of them open as a reshape, otherwise as the op.
void Squeeze(Call& c) {
  const Id x = c.In(0);
  std::vector<int64_t> axes = c.Ints("squeeze_dims");
  if (axes.empty()) axes = c.Ints("axis");
  const std::vector<int32_t> dims = c.g.Dims(x);
  std::vector<bool> drop(dims.size(), false);
  for (const int64_t axis : axes) drop[static_cast<size_t>(AxisOf(c, x, axis))] = true;
  std::vector<int32_t> kept;
  std::vector<int64_t> dropped;
  for (size_t i = 0; i < dims.size(); ++i) {
    const bool drops = axes.empty() ? dims[i] == 1 : drop[i];
    if (drops && dims[i] != 1)
      throw InputError("dimension {} is {}, not 1", i, dims[i] < 0 ? "open" : std::to_string(dims[i]));
    if (drops) dropped.push_back(static_cast<int64_t>(i));
    if (!drops) kept.push_back(dims[i]);
  }
  if (std::count(kept.begin(), kept.end(), -1) <= 1) return c.Return(c.g.Reshape(c.name, x, kept));
  c.Return(c.g.Op(BuiltinOp::kSqueeze, c.name, {x}, Attributes::From(graph::SqueezeAttributes{dropped})));
}

void ExpandDims(Call& c) {
  const Id x = c.In(0);
  const int rank = c.g.rank(x);
  int64_t axis = c.Scalar(1, "axis");
  if (axis < -rank - 1 || axis > rank) throw InputError("axis {} of a tensor of {} dimensions", axis, rank);
  if (axis < 0) axis += rank + 1;
  std::vector<int32_t> dims = c.g.Dims(x);
  dims.insert(dims.begin() + axis, 1);
  if (std::count(dims.begin(), dims.end(), -1) <= 1) return c.Return(c.g.Reshape(c.name, x, dims));
  c.Return(c.g.Op(BuiltinOp::kExpandDims, c.name, {x, c.g.IntScalar(c.name + "/dim", static_cast<int32_t>(axis))}));
}

Id ShapeOf(Call& c, const std::string& name, Id x, DType dtype) {
  return c.g.Op(BuiltinOp::kShape, name, {x}, Attributes::From(graph::ShapeAttributes{static_cast<int32_t>(dtype)}),
                dtype);
}

void ShapeOp(Call& c) {
  const DType dtype = DTypeOfTensorFlow(c.Type("out_type", kTfInt32));
  for (size_t i = 0; i < c.size(); ++i) c.Return(ShapeOf(c, c.name, c.In(i), dtype));
}

void Rank(Call& c) { c.Return(c.g.IntScalar(c.name, c.g.rank(c.In(0)))); }

void Size(Call& c) {
  const DType dtype = DTypeOfTensorFlow(c.Type("out_type", kTfInt32));
  const Id shape = ShapeOf(c, c.name + "/Shape", c.In(0), dtype);
  c.Return(c.g.Op(BuiltinOp::kReduceProd, c.name, {shape, c.g.Ints(c.name + "/axis", {0})},
                  Attributes::From(graph::ReducerAttributes{false})));
}

int32_t Mask(const Call& c, const char* attr) {
  const int64_t mask = c.Int(attr, 0);
  if (mask < 0 || mask > INT32_MAX) throw InputError("its {} is {}", attr, mask);
  return static_cast<int32_t>(mask);
}

// x[:, i]: where the slice's place is computed when the model runs, only whole dimensions and single entries are left.
void DynamicSlice(Call& c, const graph::StridedSliceAttributes& a, int entries) {
  const auto steps = c.Known(3);
  Id x = c.In(0);
  int axis = 0;
  for (int i = 0; i < entries; ++i) {
    const auto has = [i](int32_t mask) { return (mask >> i & 1) != 0; };
    const bool whole = has(a.begin_mask) && has(a.end_mask) && !has(a.shrink_axis_mask);
    if (has(a.new_axis_mask) || has(a.ellipsis_mask) || (!whole && !has(a.shrink_axis_mask)) || !steps.has_value() ||
        (*steps)[static_cast<size_t>(i)] != 1) {
      throw Unsupported{"a slice whose place and size are computed when the model runs"};
    }
    if (whole) {
      ++axis;
      continue;
    }
    const Id index = c.g.Select(c.name + "/index", Int32In(c, 1, "/begin"), 0, i);
    x = c.g.Gather(c.name, x, index, AxisOf(c, x, axis));
  }
  c.Return(x);
}

void StridedSlice(Call& c) {
  const graph::StridedSliceAttributes a{.begin_mask = Mask(c, "begin_mask"),
                                        .end_mask = Mask(c, "end_mask"),
                                        .ellipsis_mask = Mask(c, "ellipsis_mask"),
                                        .new_axis_mask = Mask(c, "new_axis_mask"),
                                        .shrink_axis_mask = Mask(c, "shrink_axis_mask")};
  const Id x = c.In(0);
  const auto entries = c.g.rank(c.In(1)) == 1 ? c.g.shape(c.In(1))[0] : 0;
  if (entries < 0 || entries > 31) throw InputError("it slices {} dimensions", entries);
  if (!c.g.IntValues(c.In(1), false).has_value() || !c.g.IntValues(c.In(2), false).has_value()) {
    return DynamicSlice(c, a, entries);
  }
  // x[:, None] and x[...] only reshape.
  bool picks_all = true;
  std::vector<int32_t> dims;
  const std::vector<int32_t> given = c.g.Dims(x);
  size_t at = 0;
  const auto steps = c.Known(3);
  int added = 0;
  for (int i = 0; i < entries; ++i) added += (a.new_axis_mask >> i & 1) != 0 && (a.ellipsis_mask >> i & 1) == 0 ? 1 : 0;
  for (int i = 0; i < entries; ++i) {
    const auto has = [i](int32_t mask) { return (mask >> i & 1) != 0; };
    if (has(a.ellipsis_mask)) {
      const int rest = c.g.rank(x) - (entries - 1 - added);
      for (int k = 0; k < rest && at < given.size(); ++k) dims.push_back(given[at++]);
    } else if (has(a.new_axis_mask)) {
      dims.push_back(1);
    } else {
      picks_all = picks_all && !has(a.shrink_axis_mask) && has(a.begin_mask) && has(a.end_mask) && steps.has_value() &&
                  (*steps)[static_cast<size_t>(i)] == 1 && at < given.size();
      if (at < given.size()) dims.push_back(given[at++]);
    }
  }
  while (at < given.size()) dims.push_back(given[at++]);
  if (picks_all && dims == given) return c.Return(x);
  if (picks_all && std::count(dims.begin(), dims.end(), -1) <= 1) return c.Return(c.g.Reshape(c.name, x, dims));
  c.Return(c.g.Op(BuiltinOp::kStridedSlice, c.name,
                  {x, Int32In(c, 1, "/begin"), Int32In(c, 2, "/end"), Int32In(c, 3, "/strides")}, Attributes::From(a)));
}

void Slice(Call& c) {
  c.Return(c.g.Op(BuiltinOp::kSlice, c.name, {c.In(0), Int32In(c, 1, "/begin"), Int32In(c, 2, "/size")}));
}

void Transpose(Call& c) {
  const Id x = c.In(0);
  const auto permutation = c.Known(1);
  if (permutation.has_value()) {
    bool moves = false;
    for (size_t i = 0; i < permutation->size(); ++i) moves |= (*permutation)[i] != static_cast<int64_t>(i);
    if (!moves && static_cast<int>(permutation->size()) == c.g.rank(x)) return c.Return(x);
  }
  c.Return(c.g.Op(BuiltinOp::kTranspose, c.name, {x, Int32In(c, 1, "/perm")}));
}

void Concat(Call& c) {
  const bool axis_first = c.node.op == "Concat";
  if (c.size() < 2) throw InputError("it has {} inputs", c.size());
  const int64_t axis = c.Scalar(axis_first ? 0 : c.size() - 1, "axis");
  const std::vector<Id> xs = axis_first ? c.Tensors(1, c.size()) : c.Tensors(0, c.size() - 1);
  if (xs.size() == 1) return c.Return(xs[0]);
  c.Return(c.g.Concat(c.name, xs, AxisOf(c, xs[0], axis)));
}

void Pack(Call& c) {
  const std::vector<Id> xs = c.Tensors(0, c.size());
  if (xs.empty()) throw InputError("it has no inputs");
  const int rank = c.g.rank(xs[0]);
  int64_t axis = c.Int("axis", 0);
  if (axis < -rank - 1 || axis > rank) throw InputError("axis {} of {} dimensions", axis, rank + 1);
  if (axis < 0) axis += rank + 1;
  const Id packed =
      c.g.Op(BuiltinOp::kPack, c.name, xs,
             Attributes::From(graph::PackAttributes{static_cast<int32_t>(xs.size()), static_cast<int32_t>(axis)}));
  // [shape(x)[0], 5] of an x with 5 columns is shape(x).
  for (const Id x : xs) {
    const graph::Operator* slice = c.g.Producer(x);
    const graph::Operator* shape =
        slice == nullptr || slice->code != BuiltinOp::kStridedSlice ? nullptr : c.g.Producer(slice->inputs[0]);
    if (shape == nullptr || shape->code != BuiltinOp::kShape) continue;
    const Id whole = shape->outputs[0];
    if (c.g.IntValues(whole, false) == c.g.IntValues(packed, false) &&
        c.g.IntValues(whole, true) == c.g.IntValues(packed, true) && c.g.info(whole).dtype == c.g.info(packed).dtype &&
        c.g.IntValues(whole, false).has_value()) {
      return c.Return(whole);
    }
  }
  c.Return(packed);
}

std::vector<DType> Types(const Call& c, Id x, int64_t count) {
  if (count < 1 || count > static_cast<int64_t>(kMaxPieces)) throw InputError("it has {} outputs", count);
  return std::vector<DType>(static_cast<size_t>(count), c.g.info(x).dtype);
}

void Unpack(Call& c) {
  const Id x = c.In(0);
  const int32_t axis = AxisOf(c, x, c.Int("axis", 0));
  const int64_t count = c.Int("num", c.g.shape(x)[axis]);
  c.Return(c.g.Ops(BuiltinOp::kUnpack, c.name, {x},
                   Attributes::From(graph::UnpackAttributes{static_cast<int32_t>(count), axis}), Types(c, x, count)));
}

void Split(Call& c) {
  const Id x = c.In(1);
  const int64_t count = c.Int("num_split", 1);
  const std::vector<DType> types = Types(c, x, count);
  c.Return(c.g.Ops(BuiltinOp::kSplit, c.name, {Int32In(c, 0, "/axis"), x},
                   Attributes::From(graph::SplitAttributes{static_cast<int32_t>(count)}), types));
}

void SplitV(Call& c) {
  const Id x = c.In(0);
  const int64_t count = c.Int("num_split", 1);
  const std::vector<DType> types = Types(c, x, count);
  c.Return(c.g.Ops(BuiltinOp::kSplitV, c.name, {x, Int32In(c, 1, "/sizes"), Int32In(c, 2, "/axis")},
                   Attributes::From(graph::SplitAttributes{static_cast<int32_t>(count)}), types));
}

void Tile(Call& c) { c.Return(c.g.Op(BuiltinOp::kTile, c.name, {c.In(0), Int32In(c, 1, "/multiples")})); }

void BroadcastTo(Call& c) {
  const auto dims = c.Known(1);
  const Id x = c.In(0);
  if (dims.has_value()) {
    const std::vector<int32_t> given = c.g.Dims(x);
    if (std::equal(given.begin(), given.end(), dims->begin(), dims->end())) return c.Return(x);
  }
  c.Return(c.g.Op(BuiltinOp::kBroadcastTo, c.name, {x, Int32In(c, 1, "/shape")}));
}

void BroadcastArgs(Call& c) {
  c.Return(c.g.Op(BuiltinOp::kBroadcastArgs, c.name, {Int32In(c, 0, "/s0"), Int32In(c, 1, "/s1")}));
}

void Fill(Call& c) {
  const Id value = c.In(1);
  c.Return(c.g.Op(BuiltinOp::kFill, c.name, {Int32In(c, 0, "/dims"), value}, {}, c.g.info(value).dtype));
}

void OnesLike(Call& c) {
  const Id x = c.In(0);
  const Id one = c.g.Cast(c.name + "/one", c.g.Scalar(c.name + "/value", 1), c.g.info(x).dtype);
  c.Return(
      c.g.Op(BuiltinOp::kFill, c.name, {ShapeOf(c, c.name + "/Shape", x, DType::kInt32), one}, {}, c.g.info(x).dtype));
}

void Range(Call& c) { c.Return(c.g.Op(BuiltinOp::kRange, c.name, {c.In(0), c.In(1), c.In(2)})); }

Id GatherFrom(Call& c, Id x, Id indices, int64_t axis, int64_t batch_dims) {
  const int32_t at = AxisOf(c, x, axis);
  const int rank = c.g.rank(indices);
  if (batch_dims < 0) batch_dims += rank;
  if (batch_dims < 0 || batch_dims > rank) throw InputError("its batch_dims are {}", batch_dims);
  return c.g.Gather(c.name, x, indices, at, static_cast<int>(batch_dims));
}

void Gather(Call& c) {
  const int64_t axis = c.size() > 2 ? c.Scalar(2, "axis") : 0;
  c.Return(GatherFrom(c, c.In(0), c.In(1), axis, c.Int("batch_dims", 0)));
}

// Rows of a variable: an embedding.
void ResourceGather(Call& c) {
  if (c.inputs.empty() || c.inputs[0].kind != Value::Kind::kVariable)
    throw InputError("its first input is no variable");
  const Id table = c.context.ReadVariable(c.inputs[0].variable);
  c.Return(GatherFrom(c, table, c.In(1), 0, c.Int("batch_dims", 0)));
}

void GatherNd(Call& c) { c.Return(c.g.Op(BuiltinOp::kGatherNd, c.name, {c.In(0), c.In(1)})); }

void ScatterNd(Call& c) {
  const Id updates = c.In(1);
  c.Return(c.g.Op(BuiltinOp::kScatterNd, c.name, {Int32In(c, 0, "/indices"), updates, Int32In(c, 2, "/shape")}, {},
                  c.g.info(updates).dtype));
}

void OneHot(Call& c) {
  const Id on = c.In(2);
  const int64_t axis = c.Int("axis", -1);
  if (axis < -1 || axis > c.g.rank(c.In(0))) throw InputError("its axis is {}", axis);
  c.Return(c.g.Op(BuiltinOp::kOneHot, c.name, {c.In(0), Int32In(c, 1, "/depth"), on, c.In(3)},
                  Attributes::From(graph::OneHotAttributes{static_cast<int32_t>(axis)}), c.g.info(on).dtype));
}

void Reverse(Call& c) { c.Return(c.g.Op(BuiltinOp::kReverseV2, c.name, {c.In(0), Int32In(c, 1, "/axis")})); }

void ReverseSequence(Call& c) {
  c.Return(c.g.Op(
      BuiltinOp::kReverseSequence, c.name, {c.In(0), c.In(1)},
      Attributes::From(graph::ReverseSequenceAttributes{.seq_dim = AxisOf(c, c.In(0), c.Int("seq_dim", 0)),
                                                        .batch_dim = AxisOf(c, c.In(0), c.Int("batch_dim", 0))})));
}

void Cumsum(Call& c) {
  c.Return(c.g.Op(BuiltinOp::kCumsum, c.name, {c.In(0), Int32In(c, 1, "/axis")},
                  Attributes::From(graph::CumsumAttributes{c.Bool("exclusive", false), c.Bool("reverse", false)})));
}

template <BuiltinOp kOp>
void ArgMinMax(Call& c) {
  const DType dtype = DTypeOfTensorFlow(c.Type("output_type", kTfInt64));
  const Id axis = c.size() > 1 ? Int32In(c, 1, "/axis") : c.g.IntScalar(c.name + "/axis", 0);
  c.Return(c.g.Op(kOp, c.name, {c.In(0), axis},
                  Attributes::From(graph::ArgMinMaxAttributes{static_cast<int32_t>(dtype)}), dtype));
}

void TopK(Call& c) {
  const Id x = c.In(0);
  const Id k =
      c.node.op == "TopK"
          ? c.g.IntScalar(c.name + "/k", static_cast<int32_t>(std::clamp<int64_t>(c.Int("k", 1), 0, INT32_MAX)))
          : Int32In(c, 1, "/k");
  const auto low = c.g.IntValues(k, false);
  if (!low.has_value() || !c.g.info(k).data.has_value()) throw Unsupported{"its k is computed when the model runs"};
  c.Return(c.g.Ops(BuiltinOp::kTopkV2, c.name, {x, k}, {}, {c.g.info(x).dtype, DType::kInt32}));
}

template <BuiltinOp kOp>
void Reduce(Call& c) {
  const Id x = c.In(0);
  const bool keeps = c.Bool("keep_dims", c.Bool("keepdims", false));
  const auto axes = c.Known(1);
  if (axes.has_value() && axes->empty()) return c.Return(x);
  c.Return(c.g.Op(kOp, c.name, {x, Int32In(c, 1, "/axes")}, Attributes::From(graph::ReducerAttributes{keeps})));
}

void Pad(Call& c) { c.Return(c.g.Op(BuiltinOp::kPad, c.name, {c.In(0), Int32In(c, 1, "/paddings")})); }

void PadV2(Call& c) {
  const Id value = c.In(2);
  if (c.FloatScalar(value) == 0.0) return Pad(c);
  c.Return(c.g.Op(BuiltinOp::kPadv2, c.name, {c.In(0), Int32In(c, 1, "/paddings"), value}));
}

void MirrorPad(Call& c) {
  const std::string mode = c.Text("mode", "REFLECT");
  if (mode != "REFLECT" && mode != "SYMMETRIC") throw InputError("its mode is '{}'", mode);
  c.Return(c.g.Op(BuiltinOp::kMirrorPad, c.name, {c.In(0), Int32In(c, 1, "/paddings")},
                  Attributes::From(graph::MirrorPadAttributes{mode == "REFLECT" ? graph::MirrorPadMode::kReflect
                                                                                : graph::MirrorPadMode::kSymmetric})));
}

void SpaceToBatch(Call& c) {
  c.Return(c.g.Op(BuiltinOp::kSpaceToBatchNd, c.name, {c.In(0), Int32In(c, 1, "/block"), Int32In(c, 2, "/paddings")}));
}
void BatchToSpace(Call& c) {
  c.Return(c.g.Op(BuiltinOp::kBatchToSpaceNd, c.name, {c.In(0), Int32In(c, 1, "/block"), Int32In(c, 2, "/crops")}));
}

template <BuiltinOp kOp>
void Depth(Call& c) {
  const int64_t block = c.Int("block_size", 0);
  if (block < 1 || block > (1 << 20)) throw InputError("its block_size is {}", block);
  const bool first = IsChannelsFirst(c);
  const Id x = first ? ToChannelsLast(c, c.In(0)) : c.In(0);
  const Id y = c.g.Op(kOp, c.name, {x}, Attributes::From(graph::SpaceToDepthAttributes{static_cast<int32_t>(block)}));
  c.Return(first ? ToChannelsFirst(c, y) : y);
}

void MatrixDiag(Call& c) { c.Return(c.g.Op(BuiltinOp::kMatrixDiag, c.name, {c.In(0)})); }
void MatrixSetDiag(Call& c) { c.Return(c.g.Op(BuiltinOp::kMatrixSetDiag, c.name, {c.In(0), c.In(1)})); }

void SegmentSum(Call& c) { c.Return(c.g.Op(BuiltinOp::kSegmentSum, c.name, {c.In(0), c.In(1)})); }

constexpr OpRow kShapeRows[] = {
    {"Reshape", Reshape},
    {"Squeeze", Squeeze},
    {"ExpandDims", ExpandDims},
    {"Shape", ShapeOp},
    {"ShapeN", ShapeOp},
    {"Rank", Rank},
    {"Size", Size},
    {"StridedSlice", StridedSlice},
    {"Slice", Slice},
    {"Transpose", Transpose},
    {"Concat", Concat},
    {"ConcatV2", Concat},
    {"Pack", Pack},
    {"Unpack", Unpack},
    {"Split", Split},
    {"SplitV", SplitV},
    {"Tile", Tile},
    {"BroadcastTo", BroadcastTo},
    {"BroadcastArgs", BroadcastArgs},
    {"Fill", Fill},
    {"OnesLike", OnesLike},
    {"Range", Range},
    {"Gather", Gather},
    {"GatherV2", Gather},
    {"ResourceGather", ResourceGather},
    {"GatherNd", GatherNd},
    {"ScatterNd", ScatterNd},
    {"OneHot", OneHot},
    {"ReverseV2", Reverse},
    {"ReverseSequence", ReverseSequence},
    {"Cumsum", Cumsum},
    {"ArgMax", ArgMinMax<BuiltinOp::kArgMax>},
    {"ArgMin", ArgMinMax<BuiltinOp::kArgMin>},
    {"TopK", TopK, "values,indices"},
    {"TopKV2", TopK, "values,indices"},
    {"Mean", Reduce<BuiltinOp::kMean>},
    {"Sum", Reduce<BuiltinOp::kSum>},
    {"Max", Reduce<BuiltinOp::kReduceMax>},
    {"Min", Reduce<BuiltinOp::kReduceMin>},
    {"Prod", Reduce<BuiltinOp::kReduceProd>},
    {"Any", Reduce<BuiltinOp::kReduceAny>},
    {"All", Reduce<BuiltinOp::kReduceAll>},
    {"Pad", Pad},
    {"PadV2", PadV2},
    {"MirrorPad", MirrorPad},
    {"SpaceToBatchND", SpaceToBatch},
    {"BatchToSpaceND", BatchToSpace},
    {"SpaceToDepth", Depth<BuiltinOp::kSpaceToDepth>},
    {"DepthToSpace", Depth<BuiltinOp::kDepthToSpace>},
    {"MatrixDiag", MatrixDiag},
    {"MatrixSetDiag", MatrixSetDiag},
    {"SegmentSum", SegmentSum},
};

}  // namespace

std::span<const OpRow> ShapeOps() { return kShapeRows; }

}  // namespace assay::savedmodel
