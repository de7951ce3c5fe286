// Activations, as layers and as arguments of other layers.
#include <cmath>

#include "base/error.h"
#include "format/keras/layer_call.h"
#include "format/keras/masks.h"
#include "graph/ops/activations.h"

namespace assay::keras {
namespace {

using graph::Attributes;
using graph::BuiltinOp;

Id Unary(GraphBuilder& g, BuiltinOp code, std::string_view name, Id x) { return g.Op(code, name, {x}); }

Id Minimum(GraphBuilder& g, std::string_view name, Id x, float bound) {
  return g.Op(BuiltinOp::kMinimum, name, {x, g.Scalar(std::string(name) + "/y", bound)});
}
Id Maximum(GraphBuilder& g, std::string_view name, Id x, float bound) {
  return g.Op(BuiltinOp::kMaximum, name, {x, g.Scalar(std::string(name) + "/y", bound)});
}
Id Scale(GraphBuilder& g, std::string_view name, Id x, float factor) {
  return g.Mul(name, x, g.Scalar(std::string(name) + "/y", factor));
}
Id Shift(GraphBuilder& g, std::string_view name, Id x, float amount) {
  return g.Add(name, x, g.Scalar(std::string(name) + "/y", amount));
}
Id Relu(GraphBuilder& g, Id x) { return Unary(g, BuiltinOp::kRelu, "Relu", x); }
Id LeakyRelu(GraphBuilder& g, Id x, double slope) {
  return g.Op(BuiltinOp::kLeakyRelu, "LeakyRelu", {x},
              Attributes::From(graph::LeakyReluAttributes{static_cast<float>(slope)}));
}

// relu(x) + alpha * (e^min(x,0) - 1)
Id Elu(GraphBuilder& g, Id x, double alpha) {
  if (alpha == 1) return Unary(g, BuiltinOp::kElu, "Elu", x);
  const Id negative = Unary(g, BuiltinOp::kElu, "Elu", Minimum(g, "Minimum", x, 0));
  return g.Add("add", Relu(g, x), Scale(g, "mul", negative, static_cast<float>(alpha)));
}

// log(1 + e^x), as relu(x) + log(1 + e^-|x|), which never overflows
Id Softplus(GraphBuilder& g, Id x) {
  const Id e = Unary(g, BuiltinOp::kExp, "Exp", Unary(g, BuiltinOp::kNeg, "Neg", Unary(g, BuiltinOp::kAbs, "Abs", x)));
  return g.Add("Softplus", Relu(g, x), Unary(g, BuiltinOp::kLog, "Log", Shift(g, "add", e, 1)));
}

Id HardSigmoid(GraphBuilder& g, Id x, int keras_major) {
  if (keras_major >= 3)
    return Scale(g, "truediv", Unary(g, BuiltinOp::kRelu6, "Relu6", Shift(g, "add", x, 3)), 1.0F / 6);
  return Minimum(g, "Minimum", Maximum(g, "Maximum", Shift(g, "add", Scale(g, "mul", x, 0.2F), 0.5F), 0), 1);
}

Id Gelu(GraphBuilder& g, Id x, bool approximate) {
  return g.Op(BuiltinOp::kGelu, "Gelu", {x}, Attributes::From(graph::GeluAttributes{approximate}));
}

Id Swish(GraphBuilder& g, Id x) { return g.Mul("mul", x, Unary(g, BuiltinOp::kLogistic, "Sigmoid", x)); }

struct ReluOptions {
  bool has_max = false;
  double max_value = 0, slope = 0, threshold = 0;
};

// max_value where x >= max_value; x where x > threshold; slope * (x - threshold) elsewhere
Id GeneralRelu(GraphBuilder& g, Id x, const ReluOptions& o) {
  if (o.threshold == 0 && o.slope == 0) {
    if (!o.has_max) return Relu(g, x);
    if (o.max_value == 6) return Unary(g, BuiltinOp::kRelu6, "Relu6", x);
    if (o.max_value == 1) return Unary(g, BuiltinOp::kRelu0To1, "Relu1", x);
    return Minimum(g, "Minimum", Relu(g, x), static_cast<float>(o.max_value));
  }
  Id y;
  if (o.threshold == 0) {
    y = LeakyRelu(g, x, o.slope);
    return o.has_max ? Minimum(g, "Minimum", y, static_cast<float>(o.max_value)) : y;
  }
  const Id threshold = g.Scalar("threshold", static_cast<float>(o.threshold));
  const Id above = g.Op(BuiltinOp::kGreater, "Greater", {x, threshold}, {}, DType::kBool);
  y = g.Mul("mul", x, g.Cast("Cast", above, DType::kFloat32));
  if (o.has_max) y = Minimum(g, "Minimum", Maximum(g, "Maximum", y, 0), static_cast<float>(o.max_value));
  if (o.slope == 0) return y;
  const Id below = Relu(g, g.Sub("sub", threshold, x));
  return g.Sub("sub_1", y, Scale(g, "mul_1", below, static_cast<float>(o.slope)));
}

double Number(const Json& config, std::initializer_list<const char*> keys, double otherwise) {
  for (const char* key : keys) {
    if (!config.is_object() || !config.contains(key) || config[key].is_null()) continue;
    if (config[key].is_number()) return config[key].get<double>();
    // Older files wrap numpy's numbers: {"type": "ndarray", "value": 0.3}
    if (config[key].is_object() && config[key].contains("value") && config[key]["value"].is_number()) {
      return config[key]["value"].get<double>();
    }
    throw InputError("'{}' is no number", key);
  }
  return otherwise;
}

ReluOptions ReluFrom(const Json& config) {
  ReluOptions o;
  o.has_max = config.is_object() && config.contains("max_value") && !config["max_value"].is_null();
  o.max_value = Number(config, {"max_value"}, 0);
  o.slope = Number(config, {"negative_slope", "alpha"}, 0);
  o.threshold = Number(config, {"threshold"}, 0);
  return o;
}

// The function's name, and its options where it is written as an object.
struct Function {
  std::string name;
  Json config = Json::object();
};

Function FunctionOf(const Json& activation) {
  if (activation.is_null()) return {"linear", {}};
  if (activation.is_string()) return {activation.get<std::string>(), Json::object()};
  if (activation.is_object() && activation.contains("class_name")) {
    const std::string class_name = activation["class_name"].get<std::string>();
    const Json config = activation.value("config", Json());
    if (class_name == "function" && config.is_string()) return {config.get<std::string>(), Json::object()};
    return {SnakeCase(class_name), config.is_object() ? config : Json::object()};
  }
  throw InputError("an activation of the form {}", activation.dump().substr(0, 100));
}

constexpr std::string_view kActivations[] = {"linear",      "relu",        "relu6",       "re_lu",        "leaky_relu",
                                             "leaky_re_lu", "elu",         "selu",        "softmax",      "softplus",
                                             "softsign",    "tanh",        "sigmoid",     "hard_sigmoid", "exponential",
                                             "gelu",        "swish",       "silu",        "mish",         "log_softmax",
                                             "hard_silu",   "hard_swish",  "celu",        "hard_tanh",    "squareplus",
                                             "log_sigmoid", "tanh_shrink", "soft_shrink", "hard_shrink",  "relu1"};

std::vector<Id> Activation(LayerCall& c) { return {c.Activate(c.input())}; }
std::vector<Id> ReLU(LayerCall& c) { return {GeneralRelu(c.g, c.input(), ReluFrom(c.config))}; }
std::vector<Id> LeakyReLU(LayerCall& c) {
  return {LeakyRelu(c.g, c.input(), Number(c.config, {"negative_slope", "alpha"}, 0.3))};
}
std::vector<Id> ELU(LayerCall& c) { return {Elu(c.g, c.input(), Number(c.config, {"alpha"}, 1))}; }
std::vector<Id> ThresholdedReLU(LayerCall& c) {
  ReluOptions o;
  o.threshold = Number(c.config, {"theta"}, 1);
  return {o.threshold == 0 ? Relu(c.g, c.input()) : GeneralRelu(c.g, c.input(), o)};
}

std::vector<Id> PReLU(LayerCall& c) {
  const Shape& x = c.g.shape(c.input());
  std::vector<int32_t> dims(x.dims().begin() + 1, x.dims().end());
  if (c.Has("shared_axes")) {
    for (const int32_t axis : c.IntList("shared_axes")) dims[static_cast<size_t>(c.g.Axis(c.input(), axis)) - 1] = 1;
  }
  return {c.g.Op(BuiltinOp::kPrelu, "PRelu", {c.input(), c.Constant("alpha", Shape(dims), "alpha")})};
}

std::vector<Id> Softmax(LayerCall& c) {
  int64_t axis = -1;
  if (c.Has("axis")) {
    const std::vector<int32_t> axes = c.IntList("axis");
    if (axes.size() != 1) c.Unsupported("softmax over several axes");
    axis = axes[0];
  }
  Id x = c.input();
  if (const Id mask = c.Mask(); mask != graph::kNoTensor) {
    if (c.g.rank(mask) != c.g.rank(x)) c.Unsupported("a softmax with a mask of fewer dimensions");
    x = Where(c.g, "masked", mask, x, c.g.Scalar("masked/value", -1e9F));
  }
  return {c.g.Softmax("Softmax", x, static_cast<int>(axis))};
}

constexpr LayerRow kActivationRows[] = {
    {"Activation", Activation, "RELU, RELU6, LOGISTIC, TANH, ..."},
    {"ReLU", ReLU, "RELU, RELU6, LEAKY_RELU, MINIMUM"},
    {"LeakyReLU", LeakyReLU, "LEAKY_RELU"},
    {"PReLU", PReLU, "PRELU"},
    {"ELU", ELU, "ELU"},
    {"ThresholdedReLU", ThresholdedReLU, "GREATER, CAST, MUL"},
    {"Softmax", Softmax, "SOFTMAX, TRANSPOSE"},
};

}  // namespace

std::span<const LayerRow> ActivationLayers() { return kActivationRows; }

bool IsKnownActivation(const Json& activation) {
  const std::string name = FunctionOf(activation).name;
  for (const std::string_view known : kActivations) {
    if (name == known) return true;
  }
  return false;
}

Id LayerCall::Activate(Id x, const Json& activation) {
  const Function f = FunctionOf(activation);
  const std::string& n = f.name;
  if (n == "linear") return x;
  if (n == "relu") return f.config.empty() ? Relu(g, x) : GeneralRelu(g, x, ReluFrom(f.config));
  if (n == "re_lu") return GeneralRelu(g, x, ReluFrom(f.config));
  if (n == "relu6") return Unary(g, BuiltinOp::kRelu6, "Relu6", x);
  if (n == "relu1") return Unary(g, BuiltinOp::kRelu0To1, "Relu1", x);
  if (n == "leaky_re_lu") return LeakyRelu(g, x, Number(f.config, {"negative_slope", "alpha"}, 0.3));
  if (n == "leaky_relu") return LeakyRelu(g, x, Number(f.config, {"negative_slope", "alpha"}, 0.2));
  if (n == "elu") return Elu(g, x, Number(f.config, {"alpha"}, 1));
  if (n == "celu") {
    return g.Add("add", Relu(g, x), Unary(g, BuiltinOp::kElu, "Elu", Minimum(g, "Minimum", x, 0)));
  }
  if (n == "selu") {
    constexpr double kAlpha = 1.6732632423543772, kScale = 1.0507009873554805;
    return Scale(g, "Selu", Elu(g, x, kAlpha), static_cast<float>(kScale));
  }
  if (n == "softmax") return g.Softmax("Softmax", x);
  if (n == "log_softmax") return g.Op(BuiltinOp::kLogSoftmax, "LogSoftmax", {x});
  if (n == "softplus") return Softplus(g, x);
  if (n == "softsign") return g.Div("Softsign", x, Shift(g, "add", Unary(g, BuiltinOp::kAbs, "Abs", x), 1));
  if (n == "tanh") return Unary(g, BuiltinOp::kTanh, "Tanh", x);
  if (n == "sigmoid") return Unary(g, BuiltinOp::kLogistic, "Sigmoid", x);
  if (n == "hard_sigmoid") return HardSigmoid(g, x, keras_major);
  if (n == "exponential") return Unary(g, BuiltinOp::kExp, "Exp", x);
  if (n == "gelu") return Gelu(g, x, f.config.is_object() && f.config.value("approximate", false));
  if (n == "swish" || n == "silu") return Swish(g, x);
  if (n == "hard_silu" || n == "hard_swish") return Unary(g, BuiltinOp::kHardSwish, "HardSwish", x);
  if (n == "hard_tanh") return Unary(g, BuiltinOp::kReluN1To1, "HardTanh", x);
  if (n == "mish") return g.Mul("mul", x, Unary(g, BuiltinOp::kTanh, "Tanh", Softplus(g, x)));
  if (n == "log_sigmoid") {
    return Unary(g, BuiltinOp::kNeg, "LogSigmoid", Softplus(g, Unary(g, BuiltinOp::kNeg, "Neg_1", x)));
  }
  if (n == "squareplus") {  // (x + sqrt(x^2 + 4)) / 2
    const Id root = Unary(g, BuiltinOp::kSqrt, "Sqrt", Shift(g, "add", Unary(g, BuiltinOp::kSquare, "Square", x), 4));
    return Scale(g, "Squareplus", g.Add("add_1", x, root), 0.5F);
  }
  if (n == "tanh_shrink") return g.Sub("TanhShrink", x, Unary(g, BuiltinOp::kTanh, "Tanh", x));
  if (n == "soft_shrink") {  // max(x - t, 0) + min(x + t, 0), t = 0.5
    return g.Add("SoftShrink", Maximum(g, "Maximum", Shift(g, "add", x, -0.5F), 0),
                 Minimum(g, "Minimum", Shift(g, "add_1", x, 0.5F), 0));
  }
  if (n == "hard_shrink") {
    const Id outside = g.Op(BuiltinOp::kGreater, "Greater",
                            {Unary(g, BuiltinOp::kAbs, "Abs", x), g.Scalar("threshold", 0.5F)}, {}, DType::kBool);
    return g.Mul("HardShrink", x, g.Cast("Cast", outside, DType::kFloat32));
  }
  throw InputError("activation '{}' is not supported", n);
}

}  // namespace assay::keras
