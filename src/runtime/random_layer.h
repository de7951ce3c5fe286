// For tests: random layers with weights, and whether vector kernels give what the plain loops give.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/random.h"
#include "kernels/simd/test_targets.h"
#include "runtime/one_op_model.h"

namespace assay::runtime {

// TRANSPOSE_CONV, or CONV_2D with some groups.
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
    input_ = {random.Between(1, 2), std::max(h, filter_[1]), std::max(w, filter_[2]), filter_[3] * groups};
    const auto size = [&](int32_t in, int32_t filter, int32_t stride) {
      const int32_t exact = (in - 1) * stride + (same_ ? random.Between(1, stride) : filter);
      return random.Chance(0.8) ? exact : std::max(exact + random.Between(-6, 9), 1);
    };
    output_ = {input_[0], size(input_[1], filter_[1], stride_h_), size(input_[2], filter_[2], stride_w_), filter_[0]};
    activation_ = random.Chance(0.3) ? 3 : 0;
    has_bias_ = random.Chance(0.8);
    const bool extreme = random.Chance(0.2);
    for (int64_t i = 0; i < input_.NumElements(); ++i) x_.push_back(extreme ? Extreme(random) : Value(random));
    for (int64_t i = 0; i < filter_.NumElements(); ++i) w_.push_back(extreme ? Extreme(random) : Value(random));
    for (int32_t o = 0; o < filter_[0]; ++o) {
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
  int64_t terms() const { return filter_.NumElements() / filter_[0] + 1; }
  std::string Describe() const {
    return fmt::format("seed {}: {} to {}, filter {}, strides {} and {}, {}", seed_, input_.ToString(),
                       output_.ToString(), filter_.ToString(), stride_h_, stride_w_, same_ ? "same" : "valid");
  }

 private:
  enum class Scheme { kFloat, kDynamic, kInt8, kUInt8, kInt16, kInt16NarrowBias };
  static constexpr int kSchemes = 6;

  bool is_transposed() const { return op_ == graph::BuiltinOp::kTransposeConv; }
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
  Quantization per_channel() const { return graph::ModelBuilder::PerChannel(scales_, 0); }

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
        model.Constant({filter_[0]}, Reals(b_, absolute));
        break;
      case Scheme::kUInt8:
        model.Constant({filter_[0]}, b_, graph::ModelBuilder::PerTensor(kWeightScale));
        break;
      case Scheme::kInt8:
      case Scheme::kInt16NarrowBias:
        model.Constant({filter_[0]}, b_, per_channel());
        break;
      case Scheme::kInt16:
        model.Constant({filter_[0]}, As<int64_t>(b_), per_channel());
    }
  }

  static constexpr float kWeightScale = 0.005F;

  static int32_t Value(Random& random) { return random.Between(-128, 127); }
  static int32_t Extreme(Random& random) { return random.Chance(0.5) ? -128 : 127; }

  graph::BuiltinOp op_;
  uint64_t seed_;
  Scheme scheme_;
  Shape input_, filter_, output_;
  int32_t stride_h_ = 1, stride_w_ = 1, activation_ = 0, x_zero_ = 0, w_zero_ = 0, y_zero_ = 0;
  float y_scale_ = 1;
  bool same_ = false, has_bias_ = false;
  std::vector<int32_t> x_, w_, b_;
  std::vector<float> scales_;
};

inline std::vector<uint8_t> RunBytes(const OneOpModel& model, const char* profile, int threads) {
  const Array result = std::move(model.RunAll(profile, 1, threads).front());
  return {result.bytes().begin(), result.bytes().end()};
}

// On every instruction set, under every profile, with one thread and three: integers and dynamic range to the bit,
// floats within their rounding errors' bound.
inline void CheckVectorKernels(const RandomLayer& layer) {
  const std::string before = kernels::simd::CurrentTarget();
  const OneOpModel model = layer.Model();
  for (const char* profile : {"reference", "builtin", "xnnpack"}) {
    kernels::simd::ForceTarget("none");
    ASSERT_EQ(model.Message(profile), "") << layer.Describe();
    const std::vector<uint8_t> expected = RunBytes(model, profile, 1);
    std::vector<float> floats, magnitudes;
    if (layer.is_float()) floats = model.Run<float>(profile), magnitudes = layer.Model(true).Run<float>(profile);
    kernels::simd::ForceTarget(before);
    kernels::simd::OnEveryTarget([&](const std::string& target) {
      const std::vector<uint8_t> got = RunBytes(model, profile, 1);
      EXPECT_TRUE(RunBytes(model, profile, 3) == got) << target << ", threads, " << layer.Describe();
      if (!layer.is_float()) {
        EXPECT_TRUE(got == expected) << target << ", " << profile << ", " << layer.Describe();
        return;
      }
      const std::vector<float> values = model.Run<float>(profile);
      for (size_t i = 0; i < values.size(); ++i) {
        const double allowed = 2.0 * static_cast<double>(layer.terms()) * 0x1p-24 * static_cast<double>(magnitudes[i]);
        ASSERT_LE(std::abs(static_cast<double>(values[i]) - static_cast<double>(floats[i])), allowed)
            << target << ", value " << i << ", " << layer.Describe();
      }
    });
  }
}

}  // namespace assay::runtime
