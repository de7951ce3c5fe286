#include "quantize/adaptive_rounding.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>

#include "base/error.h"
#include "quantize/layer_moments.h"
#include "quantize/quantize.h"
#include "quantize/test_samples.h"

namespace assay::quantize {
namespace {

using graph::BuiltinOp;

// A window times the weights is what the float kernels compute: so the window is the right one.
void ExpectWindowsOf(BuiltinOp code, const Shape& operand, const Shape& weights, int padding, int stride,
                     int dilation) {
  graph::ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, operand);
  const int results = weights[code == BuiltinOp::kDepthwiseConv2D ? 3 : 0];
  const auto size = static_cast<size_t>(weights.NumElements());
  const int w = m.Constant("w", weights, RandomValues(size, 5));
  const int b = m.Constant("b", {results}, std::vector<float>(static_cast<size_t>(results)));
  const int y = m.Tensor("y", DType::kFloat32, {});
  m.Op(code, {x, w, b}, {y},
       {{"padding", padding},
        {"stride_w", stride},
        {"stride_h", stride},
        {"dilation_w_factor", dilation},
        {"dilation_h_factor", dilation}});
  m.Output(y);
  const auto model = m.Build();
  const graph::Subgraph& graph = model->subgraphs[0];
  runtime::InterpreterOptions options;
  options.profile = &numerics::FindProfile("reference");
  runtime::Interpreter interpreter(model, options);
  Array input(DType::kFloat32, operand);
  const std::vector<float> values = RandomValues(static_cast<size_t>(operand.NumElements()), 6);
  std::copy(values.begin(), values.end(), input.values<float>().begin());
  interpreter.SetInput(0, input);
  interpreter.Invoke();
  const Array want = interpreter.Output(0);

  const passes::Uses uses(graph);
  const WeightedLayer layer = *WeightedLayerOf(graph, uses, 0);
  ASSERT_TRUE(LayerWindows::Knows(graph, layer));
  const LayerWindows windows(graph, layer, operand);
  ASSERT_EQ(windows.count() * layer.results, static_cast<size_t>(want.size()));
  std::vector<float> patch(windows.size());
  for (size_t i = 0; i < windows.count(); ++i) {
    windows.Copy(i, values, patch.data());
    for (size_t o = 0; o < layer.results; ++o) {
      double sum = 0;
      for (size_t tap = 0; tap < windows.taps(); ++tap) {
        if (layer.depthwise) {
          const size_t c = o / (layer.results / windows.channels());
          sum += static_cast<double>(patch[tap * windows.channels() + c] * layer.values[tap * layer.results + o]);
          continue;
        }
        for (size_t c = 0; c < windows.channels(); ++c) {
          const size_t k = tap * windows.channels() + c;
          sum += static_cast<double>(patch[k] * layer.values[o * windows.size() + k]);
        }
      }
      EXPECT_NEAR(sum, static_cast<double>(want.values<float>()[i * layer.results + o]), 1e-4);
    }
  }
}

TEST(LayerWindowsTest, AreThoseOfTheKernels) {
  constexpr int kSame = 0, kValid = 1;
  ExpectWindowsOf(BuiltinOp::kConv2D, {2, 7, 6, 3}, {4, 3, 3, 3}, kSame, 2, 1);
  ExpectWindowsOf(BuiltinOp::kConv2D, {1, 9, 9, 2}, {3, 3, 2, 2}, kValid, 1, 2);
  ExpectWindowsOf(BuiltinOp::kConv2D, {1, 5, 4, 8}, {3, 1, 1, 8}, kSame, 1, 1);
  ExpectWindowsOf(BuiltinOp::kDepthwiseConv2D, {1, 6, 7, 3}, {1, 3, 3, 6}, kSame, 2, 1);
}

TEST(LayerMomentsTest, AreMeansAndCovariances) {
  constexpr size_t kTaps = 2, kChannels = 3, kRows = 700;
  LayerPatches patches{kRows, RandomValues(kRows * 6, 7), RandomValues(kRows * 6, 8)};
  for (size_t i = 0; i < patches.seen.size(); ++i) patches.seen[i] = patches.wanted[i] + 0.1F * patches.seen[i] + 5;
  for (const bool depthwise : {false, true}) {
    LayerMoments moments(kTaps, kChannels, depthwise);
    moments.Add(patches, 2);
    moments.Finish(2);
    ASSERT_EQ(moments.groups(), depthwise ? kChannels : 1);
    const size_t n = moments.depth();
    for (size_t g = 0; g < moments.groups(); ++g) {
      const auto value = [&](const std::vector<float>& of, size_t row, size_t k) {
        return static_cast<double>(of[row * 6 + (depthwise ? k * kChannels + g : k)]);
      };
      double trace = 0;
      std::vector<double> covariance(n * n), drift(n * n);
      for (size_t i = 0; i < n; ++i) {
        for (size_t j = 0; j < n; ++j) {
          double a = 0, b = 0, off = 0, ab = 0, a_off = 0;
          for (size_t row = 0; row < kRows; ++row) {
            const double x = value(patches.seen, row, i), y = value(patches.seen, row, j);
            const double o = y - value(patches.wanted, row, j);
            a += x / kRows, b += y / kRows, off += o / kRows, ab += x * y / kRows, a_off += x * o / kRows;
          }
          covariance[i * n + j] = ab - a * b;
          drift[i * n + j] = a_off - a * off;
          if (i == j) {
            EXPECT_NEAR(moments.seen_mean(g)[i], a, 1e-5);
            EXPECT_NEAR(moments.wanted_mean(g)[i], a - off, 1e-5);
            trace += covariance[i * n + i];
          }
        }
      }
      for (size_t i = 0; i < n * n; ++i) {
        const double ridge = i % (n + 1) == 0 ? 0.01 * trace / static_cast<double>(n) : 0;
        EXPECT_NEAR(static_cast<double>(moments.covariance(g)[i]), covariance[i] + ridge, 1e-4);
        EXPECT_NEAR(static_cast<double>(moments.drift(g)[i]), drift[i], 1e-4);
      }
    }
  }
}

// Mixtures of four patterns, as neighbouring pixels and channels of real data hang together.
MemorySamples Mixtures(size_t count, const Shape& shape) {
  const auto size = static_cast<size_t>(shape.NumElements());
  const std::vector<float> patterns = RandomValues(4 * size, 31);
  std::vector<Array> samples;
  for (size_t i = 0; i < count; ++i) {
    const std::vector<float> share = RandomValues(4, 40 + i);
    Array& sample = samples.emplace_back(DType::kFloat32, shape);
    for (size_t k = 0; k < 4 * size; ++k) sample.values<float>()[k % size] += share[k / size] * patterns[k];
  }
  return MemorySamples(std::move(samples));
}

class AdaptiveRoundingTest : public testing::Test {
 protected:
  AdaptiveRoundingTest() : samples_(Mixtures(60, {1, 4, 4, 3})) {
    request_.model = network_.m.Build();
    request_.dataset = &samples_;
    request_.data_spec = "memory";
    request_.weights = DType::kInt4;
    request_.samples = 40;
  }
  // Of the logits, over all samples.
  double LogError(const graph::Model& model) const {
    double sum = 0;
    runtime::Interpreter real(request_.model), codes(std::make_shared<const graph::Model>(model));
    for (size_t i = 0; i < samples_.size(); ++i) {
      const Array input = samples_.Load(i).arrays.front().second;
      for (auto* interpreter : {&real, &codes}) {
        interpreter->SetInput(0, input);
        interpreter->Invoke();
      }
      const Array want = real.Output(0), got = codes.Output(0);
      for (int64_t k = 0; k < want.size(); ++k) {
        sum += std::pow(std::log(ElementAsDouble(got, k) + 0.01) - std::log(ElementAsDouble(want, k) + 0.01), 2);
      }
    }
    return sum;
  }

