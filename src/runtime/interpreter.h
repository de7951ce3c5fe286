// Runs a model as TFLite's interpreter does: details, resize, set, invoke, get, signatures, intermediate tensors. One
// interpreter belongs to one thread; many may share a model, whose weights are not copied.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/model.h"
#include "runtime/memory_planner.h"
#include "runtime/session.h"
#include "tensor/array.h"

namespace assay::runtime {

struct TensorDetails {
  std::string name;
  int32_t index = 0;
  Shape shape;                           // the current one
  std::vector<int32_t> shape_signature;  // -1 marks a dimension that may be resized; equals shape where there is none
  DType dtype = DType::kFloat32;
  Quantization quantization;
};

class Interpreter {
 public:
  explicit Interpreter(std::shared_ptr<const graph::Model> model, InterpreterOptions options = {});
  ~Interpreter();
  Interpreter(Interpreter&&) noexcept;

  const graph::Model& model() const;
  const InterpreterOptions& options() const;

  size_t input_count() const;
  size_t output_count() const;
  TensorDetails InputDetails(size_t position) const;
  TensorDetails OutputDetails(size_t position) const;
  TensorDetails Details(int32_t tensor) const;
  // Position of the input with this tensor name. Throws InputError naming the nearest one.
  size_t FindInput(std::string_view name) const;

  // Selects a signature by its key ("serving_default"): inputs and outputs are then those of its subgraph, in its
  // order. Throws InputError naming the known keys.
  void SelectSignature(std::string_view key);

  // A change of shape takes effect with the next AllocateTensors or Invoke. `strict`: only what the signature
  // leaves open (-1) may change; else InputError, as for a shape that is none or beyond the limits.
  void ResizeInput(size_t position, const Shape& shape, bool strict = false);
  void AllocateTensors();

  // Throws InputError where dtype or shape differ from the input's.
  void SetInput(size_t position, const Array& value);
  // The input's bytes, to be filled in place; valid until shapes change.
  std::span<uint8_t> MutableInput(size_t position);
  void Invoke();
  Array Output(size_t position) const;
  std::span<const uint8_t> OutputBytes(size_t position) const;
  const Shape& OutputShape(size_t position) const;

  // Any tensor of the selected subgraph after Invoke. Intermediate ones need preserve_all_tensors: their memory is
  // reused otherwise, and that is said (InputError).
  Array Tensor(int32_t index) const;
  void ReadTensor(int32_t index, Array& value) const;  // the same, into an array that may have room for it
  bool IsReadable(int32_t index) const;

  void ResetVariables();
  void SetHook(OpHook hook);

  struct MemoryUse {
    uint64_t arena_bytes = 0;      // what the plan takes
    uint64_t sum_bytes = 0;        // all tensors side by side
    uint64_t peak_live_bytes = 0;  // the largest set alive at once: no plan can take less
  };
  MemoryUse memory() const;

  // How an op will run.
  struct OpPlan {
    numerics::Engine engine = numerics::Engine::kReference;
    bool folded = false;    // its outputs follow from constants and shapes: computed once, while allocating
    bool deferred = false;  // prepared at its turn, when the shapes are known; the engine is decided then
  };
  struct SubgraphPlan {
    std::vector<OpPlan> ops;        // by op
    std::vector<Shape> shapes;      // by tensor
    std::vector<bool> shape_known;  // by tensor; false: only running shows it
    MemoryUse memory;
  };
  // What allocating found out about a subgraph: the selected one and those that it calls. None for others.
  std::optional<SubgraphPlan> Plan(int32_t subgraph) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::runtime
