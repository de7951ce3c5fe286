// What an op implementation is: a Prepare function that checks everything, derives parameters, sets its outputs' shapes
// and returns the function that computes. Prepare may throw InputError; what it returns only computes.
//
//   RunFn PrepareRelu(PrepareContext& context) {
//     const TensorRef& x = context.Input(0);
//     ...checks...
//     context.SetOutputShape(0, x.shape);
//     return [](const RunContext& run) { kernels::ref::Relu(run.In<float>(0), run.Out<float>(0)); };
//   }
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"
#include "graph/model.h"
#include "numerics/profile.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace assay::ops {

// A tensor of a running graph. `data` is null until memory is assigned; during Prepare only known tensors have data.
struct TensorRef {
  const graph::Tensor* info = nullptr;
  DType dtype = DType::kFloat32;
  Shape shape;
  uint8_t* data = nullptr;
  size_t bytes = 0;
  bool is_constant = false;

  const std::string& name() const { return info->name; }
  const Quantization& quantization() const { return info->quantization; }
  int64_t size() const { return shape.NumElements(); }
  // Per tensor: the first scale and zero point. The tensor must be quantized (ops/checks.h verifies).
  float scale() const { return info->quantization.scale[0]; }
  int32_t zero_point() const {
    return info->quantization.zero_point.empty() ? 0 : static_cast<int32_t>(info->quantization.zero_point[0]);
  }
  template <typename T>
  std::span<const T> values() const {
    ASSAY_CHECK(dtype == DTypeOf<T>());
    return {reinterpret_cast<const T*>(data), bytes / sizeof(T)};
  }
  template <typename T>
  std::span<T> mutable_values() const {
    ASSAY_CHECK(dtype == DTypeOf<T>() && !is_constant);
    return {reinterpret_cast<T*>(data), bytes / sizeof(T)};
  }
};

// Rows and columns around input 0 as a PAD writes them: zeros, or the zero point.
struct InputPadding {
  int32_t top = 0, bottom = 0, left = 0, right = 0;
};

// Thrown by PrepareContext::Values when a value is not known before the graph runs; the runtime then prepares the op
// again when its turn to run comes, with every input's value at hand. Op code neither throws nor catches it.
struct ValueNotKnownYet {};

// State that ops share across invocations of one interpreter: resource variables, subgraphs that run once.
class Resources;

// Runs another subgraph of the model (IF, WHILE, CALL_ONCE, STABLEHLO_COMPOSITE); the runtime implements it.
class SubgraphRunner {
 public:
  virtual ~SubgraphRunner() = default;
  // Copies `inputs` into the subgraph's inputs (taking over their shapes), runs it and returns its outputs, which stay
  // valid until the same subgraph runs again. Throws InputError where counts or types do not fit.
  virtual std::vector<const TensorRef*> Run(int32_t subgraph, std::span<const TensorRef* const> inputs) = 0;
  // The shapes that its outputs will have for inputs of these shapes, where they are known before it runs. Throws as
  // Run.
  virtual std::optional<std::vector<Shape>> OutputShapes(int32_t subgraph,
                                                         std::span<const TensorRef* const> inputs) = 0;
  virtual Resources& resources() = 0;
  virtual int64_t max_loop_trips() const = 0;
};

class RunContext;
using RunFn = std::function<void(const RunContext&)>;

// Which rows (dimension 1 of 4) of input 0 make row y of output 0: from y * stride - pad on, `reach` of them, as far as
// they are there.
struct RowWindow {
  int32_t stride = 1, pad = 0, reach = 1;
};

// An op whose output may come some rows at a time: then several ops run by turns, each while what it reads is still in
// cache.
struct RowForm {
  RowWindow window;
  int row_inputs = 1;      // how many of the inputs may come so, those after 0 row by row
  RunFn before = nullptr;  // what comes first, of all of the input
  RunFn rows = nullptr;    // Run without that; null: Run itself. All it does is one RunContext::Loop over the output
};

// What an op makes of its only operand, element by element, where another op can do it as well: a code for each of the
// 256, or, without a table, LOGISTIC of floats as the vector kernels compute it.
struct ElementForm {
  std::shared_ptr<const std::array<uint8_t, 256>> table;
};

class PrepareContext {
 public:
  virtual ~PrepareContext() = default;

  virtual const graph::Operator& op() const = 0;
  virtual const graph::Model& model() const = 0;
  virtual const numerics::Profile& profile() const = 0;
  // The engine whose rules this op follows: the profile's, or kBuiltin where XNNPACK does not take the op.
  virtual numerics::Engine engine() const = 0;

  int num_inputs() const { return static_cast<int>(op().inputs.size()); }
  int num_outputs() const { return static_cast<int>(op().outputs.size()); }
  // True where input i was given (optional operands may be absent).
  bool HasInput(int i) const { return i < num_inputs() && op().inputs[static_cast<size_t>(i)] != graph::kNoTensor; }
  // Each throws InputError where the operand is absent.
  virtual const TensorRef& Input(int i) const = 0;
  virtual const TensorRef& Output(int i) const = 0;
  virtual const TensorRef& Intermediate(int i) const = 0;

