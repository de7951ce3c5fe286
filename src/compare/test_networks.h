// Small networks for the tests: a float convolutional classifier with random weights, its 8-bit sibling quantized as a
// converter would, and faults to plant in the sibling.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "graph/model_builder.h"
#include "runtime/interpreter.h"
#include "tensor/array.h"
#include "tensor/npy.h"

namespace assay::compare::testing {

using graph::BuiltinOp;
using graph::ModelBuilder;

inline constexpr int kSide = 10;
inline constexpr int kClasses = 6;

struct Layer {
  std::string name;
  BuiltinOp code = BuiltinOp::kConv2D;
  Shape weights, output;
  int stride = 1, activation = 1;  // 1: RELU
  std::vector<float> w, b;
};

// conv 3x3 -> depthwise 3x3 -> conv 1x1 -> conv 3x3, stride 2 -> conv 3x3 -> mean -> fully connected
struct Network {
  std::vector<Layer> layers;
  uint64_t seed = 0;
};

inline std::shared_ptr<const graph::Model> BuildModel(const Network& net, const struct Quantizer* q = nullptr,
                                                      const std::string& suffix = "");
inline Array PictureArray(uint64_t seed, uint64_t i);

// Moves the logits' means to 0 and their deviations to 3, so that every class is answered now and then.
inline void Balance(Network& net) {
  constexpr int kSamples = 200;
  runtime::Interpreter interpreter(BuildModel(net));
  std::vector<double> sum(kClasses, 0), square(kClasses, 0);
  for (int s = 0; s < kSamples; ++s) {
    interpreter.SetInput(0, PictureArray(net.seed, 200000 + static_cast<uint64_t>(s)));
    interpreter.Invoke();
    const Array scores = interpreter.Output(0);
    for (size_t c = 0; c < kClasses; ++c) {
      const auto x = static_cast<double>(scores.values<float>()[c]);
      sum[c] += x, square[c] += x * x;
    }
  }
  Layer& last = net.layers.back();
  for (size_t c = 0; c < kClasses; ++c) {
    const double mean = sum[c] / kSamples, deviation = std::sqrt(square[c] / kSamples - mean * mean);
    for (size_t i = 0; i < 16; ++i) last.w[c * 16 + i] *= static_cast<float>(3 / deviation);
    last.b[c] = static_cast<float>((static_cast<double>(last.b[c]) - mean) * 3 / deviation);
  }
}

inline Network MakeNetwork(uint64_t seed) {
  Network net;
  net.seed = seed;
  net.layers = {
      {"stem/Relu", BuiltinOp::kConv2D, {8, 3, 3, 1}, {1, 10, 10, 8}, 1, 1, {}, {}},
      {"block/depthwise", BuiltinOp::kDepthwiseConv2D, {1, 3, 3, 8}, {1, 10, 10, 8}, 1, 1, {}, {}},
      {"block/pointwise", BuiltinOp::kConv2D, {12, 1, 1, 8}, {1, 10, 10, 12}, 1, 1, {}, {}},
      {"down/Relu", BuiltinOp::kConv2D, {16, 3, 3, 12}, {1, 5, 5, 16}, 2, 1, {}, {}},
      {"top/Relu", BuiltinOp::kConv2D, {16, 3, 3, 16}, {1, 5, 5, 16}, 1, 1, {}, {}},
      {"logits", BuiltinOp::kFullyConnected, {kClasses, 16}, {1, kClasses}, 1, 0, {}, {}},
  };
  uint64_t stream = 0;
  for (Layer& layer : net.layers) {
    Random random(seed, stream++);
    const auto fan_in = static_cast<double>(
        layer.code == BuiltinOp::kDepthwiseConv2D ? 9 : layer.weights.NumElements() / layer.weights[0]);
    const bool last = layer.code == BuiltinOp::kFullyConnected;
    for (int64_t i = 0; i < layer.weights.NumElements(); ++i) {
      layer.w.push_back(static_cast<float>(random.Normal() * std::sqrt((last ? 16.0 : 2.0) / fan_in)));
    }
    const int channels = layer.code == BuiltinOp::kDepthwiseConv2D ? layer.weights[3] : layer.weights[0];
    for (int c = 0; c < channels; ++c) layer.b.push_back(static_cast<float>(0.5 * random.Normal()));
  }
  Balance(net);
  return net;
}

inline std::vector<ModelBuilder::Option> Options(const Layer& layer) {
  if (layer.code == BuiltinOp::kFullyConnected) return {{"fused_activation_function", layer.activation}};
  std::vector<ModelBuilder::Option> options = {{"padding", 0},
                                               {"stride_w", layer.stride},
                                               {"stride_h", layer.stride},
                                               {"fused_activation_function", layer.activation},
                                               {"dilation_w_factor", 1},
                                               {"dilation_h_factor", 1}};
  if (layer.code == BuiltinOp::kDepthwiseConv2D) options.emplace_back("depth_multiplier", 1);
  return options;
}

// How the sibling is quantized and what goes wrong: by layer name ("input" and "pool" too).
struct Quantizer {
  std::map<std::string, std::pair<float, float>> ranges;  // observed minimum and maximum
  std::map<std::string, double> stretch;                  // factor on a range
  std::map<std::string, bool> per_tensor_weights, zero_bias;
  std::function<void(const Layer&, std::vector<float>& weights)> change_weights;  // before quantization
  std::map<std::string, int> activation;                                          // instead of the layer's own

