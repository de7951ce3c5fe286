#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "kernels/simd/test_targets.h"
#include "runtime/one_op_model.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;
using testing::HasSubstr;

OneOpModel TransposeConv(int padding, int stride, std::vector<int32_t> shape) {
  OneOpModel model(BuiltinOp::kTransposeConv);
  model.Option("padding", padding).Option("stride_h", 1).Option("stride_w", stride);
  model.Constant<int32_t>({static_cast<int32_t>(shape.size())}, shape);
  return model;
}

TEST(TransposeConv, EveryPixelPaintsTheFilter) {
  const auto run = [](int padding, int32_t width) {
    return TransposeConv(padding, 2, {1, 1, width, 1})
        .Constant<float>({1, 1, 3, 1}, {1, 10, 100})
        .Input<float>({1, 1, 2, 1}, {1, 2})
        .Constant<float>({1}, {0.5F})
        .Output(DType::kFloat32)
        .Run<float>();
  };
  EXPECT_EQ(run(1, 5), (std::vector<float>{1.5F, 10.5F, 102.5F, 20.5F, 200.5F}));
  EXPECT_EQ(run(0, 4), (std::vector<float>{1.5F, 10.5F, 102.5F, 20.5F}));
  EXPECT_EQ(run(0, 3), (std::vector<float>{10.5F, 102.5F, 20.5F}));
}

TEST(TransposeConv, TheShapeMayBeComputed) {
  OneOpModel model(BuiltinOp::kTransposeConv);
  model.Option("padding", 1).Option("stride_h", 1).Option("stride_w", 1);
  model.Input<int32_t>({4}, {1, 1, 2, 1})
      .Constant<float>({1, 1, 2, 1}, {1, 10})
      .Input<float>({1, 1, 1, 1}, {3})
      .Output(DType::kFloat32);
  EXPECT_EQ(model.Run<float>(), (std::vector<float>{3, 30}));
}

TEST(TransposeConv, OptimisedKernelsRoundTheLastChannelsAsTheReferenceDoes) {
  OneOpModel model = TransposeConv(1, 1, {1, 1, 1, 9});
  model.Constant<int8_t>({9, 1, 1, 1}, std::vector<int8_t>(9, 1), ModelBuilder::PerTensor(1))
      .Input<int8_t>({1, 1, 1, 1}, {-2}, ModelBuilder::PerTensor(0.25F))
      .Output(DType::kInt8, ModelBuilder::PerTensor(1));
  EXPECT_EQ(model.Run<int8_t>("reference"), (std::vector<int8_t>(9, -1)));
  EXPECT_EQ(model.Run<int8_t>("builtin"), (std::vector<int8_t>{0, 0, 0, 0, 0, 0, 0, 0, -1}));
  EXPECT_EQ(model.Run<int8_t>("xnnpack"), (std::vector<int8_t>(9, 0)));
}

TEST(TransposeConv, OptimisedKernelsRoundTheLastUint8OutputsAsTheReferenceDoes) {
  OneOpModel model = TransposeConv(1, 1, {1, 1, 17, 1});
  model.Constant<uint8_t>({1, 1, 1, 1}, {1}, ModelBuilder::PerTensor(1))
      .Input<uint8_t>({1, 1, 17, 1}, std::vector<uint8_t>(17, 8), ModelBuilder::PerTensor(0.25F, 10))
      .Output(DType::kUInt8, ModelBuilder::PerTensor(1, 100));
  std::vector<uint8_t> builtin(17, 100);
  builtin[16] = 99;
  EXPECT_EQ(model.Run<uint8_t>("reference"), (std::vector<uint8_t>(17, 99)));
  EXPECT_EQ(model.Run<uint8_t>("builtin"), builtin);
}

TEST(TransposeConv, DynamicRange) {
  OneOpModel model = TransposeConv(1, 1, {1, 1, 2, 1});
  model.Constant<int8_t>({1, 1, 2, 1}, {3, -5}, ModelBuilder::PerTensor(0.5F))
      .Input<float>({1, 1, 1, 1}, {2})
      .Constant<float>({1}, {10})
      .Output(DType::kFloat32);
  for (const char* profile : {"reference", "builtin", "xnnpack"}) {
    EXPECT_THAT(model.Run<float>(profile), testing::Pointwise(testing::FloatEq(), {13, 5})) << profile;
  }
}

