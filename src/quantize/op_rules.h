// What TFLite's quantization specification says of each operator: the one table that every scheme reads.
#pragma once

#include <cstdint>
#include <span>

#include "graph/model.h"

namespace assay::quantize {

enum class OutputScale : uint8_t {
  kOwn,    // the range seen in calibration
  kSame,   // operands and results share one scale and zero point
  kFixed,  // the specification prescribes it
};

struct OpRule {
  graph::BuiltinOp op = graph::BuiltinOp::kAdd;
  OutputScale output = OutputScale::kOwn;
  int8_t input = 0;        // the operand whose scale times the weights' is the accumulator's
  int8_t weights = -1;     // the operand that is quantized symmetrically where it is constant; -1: none
  int8_t channel_dim = 0;  // of the weights, where they have a scale per channel
  int8_t bias = -1;
  int32_t int8_version = 1;  // the least version of the op that takes int8
  bool int16 = true;         // takes int16 activations, too
  // Fixed results in 8 bits: scale and zero point of int8. In 16 bits the scale is 2^-15 and the zero point 0.
  float fixed_scale = 0;
  int32_t fixed_zero_point = 0;
  // Float kernels that take int8 weights (dynamic range): the operand, and the version that does; 0: none.
  int32_t hybrid_version = 0;
  int32_t int4_version = 0;  // the least version that takes int4 weights; 0: none
  bool hybrid_int4 = true;   // and takes them beside float activations
};

std::span<const OpRule> AllOpRules();

// Null where the op has no integer form; it then stays float.
const OpRule* FindOpRule(const graph::Operator& op);

}  // namespace assay::quantize
