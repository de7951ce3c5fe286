// MultiHeadAttention, Attention, AdditiveAttention.
#include <cmath>

#include "base/error.h"
#include "format/keras/layer_call.h"

namespace assay::keras {
namespace {

using graph::BuiltinOp;
using graph::kNoTensor;

void RefuseMasks(const LayerCall& c) {
  for (const char* name : {"attention_mask", "query_mask", "value_mask", "key_mask", "mask"}) {
    const Argument argument = c.Arg(99, name);
    if (argument.tensor.has_value() || (argument.json != nullptr && argument.json->is_array())) c.Unsupported("a mask");
  }
  if (const Argument causal = c.Arg(99, "use_causal_mask");
      causal.json != nullptr && causal.json->is_boolean() && causal.json->get<bool>()) {
    c.Unsupported("'use_causal_mask'");
  }
}

// x [N, T, D] by a kernel [D, H, K]: [N, H, T, K].
Id Project(LayerCall& c, const char* name, Id x, int32_t heads, int32_t size, bool use_bias) {
  const std::string base(name);
  const int32_t depth = c.g.shape(x).FromEnd(1);
  c.within = name;
  const Shape flat = {depth, heads * size};
  const Id weights = c.g.Floats(base + "/kernel", {heads * size, depth},
                                PermuteValues(c.Floats("kernel", {depth, heads, size}), flat, {1, 0}));
  Id bias = kNoTensor;
  if (use_bias) bias = c.g.Floats(base + "/bias", {heads * size}, c.Floats("bias", {heads, size}));
  const std::vector<int32_t> d = c.g.Dims(x);
  const Id y = c.g.FullyConnected(base + "/einsum", x, weights, bias);
  return c.g.Transpose(base + "/heads", c.g.Reshape(base + "/split", y, {d[0], d[1], heads, size}), {0, 2, 1, 3});
}

std::vector<Id> MultiHeadAttention(LayerCall& c) {
  RefuseMasks(c);
  const auto heads = static_cast<int32_t>(c.Int("num_heads")), key_dim = static_cast<int32_t>(c.Int("key_dim"));
  const auto value_dim = static_cast<int32_t>(c.Int("value_dim", key_dim));
  if (heads < 1 || key_dim < 1 || value_dim < 1) throw InputError("{} heads of {} and {}", heads, key_dim, value_dim);
  if (c.Bool("use_gate", false)) c.Unsupported("'use_gate'");
  const bool use_bias = c.Bool("use_bias", true);
  const Argument query_arg = c.Arg(0, "query"), value_arg = c.Arg(1, "value"), key_arg = c.Arg(2, "key");
  const Id query = query_arg.tensor.value_or(c.input());
  if (!value_arg.tensor.has_value()) throw InputError("it is called without a value");
  const Id value = *value_arg.tensor, key = key_arg.tensor.value_or(value);
  for (const Id x : {query, value, key}) {
    if (c.g.rank(x) != 3) c.Unsupported("an input of " + std::to_string(c.g.rank(x)) + " dimensions");
  }
  Id q = Project(c, "query", query, heads, key_dim, use_bias);
  const Id k = Project(c, "key", key, heads, key_dim, use_bias);
  const Id v = Project(c, "value", value, heads, value_dim, use_bias);
  q = c.g.Mul("Mul", q, c.g.Scalar("scale", static_cast<float>(1 / std::sqrt(static_cast<double>(key_dim)))));
  const Id scores = c.g.Softmax("softmax/Softmax", c.g.BatchMatMul("scores", q, k, false, true));
  Id y = c.g.Transpose("merge_heads", c.g.BatchMatMul("weighted", scores, v), {0, 2, 1, 3});
  const std::vector<int32_t> d = c.g.Dims(y);
  y = c.g.Reshape("attention_output/merge", y, {d[0], d[1], heads * value_dim});
  // The result has the query's depth unless another is asked for.
  int32_t depth = c.g.shape(query).FromEnd(1);
  if (c.Has("output_shape")) {
    const std::vector<int32_t> shape = c.IntList("output_shape");
    if (shape.size() != 1) c.Unsupported("an output_shape of several dimensions");
    depth = shape[0];
  }
  c.within = "attention_output";
  const std::vector<float> values = c.Floats("kernel", {heads, value_dim, depth});
  const Shape flat = {heads * value_dim, depth};
  const Id weights =
      c.g.Floats("attention_output/kernel", {depth, heads * value_dim}, PermuteValues(values, flat, {1, 0}));
  const Id bias = use_bias ? c.Bias("bias", depth, "attention_output/bias") : kNoTensor;
  return {c.g.FullyConnected("attention_output/einsum", y, weights, bias)};
}

// softmax(scores) * value; inputs are [query, value] or [query, value, key].
std::vector<Id> Weighted(LayerCall& c, Id scores) {
  const Id weights = c.g.Softmax("Softmax", scores);
  return {c.g.BatchMatMul("MatMul", weights, c.inputs[1])};
}

void CheckAttention(const LayerCall& c) {
  RefuseMasks(c);
  if (c.inputs.size() < 2 || c.inputs.size() > 3) throw InputError("it has {} inputs", c.inputs.size());
  if (c.Bool("causal", false)) c.Unsupported("'causal'");
  for (const Id x : c.inputs) {
    if (c.g.rank(x) != 3) c.Unsupported("an input of " + std::to_string(c.g.rank(x)) + " dimensions");
  }
}

std::vector<Id> Attention(LayerCall& c) {
  CheckAttention(c);
  const Id key = c.inputs.size() > 2 ? c.inputs[2] : c.inputs[1];
  const std::string mode = c.Text("score_mode", "dot");
  if (mode != "dot") c.Unsupported("score_mode '" + mode + "'");
  Id scores = c.g.BatchMatMul("scores", c.inputs[0], key, false, true);
  if (c.Bool("use_scale", false)) scores = c.g.Mul("mul", scores, c.Constant("scale", {}, "scale"));
  return Weighted(c, scores);
}

// sum(scale * tanh(query + key)) over the depth, for every pair of positions
std::vector<Id> AdditiveAttention(LayerCall& c) {
  CheckAttention(c);
  const Id query = c.inputs[0], key = c.inputs.size() > 2 ? c.inputs[2] : c.inputs[1];
  const std::vector<int32_t> q = c.g.Dims(query), k = c.g.Dims(key);
  const Id sum = c.g.Add("add", c.g.Reshape("query", query, {q[0], q[1], 1, q[2]}),
                         c.g.Reshape("key", key, {k[0], 1, k[1], k[2]}));
  Id x = c.g.Op(BuiltinOp::kTanh, "Tanh", {sum});
  if (c.Bool("use_scale", true)) x = c.g.Mul("mul", x, c.Constant("scale", {q[2]}, "scale"));
  return Weighted(c, c.g.Reduce(BuiltinOp::kSum, "Sum", x, {3}, false));
}

constexpr LayerRow kAttentionRows[] = {
    {"MultiHeadAttention", MultiHeadAttention, "FULLY_CONNECTED, RESHAPE, TRANSPOSE, BATCH_MATMUL, SOFTMAX"},
    {"Attention", Attention, "BATCH_MATMUL, SOFTMAX"},
    {"AdditiveAttention", AdditiveAttention, "ADD, TANH, SUM, SOFTMAX, BATCH_MATMUL"},
};

}  // namespace

std::span<const LayerRow> AttentionLayers() { return kAttentionRows; }

}  // namespace assay::keras