TEST(TransposeConv, RefusesWhatCannotBe) {
  const auto message = [](std::vector<int32_t> shape, Shape filter, int stride) {
    return TransposeConv(1, stride, std::move(shape))
        .Constant<float>(filter, std::vector<float>(static_cast<size_t>(filter.NumElements())))
        .Input<float>({1, 2, 2, 3}, std::vector<float>(12))
        .Output(DType::kFloat32)
        .Message();
  };
  EXPECT_EQ(message({1, 3, 3, 4}, {4, 2, 2, 3}, 1), "");
  EXPECT_EQ(message({1, 1, 1, 4}, {4, 2, 2, 3}, 1), "");  // cut off
  EXPECT_THAT(message({1, 3, 3}, {4, 2, 2, 3}, 1), HasSubstr("output shape has 3 values, expected 4"));
  EXPECT_THAT(message({2, 3, 3, 4}, {4, 2, 2, 3}, 1), HasSubstr("expected 1 images of at least 1x1 with 4 channels"));
  EXPECT_THAT(message({1, 0, 3, 4}, {4, 2, 2, 3}, 1), HasSubstr("expected 1 images of at least 1x1"));
  EXPECT_THAT(message({1, 3, 3, 4}, {4, 2, 2, 2}, 1), HasSubstr("input has 3 channels, the filter 2"));
  EXPECT_THAT(message({1, 3, 3, 4}, {4, 2, 2, 3}, 0), HasSubstr("strides are 1 and 0"));
}

enum class Scheme { kFloat, kDynamic, kInt8, kUInt8, kInt16, kInt16NarrowBias };
constexpr int kSchemes = 6;

