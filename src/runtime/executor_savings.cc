// What an executor spares itself, with the same results: ops whose operands never change are run once, a PAD is left to
// the convolution after it and LOGISTIC to the MUL that makes a swish of it, an output that is its input under another
// shape shares the input's memory, an elementwise op writes over an operand that nobody reads any more, and neighbours
// run by turns so that nothing large lies between.
#include <algorithm>
#include <array>

#include "runtime/executor.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using ops::TensorRef;

constexpr uint64_t kFoldedBytes = 4096;

}  // namespace

bool Executor::IsWatched() const { return session_.hook() || session_.options().preserve_all_tensors; }

// Ops without side effects whose operands are all known are run once, while preparing: chains that compute shapes, and
// weights that are stored as half.
bool Executor::MayFold(const graph::Operator& op) const {
  switch (op.code) {
    case BuiltinOp::kIf:
    case BuiltinOp::kWhile:
    case BuiltinOp::kCallOnce:
    case BuiltinOp::kVarHandle:
    case BuiltinOp::kReadVariable:
    case BuiltinOp::kAssignVariable:
    case BuiltinOp::kRandomUniform:
    case BuiltinOp::kRandomStandardNormal:
    case BuiltinOp::kMultinomial:
    case BuiltinOp::kStablehloComposite:
    case BuiltinOp::kStablehloRngBitGenerator:
    case BuiltinOp::kCustom:
      return false;
    default:
      break;
  }
  if (op.inputs.empty() || !AreAll(op.inputs, value_known_)) return false;
  uint64_t bytes = 0;
  for (const int32_t output : op.outputs) {
    if (!shape_known_[static_cast<size_t>(output)]) return false;
    bytes += tensors_[static_cast<size_t>(output)].bytes;
  }
  return bytes <= kFoldedBytes || op.code == BuiltinOp::kDequantize || op.code == BuiltinOp::kDensify;
}

// Whether the op that writes `tensor`, which step `index` reads, is there for that step alone, and what it reads itself
// is still there then.
bool Executor::MayBeLeftOut(size_t index, int32_t tensor) const {
  const auto written = static_cast<size_t>(tensor);
  if (IsWatched() || session_.options().profile->half_between_ops || steps_[index].deferred) return false;
  if (writers_[written] < 0 || reads_[written] != 1 || places_[written] != Storage::kUnknown) return false;
  const auto writer = static_cast<size_t>(writers_[written]);
  const Step& step = steps_[writer];
  const graph::Operator& op = graph_.operators[writer];
  if (writer >= index || step.deferred || step.folded || step.left_out || step.instead.has_value()) return false;
  if (op.inputs.empty() || op.inputs[0] == graph::kNoTensor) return false;
  const auto input = static_cast<size_t>(op.inputs[0]);
  return writers_[input] < static_cast<int32_t>(writer) && places_[input] != Storage::kVariable;
}

std::optional<ops::ElementForm> Executor::TakeOver(size_t index, size_t operand) {
  const std::vector<int32_t>& inputs = graph_.operators[index].inputs;
  ASSAY_CHECK(inputs.size() == 2 && operand < 2);
  const int32_t made = inputs[operand], other = inputs[1 - operand];
  if (made == graph::kNoTensor || other == graph::kNoTensor || !MayBeLeftOut(index, made)) return std::nullopt;
  const auto writer = static_cast<size_t>(writers_[static_cast<size_t>(made)]);
  if (!steps_[writer].form.has_value() || graph_.operators[writer].inputs[0] != other) return std::nullopt;
  steps_[writer].left_out = true;
  steps_[index].instead = {operand, other};
  return steps_[writer].form;
}

