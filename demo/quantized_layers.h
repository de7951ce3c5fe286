// Changes to an int8 model as its converter would have made them: who alters one tensor's quantization, alters all
// that follows from it (the biases of its consumers, tensors that pass the same codes on).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/model.h"

namespace assay::demo {

// An operator of the main subgraph with weights (CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED).
struct WeightedLayer {
  size_t op = 0;
  int32_t input = -1, weights = -1, bias = -1, output = -1;  // tensors; bias may be kNoTensor
  size_t channels = 0;
  size_t per_channel = 0;           // weights of one channel
  bool channels_innermost = false;  // DEPTHWISE_CONV_2D: [1, h, w, channels]

  size_t Index(size_t channel, size_t i) const {
    return channels_innermost ? i * channels + channel : channel * per_channel + i;
  }
};

// All of them with int8 weights and a quantized input, in the order of execution.
std::vector<WeightedLayer> WeightedLayers(const graph::Model& model);

std::vector<int8_t> Weights(const graph::Model& model, const WeightedLayer& layer);
void SetWeights(graph::Model& model, const WeightedLayer& layer, const std::vector<int8_t>& weights);

// One scale per channel, also where the file has one for all.
std::vector<float> WeightScales(const graph::Model& model, const WeightedLayer& layer);
// One scale for all or one per channel. The bias keeps its real values: its codes follow the new product of scales.
void SetWeightScales(graph::Model& model, const WeightedLayer& layer, std::vector<float> scales);

void ZeroBias(graph::Model& model, const WeightedLayer& layer);
// Moves the rows of a FULLY_CONNECTED layer: class c's score comes out at (c + by) modulo the number of classes.
void RotateRows(graph::Model& model, const WeightedLayer& layer, size_t by);

// Gives a tensor, and all that pass the same codes on (pools, reshapes), this scale and zero point; biases follow.
void SetActivationQuantization(graph::Model& model, int32_t tensor, float scale, int64_t zero_point);

// Quantized results with a scale of their own that a converter chose: what a range fault can befall. SOFTMAX and
// LOGISTIC, whose scales are fixed, and ops that pass codes on are not among them.
std::vector<int32_t> RangedTensors(const graph::Model& model);

enum class PictureOp : uint8_t { kTranspose, kFlipVertical, kFlipHorizontal };
// Puts an op that does so between the model's only input, [1, side, side, channels], and everything that read it.
void PrependPictureOp(graph::Model& model, PictureOp picture);

}  // namespace assay::demo