// A random layer; `absolute` takes the values of float ones without sign, for the sum of all magnitudes.
class Drawn {
 public:
  explicit Drawn(uint64_t seed) : scheme_(static_cast<Scheme>(seed % kSchemes)) {
    Random random(71, seed);
    const auto channels = [&] { return random.Chance(0.2) ? random.Between(1, 100) : random.Between(1, 35); };
    const int32_t h = random.Between(1, 6), w = random.Between(1, random.Chance(0.2) ? 40 : 7);
    stride_h_ = random.Between(1, 4), stride_w_ = random.Between(1, 4);
    same_ = random.Chance(0.5);
    filter_ = {channels(), random.Between(1, 5), random.Between(1, 5), channels()};
    input_ = {random.Between(1, 2), h, w, filter_[3]};
    const auto size = [&](int32_t in, int32_t filter, int32_t stride) {
      const int32_t exact = (in - 1) * stride + (same_ ? random.Between(1, stride) : filter);
      return random.Chance(0.8) ? exact : std::max(exact + random.Between(-6, 9), 1);
    };
    output_ = {input_[0], size(h, filter_[1], stride_h_), size(w, filter_[2], stride_w_), filter_[0]};
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

  OneOpModel Model(bool absolute = false) const {
    OneOpModel model(BuiltinOp::kTransposeConv);
    model.Option("padding", same_ ? 0 : 1).Option("stride_h", stride_h_).Option("stride_w", stride_w_);
    model.Option("fused_activation_function", absolute ? 0 : activation_).Version(4);
    model.Constant<int32_t>({4}, {output_[0], output_[1], output_[2], output_[3]});
    const auto reals = [&](const std::vector<int32_t>& codes) {
      std::vector<float> values(codes.size());
      std::ranges::transform(codes, values.begin(), [&](int32_t code) {
        return static_cast<float>(absolute ? std::abs(code) : code) * 0.37F / 128;
      });
      return values;
    };
    const auto as = [](auto type, const std::vector<int32_t>& codes, int32_t shift) {
      std::vector<decltype(type)> values(codes.size());
      std::ranges::transform(codes, values.begin(), [&](int32_t code) {
        const int32_t shifted = code + shift;
        return static_cast<decltype(type)>(shifted);
      });
      return values;
    };
    const Quantization per_channel = ModelBuilder::PerChannel(scales_, 0);
    std::vector<int32_t> wide_x = x_;  // of 16 bits
    for (int32_t& x : wide_x) x *= 255;
    switch (scheme_) {
      case Scheme::kFloat:
        model.Constant(filter_, reals(w_)).Input(input_, reals(x_));
        if (has_bias_) model.Constant<float>({filter_[0]}, reals(b_));
        return model.Output(DType::kFloat32);
      case Scheme::kDynamic:
        model.Constant(filter_, as(int8_t{}, w_, 0), per_channel).Input(input_, reals(x_));
        if (has_bias_) model.Constant<float>({filter_[0]}, reals(b_));
        return model.Output(DType::kFloat32);
      case Scheme::kInt8:
        model.Constant(filter_, as(int8_t{}, w_, 0), per_channel)
            .Input(input_, as(int8_t{}, x_, 0), ModelBuilder::PerTensor(1, x_zero_));
        if (has_bias_) model.Constant<int32_t>({filter_[0]}, b_, per_channel);
        return model.Output(DType::kInt8, ModelBuilder::PerTensor(y_scale_, y_zero_));
      case Scheme::kUInt8:
        model.Constant(filter_, as(uint8_t{}, w_, 128), ModelBuilder::PerTensor(0.005F, w_zero_ + 128))
            .Input(input_, as(uint8_t{}, x_, 128), ModelBuilder::PerTensor(1, x_zero_ + 128));
        if (has_bias_) model.Constant<int32_t>({filter_[0]}, b_, ModelBuilder::PerTensor(0.005F));
        return model.Output(DType::kUInt8, ModelBuilder::PerTensor(y_scale_, y_zero_ + 128));
      case Scheme::kInt16:
      case Scheme::kInt16NarrowBias:
        model.Constant(filter_, as(int8_t{}, w_, 0), per_channel)
            .Input(input_, as(int16_t{}, wide_x, 0), ModelBuilder::PerTensor(1));
        if (has_bias_ && scheme_ == Scheme::kInt16) model.Constant({filter_[0]}, as(int64_t{}, b_, 0), per_channel);
        if (has_bias_ && scheme_ != Scheme::kInt16) model.Constant({filter_[0]}, b_, per_channel);
        return model.Output(DType::kInt16, ModelBuilder::PerTensor(y_scale_));
    }
    return model;
  }
  bool is_float() const { return scheme_ == Scheme::kFloat; }
  int64_t terms() const { return filter_.NumElements() / filter_[0] + 1; }
  std::string Describe(uint64_t seed) const {
    return fmt::format("seed {}: {} to {}, filter {}, strides {} and {}, {}", seed, input_.ToString(),
                       output_.ToString(), filter_.ToString(), stride_h_, stride_w_, same_ ? "same" : "valid");
  }

 private:
  static int32_t Value(Random& random) { return random.Between(-128, 127); }
  static int32_t Extreme(Random& random) { return random.Chance(0.5) ? -128 : 127; }

  Scheme scheme_;
  Shape input_, filter_, output_;
  int32_t stride_h_, stride_w_, activation_, x_zero_, w_zero_, y_zero_;
  float y_scale_;
  bool same_, has_bias_;
  std::vector<int32_t> x_, w_, b_;
  std::vector<float> scales_;
};

std::vector<uint8_t> BytesOf(const OneOpModel& model, const char* profile, int threads) {
  const Array result = std::move(model.RunAll(profile, 1, threads).front());
  return {result.bytes().begin(), result.bytes().end()};
}

TEST(TransposeConv, VectorKernelsGiveThePlainLoopsBits) {
  const std::string before = kernels::simd::CurrentTarget();
  for (uint64_t seed = 0; seed < 240; ++seed) {
    const Drawn drawn(seed);
    const OneOpModel model = drawn.Model();
    for (const char* profile : {"reference", "builtin", "xnnpack"}) {
      kernels::simd::ForceTarget("none");
      ASSERT_EQ(model.Message(profile), "") << drawn.Describe(seed);
      const std::vector<uint8_t> expected = BytesOf(model, profile, 1);
      std::vector<float> floats, magnitudes;
      if (drawn.is_float()) floats = model.Run<float>(profile), magnitudes = drawn.Model(true).Run<float>(profile);
      kernels::simd::ForceTarget(before);
      kernels::simd::OnEveryTarget([&](const std::string& target) {
        const std::vector<uint8_t> got = BytesOf(model, profile, 1);
        EXPECT_TRUE(BytesOf(model, profile, 3) == got) << target << ", threads, " << drawn.Describe(seed);
        if (!drawn.is_float()) {
          EXPECT_TRUE(got == expected) << target << ", " << profile << ", " << drawn.Describe(seed);
          return;
        }
        const std::vector<float> values = model.Run<float>(profile);
        for (size_t i = 0; i < values.size(); ++i) {
          const double allowed =
              2.0 * static_cast<double>(drawn.terms()) * 0x1p-24 * static_cast<double>(magnitudes[i]);
          ASSERT_LE(std::abs(static_cast<double>(values[i]) - static_cast<double>(floats[i])), allowed)
              << target << ", value " << i << ", " << drawn.Describe(seed);
        }
      });
    }
  }
}

}  // namespace
}  // namespace assay::runtime
