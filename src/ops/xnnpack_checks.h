// What XNNPACK's delegate asks of tensors before it takes an op; shared by the ops' XnnpackTakes functions.
#pragma once

#include <cmath>

#include "ops/op.h"

namespace assay::ops {

// float32, or int8 / uint8 quantized per tensor with one scale and one zero point.
inline bool XnnpackTakesFloatOrQuantized8(const TensorRef& tensor) {
  if (tensor.dtype == DType::kFloat32) return true;
  if (tensor.dtype != DType::kInt8 && tensor.dtype != DType::kUInt8) return false;
  const Quantization& q = tensor.quantization();
  return q.scale.size() == 1 && q.zero_point.size() == 1 && std::isnormal(q.scale[0]) && q.scale[0] > 0;
}

}  // namespace assay::ops
