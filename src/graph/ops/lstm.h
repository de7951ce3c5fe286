// LSTM, UNIDIRECTIONAL_SEQUENCE_LSTM, BIDIRECTIONAL_SEQUENCE_LSTM.
#pragma once

#include "graph/attributes.h"

namespace assay::graph {

enum class LstmKernelType : uint8_t { kFull = 0, kBasic = 1, kCount };

struct LstmAttributes {
  Activation fused_activation_function = Activation::kNone;
  float cell_clip = 0, proj_clip = 0;
  LstmKernelType kernel_type = LstmKernelType::kFull;
  bool asymmetric_quantize_inputs = false;

  template <class V>
  void Visit(V& v) {
    v("fused_activation_function", fused_activation_function);
    v("cell_clip", cell_clip), v("proj_clip", proj_clip), v("kernel_type", kernel_type);
    v("asymmetric_quantize_inputs", asymmetric_quantize_inputs);
  }
};

struct UnidirectionalSequenceLstmAttributes {
  Activation fused_activation_function = Activation::kNone;
  float cell_clip = 0, proj_clip = 0;
  bool time_major = false;
  bool asymmetric_quantize_inputs = false;
  bool diagonal_recurrent_tensors = false;

  template <class V>
  void Visit(V& v) {
    v("fused_activation_function", fused_activation_function);
    v("cell_clip", cell_clip), v("proj_clip", proj_clip), v("time_major", time_major);
    v("asymmetric_quantize_inputs", asymmetric_quantize_inputs);
    v("diagonal_recurrent_tensors", diagonal_recurrent_tensors);
  }
};

struct BidirectionalSequenceLstmAttributes {
  Activation fused_activation_function = Activation::kNone;
  float cell_clip = 0, proj_clip = 0;
  bool merge_outputs = false;
  bool time_major = true;
  bool asymmetric_quantize_inputs = false;

  template <class V>
  void Visit(V& v) {
    v("fused_activation_function", fused_activation_function);
    v("cell_clip", cell_clip), v("proj_clip", proj_clip), v("merge_outputs", merge_outputs);
    v("time_major", time_major), v("asymmetric_quantize_inputs", asymmetric_quantize_inputs);
  }
};

}  // namespace assay::graph
