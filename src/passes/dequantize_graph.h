// Turns a quantized model into the float model that it stands for: constants dequantized, every quantized tensor
// float32, QUANTIZE and DEQUANTIZE passing their values on. Tensors and ops keep their indices, so that what is known
// of the one can be looked up in the other.
#pragma once

#include "graph/model.h"

namespace assay::passes {

// Activations that only the codes' range makes (0 to 6 for a RELU6) are written down. Biases of the matrix ops are
// taken at input scale * weight scale, as the kernels take them, whatever their own scale says. Throws InputError
// naming the op or tensor that has no float form: a CAST or BITCAST of codes, weights stored blockwise or sparse.
graph::Model DequantizeGraph(const graph::Model& model);

// True where any tensor of the main subgraph that an op computes is a quantized integer.
bool HasQuantizedActivations(const graph::Model& model);

}  // namespace assay::passes