  Quantization For(const std::string& name) const {
    const auto [low_seen, high_seen] = ranges.at(name);
    const double factor = stretch.count(name) > 0 ? stretch.at(name) : 1;
    const double low = std::min(0.0, static_cast<double>(low_seen)) * factor,
                 high = std::max(0.0, static_cast<double>(high_seen)) * factor;
    const double scale = (high - low) / 255;
    return ModelBuilder::PerTensor(static_cast<float>(scale), static_cast<int64_t>(std::nearbyint(-128 - low / scale)));
  }
};

// `q` null: the float network.
inline std::shared_ptr<const graph::Model> BuildModel(const Network& net, const Quantizer* q,
                                                      const std::string& suffix) {
  ModelBuilder m;
  const DType dtype = q == nullptr ? DType::kFloat32 : DType::kInt8;
  const auto codes = [&](const std::string& name) { return q == nullptr ? Quantization{} : q->For(name); };
  int x = m.Input("input" + suffix, dtype, {1, kSide, kSide, 1}, codes("input"));
  Quantization x_codes = codes("input");
  for (const Layer& original : net.layers) {
    Layer layer = original;
    if (q != nullptr && q->activation.count(layer.name) > 0) layer.activation = q->activation.at(layer.name);
    if (layer.code == BuiltinOp::kFullyConnected) {
      const int axes = m.Constant("axes", {2}, std::vector<int32_t>{1, 2});
      const int pooled = m.Tensor("pool" + suffix, dtype, {1, 16}, codes("pool"));
      m.Op(BuiltinOp::kMean, {x, axes}, {pooled}, {{"keep_dims", false}});
      x = pooled;
      x_codes = codes("pool");
    }
    int w = 0, b = 0;
    const int channels = static_cast<int>(layer.b.size());
    if (q == nullptr) {
      w = m.Constant(layer.name + "/w", layer.weights, layer.w);
      b = m.Constant(layer.name + "/b", {channels}, layer.b);
    } else {
      std::vector<float> weights = layer.w;
      if (q->change_weights) q->change_weights(layer, weights);
      const bool depthwise = layer.code == BuiltinOp::kDepthwiseConv2D;
      const int64_t inner = static_cast<int64_t>(weights.size()) / channels;
      const auto channel_of = [&](size_t i) {
        return depthwise ? i % static_cast<size_t>(channels) : i / static_cast<size_t>(inner);
      };
      std::vector<float> scales(static_cast<size_t>(channels), 0);
      for (size_t i = 0; i < weights.size(); ++i) {
        scales[channel_of(i)] = std::max(scales[channel_of(i)], std::abs(weights[i]) / 127);
      }
      const bool per_tensor = q->per_tensor_weights.count(layer.name) > 0;
      if (per_tensor) {
        const float top = *std::max_element(scales.begin(), scales.end());
        std::fill(scales.begin(), scales.end(), top);
      }
      std::vector<int8_t> packed;
      for (size_t i = 0; i < weights.size(); ++i) {
        packed.push_back(
            static_cast<int8_t>(std::clamp(std::nearbyintf(weights[i] / scales[channel_of(i)]), -127.F, 127.F)));
      }
      std::vector<int32_t> bias;
      std::vector<float> bias_scales;
      for (int c = 0; c < channels; ++c) {
        const float scale = x_codes.scale[0] * scales[static_cast<size_t>(c)];
        bias_scales.push_back(scale);
        const bool zero = q->zero_bias.count(layer.name) > 0;
        bias.push_back(zero ? 0 : static_cast<int32_t>(std::nearbyint(layer.b[static_cast<size_t>(c)] / scale)));
      }
      const Quantization w_codes =
          per_tensor ? ModelBuilder::PerTensor(scales[0], 0) : ModelBuilder::PerChannel(scales, depthwise ? 3 : 0);
      w = m.Constant(layer.name + "/w", layer.weights, packed, w_codes);
      b = m.Constant(layer.name + "/b", {channels}, bias, ModelBuilder::PerChannel(bias_scales, 0));
    }
    const int y = m.Tensor(layer.name + suffix, dtype, layer.output, codes(layer.name));
    m.Op(layer.code, {x, w, b}, {y}, Options(layer));
    x = y;
    x_codes = codes(layer.name);
  }
  m.Output(x);
  return m.Build();
}

// Smooth random pictures in 0..1.
inline std::vector<float> Picture(uint64_t seed, uint64_t i) {
  Random random(seed + 1000, i);
  std::vector<float> pixels(kSide * kSide, 0.0F);
  for (int blob = 0; blob < 3; ++blob) {
    const double cx = random.Uniform(1, kSide - 1), cy = random.Uniform(1, kSide - 1), size = random.Uniform(0.8, 2.5);
    const double height = random.Uniform(0.4, 1);
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        const double d = ((x - cx) * (x - cx) + (y - cy) * (y - cy)) / (size * size);
        float& pixel = pixels[static_cast<size_t>(y * kSide + x)];
        pixel = std::min(1.0F, pixel + static_cast<float>(height * std::exp(-d)));
      }
    }
  }
  return pixels;
}

