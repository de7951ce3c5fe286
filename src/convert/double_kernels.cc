#include "convert/double_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "convert/double_parts.h"
#include "graph/ops/activations.h"
#include "graph/ops/normalization.h"
#include "graph/ops/reduce.h"

namespace assay::convert {

using graph::BuiltinOp;
using graph::Operator;

DoubleValue MakeDouble(Shape shape) {
  DoubleValue value;
  value.real.assign(static_cast<size_t>(shape.NumElements()), 0.0);
  value.shape = std::move(shape);
  return value;
}

std::vector<int32_t> WholeNumbers(const DoubleValue& value) {
  std::vector<int32_t> out(value.raw.size() / sizeof(int32_t));
  if (!out.empty()) std::memcpy(out.data(), value.raw.data(), out.size() * sizeof(int32_t));
  return out;
}

double Clamp(graph::Activation activation, double x) {
  switch (activation) {
    case graph::Activation::kRelu:
      return std::max(x, 0.0);
    case graph::Activation::kRelu6:
      return std::clamp(x, 0.0, 6.0);
    case graph::Activation::kReluN1To1:
      return std::clamp(x, -1.0, 1.0);
    default:
      return x;
  }
}

// Index of an element of a broadcast operand, for each element of the result.
std::vector<size_t> BroadcastIndex(const Shape& from, const Shape& to) {
  std::vector<size_t> index(static_cast<size_t>(to.NumElements()));
  std::vector<int64_t> step(static_cast<size_t>(to.rank()), 0), at(static_cast<size_t>(to.rank()), 0);
  int64_t stride = 1;
  for (int i = from.rank() - 1, k = to.rank() - 1; i >= 0; --i, --k) {
    step[static_cast<size_t>(k)] = from[i] == 1 ? 0 : stride;
    stride *= from[i];
  }
  int64_t position = 0;
  for (size_t& i : index) {
    i = static_cast<size_t>(position);
    for (int d = to.rank() - 1; d >= 0; --d) {
      const auto k = static_cast<size_t>(d);
      position += step[k];
      if (++at[k] < to[d]) break;
      position -= step[k] * to[d];
      at[k] = 0;
    }
  }
  return index;
}

namespace {

graph::Activation Fused(const Operator& op) {
  const graph::AttributeValue* value = op.attributes.Find("fused_activation_function");
  const auto* number = value == nullptr ? nullptr : std::get_if<int64_t>(value);
  return number == nullptr ? graph::Activation::kNone : static_cast<graph::Activation>(*number);
}

DoubleValue Reduce(const Operator& op, const DoubleInputs& in) {
  const DoubleValue& x = *in[0];
  const int rank = x.shape.rank();
  std::vector<bool> reduced(static_cast<size_t>(rank), false);
  for (const int32_t axis : WholeNumbers(*in[1])) reduced.at(static_cast<size_t>(axis < 0 ? axis + rank : axis)) = true;
  const bool keep = op.attributes.As<graph::ReducerAttributes>().keep_dims;
  std::vector<int32_t> kept, spread;
  int64_t count = 1;
  for (int d = 0; d < rank; ++d) {
    const bool gone = reduced[static_cast<size_t>(d)];
    spread.push_back(gone ? 1 : x.shape[d]);
    if (gone) count *= x.shape[d];
    if (!gone || keep) kept.push_back(spread.back());
  }
  DoubleValue y = MakeDouble(Shape(kept));
  const double start = op.code == BuiltinOp::kReduceMax    ? -INFINITY
                       : op.code == BuiltinOp::kReduceMin  ? INFINITY
                       : op.code == BuiltinOp::kReduceProd ? 1
                                                           : 0;
  std::fill(y.real.begin(), y.real.end(), start);
  const std::vector<size_t> to = BroadcastIndex(Shape(spread), x.shape);
  for (size_t i = 0; i < to.size(); ++i) {
    double& out = y.real[to[i]];
    const double value = x.real[i];
    if (op.code == BuiltinOp::kReduceMax) {
      out = std::max(out, value);
    } else if (op.code == BuiltinOp::kReduceMin) {
      out = std::min(out, value);
    } else if (op.code == BuiltinOp::kReduceProd) {
      out *= value;
    } else {
      out += value;
    }
  }
  if (op.code == BuiltinOp::kMean) {
    for (double& value : y.real) value /= static_cast<double>(count);
  }
  return y;
}

DoubleValue Softmax(const Operator& op, const DoubleInputs& in) {
  DoubleValue y = *in[0];
  const bool log = op.code == BuiltinOp::kLogSoftmax;
  const double beta = log ? 1 : static_cast<double>(op.attributes.As<graph::SoftmaxAttributes>().beta);
  const auto depth = static_cast<size_t>(y.shape.FromEnd(1));
  for (size_t row = 0; depth > 0 && row < y.real.size(); row += depth) {
    double* p = y.real.data() + row;
    const double top = *std::max_element(p, p + depth);
    double sum = 0;
    for (size_t i = 0; i < depth; ++i) sum += std::exp(beta * (p[i] - top));
    for (size_t i = 0; i < depth; ++i) p[i] = log ? p[i] - top - std::log(sum) : std::exp(beta * (p[i] - top)) / sum;
  }
  return y;
}

using UnaryFn = double (*)(double);
using BinaryFn = double (*)(double, double);

DoubleValue Gelu(const Operator& op, const DoubleInputs& in) {
  const bool approximate = op.attributes.As<graph::GeluAttributes>().approximate;
  DoubleValue y = *in[0];
  for (double& x : y.real) {
    x = approximate ? 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)))
                    : 0.5 * x * std::erfc(-x * M_SQRT1_2);
  }
  return y;
}

