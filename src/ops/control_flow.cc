// IF, WHILE, CALL_ONCE and STABLEHLO_COMPOSITE. Where the shapes of the outputs follow from those of the inputs they
// are set while preparing; else running shows them.
#include "graph/ops/control_flow.h"

#include <cstring>
#include <optional>

#include "ops/checks.h"
#include "ops/ops.h"
#include "ops/resources.h"

namespace assay::ops {
namespace {

const graph::Subgraph& FindSubgraph(const PrepareContext& context, int32_t index, const char* what) {
  const auto& subgraphs = context.model().subgraphs;
  if (index < 0 || static_cast<size_t>(index) >= subgraphs.size()) {
    throw InputError("{} is subgraph {}, the model has {}", what, index, subgraphs.size());
  }
  return subgraphs[static_cast<size_t>(index)];
}

// The subgraph takes and gives what the op does: `inputs` from `first_input` on.
void CheckCallee(const PrepareContext& context, int32_t index, const char* what, int first_input) {
  const graph::Subgraph& callee = FindSubgraph(context, index, what);
  const auto inputs = static_cast<size_t>(context.num_inputs() - first_input);
  const auto outputs = static_cast<size_t>(context.num_outputs());
  if (callee.inputs.size() != inputs || callee.outputs.size() != outputs) {
    throw InputError("{} (subgraph {}) has {} inputs and {} outputs, expected {} and {}", what, index,
                     callee.inputs.size(), callee.outputs.size(), inputs, outputs);
  }
  for (size_t i = 0; i < inputs; ++i) {
    const DType expected = callee.tensors[static_cast<size_t>(callee.inputs[i])].dtype;
    const DType given = context.Input(first_input + static_cast<int>(i)).dtype;
    if (expected != given) {
      throw InputError("{} (subgraph {}) input {} is {}, given {}", what, index, i, DTypeName(expected),
                       DTypeName(given));
    }
  }
  for (size_t i = 0; i < outputs; ++i) {
    const DType given = callee.tensors[static_cast<size_t>(callee.outputs[i])].dtype;
    const DType expected = context.Output(static_cast<int>(i)).dtype;
    if (expected != given) {
      throw InputError("{} (subgraph {}) output {} is {}, expected {}", what, index, i, DTypeName(given),
                       DTypeName(expected));
    }
  }
}

template <typename Context>
std::vector<const TensorRef*> InputsFrom(const Context& context, int first, int count) {
  std::vector<const TensorRef*> inputs;
  for (int i = first; i < count; ++i) inputs.push_back(&context.Input(i));
  return inputs;
}

bool IsTrue(const TensorRef& condition) { return condition.bytes > 0 && condition.data[0] != 0; }

using Shapes = std::optional<std::vector<Shape>>;

// True where the shapes are known; the outputs are dynamic otherwise.
bool SetOutputs(PrepareContext& context, const Shapes& shapes) {
  for (int i = 0; i < context.num_outputs(); ++i) {
    if (shapes.has_value()) {
      context.SetOutputShape(i, (*shapes)[static_cast<size_t>(i)]);
    } else {
      context.SetOutputDynamic(i);
    }
  }
  return shapes.has_value();
}

void PutOutput(const RunContext& run, int i, bool is_static, const TensorRef& from) {
  const TensorRef& to = is_static ? run.Output(i) : run.ResizeOutput(i, from.shape);
  if (to.shape != from.shape) {
    throw InputError("output {} has the shape {}, expected {}", i, from.shape.ToString(), to.shape.ToString());
  }
  ASSAY_CHECK(to.bytes == from.bytes);
  if (from.bytes > 0) std::memcpy(to.data, from.data, from.bytes);
}

void CallAndPut(const RunContext& run, int32_t subgraph, int first_input, int num_inputs, bool is_static) {
  const auto outputs = run.subgraphs().Run(subgraph, InputsFrom(run, first_input, num_inputs));
  for (size_t i = 0; i < outputs.size(); ++i) PutOutput(run, static_cast<int>(i), is_static, *outputs[i]);
}

// The values of a loop between its trips: the subgraphs may hand their inputs back in another order, so they are kept
// apart from both.
class LoopState {
 public:
  explicit LoopState(const std::vector<const TensorRef*>& initial) : refs_(initial.size()), bytes_(initial.size()) {
    Take(initial);
    for (const TensorRef& ref : refs_) pointers_.push_back(&ref);
  }
  void Take(const std::vector<const TensorRef*>& values) {
    for (size_t i = 0; i < values.size(); ++i) Put(i, *values[i]);
  }
  // One after the other; a value that is input `source[i]` of the body handed back is what lies there by then.
  void TakeInOrder(const std::vector<const TensorRef*>& values, const std::vector<int>& source) {
    for (size_t i = 0; i < values.size(); ++i) {
      Put(i, source[i] < 0 ? *values[i] : refs_[static_cast<size_t>(source[i])]);
    }
  }
  std::span<const TensorRef* const> values() const { return pointers_; }

 private:
  void Put(size_t i, const TensorRef& value) {
    if (&value == &refs_[i]) return;
    bytes_[i].assign(value.data, value.data + value.bytes);
    refs_[i] = value;
    refs_[i].data = bytes_[i].data();
  }

