// The cells of recurrent layers, and the loop over the steps.
#pragma once

#include "format/keras/layer_call.h"

namespace assay::keras {

enum class CellKind { kLstm, kGru, kSimple, kConvLstm };

struct Cell {
  CellKind kind = CellKind::kLstm;
  int32_t units = 0;
  bool has_bias = true, reset_after = true;
  Json activation, recurrent_activation;
  // As constants' values: [gates * units, depth], [gates * units, units], biases of the inputs and the states.
  int32_t depth = 0;
  std::vector<float> kernel, recurrent, bias, recurrent_bias;
  // Of convolutions alone, in 2 or 3 dimensions: the kernels then lie as CONV_2D (OHWI) or CONV_3D (DHWIO) wants them.
  std::vector<int32_t> kernel_size;
  Window window;
  int32_t stride_d = 1, dilation_d = 1;
  std::vector<int32_t> state_dims;  // of one state, without the batch

  bool is_lstm() const { return kind == CellKind::kLstm || kind == CellKind::kConvLstm; }
  int32_t gates() const { return is_lstm() ? 4 : kind == CellKind::kGru ? 3 : 1; }
  int states() const { return is_lstm() ? 2 : 1; }
};

// A cell of vectors; `c` has the cell's config and `within` its part of the weights.
Cell ReadCell(LayerCall& c, const std::string& class_name, int32_t depth);

struct Loop {
  bool backwards = false, sequences = false;
  Id mask = graph::kNoTensor;   // [N, T]
  bool zero_if_masked = false;  // masked steps give zeros rather than what the step before gave
};

struct LoopResult {
  Id output = graph::kNoTensor;  // the last step's, or all steps' [N, T, units]
  std::vector<Id> states;
};

// Runs the cells over the steps of x [N, T, D]; `initial` are the states to begin with, or none.
LoopResult RunLoop(LayerCall& c, const std::vector<Cell>& cells, Id x, const std::vector<Id>& initial,
                   const Loop& loop);

}  // namespace assay::keras
