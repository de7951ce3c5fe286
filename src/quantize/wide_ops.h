// Ops of an int8 model that compute in int16x8: TFLite lets them stand among int8 ops, since DEQUANTIZE and QUANTIZE
// lead from one to the other.
#pragma once

#include <cstdint>
#include <span>

#include "graph/model.h"
#include "quantize/assignment.h"
#include "quantize/calibration.h"
#include "quantize/integer_model.h"

namespace assay::quantize {

// `model` is one of which MakeIntegerModel left the ops float whose first results are `results`. `calibration` and
// `options` are what it was made with. An op that takes no int16 stays float.
IntegerModelStats WidenOps(graph::Model& model, std::span<const int32_t> results, const Calibration& calibration,
                           AssignmentOptions options, bool correct_biases);

}  // namespace assay::quantize
