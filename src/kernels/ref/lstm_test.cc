#include "kernels/ref/lstm.h"

#include <gtest/gtest.h>

#include <cmath>

namespace assay::kernels::ref {
namespace {

// One cell whose gates other than the cell gate are wide open.
struct OneCell {
  explicit OneCell(bool diagonal) {
    for (LstmFloatGate& gate : lstm.gates) gate = {&zero, &zero, &zero, diagonal, nullptr, nullptr, &wide_open};
    lstm.gates[kCellGate] = {&input_weight, &aux_weight, &recurrent_weight, diagonal, nullptr, nullptr, &bias};
    lstm.sizes = {.inputs = 1, .aux_inputs = 1, .cells = 1, .outputs = 1};
    lstm.activation = RecurrentActivation::kNone;
  }
  // The cell's state after one step from the output state 1 and the cell state 0: the cell gate.
  float CellGate(int products) {
    float output_state = 1, cell_state = 0, gates[kLstmGates];
    LstmStepFloat(lstm, {&x, &aux, products}, &output_state, &cell_state, gates);
    EXPECT_EQ(output_state, cell_state);
    return cell_state;
  }

  float zero = 0, wide_open = 100, bias = 0.125F, input_weight = 0.25F, aux_weight = 0.5F, recurrent_weight = 4;
  float x = 1, aux = 1;
  LstmFloat lstm;
};

TEST(LstmFloat, WithoutActivationTheCellGateIsWhatTfliteWroteThereLast) {
  OneCell dense(false);
  EXPECT_EQ(dense.CellGate(1), 0.125F + 0.25F + 0.5F + 4);
  EXPECT_EQ(dense.CellGate(2), 0.125F + 0.25F + 0.5F) << "without the recurrent part";
  OneCell diagonal(true);
  EXPECT_EQ(diagonal.CellGate(2), 0.125F + 0.25F + 0.5F + 4);
  EXPECT_EQ(diagonal.CellGate(1), 0.125F) << "the bias alone";
}

TEST(LstmFloat, WithAnActivationEveryPartCounts) {
  OneCell cell(false);
  cell.lstm.activation = RecurrentActivation::kRelu;
  EXPECT_EQ(cell.CellGate(1), 4.875F);
  EXPECT_EQ(cell.CellGate(2), 4.875F);
}

}  // namespace
}  // namespace assay::kernels::ref