inline Array PictureArray(uint64_t seed, uint64_t i) {
  Array array(DType::kFloat32, {1, kSide, kSide, 1});
  const std::vector<float> pixels = Picture(seed, i);
  std::copy(pixels.begin(), pixels.end(), array.values<float>().begin());
  return array;
}

// Ranges of all tensors over `samples` pictures, as post-training quantization finds them.
inline Quantizer Calibrate(const Network& net, int samples) {
  Quantizer q;
  runtime::InterpreterOptions options;
  options.preserve_all_tensors = true;
  runtime::Interpreter interpreter(BuildModel(net), options);
  const graph::Subgraph& graph = interpreter.model().subgraphs[0];
  for (int s = 0; s < samples; ++s) {
    interpreter.SetInput(0, PictureArray(net.seed, 100000 + static_cast<uint64_t>(s)));
    interpreter.Invoke();
    for (size_t t = 0; t < graph.tensors.size(); ++t) {
      if (graph.tensors[t].data.has_value() || graph.tensors[t].dtype != DType::kFloat32) continue;
      const Array value = interpreter.Tensor(static_cast<int32_t>(t));
      auto& range = q.ranges[graph.tensors[t].name];
      for (const float x : value.values<float>()) {
        range.first = std::min(range.first, x), range.second = std::max(range.second, x);
      }
    }
  }
  return q;
}

// A labelled npz of `samples` pictures; the labels are the float network's own answers.
inline void WriteData(const Network& net, int samples, const std::string& path) {
  runtime::Interpreter interpreter(BuildModel(net));
  Array x(DType::kFloat32, {samples, kSide, kSide, 1}), y(DType::kInt64, {samples});
  for (int s = 0; s < samples; ++s) {
    const Array picture = PictureArray(net.seed, static_cast<uint64_t>(s));
    interpreter.SetInput(0, picture);
    interpreter.Invoke();
    const Array scores = interpreter.Output(0);
    const auto values = scores.values<float>();
    y.values<int64_t>()[static_cast<size_t>(s)] = std::max_element(values.begin(), values.end()) - values.begin();
    std::copy(picture.values<float>().begin(), picture.values<float>().end(),
              x.values<float>().begin() + s * kSide * kSide);
  }
  WriteNpz(path, {{"x", x}, {"y", y}});
}

}  // namespace assay::compare::testing
