// One subgraph made ready to run: ops prepared, tensors placed in an arena by lifetime. Ops whose operands have shapes
// or values that only running shows are prepared when their turn comes, their outputs then live on the heap.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ops/registry.h"
#include "runtime/memory_planner.h"
#include "runtime/row_chain.h"
#include "runtime/session.h"

namespace assay::runtime {

// Owned bytes, 64-byte aligned, zeroed.
class AlignedBytes {
 public:
  AlignedBytes() = default;
  explicit AlignedBytes(uint64_t size);
  uint8_t* data() const { return data_.get(); }
  uint64_t size() const { return size_; }

 private:
  struct Free {
    void operator()(uint8_t* p) const;
  };
  std::unique_ptr<uint8_t[], Free> data_;
  uint64_t size_ = 0;
};

class Executor {
 public:
  Executor(Session& session, int32_t subgraph);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  const graph::Subgraph& subgraph() const { return graph_; }
  const ops::TensorRef& tensor(int32_t index) const { return tensors_[static_cast<size_t>(index)]; }
  bool prepared() const { return prepared_; }
  // After Prepare: whether the tensor's shape is the same in every invocation.
  bool IsShapeKnown(int32_t index) const { return shape_known_[static_cast<size_t>(index)]; }

  // Changes an input's shape; a change needs Prepare again. Throws InputError where the rank or a dimension is not
  // allowed.
  void ResizeInput(size_t position, const Shape& shape);
  void Prepare();
  void Invoke();
  void ResetVariables();

  // True where the tensor's bytes still are what its op wrote (an output, a constant, or everything was preserved).
  bool IsReadable(int32_t index) const;
  const ArenaPlan& arena() const { return plan_; }
  std::string Place(int32_t op_index) const;  // "op 17 CONV_2D"
  numerics::Engine engine(int32_t op_index) const { return steps_[static_cast<size_t>(op_index)].engine; }
  bool is_folded(int32_t op_index) const { return steps_[static_cast<size_t>(op_index)].folded; }
  bool is_deferred(int32_t op_index) const { return steps_[static_cast<size_t>(op_index)].deferred; }

 private:
  struct Step {
    ops::RunFn run;
    numerics::Engine engine = numerics::Engine::kReference;
    bool deferred = false;  // prepared when its turn comes
    bool folded = false;    // already run: its outputs are known before the graph runs
    bool left_out = false;  // an op whose work another one does, too
    struct Instead {
      size_t operand;
      int32_t tensor;
    };
    std::optional<Instead> instead;  // read in place of what an op that is left out would have written
    ops::InputPadding padding;       // of a PAD that is left out
    std::optional<ops::ElementForm> form;
    std::array<bool, 2> may_write_over = {};  // output 0 may lie where input 0 or 1 lies
    std::optional<ops::RowForm> rows;         // as the op offered it
    std::optional<size_t> chain;              // which of chains_ it runs in
    std::vector<uint64_t> scratch_bytes;
    std::vector<uint8_t*> scratch;
    AlignedBytes own_scratch;  // of a deferred step
  };
  enum class Storage : uint8_t { kUnknown, kConstant, kArena, kHeap, kVariable };
  // Memory of tensors while it is planned.
  struct Blocks {
    std::vector<PlannedBlock> planned;
    std::vector<int32_t> of_tensor;  // -1: none yet
    std::vector<int32_t> last_read;  // by block: the last step that reads any of its tensors
    uint64_t shared_bytes = 0;       // of tensors that lie where another one does
  };
  class PrepareStepContext;
  class RunStepContext;
  class RunRowsContext;
  friend class PrepareStepContext;
  friend class RunStepContext;

  void BindTensors();
  void ClearVariable(size_t index);
  Error Located(const Error& error, int32_t op_index) const;  // with the op's place, and the model's outermost
  void PrepareStep(size_t index);
  void RunStep(size_t index);
  void RunDeferred(size_t index);
  std::vector<int32_t> LastReads() const;
  std::pair<int32_t, int32_t> FirstAndLastBeside(int32_t step) const;
  Blocks BlocksOfTensors() const;
  void PlanMemory();
  void MoveToHeap(int32_t tensor, uint64_t bytes);
  static void AllocateOwnScratch(Step& step);
  bool XnnpackTakes(size_t index);
  // The tensor that a step reads as operand `position`.
  int32_t InputOf(size_t step, size_t position) const {
    const auto& instead = steps_[step].instead;
    return instead.has_value() && instead->operand == position ? instead->tensor
                                                               : graph_.operators[step].inputs[position];
  }

  // Whether the flag of every tensor that is given is set.
  static bool AreAll(const std::vector<int32_t>& tensors, const std::vector<bool>& flags);

  // executor_savings.cc
  // Whether somebody may read what lies between ops.
  bool IsWatched() const;
  bool MayFold(const graph::Operator& op) const;
  void LeaveOutPad(size_t index);
  bool MayBeLeftOut(size_t index, int32_t tensor) const;
  std::optional<ops::ElementForm> TakeOver(size_t index, size_t operand);
  bool SharesMemory(size_t step) const;
  std::optional<int32_t> WritesOver(size_t step, const Blocks& blocks) const;
  void FindChains();
  std::optional<RowChain> ChainFrom(size_t first, size_t last) const;
  void BreakChains();

  void RunChain(const RowChain& chain, uint8_t* buffers);

  Session& session_;
  int32_t index_;
  const graph::Subgraph& graph_;
  std::vector<ops::TensorRef> tensors_;
  std::vector<Storage> places_;
  std::vector<bool> shape_known_, value_known_;
  std::vector<AlignedBytes> heap_;       // per tensor; empty where it lives elsewhere
  std::vector<AlignedBytes> variables_;  // per tensor
  std::vector<std::optional<Shape>> input_shapes_;
  std::vector<Step> steps_;
  std::vector<RowChain> chains_;
  std::vector<uint8_t*> chain_buffers_;  // one for each, of all workers
  AlignedBytes arena_;
  ArenaPlan plan_;
  std::vector<int32_t> writers_, reads_;  // per tensor: the op that writes it or -1, how many operands read it
  bool prepared_ = false;
  int64_t accounted_ = 0;
};

}  // namespace assay::runtime