  std::vector<TensorRef> refs_;
  std::vector<std::vector<uint8_t>> bytes_;
  std::vector<const TensorRef*> pointers_;
};

// For each output of the loop's body which of its inputs it is, or -1. Empty unless that matters: LiteRT writes the
// outputs of a body with static shapes one by one over the memory of its inputs, so that an input which is handed back
// further behind may have been overwritten before; the condition still sees what was meant.
std::vector<int> OverwrittenInputs(const graph::Subgraph& body) {
  std::vector<int> source(body.outputs.size(), -1);
  bool overwritten = false;
  for (size_t i = 0; i < body.outputs.size(); ++i) {
    for (size_t j = 0; j < body.inputs.size(); ++j) {
      if (body.outputs[i] != body.inputs[j]) continue;
      source[i] = static_cast<int>(j);
      overwritten |= j < i && body.outputs[j] != body.inputs[j];
    }
  }
  if (!overwritten) source.clear();
  return source;
}

}  // namespace

RunFn PrepareIf(PrepareContext& context) {
  const int num_inputs = context.num_inputs();
  if (num_inputs < 1) throw InputError("has no condition");
  CheckType(context.Input(0), "condition", {DType::kBool});
  if (context.Input(0).size() != 1) throw InputError("condition has {} values, expected 1", context.Input(0).size());
  const auto a = context.op().attributes.As<graph::IfAttributes>();
  CheckCallee(context, a.then_subgraph_index, "then", 1);
  CheckCallee(context, a.else_subgraph_index, "else", 1);
  const std::vector<const TensorRef*> arguments = InputsFrom(context, 1, num_inputs);
  Shapes shapes = context.subgraphs().OutputShapes(a.then_subgraph_index, arguments);
  if (shapes != context.subgraphs().OutputShapes(a.else_subgraph_index, arguments)) shapes.reset();
  const bool is_static = SetOutputs(context, shapes);
  return [a, num_inputs, is_static](const RunContext& run) {
    CallAndPut(run, IsTrue(run.Input(0)) ? a.then_subgraph_index : a.else_subgraph_index, 1, num_inputs, is_static);
  };
}

RunFn PrepareStablehloComposite(PrepareContext& context) {
  const auto a = context.op().attributes.As<graph::StablehloCompositeAttributes>();
  const int num_inputs = context.num_inputs();
  CheckCallee(context, a.decomposition_subgraph_index, "decomposition", 0);
  const bool is_static = SetOutputs(
      context, context.subgraphs().OutputShapes(a.decomposition_subgraph_index, InputsFrom(context, 0, num_inputs)));
  return [a, num_inputs, is_static](const RunContext& run) {
    CallAndPut(run, a.decomposition_subgraph_index, 0, num_inputs, is_static);
  };
}

RunFn PrepareWhile(PrepareContext& context) {
  const int num_inputs = context.num_inputs();
  if (num_inputs != context.num_outputs()) {
    throw InputError("has {} inputs but {} outputs", num_inputs, context.num_outputs());
  }
  const auto a = context.op().attributes.As<graph::WhileAttributes>();
  CheckCallee(context, a.body_subgraph_index, "body", 0);
  const graph::Subgraph& cond = FindSubgraph(context, a.cond_subgraph_index, "cond");
  if (cond.inputs.size() != static_cast<size_t>(num_inputs) || cond.outputs.size() != 1 ||
      cond.tensors[static_cast<size_t>(cond.outputs[0])].dtype != DType::kBool) {
    throw InputError("cond (subgraph {}) does not take {} inputs and give one bool", a.cond_subgraph_index, num_inputs);
  }
  const std::vector<const TensorRef*> inputs = InputsFrom(context, 0, num_inputs);
  std::vector<Shape> input_shapes;
  input_shapes.reserve(inputs.size());
  for (const TensorRef* input : inputs) input_shapes.push_back(input->shape);
  Shapes shapes = context.subgraphs().OutputShapes(a.body_subgraph_index, inputs);
  if (shapes != input_shapes) shapes.reset();
  const bool is_static = SetOutputs(context, shapes);
  std::vector<int> source;
  if (is_static) source = OverwrittenInputs(FindSubgraph(context, a.body_subgraph_index, "body"));
  return [a, num_inputs, is_static, source](const RunContext& run) {
    SubgraphRunner& subgraphs = run.subgraphs();
    LoopState state(InputsFrom(run, 0, num_inputs));
    std::optional<LoopState> seen_by_cond;
    for (int64_t trips = 0;; ++trips) {
      run.CheckCancelled();
      const TensorRef& condition =
          *subgraphs.Run(a.cond_subgraph_index, seen_by_cond.has_value() ? seen_by_cond->values() : state.values())[0];
      if (condition.shape.NumElements() != 1) {
        throw InputError("cond gave the shape {}, expected one value", condition.shape.ToString());
      }
      if (!IsTrue(condition)) break;
      if (trips >= subgraphs.max_loop_trips()) {
        throw InputError("the loop did not end within {} trips", subgraphs.max_loop_trips());
      }
      const std::vector<const TensorRef*> outputs = subgraphs.Run(a.body_subgraph_index, state.values());
      if (source.empty()) {
        state.Take(outputs);
      } else {
        seen_by_cond.emplace(outputs);
        state.TakeInOrder(outputs, source);
      }
    }
    for (int i = 0; i < num_inputs; ++i) PutOutput(run, i, is_static, *state.values()[static_cast<size_t>(i)]);
  };
}

RunFn PrepareCallOnce(PrepareContext& context) {
  CheckArity(context, 0, 0, 0);
  const auto a = context.op().attributes.As<graph::CallOnceAttributes>();
  CheckCallee(context, a.init_subgraph_index, "init", 0);
  return [a](const RunContext& run) {
    if (run.subgraphs().resources().FirstCall(a.init_subgraph_index)) run.subgraphs().Run(a.init_subgraph_index, {});
  };
}

}  // namespace assay::ops
