// Where an executor's tensors and working memory lie: which of them share a place, and from which step to which.
#include <algorithm>
#include <utility>

#include "runtime/executor.h"

namespace assay::runtime {

// The last step that reads each tensor: what the caller may read or write is in use to the end.
std::vector<int32_t> Executor::LastReads() const {
  const auto last = static_cast<int32_t>(steps_.size());
  std::vector<int32_t> reads(graph_.tensors.size(), -1);
  for (int32_t s = 0; s < last; ++s) {
    if (steps_[static_cast<size_t>(s)].left_out) continue;
    for (size_t i = 0; i < graph_.operators[static_cast<size_t>(s)].inputs.size(); ++i) {
      const int32_t input = InputOf(static_cast<size_t>(s), i);
      if (input != graph::kNoTensor) reads[static_cast<size_t>(input)] = s;
    }
  }
  for (const int32_t input : graph_.inputs) reads[static_cast<size_t>(input)] = last;
  for (const int32_t output : graph_.outputs) reads[static_cast<size_t>(output)] = last;
  return reads;
}

// The ops of a chain run at the same time.
std::pair<int32_t, int32_t> Executor::FirstAndLastBeside(int32_t step) const {
  const auto& chain = steps_[static_cast<size_t>(step)].chain;
  if (!chain) return {step, step};
  return {static_cast<int32_t>(chains_[*chain].first_step()), static_cast<int32_t>(chains_[*chain].last_step())};
}

Executor::Blocks Executor::BlocksOfTensors() const {
  const auto last = static_cast<int32_t>(steps_.size());
  const std::vector<int32_t> last_reads = LastReads();
  Blocks memory;
  std::vector<PlannedBlock>& blocks = memory.planned;
  memory.of_tensor.assign(graph_.tensors.size(), -1);
  // Puts a tensor into a block; -1 for one of its own.
  const auto put = [&](int32_t tensor, int32_t block, int32_t step) {
    const auto i = static_cast<size_t>(tensor);
    if (block < 0) {
      block = static_cast<int32_t>(blocks.size());
      blocks.push_back({.bytes = tensors_[i].bytes, .first_step = step, .last_step = step});
      memory.last_read.push_back(-1);
    } else {
      memory.shared_bytes += AlignedSize(tensors_[i].bytes);
    }
    memory.of_tensor[i] = block;
    int32_t& read = memory.last_read[static_cast<size_t>(block)];
    read = std::max(read, last_reads[i]);
  };
  const auto add = [&](int32_t tensor, int32_t step) {
    const auto i = static_cast<size_t>(tensor);
    if (places_[i] != Storage::kUnknown || !shape_known_[i]) return;
    if (memory.of_tensor[i] < 0) put(tensor, -1, step);
    PlannedBlock& block = blocks[static_cast<size_t>(memory.of_tensor[i])];
    block.last_step = std::max(block.last_step, step);
  };
  // What lies between the ops of a chain takes no place.
  std::vector<bool> is_between(graph_.tensors.size(), false);
  for (const RowChain& chain : chains_) {
    for (const RowChain::Member& member : chain.members()) {
      if (member.step == chain.last_step()) continue;
      is_between[static_cast<size_t>(graph_.operators[member.step].outputs[0])] = true;
    }
  }
  for (const int32_t input : graph_.inputs) add(input, 0);
  for (int32_t s = 0; s < last; ++s) {
    const auto at = static_cast<size_t>(s);
    const graph::Operator& op = graph_.operators[at];
    if (steps_[at].left_out) continue;
    const auto [first_beside, last_beside] = FirstAndLastBeside(s);
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      const int32_t input = InputOf(at, i);
      if (input != graph::kNoTensor && !is_between[static_cast<size_t>(input)]) add(input, last_beside);
    }
    if (!steps_[at].deferred && SharesMemory(at)) {
      if (memory.of_tensor[static_cast<size_t>(op.outputs[0])] < 0) {
        put(op.outputs[0], memory.of_tensor[static_cast<size_t>(op.inputs[0])], s);
      }
    } else if (const std::optional<int32_t> over = WritesOver(at, memory)) {
      put(op.outputs[0], memory.of_tensor[static_cast<size_t>(*over)], s);
    }
    for (const int32_t output : op.outputs) {
      if (is_between[static_cast<size_t>(output)]) continue;
      add(output, first_beside);
      add(output, s);
    }
  }
  for (const int32_t input : graph_.inputs) add(input, last);
  for (const int32_t output : graph_.outputs) add(output, last);
  if (session_.options().preserve_all_tensors) {
    for (PlannedBlock& block : blocks) block.first_step = 0, block.last_step = last;
  }
  return memory;
}

void Executor::PlanMemory() {
  Blocks memory = BlocksOfTensors();
  std::vector<PlannedBlock>& blocks = memory.planned;
  const size_t first_scratch = blocks.size();
  for (size_t s = 0; s < steps_.size(); ++s) {
    if (steps_[s].folded || steps_[s].left_out) continue;
    const auto [first_beside, last_beside] = FirstAndLastBeside(static_cast<int32_t>(s));
    for (const uint64_t bytes : steps_[s].scratch_bytes) {
      blocks.push_back({.bytes = bytes, .first_step = first_beside, .last_step = last_beside});
    }
  }
  const size_t first_buffer = blocks.size();
  for (const RowChain& chain : chains_) {
    blocks.push_back({.bytes = chain.buffer_bytes() * static_cast<uint64_t>(session_.options().threads),
                      .first_step = static_cast<int32_t>(chain.first_step()),
                      .last_step = static_cast<int32_t>(chain.last_step())});
  }
  plan_ = PlanArena(blocks);
  plan_.sum_bytes += memory.shared_bytes;
  arena_ = AlignedBytes();
  session_.Account(static_cast<int64_t>(plan_.arena_bytes));
  accounted_ += static_cast<int64_t>(plan_.arena_bytes);
  if (session_.options().plan_only) return;
  arena_ = AlignedBytes(plan_.arena_bytes);
  for (size_t i = 0; i < tensors_.size(); ++i) {
    if (memory.of_tensor[i] < 0) continue;
    tensors_[i].data = arena_.data() + blocks[static_cast<size_t>(memory.of_tensor[i])].offset;
    places_[i] = Storage::kArena;
  }
  chain_buffers_.clear();
  for (size_t c = 0; c < chains_.size(); ++c) chain_buffers_.push_back(arena_.data() + blocks[first_buffer + c].offset);
  size_t next = first_scratch;
  for (Step& step : steps_) {
    if (step.folded || step.left_out) continue;
    step.scratch.clear();
    for (size_t k = 0; k < step.scratch_bytes.size(); ++k)
      step.scratch.push_back(arena_.data() + blocks[next++].offset);
  }
}

}  // namespace assay::runtime
