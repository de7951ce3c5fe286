#include "ops/delegation.h"

#include <algorithm>

#include "ops/xnnpack_checks.h"

namespace assay::ops {

bool HasOperands(const PrepareContext& context, int inputs, int outputs) {
  if (context.num_inputs() != inputs || context.num_outputs() != outputs) return false;
  for (int i = 0; i < inputs; ++i) {
    if (!context.HasInput(i)) return false;
  }
  return true;
}

bool XnnpackTakesShape(const TensorRef& tensor) {
  const auto dims = tensor.shape.dims();
  return tensor.shape.rank() <= kXnnpackMaxRank &&
         std::all_of(dims.begin(), dims.end(), [](int32_t d) { return d > 0; });
}

bool XnnpackTakesQuantized8(const TensorRef& tensor) {
  return tensor.dtype != DType::kFloat32 && XnnpackTakesFloatOrQuantized8(tensor) &&
         tensor.quantization().quantized_dimension == 0;
}

bool XnnpackTakesFloatOr8Bit(const TensorRef& tensor) {
  return tensor.dtype == DType::kFloat32 || XnnpackTakesQuantized8(tensor);
}

float ScaleRatio(const TensorRef& input, const TensorRef& output) { return input.scale() / output.scale(); }

}  // namespace assay::ops
