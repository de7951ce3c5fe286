// One op outside of an interpreter: the shapes of its outputs, and their values where all its inputs are known. Whoever
// builds or simplifies graphs asks the kernels themselves, so that shapes and constants are what running gives.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "graph/model.h"

namespace assay::ops {

struct SingleOpInput {
  const graph::Tensor* info = nullptr;  // null: the operand is absent
  Shape shape;                          // may differ from the one in `info`
  std::span<const uint8_t> value;       // where it is known
  bool is_known = false;
};

struct SingleOpOutput {
  std::optional<Shape> shape;  // none: only running shows it
  std::vector<uint8_t> value;
  bool is_known = false;
};

// `outputs` gives the outputs' types (the shapes in them are not looked at). With `run`, outputs get their values where
// every input is known; otherwise only where shapes alone decide them (SHAPE, RANK). Follows the reference kernels.
// Throws InputError where the kernel refuses the operands, or there is none. Not for ops that call subgraphs.
std::vector<SingleOpOutput> ApplySingleOp(const graph::Operator& op, std::span<const SingleOpInput> inputs,
                                          std::span<const graph::Tensor* const> outputs, bool run);

// False for products, convolutions and poolings of so many elements that computing them once, as a constant, could take
// long: a few bytes of a hostile file can ask for that. `outputs` has the shapes.
bool IsQuick(const graph::Operator& op, std::span<const SingleOpInput> inputs, std::span<const SingleOpOutput> outputs);

}  // namespace assay::ops
