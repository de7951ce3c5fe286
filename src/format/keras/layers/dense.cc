// Dense, EinsumDense, Embedding, ReversibleEmbedding.
#include "base/error.h"
#include "format/keras/layer_call.h"
#include "format/keras/masks.h"

namespace assay::keras {
namespace {

using graph::kNoTensor;

std::vector<Id> Dense(LayerCall& c) {
  const auto units = static_cast<int32_t>(c.Int("units"));
  const int32_t depth = c.g.shape(c.input()).FromEnd(1);
  const Id weights = c.Permuted("kernel", {depth, units}, {1, 0}, "MatMul/ReadVariableOp");
  const bool has_bias = c.Bool("use_bias", true);
  const Id bias = has_bias ? c.Bias("bias", units, "BiasAdd/ReadVariableOp") : kNoTensor;
  return {c.Activate(c.g.FullyConnected(has_bias ? "BiasAdd" : "MatMul", c.input(), weights, bias))};
}

// Indices may come as floats, the type that Keras gives inputs by default.
std::vector<Id> Embedding(LayerCall& c) {
  const auto rows = static_cast<int32_t>(c.Int("input_dim")), depth = static_cast<int32_t>(c.Int("output_dim"));
  const Id table = c.Constant("embeddings", {rows, depth}, "embedding_lookup/ReadVariableOp");
  const Id indices = c.g.Cast("Cast", c.input(), DType::kInt32);
  if (c.Bool("mask_zero", false)) c.output_masks = {NotEqual(c.g, "NotEqual", indices, 0)};
  return {c.g.Gather("embedding_lookup", table, indices, 0)};
}

// Called with reverse=True: the products of x with every row of the table, or with a matrix of their own.
std::vector<Id> ReversibleEmbedding(LayerCall& c) {
  const auto rows = static_cast<int32_t>(c.Int("input_dim")), depth = static_cast<int32_t>(c.Int("output_dim"));
  const bool is_tied = c.Bool("tie_weights", true);
  const Argument reverse = c.Arg(1, "reverse");
  const bool is_reverse = reverse.json != nullptr && reverse.json->is_boolean() && reverse.json->get<bool>();
  if (c.Has("reverse_dtype") && c.Text("reverse_dtype", "") != "float32") c.Unsupported("its 'reverse_dtype'");
  if (!is_reverse) {
    std::vector<Id> embedded = Embedding(c);
    if (!is_tied) c.FloatWeight("reverse_embeddings", {depth, rows});  // every weight of the file has its place
    return embedded;
  }
  const Id table = c.Constant("embeddings", {rows, depth}, "embedding_lookup/ReadVariableOp");
  const Id weights = is_tied ? table : c.Permuted("reverse_embeddings", {depth, rows}, {1, 0}, "MatMul/ReadVariableOp");
  Id y = c.g.FullyConnected("MatMul", c.input(), weights, kNoTensor);
  if (c.Has("logit_soft_cap")) {
    const Id cap = c.g.Scalar("soft_cap", static_cast<float>(c.Real("logit_soft_cap", 1)));
    y = c.g.Mul("mul", c.g.Op(graph::BuiltinOp::kTanh, "Tanh", {c.g.Div("truediv", y, cap)}), cap);
  }
  return {y};
}

// One operand with weights: letters that both have and the output lacks are summed over. Only the forms in which those
// come last in the input and first in the kernel, as the documentation of Keras writes them.
std::vector<Id> EinsumDense(LayerCall& c) {
  const std::string equation = c.Text("equation", "");
  const size_t comma = equation.find(','), arrow = equation.find("->");
  if (comma == std::string::npos || arrow == std::string::npos || comma > arrow)
    c.Unsupported("the equation " + equation);
  std::string in = equation.substr(0, comma), kernel = equation.substr(comma + 1, arrow - comma - 1),
              out = equation.substr(arrow + 2);
  const auto drop_dots = [](std::string& text) {
    if (text.rfind("...", 0) == 0) text.erase(0, 3);
  };
  const bool dots = in.rfind("...", 0) == 0;
  drop_dots(in), drop_dots(out);
  size_t shared = 0;
  while (shared < kernel.size() && in.find(kernel[shared]) != std::string::npos) ++shared;
  const std::string summed = kernel.substr(0, shared), fresh = kernel.substr(shared);
  const bool fits = shared > 0 && in.size() >= shared && in.substr(in.size() - shared) == summed &&
                    out == in.substr(0, in.size() - shared) + fresh && (dots || in.size() > shared);
  if (!fits) c.Unsupported("the equation " + equation);
  const Shape& x = c.g.shape(c.input());
  int64_t depth = 1;
  std::vector<int32_t> kernel_dims;
  for (size_t i = 0; i < shared; ++i) {
    kernel_dims.push_back(x[x.rank() - static_cast<int>(shared) + static_cast<int>(i)]);
    depth *= kernel_dims.back();
  }
  // Dimensions that the config leaves open are the input's.
  std::vector<int32_t> shape;
  const Json& given = c.config.at("output_shape");
  for (const Json& entry : given.is_array() ? given : Json::array({given})) {
    if (!entry.is_null() && !entry.is_number_integer())
      throw InputError("'output_shape' is {}", given.dump().substr(0, 80));
    shape.push_back(entry.is_null() ? -1 : entry.get<int32_t>());
  }
  std::vector<int32_t> fresh_dims;
  if (shape.size() < fresh.size()) c.Unsupported("its output_shape");
  for (size_t i = shape.size() - fresh.size(); i < shape.size(); ++i) fresh_dims.push_back(shape[i]);
  for (const int32_t d : fresh_dims) {
    if (d < 1) c.Unsupported("its output_shape");
  }
  int64_t units = 1;
  for (const int32_t d : fresh_dims) kernel_dims.push_back(d), units *= d;
  const std::vector<float> values = c.Floats("kernel", Shape(kernel_dims));
  const Shape flat = {static_cast<int32_t>(depth), static_cast<int32_t>(units)};
  const Id weights = c.g.Floats("einsum/ReadVariableOp", {flat[1], flat[0]}, PermuteValues(values, flat, {1, 0}));
  Id y = c.input();
  const std::vector<int32_t> dims = c.g.Dims(y);
  std::vector<int32_t> front(dims.begin(), dims.end() - static_cast<int>(shared));
  if (shared > 1) {
    std::vector<int32_t> merged = front;
    merged.push_back(flat[0]);
    y = c.g.Reshape("einsum/Reshape", y, merged);
  }
  y = c.g.FullyConnected("einsum/Einsum", y, weights, kNoTensor);
  if (fresh.size() > 1) {
    std::vector<int32_t> split = front;
    split.insert(split.end(), fresh_dims.begin(), fresh_dims.end());
    y = c.g.Reshape("einsum/Reshape_1", y, split);
  }
  if (c.Has("bias_axes")) {
    const std::string axes = c.Text("bias_axes", "");
    std::vector<int32_t> bias_dims;
    const Shape& result = c.g.shape(y);
    bool seen = false;
    for (size_t i = 0; i < out.size(); ++i) {
      const bool named = axes.find(out[i]) != std::string::npos;
      seen |= named;
      const int axis = result.rank() - static_cast<int>(out.size()) + static_cast<int>(i);
      if (seen) bias_dims.push_back(named ? result[axis] : 1);
    }
    y = c.g.Add("add", y, c.Constant("bias", Shape(bias_dims), "add/ReadVariableOp"));
  }
  return {c.Activate(y)};
}

constexpr LayerRow kDenseRows[] = {
    {"Dense", Dense, "FULLY_CONNECTED"},
    {"EinsumDense", EinsumDense, "RESHAPE, FULLY_CONNECTED, RESHAPE, ADD"},
    {"Embedding", Embedding, "CAST, GATHER"},
    {"ReversibleEmbedding", ReversibleEmbedding, "CAST, GATHER; in reverse FULLY_CONNECTED, with a cap DIV, TANH, MUL"},
};

}  // namespace

std::span<const LayerRow> DenseLayers() { return kDenseRows; }

}  // namespace assay::keras
