// Other runtimes in place of the interpreter's own kernels. The interpreter stays in front: it checks and resizes
// inputs, knows every shape and holds the tensors; a delegate computes them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/model.h"

namespace assay::runtime {

// What a delegate computes of one subgraph.
struct DelegateTask {
  std::string source;  // the model's file, for messages
  // One subgraph, with static shapes; its outputs are the tensors that are wanted, each once and written by an op.
  graph::Model model;
  int threads = 1;
};

class DelegateKernel {
 public:
  virtual ~DelegateKernel() = default;
  // In the order of the subgraph's inputs and outputs; each span has the tensor's bytes. Throws InputError.
  virtual void Invoke(std::span<const std::span<const uint8_t>> inputs,
                      std::span<const std::span<uint8_t>> outputs) = 0;
};

class Delegate {
 public:
  virtual ~Delegate() = default;
  // What results are recorded under ("litert").
  virtual std::string Name() const = 0;
  // Throws InputError where the runtime refuses the model. State that the model keeps between invokes starts anew.
  virtual std::unique_ptr<DelegateKernel> Compile(const DelegateTask& task) const = 0;
};

}  // namespace assay::runtime
