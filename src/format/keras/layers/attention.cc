// MultiHeadAttention, GroupedQueryAttention, Attention, AdditiveAttention.
#include <cmath>
#include <cstdlib>

#include "base/error.h"
#include "format/keras/layer_call.h"
#include "format/keras/masks.h"

namespace assay::keras {
namespace {

using graph::BuiltinOp;
using graph::kNoTensor;

// Whether an option is set, in the call or in the config.
bool AttentionFlag(const LayerCall& c, const char* name) {
  const Argument argument = c.Arg(kNoPosition, name);
  return argument.json != nullptr && argument.json->is_boolean() ? argument.json->get<bool>() : c.Bool(name, false);
}

Id Both(LayerCall& c, const char* name, Id a, Id b) {
  if (a == kNoTensor) return b;
  return b == kNoTensor ? a : LogicalAnd(c.g, name, a, b);
}

// [N, T] as [N, 1, T], or as [N, T, 1].
Id AsRow(LayerCall& c, const char* name, Id mask) {
  if (mask == kNoTensor) return mask;
  const std::vector<int32_t> d = c.g.Dims(mask);
  return c.g.Reshape(name, mask, {d[0], 1, d[1]});
}
Id AsColumn(LayerCall& c, const char* name, Id mask) {
  if (mask == kNoTensor) return mask;
  const std::vector<int32_t> d = c.g.Dims(mask);
  return c.g.Reshape(name, mask, {d[0], d[1], 1});
}

// [1, T, S]: which positions the query's position attends to.
template <typename Attends>
Id PositionMask(LayerCall& c, const char* name, int32_t queries, int32_t keys, Attends attends) {
  if (int64_t{queries} * keys > (int64_t{1} << 26)) c.Unsupported(std::string("a ") + name + " of this size");
  std::vector<uint8_t> values;
  values.reserve(static_cast<size_t>(queries) * static_cast<size_t>(keys));
  for (int32_t q = 0; q < queries; ++q) {
    for (int32_t k = 0; k < keys; ++k) values.push_back(attends(q, k) ? 1 : 0);
  }
  return c.g.ConstantBytes(name, DType::kBool, {1, queries, keys}, graph::Constant::Own(std::move(values)));
}
// Position t attends to those up to itself.
Id CausalMask(LayerCall& c, int32_t queries, int32_t keys) {
  return PositionMask(c, "causal_mask", queries, keys, [](int32_t q, int32_t k) { return k <= q; });
}

// Scores where the mask [N or 1, T or 1, S] holds, what no softmax sees
// elsewhere; scores are [N, T, S] or by heads.
Id Masked(LayerCall& c, Id scores, Id mask) {
  if (mask == kNoTensor) return scores;
  if (c.g.rank(scores) == 4 && c.g.rank(mask) == 3) {
    const std::vector<int32_t> d = c.g.Dims(mask);
    mask = c.g.Reshape("mask/heads", mask, {d[0], 1, d[1], d[2]});
  }
  if (c.g.rank(mask) != c.g.rank(scores))
    c.Unsupported("an attention mask of " + std::to_string(c.g.rank(mask)) + " dimensions");
  return Where(c.g, "masked", mask, scores, c.g.Scalar("masked/value", -1e9F));
}

// A mask that the call names, as booleans; kNoTensor where it names none.
Id NamedMask(LayerCall& c, const char* name) {
  const Argument argument = c.Arg(kNoPosition, name);
  if (argument.tensor.has_value()) {
    return c.g.info(*argument.tensor).dtype == DType::kBool ? *argument.tensor
                                                            : NotEqual(c.g, name, *argument.tensor, 0);
  }
  if (argument.json != nullptr && !argument.json->is_null()) c.Unsupported(std::string("a constant '") + name + "'");
  return kNoTensor;
}

// The mask that came with a tensor of the call.
Id MaskOf(const LayerCall& c, Id tensor) {
  for (size_t i = 0; i < c.inputs.size() && i < c.masks.size(); ++i) {
    if (c.inputs[i] == tensor && c.masks[i] != kNoTensor) return c.masks[i];
  }
  return kNoTensor;
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

// How the heads of one layer are laid out: `heads` queries, of which equal groups share one of `sources` keys and
// values.
struct Heads {
  int32_t heads = 0, sources = 0, key_dim = 0, value_dim = 0;
};

std::vector<Id> AttentionOfHeads(LayerCall& c, const Heads& h) {
  constexpr int32_t kMost = 1 << 20;
  for (const int32_t size : {h.heads, h.sources, h.key_dim, h.value_dim}) {
    if (size < 1 || size > kMost) throw InputError("{} heads of {} and {}", h.heads, h.key_dim, h.value_dim);
  }
  if (h.heads % h.sources != 0) throw InputError("{} heads share {} keys and values", h.heads, h.sources);
  const bool use_bias = c.Bool("use_bias", true);
  const Argument query_arg = c.Arg(0, "query"), value_arg = c.Arg(1, "value"), key_arg = c.Arg(2, "key");
  const Id query = query_arg.tensor.value_or(c.input());
  if (!value_arg.tensor.has_value()) throw InputError("it is called without a value");
  const Id value = *value_arg.tensor, key = key_arg.tensor.value_or(value);
  for (const Id x : {query, value, key}) {
    if (c.g.rank(x) != 3) c.Unsupported("an input of " + std::to_string(c.g.rank(x)) + " dimensions");
  }
  Id q = Project(c, "query", query, h.heads, h.key_dim, use_bias);
  const Id k = Project(c, "key", key, h.sources, h.key_dim, use_bias);
  const Id v = Project(c, "value", value, h.sources, h.value_dim, use_bias);
  q = c.g.Mul("Mul", q, c.g.Scalar("scale", static_cast<float>(1 / std::sqrt(static_cast<double>(h.key_dim)))));
  const auto own = [&](const char* name, Id tensor) {
    const Id named = NamedMask(c, name);
    return named != kNoTensor ? named : MaskOf(c, tensor);
  };
  const int32_t queries = c.g.shape(query)[1], keys = c.g.shape(value)[1];
  Id mask = AsColumn(c, "query_mask", own("query_mask", query));
  mask = Both(c, "mask_1", mask, AsRow(c, "value_mask", own("value_mask", value)));
  if (key != value) mask = Both(c, "mask_2", mask, AsRow(c, "key_mask", own("key_mask", key)));
  if (AttentionFlag(c, "use_causal_mask")) mask = Both(c, "mask_3", mask, CausalMask(c, queries, keys));
  if (c.Has("sliding_window")) {
    const int64_t window = c.Int("sliding_window");
    mask = Both(c, "mask_5", mask, PositionMask(c, "sliding_window", queries, keys, [&](int32_t at, int32_t other) {
                  return std::abs(int64_t{at} - other) < window;
                }));
  }
  mask = Both(c, "mask_4", NamedMask(c, "attention_mask"), mask);
  // The queries of a group lie one behind the other, as if they were one longer sequence.
  const auto regroup = [&](const char* name, Id x, int32_t heads, int32_t rows) {
    const std::vector<int32_t> dims = c.g.Dims(x);
    return h.heads == h.sources ? x : c.g.Reshape(name, x, {dims[0], heads, rows, dims[3]});
  };
  const int32_t rows = h.heads / h.sources * queries;
  Id scores = c.g.BatchMatMul("scores", regroup("query/groups", q, h.sources, rows), k, false, true);
  scores = c.g.Softmax("softmax/Softmax", Masked(c, regroup("scores/heads", scores, h.heads, queries), mask));
  Id y = c.g.BatchMatMul("weighted", regroup("weights/groups", scores, h.sources, rows), v);
  y = regroup("weighted/heads", y, h.heads, queries);
  if (c.Bool("use_gate", false)) {
    const Id gate = Project(c, "gate", query, h.heads, h.value_dim, use_bias);
    y = c.g.Mul("gated", y, c.g.Op(BuiltinOp::kLogistic, "gate/Sigmoid", {gate}));
  }
  y = c.g.Transpose("merge_heads", y, {0, 2, 1, 3});
  const std::vector<int32_t> d = c.g.Dims(y);
  y = c.g.Reshape("attention_output/merge", y, {d[0], d[1], h.heads * h.value_dim});
  // The result has the query's depth unless another is asked for.
  int32_t depth = c.g.shape(query).FromEnd(1);
  if (c.Has("output_shape")) {
    const std::vector<int32_t> shape = c.IntList("output_shape");
    if (shape.size() != 1) c.Unsupported("an output_shape of several dimensions");
    depth = shape[0];
  }
  c.within = "attention_output";
  const std::vector<float> values = c.Floats("kernel", {h.heads, h.value_dim, depth});
  const Shape flat = {h.heads * h.value_dim, depth};
  const Id weights = c.g.Floats("attention_output/kernel", {depth, flat[0]}, PermuteValues(values, flat, {1, 0}));
  const Id bias = use_bias ? c.Bias("bias", depth, "attention_output/bias") : kNoTensor;
  return {c.g.FullyConnected("attention_output/einsum", y, weights, bias)};
}

int32_t Size(const LayerCall& c, const char* key) {
  const int64_t size = c.Int(key);
  if (size < 1 || size > INT32_MAX) throw InputError("'{}' is {}", key, size);
  return static_cast<int32_t>(size);
}

std::vector<Id> MultiHeadAttention(LayerCall& c) {
  const int32_t heads = Size(c, "num_heads"), key_dim = Size(c, "key_dim");
  return AttentionOfHeads(c, {heads, heads, key_dim, c.Has("value_dim") ? Size(c, "value_dim") : key_dim});
}

std::vector<Id> GroupedQueryAttention(LayerCall& c) {
  const int32_t head_dim = Size(c, "head_dim");
  return AttentionOfHeads(c, {Size(c, "num_query_heads"), Size(c, "num_key_value_heads"), head_dim, head_dim});
}

// softmax(scores) * value; inputs are [query, value] or [query, value, key],
// masks the same.
std::vector<Id> Weighted(LayerCall& c, Id scores) {
  std::vector<Id> masks = c.masks;
  if (const Argument given = c.Arg(kNoPosition, "mask"); given.json != nullptr && given.json->is_array()) {
    masks.assign(c.inputs.size(), kNoTensor);
    for (size_t i = 0; i < given.json->size() && i < masks.size(); ++i) {
      if ((*given.json)[i].is_object()) masks[i] = c.TensorOf((*given.json)[i]);
    }
  }
  masks.resize(3, kNoTensor);
  Id mask = AsRow(c, "value_mask", masks[1]);
  if (AttentionFlag(c, "use_causal_mask") || c.Bool("causal", false)) {
    mask = Both(c, "scores_mask", mask, CausalMask(c, c.g.shape(scores)[1], c.g.shape(scores)[2]));
  }
  const Id weights = c.g.Softmax("Softmax", Masked(c, scores, mask));
  Id y = c.g.BatchMatMul("MatMul", weights, c.inputs[1]);
  if (masks[0] != kNoTensor) {
    y = c.g.Mul("query_masked", y, c.g.Cast("Cast", AsColumn(c, "query_mask", masks[0]), DType::kFloat32));
  }
  c.output_masks = {masks[0]};
  return {y};
}

void CheckAttention(LayerCall& c) {
  // Masks that the call gives stand behind the inputs.
  if (c.node != nullptr && !c.node->args.empty() && c.node->args[0].is_array()) {
    c.inputs.resize(std::min(c.inputs.size(), c.node->args[0].size()));
  }
  if (c.inputs.size() < 2 || c.inputs.size() > 3) throw InputError("it has {} inputs", c.inputs.size());
  for (const Id x : c.inputs) {
    if (c.g.rank(x) != 3) c.Unsupported("an input of " + std::to_string(c.g.rank(x)) + " dimensions");
  }
}

// query + key, for every pair of positions: [N, T, S, depth].
Id PairSums(LayerCall& c, Id query, Id key) {
  const std::vector<int32_t> q = c.g.Dims(query), k = c.g.Dims(key);
  return c.g.Add("add", c.g.Reshape("query", query, {q[0], q[1], 1, q[2]}),
                 c.g.Reshape("key", key, {k[0], 1, k[1], k[2]}));
}

std::vector<Id> Attention(LayerCall& c) {
  CheckAttention(c);
  const Id key = c.inputs.size() > 2 ? c.inputs[2] : c.inputs[1];
  const std::string mode = c.Text("score_mode", "dot");
  const bool use_scale = c.Bool("use_scale", false);
  if (mode == "dot") {
    Id scores = c.g.BatchMatMul("scores", c.inputs[0], key, false, true);
    if (use_scale) scores = c.g.Mul("mul", scores, c.Constant("scale", {}, "scale"));
    return Weighted(c, scores);
  }
  if (mode != "concat") c.Unsupported("score_mode '" + mode + "'");
  Id sum = PairSums(c, c.inputs[0], key);
  if (use_scale) sum = c.g.Mul("mul", sum, c.Constant("scale", {}, "scale"));
  const Id all = c.g.Reduce(BuiltinOp::kSum, "Sum", c.g.Op(BuiltinOp::kTanh, "Tanh", {sum}), {3}, false);
  return Weighted(c, c.g.Mul("mul_1", all, c.Constant("concat_score_weight", {}, "concat_score_weight")));
}

// sum(scale * tanh(query + key)) over the depth, for every pair of positions
std::vector<Id> AdditiveAttention(LayerCall& c) {
  CheckAttention(c);
  const Id query = c.inputs[0], key = c.inputs.size() > 2 ? c.inputs[2] : c.inputs[1];
  const Id sum = PairSums(c, query, key);
  Id x = c.g.Op(BuiltinOp::kTanh, "Tanh", {sum});
  if (c.Bool("use_scale", true)) x = c.g.Mul("mul", x, c.Constant("scale", {c.g.shape(query)[2]}, "scale"));
  return Weighted(c, c.g.Reduce(BuiltinOp::kSum, "Sum", x, {3}, false));
}

constexpr LayerRow kAttentionRows[] = {
    {"MultiHeadAttention", MultiHeadAttention,
     "FULLY_CONNECTED, RESHAPE, TRANSPOSE, BATCH_MATMUL, SOFTMAX; masks SELECT_V2"},
    {"GroupedQueryAttention", GroupedQueryAttention,
     "FULLY_CONNECTED, RESHAPE, TRANSPOSE, BATCH_MATMUL, SOFTMAX; masks SELECT_V2"},
    {"GroupQueryAttention", GroupedQueryAttention,
     "FULLY_CONNECTED, RESHAPE, TRANSPOSE, BATCH_MATMUL, SOFTMAX; masks SELECT_V2"},
    {"Attention", Attention, "BATCH_MATMUL, SOFTMAX; masks SELECT_V2"},
    {"AdditiveAttention", AdditiveAttention, "ADD, TANH, SUM, SOFTMAX, BATCH_MATMUL; masks SELECT_V2"},
};

}  // namespace

std::span<const LayerRow> AttentionLayers() { return kAttentionRows; }

}  // namespace assay::keras
