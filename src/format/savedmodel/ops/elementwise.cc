// Ops that work element by element, their compositions, and constants.
#include <algorithm>
#include <cmath>

#include "format/savedmodel/node_call.h"
#include "graph/ops/activations.h"
#include "graph/ops/arithmetic.h"
#include "graph/ops/normalization.h"

namespace assay::savedmodel {
namespace {

using graph::Attributes;
using graph::BuiltinOp;

template <BuiltinOp kOp>
void Unary(Call& c) {
  c.Return(c.g.Op(kOp, c.name, {c.In(0)}));
}

// What the two operands of an op must share; TFLite broadcasts like TensorFlow does.
template <BuiltinOp kOp>
void Binary(Call& c) {
  c.Return(c.g.Op(kOp, c.name, {c.In(0), c.In(1)}));
}

template <BuiltinOp kOp>
void SameShape(Call& c) {
  if (!(c.g.KindOf(c.In(0)) == c.g.KindOf(c.In(1)))) throw Unsupported{"operands of different shapes"};
  Binary<kOp>(c);
}

template <BuiltinOp kOp>
void Compare(Call& c) {
  c.Return(c.g.Op(kOp, c.name, {c.In(0), c.In(1)}, {}, DType::kBool));
}

// A constant that is this value throughout and does not make `x` larger.
bool IsAll(const Call& c, Id constant, float value, Id x) {
  const graph::Tensor& tensor = c.g.info(constant);
  if (!tensor.data.has_value() || tensor.dtype != DType::kFloat32 || c.g.info(x).dtype != DType::kFloat32) return false;
  const Shape &small = tensor.shape, &large = c.g.shape(x);
  if (small.rank() > large.rank()) return false;
  for (int i = 1; i <= small.rank(); ++i) {
    const bool fits = small.FromEnd(i) == large.FromEnd(i) && !c.g.IsOpen(x, large.rank() - i);
    if (small.FromEnd(i) != 1 && !fits) return false;
  }
  const std::vector<float> values = lowering::FloatsOf(tensor);
  return std::all_of(values.begin(), values.end(), [value](float v) { return v == value; });
}

template <BuiltinOp kOp>
void Additive(Call& c) {
  if (IsAll(c, c.In(1), 0, c.In(0))) return c.Return(c.In(0));
  if (kOp == BuiltinOp::kAdd && IsAll(c, c.In(0), 0, c.In(1))) return c.Return(c.In(1));
  c.Return(c.g.Op(kOp, c.name, {c.In(0), c.In(1)}, Attributes::From(graph::AddAttributes{})));
}

bool IsScalar(const Call& c, Id id, double value) {
  const auto scalar = c.FloatScalar(id);
  return scalar.has_value() && std::abs(*scalar - value) < 1e-6;
}

// The other factor where `id` is computed as a constant of this value times something, or that divided by its inverse.
std::optional<Id> TimesConstant(const Call& c, Id id, double value) {
  const graph::Operator* op = c.g.Producer(id);
  if (op == nullptr || op->inputs.size() != 2) return std::nullopt;
  if (op->code == BuiltinOp::kMul && IsScalar(c, op->inputs[0], value)) return op->inputs[1];
  if (op->code == BuiltinOp::kMul && IsScalar(c, op->inputs[1], value)) return op->inputs[0];
  if (op->code == BuiltinOp::kDiv && IsScalar(c, op->inputs[1], 1 / value)) return op->inputs[0];
  return std::nullopt;
}

constexpr double kSqrtHalf = 0.70710678118654752;

// x where `id` is x / sqrt(2), or -x / sqrt(2).
std::optional<Id> OverSqrt2(const Call& c, Id id, bool negated) {
  if (!negated) return TimesConstant(c, id, kSqrtHalf);
  if (const auto x = TimesConstant(c, id, -kSqrtHalf); x.has_value()) return x;
  const auto inner = TimesConstant(c, id, kSqrtHalf);
  const graph::Operator* op = c.g.Producer(inner.value_or(id));
  if (op == nullptr || op->code != BuiltinOp::kNeg) return std::nullopt;
  return inner.has_value() ? op->inputs[0] : TimesConstant(c, op->inputs[0], kSqrtHalf);
}

const graph::Operator* ProducerOf(const Call& c, Id id, BuiltinOp code) {
  const graph::Operator* op = c.g.Producer(id);
  return op != nullptr && op->code == code ? op : nullptr;
}

// relu(x) - slope * relu(-x), the slopes without the batch's dimension.
bool PreluOf(Call& c, Id positive, Id negative) {
  const graph::Operator *relu = ProducerOf(c, positive, BuiltinOp::kRelu),
                        *mul = ProducerOf(c, negative, BuiltinOp::kMul);
  if (relu == nullptr || mul == nullptr) return false;
  for (const size_t i : {size_t{0}, size_t{1}}) {
    const Id slope = mul->inputs[i];
    const graph::Operator* inner = ProducerOf(c, mul->inputs[1 - i], BuiltinOp::kRelu);
    const graph::Operator* neg = inner == nullptr ? nullptr : ProducerOf(c, inner->inputs[0], BuiltinOp::kNeg);
    if (neg == nullptr || neg->inputs[0] != relu->inputs[0] || !c.g.info(slope).data.has_value()) continue;
    const Id x = relu->inputs[0];
    if (c.g.rank(slope) >= c.g.rank(x) || c.g.rank(slope) < 1) continue;
    const Id alpha = c.g.Op(BuiltinOp::kNeg, c.name + "/alpha", {slope});
    c.Return(c.g.Op(BuiltinOp::kPrelu, c.name, {x, alpha}));
    return true;
  }
  return false;
}

// sqrt(2 / pi) * (x + 0.044715 * x^3), of GELU's approximation.
bool IsGeluPolynomial(const Call& c, Id id, Id x) {
  const auto sum = TimesConstant(c, id, 0.7978845608028654);
  const graph::Operator* add = sum.has_value() ? ProducerOf(c, *sum, BuiltinOp::kAdd) : nullptr;
  if (add == nullptr) return false;
  for (const size_t i : {size_t{0}, size_t{1}}) {
    const auto cube = TimesConstant(c, add->inputs[i], 0.044715);
    const graph::Operator* pow = cube.has_value() ? ProducerOf(c, *cube, BuiltinOp::kPow) : nullptr;
    if (pow != nullptr && add->inputs[1 - i] == x && pow->inputs[0] == x && IsScalar(c, pow->inputs[1], 3)) return true;
  }
  return false;
}

void Add(Call& c) {
  // 1 + erf(...) of GELU.
  for (const size_t i : {size_t{0}, size_t{1}}) {
    if (c.size() == 2 && c.inputs[i].kind == Value::Kind::kErf && !c.inputs[i].plus_one &&
        IsScalar(c, c.In(1 - i), 1)) {
      Value value = c.inputs[i];
      value.plus_one = true;
      c.results.push_back(value);
      return;
    }
  }
  if (c.size() == 2 && (PreluOf(c, c.In(0), c.In(1)) || PreluOf(c, c.In(1), c.In(0)))) return;
  Additive<BuiltinOp::kAdd>(c);
}

// x / sqrt(max(sum(x^2), 1e-12)) over the last dimension, which is what L2_NORMALIZATION computes.
bool L2NormalizationOf(Call& c, Id x, Id factor) {
  const graph::Operator* rsqrt = ProducerOf(c, factor, BuiltinOp::kRsqrt);
  const graph::Operator* max = rsqrt == nullptr ? nullptr : ProducerOf(c, rsqrt->inputs[0], BuiltinOp::kMaximum);
  if (max == nullptr) return false;
  const auto least = c.FloatScalar(max->inputs[1]);
  const graph::Operator* sum = ProducerOf(c, max->inputs[0], BuiltinOp::kSum);
  if (sum == nullptr || !least.has_value() || std::abs(*least - 1e-12) > 1e-14) return false;
  const auto axes = c.g.IntValues(sum->inputs[1], false);
  const graph::Operator* square = ProducerOf(c, sum->inputs[0], BuiltinOp::kSquare);
  const int rank = c.g.rank(x);
  if (square == nullptr || square->inputs[0] != x || !axes.has_value() || axes->size() != 1 ||
      c.g.rank(max->inputs[0]) != rank || ((*axes)[0] != -1 && (*axes)[0] != rank - 1)) {
    return false;
  }
  c.Return(c.g.Op(BuiltinOp::kL2Normalization, c.name, {x}, Attributes::From(graph::L2NormAttributes{})));
  return true;
}

void Mul(Call& c) {
  for (const size_t i : {size_t{0}, size_t{1}}) {
    if (c.size() != 2 || c.inputs[i].kind != Value::Kind::kErf || !c.inputs[i].plus_one) continue;
    // x / 2 * (1 + erf(x / sqrt(2)))
    const auto x = OverSqrt2(c, c.inputs[i].id, c.inputs[i].negated);
    const auto half = TimesConstant(c, c.In(1 - i), 0.5);
    if (x.has_value() && half == x) {
      c.Return(c.g.Op(BuiltinOp::kGelu, c.name, {*x}, Attributes::From(graph::GeluAttributes{false})));
      return;
    }
  }
  for (const size_t i : {size_t{0}, size_t{1}}) {
    if (c.size() != 2) break;
    if (IsAll(c, c.In(1 - i), 1, c.In(i))) return c.Return(c.In(i));
    if (L2NormalizationOf(c, c.In(i), c.In(1 - i))) return;
  }
  for (const size_t i : {size_t{0}, size_t{1}}) {
    // x / 2 * (1 + tanh(...))
    const graph::Operator* add = c.size() == 2 ? ProducerOf(c, c.In(i), BuiltinOp::kAdd) : nullptr;
    const auto half = add == nullptr ? std::nullopt : TimesConstant(c, c.In(1 - i), 0.5);
    for (size_t k = 0; half.has_value() && k < 2; ++k) {
      const graph::Operator* tanh = ProducerOf(c, add->inputs[1 - k], BuiltinOp::kTanh);
      if (tanh == nullptr || !IsScalar(c, add->inputs[k], 1) || !IsGeluPolynomial(c, tanh->inputs[0], *half)) continue;
      return c.Return(c.g.Op(BuiltinOp::kGelu, c.name, {*half}, Attributes::From(graph::GeluAttributes{true})));
    }
  }
  c.Return(c.g.Op(BuiltinOp::kMul, c.name, {c.In(0), c.In(1)}, Attributes::From(graph::MulAttributes{})));
}

// erfc(x) = 1 + erf(-x)
template <bool kComplement>
void Erf(Call& c) {
  Value value = Value::Of(Value::Kind::kErf);
  value.id = c.In(0);
  value.plus_one = value.negated = kComplement;
  c.results.push_back(value);
}

void Div(Call& c) {
  if (c.g.info(c.In(0)).dtype != DType::kFloat32) {
    if (c.node.op == "RealDiv") throw Unsupported{"a division of integers to real numbers"};
    if (c.node.op == "TruncateDiv" || c.node.op == "Div") {
      c.Return(c.g.Op(BuiltinOp::kDiv, c.name, {c.In(0), c.In(1)}, Attributes::From(graph::MulAttributes{})));
      return;
    }
  }
  if (IsAll(c, c.In(1), 1, c.In(0))) return c.Return(c.In(0));
  c.Return(c.g.Div(c.name, c.In(0), c.In(1)));
}

// x / y, or 0 where y is 0.
void DivNoNan(Call& c) {
  const Id zero = c.g.Scalar(c.name + "/zero", 0);
  const Id is_zero = c.g.Op(BuiltinOp::kEqual, c.name + "/is_zero", {c.In(1), zero}, {}, DType::kBool);
  const Id quotient = c.g.Div(c.name + "/quotient", c.In(0), c.In(1));
  c.Return(c.g.Op(BuiltinOp::kSelectV2, c.name, {is_zero, zero, quotient}, {}, DType::kFloat32));
}

void MulNoNan(Call& c) {
  const Id zero = c.g.Scalar(c.name + "/zero", 0);
  const Id is_zero = c.g.Op(BuiltinOp::kEqual, c.name + "/is_zero", {c.In(1), zero}, {}, DType::kBool);
  const Id product = c.g.Mul(c.name + "/product", c.In(0), c.In(1));
  c.Return(c.g.Op(BuiltinOp::kSelectV2, c.name, {is_zero, zero, product}, {}, DType::kFloat32));
}

void AddN(Call& c) {
  const std::vector<Id> terms = c.Tensors(0, c.size());
  if (terms.empty()) throw InputError("it has no inputs");
  if (terms.size() == 1) return c.Return(terms[0]);
  c.Return(terms.size() == 2 ? c.g.Add(c.name, terms[0], terms[1]) : c.g.Op(BuiltinOp::kAddN, c.name, terms));
}

void LogicalNot(Call& c) {
  const graph::Operator* op = c.g.Producer(c.In(0));
  if (op != nullptr && (op->code == BuiltinOp::kEqual || op->code == BuiltinOp::kNotEqual)) {
    const BuiltinOp opposite = op->code == BuiltinOp::kEqual ? BuiltinOp::kNotEqual : BuiltinOp::kEqual;
    const std::vector<Id> operands = op->inputs;
    return c.Return(c.g.Op(opposite, c.name, operands, {}, DType::kBool));
  }
  c.Return(c.g.Op(BuiltinOp::kLogicalNot, c.name, {c.In(0)}));
}

void LeakyRelu(Call& c) {
  c.Return(c.g.Op(BuiltinOp::kLeakyRelu, c.name, {c.In(0)},
                  Attributes::From(graph::LeakyReluAttributes{c.Float("alpha", 0.2F)})));
}

void Selu(Call& c) {
  // scale * (max(x, 0) + alpha * (exp(min(x, 0)) - 1))
  constexpr float kAlpha = 1.6732632423543772F, kScale = 1.0507009873554805F;
  GraphBuilder& g = c.g;
  const Id zero = g.Scalar(c.name + "/zero", 0);
  const Id low = g.Op(BuiltinOp::kMinimum, c.name + "/min", {c.In(0), zero});
  const Id elu = g.Op(BuiltinOp::kElu, c.name + "/Elu", {low});
  const Id high = g.Op(BuiltinOp::kRelu, c.name + "/Relu", {c.In(0)});
  const Id sum = g.Add(c.name + "/add", g.Mul(c.name + "/mul", high, g.Scalar(c.name + "/scale", kScale)),
                       g.Mul(c.name + "/mul_1", elu, g.Scalar(c.name + "/scale_alpha", kScale * kAlpha)));
  c.Return(sum);
}

// log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|))
void Softplus(Call& c) {
  GraphBuilder& g = c.g;
  const Id magnitude = g.Op(BuiltinOp::kNeg, c.name + "/Neg", {g.Op(BuiltinOp::kAbs, c.name + "/Abs", {c.In(0)})});
  const Id rest =
      g.Op(BuiltinOp::kLog, c.name + "/Log",
           {g.Add(c.name + "/add", g.Op(BuiltinOp::kExp, c.name + "/Exp", {magnitude}), g.Scalar(c.name + "/one", 1))});
  c.Return(g.Add(c.name, g.Op(BuiltinOp::kRelu, c.name + "/Relu", {c.In(0)}), rest));
}

void Softsign(Call& c) {
  GraphBuilder& g = c.g;
  const Id below =
      g.Add(c.name + "/add", g.Op(BuiltinOp::kAbs, c.name + "/Abs", {c.In(0)}), g.Scalar(c.name + "/one", 1));
  c.Return(g.Div(c.name, c.In(0), below));
}

void Log1p(Call& c) {
  c.Return(c.g.Op(BuiltinOp::kLog, c.name, {c.g.Add(c.name + "/add", c.In(0), c.g.Scalar(c.name + "/one", 1))}));
}

void Expm1(Call& c) {
  c.Return(c.g.Sub(c.name, c.g.Op(BuiltinOp::kExp, c.name + "/Exp", {c.In(0)}), c.g.Scalar(c.name + "/one", 1)));
}

// One of x's type; 1 / x for floats.
void Reciprocal(Call& c) { c.Return(c.g.Div(c.name, c.g.Scalar(c.name + "/one", 1), c.In(0))); }

void Tan(Call& c) {
  c.Return(c.g.Div(c.name, c.g.Op(BuiltinOp::kSin, c.name + "/Sin", {c.In(0)}),
                   c.g.Op(BuiltinOp::kCos, c.name + "/Cos", {c.In(0)})));
}

void ClipByValue(Call& c) {
  const Id low = c.g.Op(BuiltinOp::kMaximum, c.name + "/Maximum", {c.In(0), c.In(1)});
  c.Return(c.g.Op(BuiltinOp::kMinimum, c.name, {low, c.In(2)}));
}

void Softmax(Call& c) {
  c.Return(c.g.Op(BuiltinOp::kSoftmax, c.name, {c.In(0)}, Attributes::From(graph::SoftmaxAttributes{1.0F})));
}

void Cast(Call& c) {
  const DType to = DTypeOfTensorFlow(c.Type("DstT", kTfFloat));
  const Id x = c.In(0);
  if (c.g.info(x).dtype == to) return c.Return(x);
  c.Return(c.g.Cast(c.name, x, to));
}

// SELECT wants a condition of the operands' shape, of the first dimension's size, or one value; SELECT_V2 broadcasts.
void Select(Call& c) {
  const Id condition = c.In(0), yes = c.In(1), no = c.In(2);
  if (c.node.op == "Select" && c.g.rank(condition) == 1 && c.g.rank(yes) > 1) {
    std::vector<int32_t> dims = c.g.Dims(condition);
    dims.resize(static_cast<size_t>(c.g.rank(yes)), 1);
    const Id column = ReshapeTo(c, c.name + "/condition", condition, dims);
    return c.Return(c.g.Op(BuiltinOp::kSelectV2, c.name, {column, yes, no}, {}, c.g.info(yes).dtype));
  }
  const bool same = c.g.KindOf(condition).low == c.g.KindOf(yes).low && c.g.KindOf(yes) == c.g.KindOf(no);
  c.Return(
      c.g.Op(same ? BuiltinOp::kSelect : BuiltinOp::kSelectV2, c.name, {condition, yes, no}, {}, c.g.info(yes).dtype));
}

void Identity(Call& c) { c.results = c.inputs; }
void First(Call& c) {
  if (c.inputs.empty()) throw InputError("it has no input");
  c.results = {c.inputs[0]};
}
void Nothing(Call& c) { c.results = {Value()}; }

void Const(Call& c) {
  const Attr* attr = c.node.Find("value");
  const auto* value = attr == nullptr ? nullptr : std::get_if<std::shared_ptr<const TensorValue>>(attr);
  if (value == nullptr) throw InputError("it has no value");
  if ((*value)->dtype == kTfString) {
    c.results = {Value()};
  } else {
    c.Return(MakeConstant(c, **value));
  }
}

void Placeholder(Call& c) { throw InputError("it is no input of the signature, and nothing feeds '{}'", c.name); }

// ---- fake quantization: rounds to the steps of an integer type, in real numbers
struct FakeRange {
  float low = 0, high = 0, scale = 1;
};

// The range moved so that zero is one of the steps.
FakeRange Nudge(float low, float high, int64_t bits, bool narrow) {
  const float first = narrow ? 1.0F : 0.0F, last = static_cast<float>((int64_t{1} << bits) - 1);
  FakeRange range;
  range.scale = (high - low) / (last - first);
  const float zero_from_low = first - low / range.scale;
  const float zero = zero_from_low < first ? first : zero_from_low > last ? last : std::round(zero_from_low);
  range.low = (first - zero) * range.scale;
  range.high = (last - zero) * range.scale;
  return range;
}

// round((clamp(x) - low) / scale) * scale + low, for the whole tensor or per channel of the last dimension.
void FakeQuant(Call& c, const std::vector<float>& lows, const std::vector<float>& highs) {
  const int64_t bits = c.Int("num_bits", 8);
  if (bits < 2 || bits > 16 || lows.size() != highs.size() || lows.empty()) throw InputError("its range is damaged");
  GraphBuilder& g = c.g;
  std::vector<float> low, high, scale, inverse;
  for (size_t i = 0; i < lows.size(); ++i) {
    if (!(lows[i] <= 0) || !(highs[i] >= 0) || !(highs[i] > lows[i])) {
      throw InputError("its range is {} to {}", lows[i], highs[i]);
    }
    const FakeRange range = Nudge(lows[i], highs[i], bits, c.Bool("narrow_range", false));
    low.push_back(range.low), high.push_back(range.high), scale.push_back(range.scale);
    inverse.push_back(1.0F / range.scale);
  }
  const Shape shape = low.size() == 1 ? Shape() : Shape({static_cast<int32_t>(low.size())});
  const Id lowest = g.Floats(c.name + "/low", shape, low);
  Id x = g.Op(BuiltinOp::kMaximum, c.name + "/Maximum", {c.In(0), lowest});
  x = g.Op(BuiltinOp::kMinimum, c.name + "/Minimum", {x, g.Floats(c.name + "/high", shape, high)});
  x = g.Mul(c.name + "/steps", g.Sub(c.name + "/sub", x, lowest), g.Floats(c.name + "/inverse_scale", shape, inverse));
  x = g.Op(BuiltinOp::kFloor, c.name + "/Floor", {g.Add(c.name + "/add", x, g.Scalar(c.name + "/half", 0.5F))});
  c.Return(g.Add(c.name, g.Mul(c.name + "/mul", x, g.Floats(c.name + "/scale", shape, scale)), lowest));
}

void FakeQuantArgs(Call& c) { FakeQuant(c, {c.Float("min", -6)}, {c.Float("max", 6)}); }

void FakeQuantVars(Call& c) {
  const graph::Tensor &low = c.g.info(c.In(1)), &high = c.g.info(c.In(2));
  if (!low.data.has_value() || !high.data.has_value() || low.dtype != DType::kFloat32 ||
      high.dtype != DType::kFloat32) {
    throw Unsupported{"its range is computed when the model runs"};
  }
  FakeQuant(c, lowering::FloatsOf(low), lowering::FloatsOf(high));
}

constexpr OpRow kElementwiseRows[] = {
    {"Const", Const},
    {"Identity", First},
    {"IdentityN", Identity},
    {"Snapshot", First},
    {"StopGradient", First},
    {"PreventGradient", First},
    {"CheckNumerics", First},
    {"CheckNumericsV2", First},
    {"PlaceholderWithDefault", First},
    {"EnsureShape", First},
    {"DisableCopyOnRead", Nothing},
    {"NoOp", Nothing},
    {"Assert", Nothing},
    {"Placeholder", Placeholder},
    {"Relu", Unary<BuiltinOp::kRelu>},
    {"Relu6", Unary<BuiltinOp::kRelu6>},
    {"Elu", Unary<BuiltinOp::kElu>},
    {"Tanh", Unary<BuiltinOp::kTanh>},
    {"Sigmoid", Unary<BuiltinOp::kLogistic>},
    {"Exp", Unary<BuiltinOp::kExp>},
    {"Log", Unary<BuiltinOp::kLog>},
    {"Sqrt", Unary<BuiltinOp::kSqrt>},
    {"Rsqrt", Unary<BuiltinOp::kRsqrt>},
    {"Square", Unary<BuiltinOp::kSquare>},
    {"Abs", Unary<BuiltinOp::kAbs>},
    {"Neg", Unary<BuiltinOp::kNeg>},
    {"Floor", Unary<BuiltinOp::kFloor>},
    {"Ceil", Unary<BuiltinOp::kCeil>},
    {"Round", Unary<BuiltinOp::kRound>},
    {"Rint", Unary<BuiltinOp::kRound>},
    {"Sin", Unary<BuiltinOp::kSin>},
    {"Cos", Unary<BuiltinOp::kCos>},
    {"Sign", Unary<BuiltinOp::kSign>},
    {"ZerosLike", Unary<BuiltinOp::kZerosLike>},
    {"LogSoftmax", Unary<BuiltinOp::kLogSoftmax>},
    {"LogicalNot", LogicalNot},
    {"Softmax", Softmax},
    {"LeakyRelu", LeakyRelu},
    {"Selu", Selu},
    {"Softplus", Softplus},
    {"Softsign", Softsign},
    {"Log1p", Log1p},
    {"Expm1", Expm1},
    {"Reciprocal", Reciprocal},
    {"Inv", Reciprocal},
    {"Tan", Tan},
    {"Erf", Erf<false>},
    {"Erfc", Erf<true>},
    {"ClipByValue", ClipByValue},
    {"Add", Add},
    {"AddV2", Add},
    {"AddN", AddN},
    {"Sub", Additive<BuiltinOp::kSub>},
    {"Mul", Mul},
    {"MulNoNan", MulNoNan},
    {"RealDiv", Div},
    {"Div", Div},
    {"TruncateDiv", Div},
    {"DivNoNan", DivNoNan},
    {"Maximum", Binary<BuiltinOp::kMaximum>},
    {"Minimum", Binary<BuiltinOp::kMinimum>},
    {"Pow", Binary<BuiltinOp::kPow>},
    {"SquaredDifference", Binary<BuiltinOp::kSquaredDifference>},
    {"FloorDiv", Binary<BuiltinOp::kFloorDiv>},
    {"FloorMod", Binary<BuiltinOp::kFloorMod>},
    {"Atan2", SameShape<BuiltinOp::kAtan2>},
    {"BitwiseXor", Binary<BuiltinOp::kBitwiseXor>},
    {"RightShift", Binary<BuiltinOp::kRightShift>},
    {"LogicalAnd", Compare<BuiltinOp::kLogicalAnd>},
    {"LogicalOr", Compare<BuiltinOp::kLogicalOr>},
    {"Equal", Compare<BuiltinOp::kEqual>},
    {"NotEqual", Compare<BuiltinOp::kNotEqual>},
    {"Less", Compare<BuiltinOp::kLess>},
    {"LessEqual", Compare<BuiltinOp::kLessEqual>},
    {"Greater", Compare<BuiltinOp::kGreater>},
    {"GreaterEqual", Compare<BuiltinOp::kGreaterEqual>},
    {"Cast", Cast},
    {"Select", Select},
    {"SelectV2", Select},
    {"FakeQuantWithMinMaxArgs", FakeQuantArgs},
    {"FakeQuantWithMinMaxVars", FakeQuantVars},
    {"FakeQuantWithMinMaxVarsPerChannel", FakeQuantVars},
};

}  // namespace

std::span<const OpRow> ElementwiseOps() { return kElementwiseRows; }

}  // namespace assay::savedmodel
