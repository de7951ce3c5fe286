// For tests: random layers with weights.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/random.h"
#include "runtime/one_op_model.h"
#include "runtime/vector_kernels_check.h"

namespace assay::runtime {

// TRANSPOSE_CONV, CONV_2D with some groups, or DEPTHWISE_CONV_2D with several outputs for each channel.
class RandomLayer {
 public:
  RandomLayer(graph::BuiltinOp op, uint64_t seed)
      : op_(op), seed_(seed), scheme_(static_cast<Scheme>(seed % kSchemes)) {
    Random random(71, seed);
    const auto channels = [&] { return random.Chance(0.2) ? random.Between(1, 100) : random.Between(1, 35); };
    const int32_t h = random.Between(1, 6), w = random.Between(1, random.Chance(0.2) ? 40 : 7);
    stride_h_ = random.Between(1, 4), stride_w_ = random.Between(1, 4);
    same_ = random.Chance(0.5);
    filter_ = {channels(), random.Between(1, 5), random.Between(1, 5), channels()};
    if (!is_transposed() && random.Chance(0.4)) filter_[1] = filter_[2] = stride_h_ = stride_w_ = 1;
    const int32_t groups = is_transposed() ? 1 : random.Between(1, 5);
    filter_[0] *= groups;
    outputs_ = filter_[0];
    input_ = {random.Between(1, 2), std::max(h, filter_[1]), std::max(w, filter_[2]), filter_[3] * groups};
    if (is_depthwise()) {
      if (scheme_ == Scheme::kInt16NarrowBias) scheme_ = Scheme::kInt16;
      input_[3] = random.Chance(0.3) ? random.Between(1, 4) : random.Between(1, 70);
      outputs_ = input_[3] * (random.Chance(0.2) ? random.Between(1, 40) : random.Between(2, 8));
      filter_[0] = 1, filter_[3] = outputs_;
    }
    const auto size = [&](int32_t in, int32_t filter, int32_t stride) {
      const int32_t exact = (in - 1) * stride + (same_ ? random.Between(1, stride) : filter);
      return random.Chance(0.8) ? exact : std::max(exact + random.Between(-6, 9), 1);
    };
    output_ = {input_[0], size(input_[1], filter_[1], stride_h_), size(input_[2], filter_[2], stride_w_), outputs_};
    activation_ = random.Chance(0.3) ? 3 : 0;
    has_bias_ = random.Chance(0.8);
    const bool extreme = random.Chance(0.2);
    for (int64_t i = 0; i < input_.NumElements(); ++i) x_.push_back(extreme ? Extreme(random) : Value(random));
    for (int64_t i = 0; i < filter_.NumElements(); ++i) w_.push_back(extreme ? Extreme(random) : Value(random));
    for (int32_t o = 0; o < outputs_; ++o) {
      b_.push_back(Value(random));
      scales_.push_back(random.Chance(0.05) ? 0.5F : 0.001F + 0.01F * static_cast<float>(random.Uniform()));
    }
    x_zero_ = random.Between(-128, 127), w_zero_ = random.Between(-128, 127), y_zero_ = random.Between(-128, 127);
    const double spread = 74 * 74 * 0.005 * std::sqrt(static_cast<double>(terms()));
    y_scale_ = static_cast<float>(spread * (0.2 + random.Uniform()) / 100);
  }

  // `absolute` takes the values of float ones without sign, for the sum of all magnitudes.
  OneOpModel Model(bool absolute = false) const {
    OneOpModel model(op_);
    model.Option("padding", same_ ? 0 : 1).Option("stride_h", stride_h_).Option("stride_w", stride_w_);
    model.Option("fused_activation_function", absolute ? 0 : activation_).Version(4);
    if (is_transposed()) {
      model.Constant<int32_t>({4}, {output_[0], output_[1], output_[2], output_[3]});
      AddFilter(model, absolute), AddInput(model, absolute);
    } else {
      model.Option("dilation_h_factor", 1).Option("dilation_w_factor", 1);
      AddInput(model, absolute), AddFilter(model, absolute);
    }
    if (has_bias_) AddBias(model, absolute);
    switch (scheme_) {
      case Scheme::kFloat:
      case Scheme::kDynamic:
        return model.Output(DType::kFloat32);
      case Scheme::kInt8:
        return model.Output(DType::kInt8, graph::ModelBuilder::PerTensor(y_scale_, y_zero_));
      case Scheme::kUInt8:
        return model.Output(DType::kUInt8, graph::ModelBuilder::PerTensor(y_scale_, y_zero_ + 128));
      case Scheme::kInt16:
      case Scheme::kInt16NarrowBias:
        return model.Output(DType::kInt16, graph::ModelBuilder::PerTensor(y_scale_));
    }
    return model;
  }
  bool is_float() const { return scheme_ == Scheme::kFloat; }
  int64_t terms() const { return filter_.NumElements() / outputs_ + 1; }
  std::string Describe() const {
    return fmt::format("seed {}: {} to {}, filter {}, strides {} and {}, {}", seed_, input_.ToString(),
                       output_.ToString(), filter_.ToString(), stride_h_, stride_w_, same_ ? "same" : "valid");
  }

