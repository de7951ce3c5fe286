// Prints one hash over every integer tensor that a fixed set of generated models computes, per profile:
// tests/signature.txt. It is the same on every machine and build; a change of it is a change of some result.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/random.h"
#include "graph/model_builder.h"
#include "runtime/run_model.h"

namespace assay {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;

constexpr int kModels = 12, kInputs = 4;

template <typename T>
std::vector<T> Codes(Random& random, size_t count, int low, int high) {
  std::vector<T> codes(count);
  for (T& code : codes)
    code = static_cast<T>(low + static_cast<int>(random.Below(static_cast<uint64_t>(high - low + 1))));
  return codes;
}

// A small network of quantized ops: convolution, depthwise, residual ADD, MUL, pooling, PAD, MEAN, FULLY_CONNECTED,
// SOFTMAX. No two arguments of a call draw random numbers: compilers evaluate arguments in different orders.
template <typename T>
std::shared_ptr<const graph::Model> Network(uint64_t seed) {
  constexpr bool kSigned = std::is_signed_v<T>;
  constexpr DType kType = DTypeOf<T>();
  constexpr int kLow = kSigned ? -128 : 0, kHigh = kSigned ? 127 : 255;
  Random random(seed, kSigned ? 1 : 2);
  ModelBuilder m;
  const auto zero = [&] { return static_cast<int64_t>(kLow) + static_cast<int64_t>(random.Below(256)); };
  const auto scale = [&](double low, double high) { return static_cast<float>(random.Uniform(low, high)); };
  const auto activation = [&](const char* name, Shape shape, float step) {
    return m.Tensor(name, kType, std::move(shape), ModelBuilder::PerTensor(step, zero()));
  };
  const auto weights = [&](const char* name, Shape shape, int channels, int dimension) {
    const auto count = static_cast<size_t>(shape.NumElements());
    Quantization q = ModelBuilder::PerTensor(scale(0.002, 0.02), kSigned ? 0 : 128);
    if (kSigned && channels > 0) {
      std::vector<float> scales;
      for (int c = 0; c < channels; ++c) scales.push_back(scale(0.002, 0.02));
      q = ModelBuilder::PerChannel(scales, dimension);
    }
    return m.Constant<T>(name, std::move(shape), Codes<T>(random, count, kSigned ? -127 : 0, kHigh), q);
  };
  const auto bias = [&](const char* name, int channels) {
    return m.Constant<int32_t>(name, {channels}, Codes<int32_t>(random, static_cast<size_t>(channels), -2000, 2000));
  };
  const int x = m.Input("x", kType, {1, 11, 9, 5}, ModelBuilder::PerTensor(0.02F, zero()));
  const int conv = activation("conv", {1, 11, 9, 19}, scale(0.02, 0.1));
  const auto conv_activation = static_cast<int>(random.Below(4));
  const int conv_weights = weights("cw", {19, 3, 3, 5}, 19, 0), conv_bias = bias("cb", 19);
  m.Op(BuiltinOp::kConv2D, {x, conv_weights, conv_bias}, {conv},
       {{"padding", 0}, {"stride_w", 1}, {"stride_h", 1}, {"fused_activation_function", conv_activation}});
  const int deep = activation("deep", {1, 11, 9, 19}, scale(0.02, 0.1));
  m.Op(BuiltinOp::kDepthwiseConv2D, {conv, weights("dw", {1, 3, 3, 19}, 19, 3), bias("db", 19)}, {deep},
       {{"padding", 0}, {"stride_w", 1}, {"stride_h", 1}, {"depth_multiplier", 1}});
  const int sum = activation("sum", {1, 11, 9, 19}, scale(0.03, 0.15));
  m.Op(BuiltinOp::kAdd, {conv, deep}, {sum}, {{"fused_activation_function", static_cast<int>(random.Below(4))}});
  const Quantization gate_quantization = ModelBuilder::PerTensor(0.01F, zero());
  const int gate = m.Constant<T>("gate", {1, 1, 1, 19}, Codes<T>(random, 19, kLow, kHigh), gate_quantization);
  const int gated = activation("gated", {1, 11, 9, 19}, scale(0.02, 0.1));
  m.Op(BuiltinOp::kMul, {sum, gate}, {gated});
  const int pooled = m.Tensor("pooled", kType, {1, 5, 4, 19}, m.tensor(gated).quantization);
  m.Op(random.Chance(0.5) ? BuiltinOp::kAveragePool2D : BuiltinOp::kMaxPool2D, {gated}, {pooled},
       {{"padding", 1}, {"stride_w", 2}, {"stride_h", 2}, {"filter_width", 2}, {"filter_height", 2}});
  const int axes = m.Constant<int32_t>("axes", {2}, {1, 2});
  const int mean = activation("mean", {1, 19}, scale(0.01, 0.05));
  m.Op(BuiltinOp::kMean, {pooled, axes}, {mean}, {{"keep_dims", false}});
  const int dense = activation("dense", {1, 10}, scale(0.02, 0.1));
  m.Op(BuiltinOp::kFullyConnected, {mean, weights("fw", {10, 19}, 0, 0), bias("fb", 10)}, {dense});
  const int scores = m.Tensor("scores", kType, {1, 10}, ModelBuilder::PerTensor(1.0F / 256, kLow));
  m.Op(BuiltinOp::kSoftmax, {dense}, {scores}, {{"beta", 1.0}});
  m.Output(scores);
  return m.Build();
}

// FNV-1a, 64 bits.
struct Hash {
  uint64_t value = 0xCBF29CE484222325U;
  void Add(std::span<const uint8_t> bytes) {
    for (const uint8_t byte : bytes) value = (value ^ byte) * 0x100000001B3U;
  }
};

int Main() {
  for (const char* profile : {"reference", "reference-2024", "builtin", "xnnpack"}) {
    Hash hash;
    for (uint64_t k = 0; k < kModels; ++k) {
      for (const auto& model : {Network<int8_t>(k), Network<uint8_t>(k)}) {
        for (uint64_t input = 0; input < kInputs; ++input) {
          runtime::RunRequest request;
          request.options.profile = &numerics::FindProfile(profile);
          request.seed = input;
          request.all_tensors = true;
          for (const auto& [name, array] : runtime::RunModel(model, request).arrays) hash.Add(array.bytes());
        }
      }
    }
    fmt::print("{:<16} {:016x}\n", profile, hash.value);
  }
  return 0;
}

}  // namespace
}  // namespace assay

int main() { return assay::Main(); }