// x / (bias + alpha * the sum of squares over the channels at most `radius` away) ^ beta
DoubleValue LocalResponseNormalization(const Operator& op, const DoubleInputs& in) {
  const auto a = op.attributes.As<graph::LocalResponseNormalizationAttributes>();
  DoubleValue out = *in[0];
  const int64_t channels = out.shape.rank() > 0 ? out.shape.FromEnd(1) : 1;
  for (size_t at = 0; at < out.real.size(); ++at) {
    const int64_t c = static_cast<int64_t>(at) % channels, row = static_cast<int64_t>(at) - c;
    double sum = 0;
    for (int64_t k = std::max<int64_t>(c - a.radius, 0); k <= std::min<int64_t>(c + a.radius, channels - 1); ++k) {
      const double x = in[0]->real[static_cast<size_t>(row + k)];
      sum += x * x;
    }
    out.real[at] *=
        std::pow(static_cast<double>(a.bias) + static_cast<double>(a.alpha) * sum, -static_cast<double>(a.beta));
  }
  return out;
}

DoubleValue LeakyRelu(const Operator& op, const DoubleInputs& in) {
  const auto slope = static_cast<double>(op.attributes.As<graph::LeakyReluAttributes>().alpha);
  DoubleValue y = *in[0];
  for (double& x : y.real) x = x < 0 ? x * slope : x;
  return y;
}

// How an op is computed: by a function of its own, or by one on each number or each pair of them.
struct Row {
  BuiltinOp code;
  DoubleFn whole = nullptr;
  UnaryFn unary = nullptr;
  BinaryFn binary = nullptr;
};