  SmallNetwork network_;
  MemorySamples samples_;
  QuantizeRequest request_;
};

TEST_F(AdaptiveRoundingTest, ComesNearerToTheFloatModelThanTheNearestCodes) {
  const double nearest = LogError(Quantize(request_).model);
  request_.adaround = true;
  const QuantizeResult result = Quantize(request_);
  EXPECT_EQ(result.rounded_layers, 3);
  EXPECT_EQ(result.rounded_weights, 108 + 108 + 160);
  EXPECT_GT(result.moved_weights, 10);
  EXPECT_LT(LogError(result.model), 0.6 * nearest);
}

TEST_F(AdaptiveRoundingTest, TheSeedDecidesAndTheThreadsDoNot) {
  request_.adaround = request_.clip_weights = true;
  const auto weights = [&] {
    std::vector<uint8_t> bytes;
    const graph::Model model = Quantize(request_).model;
    for (const graph::Tensor& tensor : model.subgraphs[0].tensors) {
      if (tensor.data.has_value()) bytes.insert(bytes.end(), tensor.data->bytes().begin(), tensor.data->bytes().end());
    }
    return bytes;
  };
  const std::vector<uint8_t> once = weights();
  request_.threads = 3;
  EXPECT_EQ(weights(), once);
}

TEST_F(AdaptiveRoundingTest, CanBeInterrupted) {
  std::atomic<bool> cancelled = false;
  request_.adaround = true;
  request_.options.cancelled = &cancelled;
  size_t calls = 0;
  request_.progress = [&](size_t, size_t) {
    if (++calls == 60) cancelled = true;  // after the 40 of the calibration
  };
  EXPECT_THROW(Quantize(request_), Error);
  EXPECT_LT(calls, 80U);
}

TEST_F(AdaptiveRoundingTest, SchemesWithoutSamplesRefuseIt) {
  request_.adaround = true;
  request_.scheme = Scheme::kDynamic;
  EXPECT_THROW(Quantize(request_), assay::Error);
}

}  // namespace
}  // namespace assay::quantize
