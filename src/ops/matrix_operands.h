// Operands of the matrix ops: weights as kernels read them, shared checks, and what XNNPACK asks of input, weights,
// bias and output before it takes an op.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/ref/conv_2d.h"
#include "ops/checks.h"
#include "ops/op.h"

namespace assay::ops {

// Low nibble first, sign-extended.
void UnpackInt4(const uint8_t* packed, int64_t count, int8_t* values);

// int8 weights, or int4 ones that are unpacked into working memory when the op runs.
class Int8Weights {
 public:
  // Throws InputError where the operand has another type.
  Int8Weights(PrepareContext& context, int input);
  const int8_t* Get(const RunContext& run) const;

 private:
  int input_;
  int scratch_ = -1;
};

// One scale per output channel, whether there are as many or one for all.
std::vector<float> SpreadScales(const TensorRef& weights, int64_t channels);

// Dynamic range: float input, int8 or int4 weights, float bias and output. Checks types and the weights' scales along
// `dimension`.
void CheckHybrid(const PrepareContext& context, const TensorRef& filter, int bias, int64_t channels, int dimension);

// 8-bit ops: input and output 0 are quantized per tensor, the bias is int32.
void CheckEightBit(const PrepareContext& context, const TensorRef& input, int bias);

// Throws where the bias is there and does not have `count` values.
void CheckBiasSize(const PrepareContext& context, int bias, int64_t count);

// float32, or 8-bit with one scale.
bool XnnpackTakesActivation(const TensorRef& tensor);
// float32, int8 or int4 per tensor or along `dimension`, uint8 per tensor; known before the graph runs.
bool XnnpackTakesWeights(const PrepareContext& context, int input, int dimension);
// float32 or quantized int32, known before the graph runs, one value per output channel.
bool XnnpackTakesBias(const PrepareContext& context, int input);
bool XnnpackTakesFusedActivation(graph::Activation activation);

}  // namespace assay::ops
