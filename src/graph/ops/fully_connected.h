#pragma once

#include "graph/attributes.h"

namespace assay::graph {

enum class FullyConnectedWeightsFormat : uint8_t { kDefault = 0, kShuffled4x16Int8 = 1, kCount };

struct FullyConnectedAttributes {
  Activation fused_activation_function = Activation::kNone;
  FullyConnectedWeightsFormat weights_format = FullyConnectedWeightsFormat::kDefault;
  bool keep_num_dims = false;
  bool asymmetric_quantize_inputs = false;
  int32_t quantized_bias_type = 0;  // a DType; float32 means: not set

  template <class V>
  void Visit(V& v) {
    v("fused_activation_function", fused_activation_function);
    v("weights_format", weights_format);
    v("keep_num_dims", keep_num_dims);
    v("asymmetric_quantize_inputs", asymmetric_quantize_inputs);
    v("quantized_bias_type", quantized_bias_type);
  }
};

}  // namespace assay::graph
