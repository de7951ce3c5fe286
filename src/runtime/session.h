// What the executors of one interpreter share: options, limits, the other subgraphs, resource variables.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "graph/model.h"
#include "numerics/profile.h"
#include "ops/op.h"
#include "runtime/delegate.h"

namespace assay::runtime {

// Bounds on what a model may ask for; generous, and settable by the caller.
struct RunLimits {
  uint64_t max_tensor_bytes = uint64_t{8} << 30;
  uint64_t max_total_bytes = uint64_t{32} << 30;  // arena, scratch and tensors with dynamic shapes together
  int64_t max_loop_trips = 10'000'000;            // of one WHILE
};

// What a hook sees before and after each op. With one that is set before tensors are allocated every op runs for
// itself; else ops may be left out whose work another one does, and may have written over their inputs. The tensors may
// be read, and written by who wants to experiment.
struct OpEvent {
  int32_t subgraph = 0;
  int32_t op_index = 0;
  const graph::Operator* op = nullptr;
  bool before = false;
  numerics::Engine engine = numerics::Engine::kReference;
  std::vector<const ops::TensorRef*> inputs;  // null where an operand is absent
  std::vector<const ops::TensorRef*> outputs;
};
using OpHook = std::function<void(const OpEvent&)>;

struct InterpreterOptions {
  const numerics::Profile* profile = &numerics::DefaultProfile();
  bool preserve_all_tensors = false;  // every intermediate tensor stays readable after Invoke
  bool plan_only = false;             // the arena is planned, not taken: to look at a model, nothing can be invoked
  int threads = 1;                    // the caller's included; results do not depend on it
  RunLimits limits = {};
  const std::atomic<bool>* cancelled = nullptr;        // polled between ops and loop trips
  std::shared_ptr<const Delegate> delegate = nullptr;  // computes in place of our kernels
};

class Executor;

class Session final : public ops::SubgraphRunner {
 public:
  Session(std::shared_ptr<const graph::Model> model, InterpreterOptions options);
  ~Session() override;

  const graph::Model& model() const { return *model_; }
  const InterpreterOptions& options() const { return options_; }
  Executor& executor(int32_t subgraph);
  OpHook& hook() { return hook_; }
  ThreadPool& pool() { return alone_ ? caller_ : *pool_; }
  // Leaves the next invocations to the caller's thread alone, or not any more.
  void RunAlone(bool alone) { alone_ = alone; }
  void CheckCancelled() const;

  // Memory in use by all executors; throws InputError beyond the limit.
  void Account(int64_t bytes_change);

  std::vector<const ops::TensorRef*> Run(int32_t subgraph, std::span<const ops::TensorRef* const> inputs) override;
  std::optional<std::vector<Shape>> OutputShapes(int32_t subgraph,
                                                 std::span<const ops::TensorRef* const> inputs) override;
  ops::Resources& resources() override { return *resources_; }
  int64_t max_loop_trips() const override { return options_.limits.max_loop_trips; }
  // True while an op runs or prepares another subgraph: errors from there get the model's name further out.
  bool in_call() const { return call_depth_ > 0; }

 private:
  class Call;
  Executor& PrepareCallee(int32_t subgraph, std::span<const ops::TensorRef* const> inputs);

  std::shared_ptr<const graph::Model> model_;
  InterpreterOptions options_;
  OpHook hook_;
  std::unique_ptr<ThreadPool> pool_;
  ThreadPool caller_{1};
  bool alone_ = false;
  std::unique_ptr<ops::Resources> resources_;
  std::vector<std::unique_ptr<Executor>> executors_;
  uint64_t total_bytes_ = 0;
  int call_depth_ = 0;
};

}  // namespace assay::runtime