  // What this op has to put around input 0 itself, because the runtime left out the PAD that would: only of
  // convolutions, whose windows meet the same values beyond the input.
  virtual InputPadding input_padding() const { return {}; }

  // True where input i's value is known already: a constant, or computed from shapes and constants alone.
  virtual bool IsKnown(int i) const = 0;
  // The known values of input i (shape operands, axes, ...). Throws ValueNotKnownYet where they are not.
  template <typename T>
  std::span<const T> Values(int i) const {
    const TensorRef& tensor = Input(i);
    if (tensor.dtype != DTypeOf<T>()) {
      throw InputError("input {} is {}, expected {}", i, DTypeName(tensor.dtype), DTypeName(DTypeOf<T>()));
    }
    if (!IsKnown(i)) throw ValueNotKnownYet{};
    return tensor.values<T>();
  }

  // Every output must get one of these. SetOutputShape checks the limits on memory (InputError).
  virtual void SetOutputShape(int i, Shape shape) = 0;
  // The shape follows from the computation itself (WHERE, ...): Run calls RunContext::ResizeOutput.
  virtual void SetOutputDynamic(int i) = 0;
  // The output's value is known from shapes alone (SHAPE, RANK): sets shape and value now.
  virtual void SetOutputValue(int i, Shape shape, std::span<const uint8_t> bytes) = 0;

  virtual SubgraphRunner& subgraphs() const = 0;

  // True where only shapes are asked for and Run never comes: weights need not be packed.
  virtual bool shapes_only() const { return false; }

  // May be called once. The runtime need not make use of it.
  virtual void OfferRows(RowForm /*form*/) {}

  // May be called once, by ops of one operand.
  virtual void OfferForm(ElementForm /*form*/) {}
  // Of an op with two operands: where operand i is only there for it, and is made from the other one by an op that
  // offered its form, that form. That op then does not run, and both operands are the other one.
  virtual std::optional<ElementForm> TakeOver(int /*i*/) { return std::nullopt; }

  // How many threads RunContext::pool will have.
  virtual int threads() const { return 1; }

  // Output 0 may lie where input i lies, if that is as large and nobody reads it later: each element is written after
  // the same element of the input was read, and none is read twice.
  virtual void MayWriteOver(int /*i*/) {}

  // Working memory that lives during Run only; the id goes to RunContext::Scratch. 64-byte aligned, not initialised.
  virtual int AddScratch(uint64_t bytes) = 0;
};

class RunContext {
 public:
  virtual ~RunContext() = default;
  virtual bool HasInput(int i) const = 0;
  virtual const TensorRef& Input(int i) const = 0;
  virtual const TensorRef& Output(int i) const = 0;
  virtual const TensorRef& Intermediate(int i) const = 0;
  // Only for outputs declared with SetOutputDynamic. Throws InputError beyond the limits. Returns the output.
  virtual const TensorRef& ResizeOutput(int i, Shape shape) const = 0;
  virtual std::span<uint8_t> Scratch(int id) const = 0;
  // Where loops over parts of the output run. Results must not depend on how it cuts them.
  virtual ThreadPool& pool() const;
  // Of `whole` equal parts of the output those to be computed, and by which worker; null: all.
  struct Part {
    size_t first, last, whole;
    int worker;
  };
  virtual const Part* part() const { return nullptr; }
  // The pool's Run, or where there is a part, that part of it: `count` is then a multiple of part()->whole.
  template <typename Body>
  void Loop(size_t count, size_t grain, const Body& body) const {
    if (const Part* some = part()) {
      const size_t each = count / some->whole;
      body(some->first * each, some->last * each, some->worker);
    } else {
      pool().Run(count, grain, body);
    }
  }
  virtual SubgraphRunner& subgraphs() const = 0;
  // Throws Error(kInterrupted) once the caller asked to stop; loops over many steps call it.
  virtual void CheckCancelled() const = 0;

  template <typename T>
  std::span<const T> In(int i) const {
    return Input(i).values<T>();
  }
  template <typename T>
  std::span<T> Out(int i) const {
    return Output(i).mutable_values<T>();
  }
};

// The smallest part of a parallel loop that is worth the handing over, where an item costs this much.
constexpr size_t GrainOf(double ns_per_item) {
  constexpr double kLeastNs = 4000;
  return ns_per_item >= kLeastNs ? 1 : static_cast<size_t>(kLeastNs / (ns_per_item > 1e-3 ? ns_per_item : 1e-3)) + 1;
}

using PrepareFn = RunFn (*)(PrepareContext&);
// Whether XNNPACK would take this op (types, shapes, options); called before Prepare with unverified operands, so it
// looks before it leaps and returns false for anything odd. It may throw InputError and ValueNotKnownYet.
using DelegatedFn = bool (*)(const PrepareContext&);

}  // namespace assay::ops
