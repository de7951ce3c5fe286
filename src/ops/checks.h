// Checks that every Prepare shares; each throws InputError with operand and value in its message. The runtime puts the
// model, the subgraph and the op in front.
#pragma once

#include <initializer_list>

#include "graph/attributes.h"
#include "ops/op.h"

namespace assay::ops {

void CheckArity(const PrepareContext& context, int min_inputs, int max_inputs, int outputs);
void CheckType(const TensorRef& tensor, const char* what, std::initializer_list<DType> allowed);
void CheckSameType(const TensorRef& a, const char* a_name, const TensorRef& b, const char* b_name);
void CheckRank(const TensorRef& tensor, const char* what, int low, int high);
// One finite positive scale and a zero point in the type's range; with `symmetric`, zero point 0.
void CheckPerTensorQuantized(const TensorRef& tensor, const char* what, bool symmetric = false);
// Either per tensor, or one scale per slice of `dimension`; with `symmetric`, all zero points 0.
void CheckQuantizedAlong(const TensorRef& tensor, const char* what, int dimension, bool symmetric);
[[noreturn]] void UnsupportedTypes(const PrepareContext& context);  // "types (int8, float32) -> (int8) have no kernel"

// Scale of slice i of a per-tensor or per-channel quantized tensor.
inline float ScaleAt(const TensorRef& tensor, int64_t i) {
  const auto& scale = tensor.quantization().scale;
  return scale.size() == 1 ? scale[0] : scale[static_cast<size_t>(i)];
}

// Turns a negative axis into one counted from the front. Throws where it is outside of [-rank, rank).
int NormalizeAxis(int64_t axis, int rank, const char* what);

struct FloatRange {
  float low, high;
};
// Clamp of a fused activation on floats: RELU gives [0, inf], NONE everything. TANH and SIGN_BIT throw.
FloatRange ActivationRange(graph::Activation activation);

struct IntRange {
  int32_t low, high;
};
IntRange TypeRange(DType dtype);  // int8: [-128, 127], ...
// Clamp of a fused activation on codes of `output`: LiteRT's zo + round-half-away(float(a / so)), or XNNPACK's half to
// even of the clamped float(float(a / so) + zo).
IntRange QuantizedActivationRange(graph::Activation activation, const TensorRef& output, numerics::Engine engine);

// Output size of a window op along one axis and the padding in front, as TFLite computes them.
struct WindowAxis {
  int32_t output = 0;
  int32_t pad_before = 0;
};
// Throws where stride, dilation or filter are < 1, or the output would be empty.
WindowAxis ComputeWindow(graph::Padding padding, int32_t input, int32_t filter, int64_t stride, int64_t dilation,
                         const char* axis_name);

}  // namespace assay::ops
