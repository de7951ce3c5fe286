// Writes an assignment into a model: integer tensors and constants, QUANTIZE and DEQUANTIZE where integers meet floats,
// the types of inputs and outputs.
#pragma once

#include <cstdint>

#include "graph/model.h"
#include "quantize/assignment.h"
#include "tensor/dtype.h"

namespace assay::quantize {

struct InterfaceTypes {
  DType input = DType::kFloat32, output = DType::kFloat32;  // float32, int8, uint8, int16
};

struct IntegerModelStats {
  int integer_ops = 0, quantize_ops = 0, dequantize_ops = 0;
};

// Changes the main subgraph of `model`, for which `assignment` was made. Throws InputError where an input or output
// cannot have the wanted type.
IntegerModelStats MakeIntegerModel(graph::Model& model, const Assignment& assignment, const InterfaceTypes& types);

}  // namespace assay::quantize
