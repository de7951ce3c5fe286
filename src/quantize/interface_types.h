// Changes the types of a quantized model's inputs and outputs; its ops stay as they are.
#pragma once

#include "graph/model.h"
#include "quantize/integer_model.h"

namespace assay::quantize {

// Adds or takes away QUANTIZE and DEQUANTIZE at the ends of the main subgraph. int8 and uint8 are the same codes, 128
// apart. Throws InputError where a tensor is not quantized with one scale, or has the other width.
void ChangeInterfaceTypes(graph::Model& model, const InterfaceTypes& types);

}  // namespace assay::quantize
