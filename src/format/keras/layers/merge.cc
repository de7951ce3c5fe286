// Layers of several inputs.
#include "base/error.h"
#include "format/keras/layer_call.h"
#include "graph/ops/arithmetic.h"

namespace assay::keras {
namespace {

using graph::Attributes;
using graph::BuiltinOp;

// Keras puts the missing dimensions of the smaller inputs behind the batch.
void AlignRanks(LayerCall& c) {
  int rank = 0;
  for (const Id x : c.inputs) rank = std::max(rank, c.g.rank(x));
  for (Id& x : c.inputs) {
    if (c.g.rank(x) == rank || c.g.rank(x) == 0) continue;
    std::vector<int32_t> dims = c.g.Dims(x);
    dims.insert(dims.begin() + 1, static_cast<size_t>(rank - c.g.rank(x)), 1);
    x = c.g.Reshape("ExpandDims", x, dims);
  }
}

void NeedInputs(const LayerCall& c, size_t least, size_t most) {
  if (c.inputs.size() < least || c.inputs.size() > most) throw InputError("it has {} inputs", c.inputs.size());
}

Id Chain(LayerCall& c, BuiltinOp code, const char* name, bool has_activation) {
  NeedInputs(c, 1, 100000);
  AlignRanks(c);
  Id sum = c.inputs[0];
  for (size_t i = 1; i < c.inputs.size(); ++i) {
    Attributes attributes;
    if (has_activation) attributes = Attributes::From(graph::MulAttributes{});
    sum = c.g.Op(code, name, {sum, c.inputs[i]}, std::move(attributes));
  }
  return sum;
}

std::vector<Id> Add(LayerCall& c) { return {Chain(c, BuiltinOp::kAdd, "add", true)}; }
std::vector<Id> Multiply(LayerCall& c) { return {Chain(c, BuiltinOp::kMul, "mul", true)}; }
std::vector<Id> Maximum(LayerCall& c) { return {Chain(c, BuiltinOp::kMaximum, "Maximum", false)}; }
std::vector<Id> Minimum(LayerCall& c) { return {Chain(c, BuiltinOp::kMinimum, "Minimum", false)}; }

std::vector<Id> Subtract(LayerCall& c) {
  NeedInputs(c, 2, 2);
  AlignRanks(c);
  return {c.g.Sub("sub", c.inputs[0], c.inputs[1])};
}

std::vector<Id> Average(LayerCall& c) {
  const auto count = static_cast<float>(c.inputs.size());
  const Id sum = Chain(c, BuiltinOp::kAdd, "add", true);
  return {c.g.Mul("truediv", sum, c.g.Scalar("truediv/y", 1 / count))};
}

std::vector<Id> Concatenate(LayerCall& c) {
  NeedInputs(c, 1, 100000);
  const int32_t axis = c.g.Axis(c.input(), c.Int("axis", -1));
  if (c.inputs.size() == 1) return {c.input()};
  return {c.g.Concat("concat", c.inputs, axis)};
}

// Sums of products along one axis of each, all others kept: a matrix product per sample.
std::vector<Id> Dot(LayerCall& c) {
  NeedInputs(c, 2, 2);
  const std::vector<int32_t> given = c.IntList("axes");
  if (given.empty() || given.size() > 2) throw InputError("'axes' has {} values", given.size());
  Id sides[2] = {c.inputs[0], c.inputs[1]};
  bool trailing[2];
  int ranks[2];
  for (int i = 0; i < 2; ++i) {
    Id& x = sides[i];
    ranks[i] = c.g.rank(x);
    if (ranks[i] < 2 || ranks[i] > 3) c.Unsupported("a dot of inputs with " + std::to_string(ranks[i]) + " dimensions");
    const int32_t axis = c.g.Axis(x, given[given.size() == 1 ? 0 : static_cast<size_t>(i)]);
    if (axis == 0) throw InputError("'axes' names the batch");
    if (c.Bool("normalize", false)) {
      const Id squares = c.g.Op(BuiltinOp::kSquare, "Square", {x});
      const Id sum = c.g.Reduce(BuiltinOp::kSum, "Sum", squares, {axis}, true);
      const Id bounded = c.g.Op(BuiltinOp::kMaximum, "Maximum", {sum, c.g.Scalar("epsilon", 1e-12F)});
      x = c.g.Mul("l2_normalize", x, c.g.Op(BuiltinOp::kRsqrt, "Rsqrt", {bounded}));
    }
    if (ranks[i] == 2) {
      const std::vector<int32_t> d = c.g.Dims(x);
      x = c.g.Reshape("ExpandDims", x,
                      i == 0 ? std::vector<int32_t>{d[0], 1, d[1]} : std::vector<int32_t>{d[0], d[1], 1});
      trailing[i] = i == 0;
    } else {
      trailing[i] = axis == 2;
    }
  }
  Id y = c.g.BatchMatMul("MatMul", sides[0], sides[1], !trailing[0], trailing[1]);
  if (ranks[0] == 3 && ranks[1] == 3) return {y};
  const std::vector<int32_t> d = c.g.Dims(y);
  if (ranks[0] == 2 && ranks[1] == 2) return {c.g.Reshape("Squeeze", y, {d[0], 1})};
  return {c.g.Reshape("Squeeze", y, {d[0], ranks[0] == 2 ? d[2] : d[1]})};
}

// Of keras.applications.InceptionResNetV2: a + scale * b.
std::vector<Id> CustomScale(LayerCall& c) {
  NeedInputs(c, 2, 2);
  const Id scale = c.g.Scalar("scale", static_cast<float>(c.Real("scale", 1)));
  return {c.g.Add("add", c.inputs[0], c.g.Mul("mul", c.inputs[1], scale))};
}

constexpr LayerRow kMergeRows[] = {
    {"Add", Add, "ADD"},
    {"Subtract", Subtract, "SUB"},
    {"Multiply", Multiply, "MUL"},
    {"Average", Average, "ADD, MUL"},
    {"Maximum", Maximum, "MAXIMUM"},
    {"Minimum", Minimum, "MINIMUM"},
    {"Concatenate", Concatenate, "CONCATENATION"},
    {"Dot", Dot, "BATCH_MATMUL"},
    {"CustomScaleLayer", CustomScale, "MUL, ADD"},
    {"Custom>CustomScaleLayer", CustomScale, "MUL, ADD"},
};

}  // namespace

std::span<const LayerRow> MergeLayers() { return kMergeRows; }

}  // namespace assay::keras