// Where an op is a convolution that reads what only it reads from a PAD, and nobody looks at what lies between, it does
// that PAD's work.
void Executor::LeaveOutPad(size_t index) {
  const graph::Operator& op = graph_.operators[index];
  if (op.code != BuiltinOp::kConv2D && op.code != BuiltinOp::kDepthwiseConv2D) return;
  if (op.inputs.size() < 2 || op.inputs[0] == graph::kNoTensor || op.inputs[1] == graph::kNoTensor) return;
  if (!MayBeLeftOut(index, op.inputs[0])) return;
  const auto padded = static_cast<size_t>(op.inputs[0]), writer = static_cast<size_t>(writers_[padded]);
  const graph::Operator& pad = graph_.operators[writer];
  if (pad.code != BuiltinOp::kPad) return;
  const TensorRef &input = tensor(pad.inputs[0]), &paddings = tensor(pad.inputs[1]), &output = tensors_[padded];
  if (!paddings.is_constant) return;
  if (input.quantization().scale != output.quantization().scale ||
      input.quantization().zero_point != output.quantization().zero_point || input.shape.rank() != 4) {
    return;
  }
  // Dynamic range: rounding may depend on where in the input a value stands, but for XNNPACK's, which takes 1x1
  // convolutions pixel by pixel.
  const TensorRef& filter = tensor(op.inputs[1]);
  if (filter.dtype != input.dtype && input.dtype == DType::kFloat32) {
    if (session_.options().profile->engine != numerics::Engine::kXnnpack || filter.shape.rank() != 4 ||
        filter.shape[1] * int64_t{filter.shape[2]} == 1) {
      return;
    }
    if (!XnnpackTakes(index)) return;
  }
  std::array<int64_t, 8> around = {};
  for (size_t i = 0; i < around.size(); ++i) {
    if (paddings.dtype == DType::kInt32) {
      around[i] = paddings.values<int32_t>()[i];
    } else if (paddings.dtype == DType::kInt64) {
      around[i] = paddings.values<int64_t>()[i];
    } else {
      return;
    }
  }
  if (around[0] != 0 || around[1] != 0 || around[6] != 0 || around[7] != 0) return;
  steps_[writer].left_out = true;
  steps_[index].instead = {0, pad.inputs[0]};
  // PAD has found that the padded sizes are int32.
  steps_[index].padding = {static_cast<int32_t>(around[2]), static_cast<int32_t>(around[3]),
                           static_cast<int32_t>(around[4]), static_cast<int32_t>(around[5])};
}

// Ops whose output is their input under another shape; nobody writes either one then.
bool Executor::SharesMemory(size_t step) const {
  const graph::Operator& op = graph_.operators[step];
  if (op.code != BuiltinOp::kReshape && op.code != BuiltinOp::kSqueeze && op.code != BuiltinOp::kExpandDims) {
    return false;
  }
  const auto input = static_cast<size_t>(op.inputs[0]), output = static_cast<size_t>(op.outputs[0]);
  // What the caller writes and what he reads stay apart.
  if (std::find(graph_.inputs.begin(), graph_.inputs.end(), op.inputs[0]) != graph_.inputs.end()) return false;
  return !IsWatched() && places_[input] == Storage::kUnknown && places_[output] == Storage::kUnknown &&
         shape_known_[input] && shape_known_[output] && tensors_[input].bytes == tensors_[output].bytes &&
         writers_[output] == static_cast<int32_t>(step) && writers_[input] < static_cast<int32_t>(step);
}

// The operand that a step may write its output over: the last reader of memory that is as large, where nobody looks. In
// a chain other ops still read it.
std::optional<int32_t> Executor::WritesOver(size_t step, const Blocks& blocks) const {
  const Step& s = steps_[step];
  if (s.deferred || s.folded || s.chain || IsWatched()) return std::nullopt;
  const graph::Operator& op = graph_.operators[step];
  for (size_t i = 0; i < s.may_write_over.size(); ++i) {
    if (!s.may_write_over[i]) continue;
    const int32_t from = InputOf(step, i), to = op.outputs[0];
    const auto input = static_cast<size_t>(from), output = static_cast<size_t>(to);
    const int32_t block = blocks.of_tensor[input];
    if (block < 0 || blocks.of_tensor[output] >= 0 || places_[output] != Storage::kUnknown || !shape_known_[output]) {
      continue;
    }
    const auto now = static_cast<int32_t>(step);
    if (blocks.last_read[static_cast<size_t>(block)] == now && tensors_[input].bytes == tensors_[output].bytes &&
        blocks.planned[static_cast<size_t>(block)].bytes == tensors_[output].bytes && writers_[output] == now &&
        writers_[input] < now) {
      return from;
    }
  }
  return std::nullopt;
}