constexpr Row kDoubleRows[] = {
    {BuiltinOp::kConv2D, Conv2DInDouble},
    {BuiltinOp::kDepthwiseConv2D, DepthwiseConv2DInDouble},
    {BuiltinOp::kConv3D, Conv3DInDouble},
    {BuiltinOp::kTransposeConv, TransposeConvInDouble},
    {BuiltinOp::kFullyConnected, FullyConnectedInDouble},
    {BuiltinOp::kBatchMatmul, BatchMatMulInDouble},
    {BuiltinOp::kMaxPool2D, Pool2DInDouble},
    {BuiltinOp::kAveragePool2D, Pool2DInDouble},
    {BuiltinOp::kResizeBilinear, ResizeInDouble},
    {BuiltinOp::kResizeNearestNeighbor, ResizeInDouble},
    {BuiltinOp::kMean, Reduce},
    {BuiltinOp::kSum, Reduce},
    {BuiltinOp::kReduceMax, Reduce},
    {BuiltinOp::kReduceMin, Reduce},
    {BuiltinOp::kReduceProd, Reduce},
    {BuiltinOp::kSoftmax, Softmax},
    {BuiltinOp::kLogSoftmax, Softmax},
    {BuiltinOp::kLeakyRelu, LeakyRelu},
    {BuiltinOp::kGelu, Gelu},
    {BuiltinOp::kLocalResponseNormalization, LocalResponseNormalization},
    {.code = BuiltinOp::kAbs, .unary = [](double x) { return std::abs(x); }},
    {.code = BuiltinOp::kCeil, .unary = [](double x) { return std::ceil(x); }},
    {.code = BuiltinOp::kCos, .unary = [](double x) { return std::cos(x); }},
    {.code = BuiltinOp::kElu, .unary = [](double x) { return x < 0 ? std::expm1(x) : x; }},
    {.code = BuiltinOp::kExp, .unary = [](double x) { return std::exp(x); }},
    {.code = BuiltinOp::kFloor, .unary = [](double x) { return std::floor(x); }},
    {.code = BuiltinOp::kHardSwish, .unary = [](double x) { return x * std::clamp(x + 3, 0.0, 6.0) / 6; }},
    {.code = BuiltinOp::kLog, .unary = [](double x) { return std::log(x); }},
    {.code = BuiltinOp::kLogistic, .unary = [](double x) { return 1 / (1 + std::exp(-x)); }},
    {.code = BuiltinOp::kNeg, .unary = [](double x) { return -x; }},
    {.code = BuiltinOp::kRelu, .unary = [](double x) { return std::max(x, 0.0); }},
    {.code = BuiltinOp::kRelu0To1, .unary = [](double x) { return std::clamp(x, 0.0, 1.0); }},
    {.code = BuiltinOp::kRelu6, .unary = [](double x) { return std::clamp(x, 0.0, 6.0); }},
    {.code = BuiltinOp::kReluN1To1, .unary = [](double x) { return std::clamp(x, -1.0, 1.0); }},
    {.code = BuiltinOp::kRound, .unary = [](double x) { return std::nearbyint(x); }},
    {.code = BuiltinOp::kRsqrt, .unary = [](double x) { return 1 / std::sqrt(x); }},
    {.code = BuiltinOp::kSign, .unary = [](double x) { return static_cast<double>((x > 0) - (x < 0)); }},
    {.code = BuiltinOp::kSin, .unary = [](double x) { return std::sin(x); }},
    {.code = BuiltinOp::kSqrt, .unary = [](double x) { return std::sqrt(x); }},
    {.code = BuiltinOp::kSquare, .unary = [](double x) { return x * x; }},
    {.code = BuiltinOp::kTanh, .unary = [](double x) { return std::tanh(x); }},
    {.code = BuiltinOp::kAdd, .binary = [](double a, double b) { return a + b; }},
    {.code = BuiltinOp::kSub, .binary = [](double a, double b) { return a - b; }},
    {.code = BuiltinOp::kMul, .binary = [](double a, double b) { return a * b; }},
    {.code = BuiltinOp::kDiv, .binary = [](double a, double b) { return a / b; }},
    {.code = BuiltinOp::kMaximum, .binary = [](double a, double b) { return std::max(a, b); }},
    {.code = BuiltinOp::kMinimum, .binary = [](double a, double b) { return std::min(a, b); }},
    {.code = BuiltinOp::kPow, .binary = [](double a, double b) { return std::pow(a, b); }},
    {.code = BuiltinOp::kSquaredDifference, .binary = [](double a, double b) { return (a - b) * (a - b); }},
    {.code = BuiltinOp::kPrelu, .binary = [](double a, double b) { return a < 0 ? a * b : a; }},
    {.code = BuiltinOp::kEqual, .binary = [](double a, double b) { return a == b ? 1.0 : 0.0; }},
    {.code = BuiltinOp::kNotEqual, .binary = [](double a, double b) { return a != b ? 1.0 : 0.0; }},
    {.code = BuiltinOp::kLess, .binary = [](double a, double b) { return a < b ? 1.0 : 0.0; }},
    {.code = BuiltinOp::kLessEqual, .binary = [](double a, double b) { return a <= b ? 1.0 : 0.0; }},
    {.code = BuiltinOp::kGreaterEqual, .binary = [](double a, double b) { return a >= b ? 1.0 : 0.0; }},
    {.code = BuiltinOp::kGreater, .binary = [](double a, double b) { return a > b ? 1.0 : 0.0; }},
};