 private:
  enum class Scheme { kFloat, kDynamic, kInt8, kUInt8, kInt16, kInt16NarrowBias };
  static constexpr int kSchemes = 6;

  bool is_transposed() const { return op_ == graph::BuiltinOp::kTransposeConv; }
  bool is_depthwise() const { return op_ == graph::BuiltinOp::kDepthwiseConv2D; }
  static std::vector<float> Reals(const std::vector<int32_t>& codes, bool absolute) {
    std::vector<float> values(codes.size());
    std::ranges::transform(codes, values.begin(), [&](int32_t code) {
      return static_cast<float>(absolute ? std::abs(code) : code) * 0.37F / 128;
    });
    return values;
  }
  template <typename T>
  static std::vector<T> As(const std::vector<int32_t>& codes, int32_t shift = 0, int32_t factor = 1) {
    std::vector<T> values(codes.size());
    std::ranges::transform(codes, values.begin(), [&](int32_t code) {
      const int32_t value = code * factor + shift;
      return static_cast<T>(value);
    });
    return values;
  }
  Quantization per_channel() const { return graph::ModelBuilder::PerChannel(scales_, is_depthwise() ? 3 : 0); }

  void AddFilter(OneOpModel& model, bool absolute) const {
    if (scheme_ == Scheme::kFloat) {
      model.Constant(filter_, Reals(w_, absolute));
    } else if (scheme_ == Scheme::kUInt8) {
      model.Constant(filter_, As<uint8_t>(w_, 128), graph::ModelBuilder::PerTensor(kWeightScale, w_zero_ + 128));
    } else {
      model.Constant(filter_, As<int8_t>(w_), per_channel());
    }
  }
  void AddInput(OneOpModel& model, bool absolute) const {
    switch (scheme_) {
      case Scheme::kFloat:
      case Scheme::kDynamic:
        model.Input(input_, Reals(x_, absolute));
        break;
      case Scheme::kInt8:
        model.Input(input_, As<int8_t>(x_), graph::ModelBuilder::PerTensor(1, x_zero_));
        break;
      case Scheme::kUInt8:
        model.Input(input_, As<uint8_t>(x_, 128), graph::ModelBuilder::PerTensor(1, x_zero_ + 128));
        break;
      case Scheme::kInt16:
      case Scheme::kInt16NarrowBias:
        model.Input(input_, As<int16_t>(x_, 0, 255), graph::ModelBuilder::PerTensor(1));
    }
  }
  void AddBias(OneOpModel& model, bool absolute) const {
    switch (scheme_) {
      case Scheme::kFloat:
      case Scheme::kDynamic:
        model.Constant({outputs_}, Reals(b_, absolute));
        break;
      case Scheme::kUInt8:
        model.Constant({outputs_}, b_, graph::ModelBuilder::PerTensor(kWeightScale));
        break;
      case Scheme::kInt8:
      case Scheme::kInt16NarrowBias:
        model.Constant({outputs_}, b_, per_channel());
        break;
      case Scheme::kInt16:
        model.Constant({outputs_}, As<int64_t>(b_), per_channel());
    }
  }

  static constexpr float kWeightScale = 0.005F;

  static int32_t Value(Random& random) { return random.Between(-128, 127); }
  static int32_t Extreme(Random& random) { return random.Chance(0.5) ? -128 : 127; }

  graph::BuiltinOp op_;
  uint64_t seed_;
  Scheme scheme_;
  Shape input_, filter_, output_;
  int32_t outputs_ = 0, stride_h_ = 1, stride_w_ = 1, activation_ = 0, x_zero_ = 0, w_zero_ = 0, y_zero_ = 0;
  float y_scale_ = 1;
  bool same_ = false, has_bias_ = false;
  std::vector<int32_t> x_, w_, b_;
  std::vector<float> scales_;
};

inline void CheckVectorKernels(const RandomLayer& layer) {
  const OneOpModel absolute = layer.Model(/*absolute=*/true);
  CheckVectorKernels(layer.Model(), layer.is_float() ? &absolute : nullptr, layer.terms(), layer.Describe());
}

}  // namespace assay::runtime