// Steps [first, last] as a chain, where they are one: each but the last makes what only later ones read, row by row.
std::optional<RowChain> Executor::ChainFrom(size_t first, size_t last) const {
  std::vector<RowChain::Member> members;
  const auto is_image = [&](int32_t tensor) {
    return tensors_[static_cast<size_t>(tensor)].shape.rank() == 4 && tensors_[static_cast<size_t>(tensor)].bytes > 0;
  };
  std::vector<int32_t> reads_inside(last - first + 1, 0);
  std::vector<int> member_of(last - first + 1, RowChain::kOutside);
  int64_t images = 0;
  for (size_t s = first; s <= last; ++s) {
    const graph::Operator& op = graph_.operators[s];
    const Step& step = steps_[s];
    if (step.left_out) continue;
    if (step.deferred || step.folded || !step.rows || op.outputs.size() != 1 || !is_image(op.outputs[0])) return {};
    const TensorRef& output = tensor(op.outputs[0]);
    if (places_[static_cast<size_t>(op.outputs[0])] != Storage::kUnknown) return {};
    RowChain::Member member = {s,
                               step.rows->window,
                               {},
                               output.shape[1],
                               output.bytes / static_cast<uint64_t>(output.shape[0] * int64_t{output.shape[1]})};
    if (images == 0) images = output.shape[0];
    if (output.shape[0] != images) return {};
    const bool by_row = step.rows->window.stride == 1 && step.rows->window.pad == 0 && step.rows->window.reach == 1;
    bool reads_any = false;
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      const int32_t input = InputOf(s, i);
      int producer = RowChain::kOutside;
      if (input != graph::kNoTensor && writers_[static_cast<size_t>(input)] >= static_cast<int32_t>(first)) {
        const auto writer = static_cast<size_t>(writers_[static_cast<size_t>(input)]);
        if (writer >= s) return {};
        producer = member_of[writer - first];
        if (producer == RowChain::kOutside || step.rows->before != nullptr ||
            i >= static_cast<size_t>(step.rows->row_inputs) || !is_image(input)) {
          return {};
        }
        const TensorRef& made = tensor(input);
        if (made.shape[0] != images || (by_row && made.shape[1] != output.shape[1])) return {};
        ++reads_inside[writer - first];
        reads_any = true;
      }
      member.inputs.push_back(producer);
    }
    if (!members.empty() && !reads_any) return {};
    member_of[s - first] = static_cast<int>(members.size());
    members.push_back(std::move(member));
  }
  if (members.size() < 2 || steps_[first].left_out || steps_[last].left_out) return {};
  uint64_t between = 0, weights = 0;
  for (const RowChain::Member& member : members) {
    for (const int32_t input : graph_.operators[member.step].inputs) {
      if (input != graph::kNoTensor && tensor(input).is_constant) weights += tensor(input).bytes;
    }
    if (member.step == last) break;
    const auto output = static_cast<size_t>(graph_.operators[member.step].outputs[0]);
    if (reads_inside[member.step - first] != reads_[output] || writers_[output] != static_cast<int32_t>(member.step)) {
      return {};
    }
    between += tensors_[output].bytes;
  }
  // Below that everything stays in cache anyway; weights are read again for every few rows.
  constexpr uint64_t kLeastBetween = uint64_t{1} << 20, kMostWeights = uint64_t{256} << 10;
  if (between < kLeastBetween || weights > kMostWeights) return {};
  RowChain chain(std::move(members), images);
  if (!chain.is_valid()) return {};
  return chain;
}

void Executor::FindChains() {
  chains_.clear();
  if (IsWatched() || session_.options().profile->half_between_ops) return;
  constexpr size_t kMostSteps = 12;
  for (size_t first = 0; first < steps_.size(); ++first) {
    if (!steps_[first].rows) continue;
    for (size_t last = std::min(first + kMostSteps, steps_.size()) - 1; last > first; --last) {
      std::optional<RowChain> chain = ChainFrom(first, last);
      if (!chain) continue;
      for (size_t s = first; s <= last; ++s) steps_[s].chain = chains_.size();
      chains_.push_back(*std::move(chain));
      first = last;
      break;
    }
  }
}

// Who looks at ops one by one finds every tensor.
void Executor::BreakChains() {
  for (const RowChain& chain : chains_) {
    for (const RowChain::Member& member : chain.members()) {
      steps_[member.step].chain.reset();
      if (member.step == chain.last_step()) continue;
      const int32_t output = graph_.operators[member.step].outputs[0];
      MoveToHeap(output, tensors_[static_cast<size_t>(output)].bytes);
    }
  }
  chains_.clear();
}

}  // namespace assay::runtime