const Row* FindRow(BuiltinOp code) {
  for (const Row& row : kDoubleRows) {
    if (row.code == code) return &row;
  }
  return nullptr;
}

DoubleValue Elementwise(const Operator& op, BinaryFn binary, const DoubleValue& a, const DoubleValue& b) {
  Shape shape;
  if (!BroadcastShapes(a.shape, b.shape, &shape)) throw InputError("shapes do not fit");
  DoubleValue y = MakeDouble(shape);
  const graph::Activation activation = Fused(op);
  if (a.shape == shape && b.shape == shape) {
    for (size_t i = 0; i < y.real.size(); ++i) y.real[i] = Clamp(activation, binary(a.real[i], b.real[i]));
    return y;
  }
  const std::vector<size_t> from_a = BroadcastIndex(a.shape, shape), from_b = BroadcastIndex(b.shape, shape);
  for (size_t i = 0; i < y.real.size(); ++i)
    y.real[i] = Clamp(activation, binary(a.real[from_a[i]], b.real[from_b[i]]));
  return y;
}

}  // namespace

bool OnlyMoves(BuiltinOp code) {
  switch (code) {
    case BuiltinOp::kReshape:
    case BuiltinOp::kSqueeze:
    case BuiltinOp::kExpandDims:
    case BuiltinOp::kTranspose:
    case BuiltinOp::kPad:
    case BuiltinOp::kPadv2:
    case BuiltinOp::kConcatenation:
    case BuiltinOp::kPack:
    case BuiltinOp::kUnpack:
    case BuiltinOp::kSplit:
    case BuiltinOp::kSlice:
    case BuiltinOp::kStridedSlice:
    case BuiltinOp::kTile:
    case BuiltinOp::kGather:
    case BuiltinOp::kReverseV2:
    case BuiltinOp::kFill:
    case BuiltinOp::kDynamicUpdateSlice:
    case BuiltinOp::kBroadcastTo:
    case BuiltinOp::kSelectV2:
    case BuiltinOp::kMirrorPad:
    case BuiltinOp::kDepthToSpace:
    case BuiltinOp::kSpaceToDepth:
    case BuiltinOp::kSpaceToBatchNd:
    case BuiltinOp::kBatchToSpaceNd:
      return true;
    default:
      return false;
  }
}

bool IsComputedInDouble(BuiltinOp code) { return FindRow(code) != nullptr; }

DoubleValue ComputeInDouble(const Operator& op, const DoubleInputs& in) {
  const Row* row = FindRow(op.code);
  ASSAY_CHECK(row != nullptr);
  if (row->whole != nullptr) return row->whole(op, in);
  if (row->binary != nullptr) return Elementwise(op, row->binary, *in[0], *in[1]);
  DoubleValue y = *in[0];
  for (double& x : y.real) x = row->unary(x);
  return y;
}

}  // namespace assay::convert
