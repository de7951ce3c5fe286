// Functions called on Keras tensors outside of any layer: TFOpLambda and SlicingOpLambda of Keras 2 (config.function),
// and the operations of keras.ops in Keras 3 (the class itself). Both go by one key: "op:add".
#include <algorithm>

#include "base/error.h"
#include "format/keras/layer_call.h"
#include "format/keras/masks.h"
#include "graph/ops/arithmetic.h"
#include "graph/ops/concatenation.h"
#include "graph/ops/shape.h"
#include "graph/ops/strided_slice.h"

namespace assay::keras {
namespace {

using graph::Attributes;
using graph::BuiltinOp;

void Flatten(const Json& value, std::vector<double>& out, std::vector<int32_t>& dims, size_t depth) {
  if (!value.is_array()) {
    if (value.is_boolean()) return out.push_back(value.get<bool>() ? 1 : 0);
    if (!value.is_number()) throw InputError("an argument is {}", value.dump().substr(0, 80));
    return out.push_back(value.get<double>());
  }
  if (depth > 8) throw InputError("an argument has too many dimensions");
  if (dims.size() == depth) dims.push_back(static_cast<int32_t>(value.size()));
  if (dims[depth] != static_cast<int32_t>(value.size())) throw InputError("an argument is a ragged list");
  for (const Json& entry : value) Flatten(entry, out, dims, depth + 1);
}

// A tensor, or the constant that the config writes down.
Id TensorArg(LayerCall& c, size_t position, const char* name, DType dtype = DType::kFloat32) {
  const Argument argument = c.Arg(position, name);
  if (argument.tensor.has_value()) return *argument.tensor;
  if (argument.json == nullptr) throw InputError("its argument '{}' is missing", name);
  std::vector<double> values;
  std::vector<int32_t> dims;
  Flatten(*argument.json, values, dims, 0);
  if (dtype == DType::kInt32) {
    std::vector<int32_t> whole(values.begin(), values.end());
    return dims.empty() ? c.g.IntScalar(name, whole[0]) : c.g.Ints(name, whole);
  }
  const std::vector<float> floats(values.begin(), values.end());
  return c.g.Floats(name, Shape(dims), floats);
}

bool IsFloat(const LayerCall& c, Id x) { return c.g.info(x).dtype == DType::kFloat32; }

// A list of integers, some of which may be tensors of one value: packed into one tensor then.
Id IntListArg(LayerCall& c, size_t position, const char* name) {
  const Argument argument = c.Arg(position, name);
  if (argument.tensor.has_value()) return *argument.tensor;
  if (argument.json == nullptr || !argument.json->is_array()) throw InputError("its argument '{}' is no list", name);
  bool all_numbers = true;
  for (const Json& entry : *argument.json) all_numbers &= entry.is_number_integer();
  if (all_numbers) return TensorArg(c, position, name, DType::kInt32);
  std::vector<Id> parts;
  for (const Json& entry : *argument.json) {
    if (entry.is_object() && entry.contains("$tensor")) {
      parts.push_back(c.TensorOf(entry));
    } else if (entry.is_number_integer()) {
      parts.push_back(c.g.IntScalar(name, entry.get<int32_t>()));
    } else {
      throw InputError("its argument '{}' is {}", name, argument.json->dump().substr(0, 80));
    }
  }
  return c.g.Op(BuiltinOp::kPack, "stack", parts,
                Attributes::From(graph::PackAttributes{static_cast<int32_t>(parts.size()), 0}));
}

std::optional<std::vector<int32_t>> Axes(const LayerCall& c, size_t position, const char* name) {
  const Argument argument = c.Arg(position, name);
  const Json* json = argument.json;
  if (json == nullptr && c.config.is_object() && c.config.contains(name) && !c.config[name].is_null())
    json = &c.config[name];
  if (json == nullptr) return std::nullopt;
  std::vector<int32_t> axes;
  for (const Json& entry : json->is_array() ? *json : Json::array({*json})) {
    if (!entry.is_number_integer()) throw InputError("its argument '{}' is {}", name, json->dump().substr(0, 80));
    axes.push_back(entry.get<int32_t>());
  }
  return axes;
}

bool Flag(const LayerCall& c, size_t position, const char* name) {
  const Argument argument = c.Arg(position, name);
  const Json* json = argument.json;
  if (json == nullptr && c.config.is_object() && c.config.contains(name)) json = &c.config[name];
  return json != nullptr && json->is_boolean() && json->get<bool>();
}

template <BuiltinOp kCode, bool kHasActivation>
std::vector<Id> Binary(LayerCall& c) {
  const bool old_names = c.node != nullptr && (c.node->kwargs.contains("y") || c.node->kwargs.contains("x"));
  const bool first_is_const = !c.Arg(0, "x").tensor.has_value();
  const Id other = c.inputs.at(0);
  const DType dtype = IsFloat(c, other) ? DType::kFloat32 : DType::kInt32;
  const Id a = first_is_const ? TensorArg(c, 0, "x", dtype) : *c.Arg(0, "x").tensor;
  const Id b = TensorArg(c, 1, old_names ? "y" : "x2", dtype);
  Attributes attributes;
  if (kHasActivation) attributes = Attributes::From(graph::MulAttributes{});
  return {c.g.Op(kCode, "op", {a, b}, std::move(attributes))};
}

// Comparisons, and logic of their results.
template <BuiltinOp kCode>
std::vector<Id> Compare(LayerCall& c) {
  const bool first_is_const = !c.Arg(0, "x1").tensor.has_value() && !c.Arg(0, "x").tensor.has_value();
  const char* second = c.Arg(1, "y").json != nullptr ? "y" : "x2";
  const DType dtype = IsFloat(c, c.inputs.at(0)) ? DType::kFloat32 : DType::kInt32;
  const char* first = c.Arg(0, "x").json != nullptr ? "x" : "x1";
  const Id a = first_is_const ? TensorArg(c, 0, first, dtype) : *c.Arg(0, first).tensor;
  return {c.g.Op(kCode, "op", {a, TensorArg(c, 1, second, dtype)}, {}, DType::kBool)};
}

// Zeros or ones of the input's shape.
template <int kValue>
std::vector<Id> FilledLike(LayerCall& c) {
  const std::vector<int32_t> d = c.g.Dims(c.input());
  for (size_t i = 1; i < d.size(); ++i) {
    if (d[i] < 0) c.Unsupported("a shape that is left open behind the batch");
  }
  const Id filled = c.g.FillLike("fill", c.input(), {d.begin() + 1, d.end()}, kValue);
  DType dtype = c.g.info(c.input()).dtype;
  if (c.config.is_object() && c.config.contains("dtype") && c.config["dtype"].is_string()) {
    dtype = DTypeFromName(c.config["dtype"].get<std::string>()).value_or(dtype);
  }
  if (dtype == DType::kBool) return {NotEqual(c.g, "op", filled, 0)};
  return {c.g.Cast("op", filled, dtype)};
}

// Where the condition holds the second argument, elsewhere the third.
std::vector<Id> SelectOperation(LayerCall& c) {
  const Argument condition = c.Arg(0, "condition");
  if (!condition.tensor.has_value()) c.Unsupported("a constant condition");
  const bool old_names = c.Arg(1, "x").json != nullptr;
  const Id a = TensorArg(c, 1, old_names ? "x" : "x1"), b = TensorArg(c, 2, old_names ? "y" : "x2");
  return {Where(c.g, "op", *condition.tensor, a, b)};
}

template <BuiltinOp kCode>
std::vector<Id> Unary(LayerCall& c) {
  return {c.g.Op(kCode, "op", {c.input()})};
}

template <BuiltinOp kCode>
std::vector<Id> Reduce(LayerCall& c) {
  std::vector<int32_t> axes;
  if (const auto given = Axes(c, 1, "axis")) {
    for (const int32_t axis : *given) axes.push_back(c.g.Axis(c.input(), axis));
  } else {
    for (int i = 0; i < c.g.rank(c.input()); ++i) axes.push_back(i);
  }
  return {c.g.Reduce(kCode, "op", c.input(), axes, Flag(c, 2, "keepdims"))};
}

template <int kKind>
std::vector<Id> ActivationOperation(LayerCall& c) {
  constexpr const char* kNames[] = {"relu",       "relu6",       "sigmoid",      "tanh",    "softmax",
                                    "silu",       "gelu",        "elu",          "selu",    "softplus",
                                    "leaky_relu", "log_softmax", "hard_sigmoid", "softsign"};
  return {c.Activate(c.input(), Json(kNames[kKind]))};
}

std::vector<Id> ShapeOf(LayerCall& c) {
  return {c.g.Op(BuiltinOp::kShape, "Shape", {c.input()},
                 Attributes::From(graph::ShapeAttributes{static_cast<int32_t>(DType::kInt32)}), DType::kInt32)};
}

std::vector<Id> Tile(LayerCall& c) {
  const bool is_const = !c.Arg(0, "input").tensor.has_value();
  const Id x = is_const ? TensorArg(c, 0, "input") : *c.Arg(0, "input").tensor;
  return {c.g.Op(BuiltinOp::kTile, "Tile", {x, IntListArg(c, 1, "multiples")})};
}

std::vector<Id> Concat(LayerCall& c) {
  const auto axis = Axes(c, 1, "axis");
  const int32_t at = c.g.Axis(c.input(), axis.has_value() ? axis->at(0) : -1);
  return {c.g.Concat("concat", c.inputs, at)};
}

std::vector<Id> Stack(LayerCall& c) {
  const auto axis = Axes(c, 1, "axis");
  return {c.g.Op(BuiltinOp::kPack, "stack", c.inputs,
                 Attributes::From(graph::PackAttributes{static_cast<int32_t>(c.inputs.size()),
                                                        axis.has_value() ? axis->at(0) : 0}))};
}

std::vector<Id> ReshapeOperation(LayerCall& c) {
  const char* name = c.config.is_object() && c.config.contains("newshape") ? "newshape" : "shape";
  std::optional<std::vector<int32_t>> to = Axes(c, 1, name);
  if (!to.has_value()) c.Unsupported("a reshape without a constant shape");
  // Keras 3 writes the batch as null or -1, like any one open dimension.
  return {c.g.Reshape("Reshape", c.input(), *to)};
}

std::vector<Id> Transpose(LayerCall& c) {
  auto order = Axes(c, 1, "perm");
  if (!order.has_value()) order = Axes(c, 1, "axes");
  if (!order.has_value()) {
    order.emplace();
    for (int i = c.g.rank(c.input()) - 1; i >= 0; --i) order->push_back(i);
  }
  return {c.g.Transpose("transpose", c.input(), *order)};
}

std::vector<Id> ExpandDims(LayerCall& c) {
  const auto axis = Axes(c, 1, "axis");
  if (!axis.has_value() || axis->size() != 1) c.Unsupported("expand_dims of several axes");
  std::vector<int32_t> dims = c.g.Dims(c.input());
  const int32_t at = axis->at(0) < 0 ? axis->at(0) + c.g.rank(c.input()) + 1 : axis->at(0);
  if (at < 0 || at > c.g.rank(c.input())) throw InputError("axis {}", at);
  dims.insert(dims.begin() + at, 1);
  return {c.g.Reshape("ExpandDims", c.input(), dims)};
}

std::vector<Id> Squeeze(LayerCall& c) {
  const auto axes = Axes(c, 1, "axis");
  const std::vector<int32_t> dims = c.g.Dims(c.input());
  std::vector<int32_t> kept;
  for (int i = 0; i < static_cast<int>(dims.size()); ++i) {
    bool drop = !axes.has_value() && dims[static_cast<size_t>(i)] == 1;
    if (axes.has_value()) {
      for (const int32_t axis : *axes) drop |= c.g.Axis(c.input(), axis) == i;
    }
    if (!drop) kept.push_back(dims[static_cast<size_t>(i)]);
  }
  return {c.g.Reshape("Squeeze", c.input(), kept)};
}

// x[a, b:c, ..., tf.newaxis]: numbers, {start, stop, step}, ellipsis.
std::vector<Id> GetItem(LayerCall& c) {
  const char* names[] = {"slice_spec", "key"};
  const Json* spec = nullptr;
  for (const char* name : names) {
    if (const Argument a = c.Arg(1, name); a.json != nullptr) spec = a.json;
  }
  if (spec == nullptr) throw InputError("it has no slice");
  const Json list = spec->is_array() ? *spec : Json::array({*spec});
  std::vector<int32_t> begin, end, strides;
  graph::StridedSliceAttributes a;
  for (size_t i = 0; i < list.size(); ++i) {
    const Json& entry = list[i];
    const int32_t bit = 1 << i;
    if (i >= 16) throw InputError("its slice has {} parts", list.size());
    int32_t from = 0, to = 0, step = 1;
    const auto bound = [&](const Json& part, const char* key, int32_t* out) {
      const Json value = part.value(key, Json());
      if (value.is_null()) return false;
      if (!value.is_number_integer()) c.Unsupported("a slice whose bounds are tensors");
      *out = value.get<int32_t>();
      return true;
    };
    if (entry.is_number_integer()) {
      from = entry.get<int32_t>();
      to = from + 1;
      a.shrink_axis_mask |= bit;
      if (from == -1) a.end_mask |= bit;
    } else if (entry.is_null()) {
      a.new_axis_mask |= bit;
    } else if (entry.is_object() && entry.value("class_name", std::string()) == "__ellipsis__") {
      a.ellipsis_mask |= bit;
    } else if (entry.is_object() && entry.contains("start")) {
      if (!bound(entry, "start", &from)) a.begin_mask |= bit;
      if (!bound(entry, "stop", &to)) a.end_mask |= bit;
      bound(entry, "step", &step);
    } else if (entry.is_object() && entry.value("class_name", std::string()) == "__slice__") {
      const Json& parts = entry.at("config");
      if (!bound(parts, "start", &from)) a.begin_mask |= bit;
      if (!bound(parts, "stop", &to)) a.end_mask |= bit;
      bound(parts, "step", &step);
    } else {
      c.Unsupported("the slice " + entry.dump().substr(0, 80));
    }
    begin.push_back(from), end.push_back(to), strides.push_back(step);
  }
  return {c.g.Op(BuiltinOp::kStridedSlice, "strided_slice",
                 {c.input(), c.g.Ints("strided_slice/stack", begin), c.g.Ints("strided_slice/stack_1", end),
                  c.g.Ints("strided_slice/stack_2", strides)},
                 Attributes::From(a))};
}

std::vector<Id> Cast(LayerCall& c) {
  const Argument argument = c.Arg(1, "dtype");
  const Json* json = argument.json;
  if (json == nullptr && c.config.contains("dtype")) json = &c.config["dtype"];
  if (json == nullptr || !json->is_string()) throw InputError("it has no dtype");
  const auto dtype = DTypeFromName(json->get<std::string>());
  if (!dtype.has_value()) throw InputError("it casts to '{}'", json->get<std::string>());
  return {c.g.Cast("Cast", c.input(), *dtype)};
}

std::vector<Id> MatMul(LayerCall& c) {
  if (c.inputs.size() != 2) c.Unsupported("a matrix product with a constant");
  return {c.g.BatchMatMul("MatMul", c.inputs[0], c.inputs[1], Flag(c, 2, "transpose_a"), Flag(c, 3, "transpose_b"))};
}

constexpr LayerRow kOperationRows[] = {
    {"op:add", Binary<BuiltinOp::kAdd, true>, "ADD"},
    {"op:subtract", Binary<BuiltinOp::kSub, true>, "SUB"},
    {"op:multiply", Binary<BuiltinOp::kMul, true>, "MUL"},
    {"op:divide", Binary<BuiltinOp::kDiv, true>, "DIV"},
    {"op:maximum", Binary<BuiltinOp::kMaximum, false>, "MAXIMUM"},
    {"op:minimum", Binary<BuiltinOp::kMinimum, false>, "MINIMUM"},
    {"op:pow", Binary<BuiltinOp::kPow, false>, "POW"},
    {"op:squared_difference", Binary<BuiltinOp::kSquaredDifference, false>, "SQUARED_DIFFERENCE"},
    {"op:negative", Unary<BuiltinOp::kNeg>, "NEG"},
    {"op:abs", Unary<BuiltinOp::kAbs>, "ABS"},
    {"op:exp", Unary<BuiltinOp::kExp>, "EXP"},
    {"op:log", Unary<BuiltinOp::kLog>, "LOG"},
    {"op:sqrt", Unary<BuiltinOp::kSqrt>, "SQRT"},
    {"op:rsqrt", Unary<BuiltinOp::kRsqrt>, "RSQRT"},
    {"op:square", Unary<BuiltinOp::kSquare>, "SQUARE"},
    {"op:sin", Unary<BuiltinOp::kSin>, "SIN"},
    {"op:cos", Unary<BuiltinOp::kCos>, "COS"},
    {"op:floor", Unary<BuiltinOp::kFloor>, "FLOOR"},
    {"op:ceil", Unary<BuiltinOp::kCeil>, "CEIL"},
    {"op:mean", Reduce<BuiltinOp::kMean>, "MEAN"},
    {"op:sum", Reduce<BuiltinOp::kSum>, "SUM"},
    {"op:max", Reduce<BuiltinOp::kReduceMax>, "REDUCE_MAX"},
    {"op:min", Reduce<BuiltinOp::kReduceMin>, "REDUCE_MIN"},
    {"op:prod", Reduce<BuiltinOp::kReduceProd>, "REDUCE_PROD"},
    {"op:any", Reduce<BuiltinOp::kReduceAny>, "REDUCE_ANY"},
    {"op:all", Reduce<BuiltinOp::kReduceAll>, "REDUCE_ALL"},
    {"op:equal", Compare<BuiltinOp::kEqual>, "EQUAL"},
    {"op:not_equal", Compare<BuiltinOp::kNotEqual>, "NOT_EQUAL"},
    {"op:greater", Compare<BuiltinOp::kGreater>, "GREATER"},
    {"op:greater_equal", Compare<BuiltinOp::kGreaterEqual>, "GREATER_EQUAL"},
    {"op:less", Compare<BuiltinOp::kLess>, "LESS"},
    {"op:less_equal", Compare<BuiltinOp::kLessEqual>, "LESS_EQUAL"},
    {"op:logical_and", Compare<BuiltinOp::kLogicalAnd>, "LOGICAL_AND"},
    {"op:logical_or", Compare<BuiltinOp::kLogicalOr>, "LOGICAL_OR"},
    {"op:logical_not", Unary<BuiltinOp::kLogicalNot>, "LOGICAL_NOT"},
    {"op:zeros_like", FilledLike<0>, "FILL"},
    {"op:ones_like", FilledLike<1>, "FILL"},
    {"op:where", SelectOperation, "SELECT_V2"},
    {"op:relu", ActivationOperation<0>, "RELU"},
    {"op:relu6", ActivationOperation<1>, "RELU6"},
    {"op:sigmoid", ActivationOperation<2>, "LOGISTIC"},
    {"op:tanh", ActivationOperation<3>, "TANH"},
    {"op:softmax", ActivationOperation<4>, "SOFTMAX"},
    {"op:silu", ActivationOperation<5>, "LOGISTIC, MUL"},
    {"op:gelu", ActivationOperation<6>, "GELU"},
    {"op:elu", ActivationOperation<7>, "ELU"},
    {"op:selu", ActivationOperation<8>, "ELU, RELU, MUL, ADD"},
    {"op:softplus", ActivationOperation<9>, "EXP, LOG, ADD"},
    {"op:leaky_relu", ActivationOperation<10>, "LEAKY_RELU"},
    {"op:log_softmax", ActivationOperation<11>, "LOG_SOFTMAX"},
    {"op:hard_sigmoid", ActivationOperation<12>, "RELU6, MUL"},
    {"op:softsign", ActivationOperation<13>, "ABS, ADD, DIV"},
    {"op:shape", ShapeOf, "SHAPE"},
    {"op:tile", Tile, "TILE"},
    {"op:concatenate", Concat, "CONCATENATION"},
    {"op:stack", Stack, "PACK"},
    {"op:reshape", ReshapeOperation, "RESHAPE"},
    {"op:transpose", Transpose, "TRANSPOSE"},
    {"op:expand_dims", ExpandDims, "RESHAPE"},
    {"op:squeeze", Squeeze, "RESHAPE"},
    {"op:getitem", GetItem, "STRIDED_SLICE"},
    {"op:cast", Cast, "CAST"},
    {"op:matmul", MatMul, "BATCH_MATMUL"},
    {"op:identity", PassThrough, "nothing"},
    {"op:stop_gradient", PassThrough, "nothing"},
};

}  // namespace

std::span<const LayerRow> OperationLayers() { return kOperationRows; }

std::string OperationKey(const Layer& layer) {
  std::string name;
  if (layer.class_name == "TFOpLambda" || layer.class_name == "SlicingOpLambda") {
    name = layer.config.value("function", std::string());
    for (const char* prefix : {"compat.v1.", "__operators__.", "math.", "nn.", "linalg."}) {
      if (name.rfind(prefix, 0) == 0) name.erase(0, std::string(prefix).size());
    }
  } else if (layer.module.find(".ops.") != std::string::npos || layer.module == "keras.ops") {
    name = SnakeCase(layer.class_name);
  } else if (layer.module.empty() && layer.nested == nullptr && layer.config.is_object() && !layer.config.empty() &&
             !layer.config.contains("trainable") && layer.class_name != "InputLayer" &&
             (!layer.config.contains("dtype") || FindLayer(layer.class_name) == nullptr)) {
    // An .h5 of Keras 3 leaves the module out; what is a layer says whether it is trainable.
    name = SnakeCase(layer.class_name);
  } else {
    return {};
  }
  constexpr std::pair<const char*, const char*> kSame[] = {
      {"sub", "subtract"},     {"mul", "multiply"},   {"truediv", "divide"}, {"true_divide", "divide"},
      {"reduce_mean", "mean"}, {"reduce_sum", "sum"}, {"reduce_max", "max"}, {"reduce_min", "min"},
      {"reduce_prod", "prod"}, {"neg", "negative"},   {"power", "pow"},      {"concat", "concatenate"},
      {"get_item", "getitem"}, {"absolute", "abs"},   {"swish", "silu"},     {"relu6", "relu6"},
      {"div", "divide"},       {"reduce_any", "any"}, {"reduce_all", "all"}, {"where_v2", "where"},
  };
  for (const auto& [from, to] : kSame) {
    if (name == from) return std::string("op:") + to;
  }
  return "op:" + name;
}

}  // namespace assay::keras
