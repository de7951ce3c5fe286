// Normalizations.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "format/keras/layer_call.h"

namespace assay::keras {
namespace {

using graph::BuiltinOp;

// The axes of an option that is a number, a list, or absent; from the front, ascending.
std::vector<int32_t> Axes(const LayerCall& c, const char* key, int32_t otherwise) {
  std::vector<int32_t> axes;
  for (const int32_t axis : c.Has(key) ? c.IntList(key) : std::vector<int32_t>{otherwise}) {
    axes.push_back(c.g.Axis(c.input(), axis));
  }
  std::sort(axes.begin(), axes.end());
  return axes;
}

// The shape that makes values along `axes` broadcast with x: [C] where that is the last axis, else 1 between.
Shape BroadcastShape(const LayerCall& c, Id x, const std::vector<int32_t>& axes) {
  std::vector<int32_t> dims;
  for (int i = axes.empty() ? 0 : axes[0]; i < c.g.rank(x); ++i) {
    dims.push_back(std::find(axes.begin(), axes.end(), i) != axes.end() ? c.g.shape(x)[i] : 1);
  }
  return Shape(dims);
}

// The shape of the weights themselves.
Shape WeightShape(const LayerCall& c, Id x, const std::vector<int32_t>& axes) {
  std::vector<int32_t> dims;
  dims.reserve(axes.size());
  for (const int32_t axis : axes) dims.push_back(c.g.shape(x)[axis]);
  return Shape(dims);
}

// x * gamma / sqrt(variance + epsilon) + (beta - mean * gamma / sqrt(variance + epsilon))
std::vector<Id> BatchNormalization(LayerCall& c) {
  const std::vector<int32_t> axes = Axes(c, "axis", -1);
  if (axes.size() != 1) c.Unsupported("batch normalization over several axes");
  const int32_t channels = c.g.shape(c.input())[axes[0]];
  const Shape shape = {channels};
  const double epsilon = c.Real("epsilon", 1e-3);
  const auto n = static_cast<size_t>(channels);
  std::vector<float> gamma(n, 1.0F), beta(n, 0.0F);
  if (c.Bool("scale", true)) gamma = c.Floats("gamma", shape);
  if (c.Bool("center", true)) beta = c.Floats("beta", shape);
  const bool old_names = c.weights.Has("running_mean", c.within) && !c.weights.IsNumbered();
  const std::vector<float> mean = c.Floats(old_names ? "running_mean" : "moving_mean", shape);
  const std::vector<float> variance = c.Floats(old_names ? "running_std" : "moving_variance", shape);
  std::vector<double> scale(n), offset(n);
  for (size_t i = 0; i < n; ++i) {
    const double root = std::sqrt(static_cast<double>(variance[i]) + epsilon);
    const double factor = static_cast<double>(gamma[i]) / root;
    if (!std::isfinite(factor)) throw InputError("its variance of channel {} is {}", i, variance[i]);
    scale[i] = factor;
    offset[i] = static_cast<double>(beta[i]) - static_cast<double>(mean[i]) * factor;
  }
  const Shape as = BroadcastShape(c, c.input(), axes);
  const Id scaled = c.g.Mul("batchnorm/mul_1", c.input(), c.g.Doubles("batchnorm/mul", as, std::move(scale)));
  return {c.g.Add("FusedBatchNormV3", scaled, c.g.Doubles("batchnorm/sub", as, std::move(offset)))};
}

// (x - mean) / sqrt(mean((x - mean)^2) + epsilon)
Id Standardize(LayerCall& c, Id x, const std::vector<int32_t>& axes, double epsilon) {
  const Id mean = c.g.Reduce(BuiltinOp::kMean, "moments/mean", x, axes, true);
  const Id centred = c.g.Sub("sub", x, mean);
  const Id squares = c.g.Op(BuiltinOp::kSquare, "moments/Square", {centred});
  const Id variance = c.g.Reduce(BuiltinOp::kMean, "moments/variance", squares, axes, true);
  const Id shifted = c.g.Add("add", variance, c.g.Scalar("epsilon", static_cast<float>(epsilon)));
  return c.g.Mul("mul", centred, c.g.Op(BuiltinOp::kRsqrt, "Rsqrt", {shifted}));
}

// x / sqrt(mean(x^2) + epsilon)
Id RootMeanSquare(LayerCall& c, Id x, const std::vector<int32_t>& axes, double epsilon) {
  const Id squares = c.g.Op(BuiltinOp::kSquare, "Square", {x});
  const Id mean = c.g.Reduce(BuiltinOp::kMean, "Mean", squares, axes, true);
  const Id shifted = c.g.Add("add", mean, c.g.Scalar("epsilon", static_cast<float>(epsilon)));
  return c.g.Mul("mul", x, c.g.Op(BuiltinOp::kRsqrt, "Rsqrt", {shifted}));
}

Id ScaleAndCenter(LayerCall& c, Id x, const Shape& stored, const Shape& as, bool scale, bool center) {
  if (scale) x = c.g.Mul("mul_1", x, c.Constant("gamma", stored, "gamma", as));
  if (center) x = c.g.Add("add_1", x, c.Constant("beta", stored, "beta", as));
  return x;
}

std::vector<Id> LayerNormalization(LayerCall& c) {
  const std::vector<int32_t> axes = Axes(c, "axis", -1);
  const Shape stored = WeightShape(c, c.input(), axes), as = BroadcastShape(c, c.input(), axes);
  const double epsilon = c.Real("epsilon", 1e-3);
  if (c.Bool("rms_scaling", false)) {
    // Keras: the variance about the mean, then the plain values over its root, times gamma alone.
    const Id mean = c.g.Reduce(BuiltinOp::kMean, "moments/mean", c.input(), axes, true);
    const Id squares = c.g.Op(BuiltinOp::kSquare, "Square", {c.g.Sub("sub", c.input(), mean)});
    const Id variance = c.g.Reduce(BuiltinOp::kMean, "moments/variance", squares, axes, true);
    const Id shifted = c.g.Add("add", variance, c.g.Scalar("epsilon", static_cast<float>(epsilon)));
    const Id x = c.g.Mul("mul", c.input(), c.g.Op(BuiltinOp::kRsqrt, "Rsqrt", {shifted}));
    return {ScaleAndCenter(c, x, stored, as, true, false)};
  }
  const Id x = Standardize(c, c.input(), axes, epsilon);
  return {ScaleAndCenter(c, x, stored, as, c.Bool("scale", true), c.Bool("center", true))};
}

std::vector<Id> RMSNormalization(LayerCall& c) {
  const std::vector<int32_t> axes = Axes(c, "axis", -1);
  const Id x = RootMeanSquare(c, c.input(), axes, c.Real("epsilon", 1e-6));
  return {ScaleAndCenter(c, x, WeightShape(c, c.input(), axes), BroadcastShape(c, c.input(), axes), true, false)};
}

// Channels cut into groups, each standardized together with all positions.
std::vector<Id> GroupNormalization(LayerCall& c) {
  const int32_t axis = Axes(c, "axis", -1)[0];
  const int rank = c.g.rank(c.input());
  if (axis != rank - 1) c.Unsupported("group normalization along another axis than the last");
  const int32_t channels = c.g.shape(c.input())[axis];
  auto groups = static_cast<int32_t>(c.Int("groups", 32));
  if (groups == -1) groups = channels;
  if (groups < 1 || channels % groups != 0) throw InputError("{} channels in {} groups", channels, groups);
  const std::vector<int32_t> dims = c.g.Dims(c.input());
  std::vector<int32_t> split = dims, axes;
  split.back() = groups;
  split.push_back(channels / groups);
  for (int i = 1; i < rank - 1; ++i) axes.push_back(i);
  axes.push_back(rank);
  Id x = c.g.Reshape("Reshape", c.input(), split);
  x = Standardize(c, x, axes, c.Real("epsilon", 1e-3));
  x = c.g.Reshape("Reshape_1", x, dims);
  return {ScaleAndCenter(c, x, {channels}, {channels}, c.Bool("scale", true), c.Bool("center", true))};
}

// x / sqrt(max(sum(x^2), 1e-12))
std::vector<Id> UnitNormalization(LayerCall& c) {
  const std::vector<int32_t> axes = Axes(c, "axis", -1);
  const Id squares = c.g.Op(BuiltinOp::kSquare, "Square", {c.input()});
  const Id sum = c.g.Reduce(BuiltinOp::kSum, "Sum", squares, axes, true);
  const Id bounded = c.g.Op(BuiltinOp::kMaximum, "Maximum", {sum, c.g.Scalar("epsilon", 1e-12F)});
  return {c.g.Mul("l2_normalize", c.input(), c.g.Op(BuiltinOp::kRsqrt, "Rsqrt", {bounded}))};
}

// (x - mean) / max(sqrt(variance), 1e-7), with what was seen in the data
std::vector<Id> Normalization(LayerCall& c) {
  std::vector<int32_t> axes;
  if (c.Has("axis")) axes = Axes(c, "axis", -1);
  const Shape stored = WeightShape(c, c.input(), axes);
  std::vector<float> mean, variance;
  Shape as = BroadcastShape(c, c.input(), axes);
  const auto given = [&](const char* key, std::vector<float>& to) {
    const Json& value = c.config[key];
    const auto walk = [&](const auto& self, const Json& json) -> void {
      if (json.is_number()) return to.push_back(json.get<float>());
      if (!json.is_array()) throw InputError("'{}' is {}", key, json.dump().substr(0, 80));
      for (const Json& entry : json) self(self, entry);
    };
    walk(walk, value);
  };
  if (c.Has("mean") && c.Has("variance")) {
    given("mean", mean), given("variance", variance);
    if (mean.size() == 1) as = Shape{};
    if (mean.size() != variance.size() || static_cast<int64_t>(mean.size()) != as.NumElements()) {
      throw InputError("it has {} means and {} variances for {} values", mean.size(), variance.size(),
                       as.NumElements());
    }
  } else {
    mean = c.Floats("mean", stored);
    variance = c.Floats("variance", stored);
    if (c.weights.Has("count", c.within)) c.weights.Take("count", c.within);
  }
  std::vector<float> deviation(variance.size()), factor(variance.size());
  for (size_t i = 0; i < variance.size(); ++i) {
    deviation[i] = static_cast<float>(std::max(std::sqrt(static_cast<double>(variance[i])), 1e-7));
    factor[i] = static_cast<float>(1 / static_cast<double>(deviation[i]));
  }
  if (c.Bool("invert", false)) {
    return {c.g.Add("add", c.g.Mul("mul", c.input(), c.g.Floats("deviation", as, deviation)),
                    c.g.Floats("mean", as, mean))};
  }
  const Id centred = c.g.Sub("sub", c.input(), c.g.Floats("mean", as, mean));
  return {c.g.Mul("truediv", centred, c.g.Floats("inverse_deviation", as, factor))};
}

// Of keras.applications.ConvNeXt: x * gamma.
std::vector<Id> LayerScale(LayerCall& c) {
  const Shape shape = {c.g.shape(c.input()).FromEnd(1)};
  return {c.g.Mul("mul", c.input(), c.Constant("gamma", shape, "gamma"))};
}

constexpr LayerRow kNormalizationRows[] = {
    {"BatchNormalization", BatchNormalization, "MUL, ADD; folded into the layer before where that is linear"},
    {"LayerNormalization", LayerNormalization, "MEAN, SUB, SQUARE, RSQRT, MUL, ADD"},
    {"RMSNormalization", RMSNormalization, "SQUARE, MEAN, RSQRT, MUL"},
    {"GroupNormalization", GroupNormalization, "RESHAPE, MEAN, SUB, SQUARE, RSQRT, MUL, ADD"},
    {"UnitNormalization", UnitNormalization, "SQUARE, SUM, MAXIMUM, RSQRT, MUL"},
    {"Normalization", Normalization, "SUB, MUL"},
    {"LayerScale", LayerScale, "MUL"},
};

}  // namespace

std::span<const LayerRow> NormalizationLayers() { return kNormalizationRows; }

}  // namespace assay::keras
