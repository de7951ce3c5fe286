// One invocation of a model from given or random inputs, as `assay run` offers it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "runtime/interpreter.h"
#include "tensor/npy.h"

namespace assay::runtime {

struct RunRequest {
  NamedArrays inputs;        // by tensor name; what is missing is random. "in/NAME" is taken for NAME
  uint64_t seed = 0;         // of the random inputs
  bool all_tensors = false;  // also every intermediate tensor of the main subgraph
  InterpreterOptions options;
  // Arrays that name no input are passed over instead of refused (a dump as input), as long as one does.
  bool ignore_other_arrays = false;
};

struct RunResult {
  NamedArrays arrays;  // in/<name>, out/<k> in the graph's order, tensor/<index>: the layout of a dump
  Interpreter::MemoryUse memory;
};

// An input whose dynamic dimensions (-1 in its signature) differ from the array's is resized to it.
RunResult RunModel(std::shared_ptr<const graph::Model> model, const RunRequest& request);

// Integers uniform over the type's whole range, bools fair, floats normal with mean 0 and variance 1.
Array RandomArray(DType dtype, const Shape& shape, uint64_t seed, uint64_t stream);

}  // namespace assay::runtime
