#include "tune/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "base/error.h"
#include "eval/input.h"
#include "eval/sample_loop.h"
#include "numerics/error_metrics.h"
#include "passes/extract_segment.h"
#include "passes/rewrite.h"
#include "quantize/assignment.h"
#include "quantize/corrections.h"
#include "quantize/integer_model.h"
#include "quantize/op_rules.h"
#include "runtime/interpreter.h"

namespace assay::tune {
namespace {

using graph::Operator;
using graph::Subgraph;

const quantize::OpRule* RuleOf(const Subgraph& graph, const Operator& op) {
  const quantize::OpRule* rule = quantize::FindOpRule(op);
  if (rule == nullptr || rule->output == quantize::OutputScale::kSame) return nullptr;
  if (op.outputs.empty() || op.outputs[0] == graph::kNoTensor) return nullptr;
  if (static_cast<size_t>(rule->input) >= op.inputs.size()) return nullptr;
  const int32_t input = op.inputs[static_cast<size_t>(rule->input)];
  return input != graph::kNoTensor && passes::TensorAt(graph, input).dtype == DType::kFloat32 ? rule : nullptr;
}

// The op's weights where it has constant ones.
int32_t WeightsOf(const Subgraph& graph, const Operator& op, const quantize::OpRule& rule) {
  if (rule.weights < 0 || static_cast<size_t>(rule.weights) >= op.inputs.size()) return graph::kNoTensor;
  const int32_t weights = op.inputs[static_cast<size_t>(rule.weights)];
  return weights != graph::kNoTensor && passes::IsFloatConstant(graph, weights) ? weights : graph::kNoTensor;
}

class Walk {
 public:
  explicit Walk(const SensitivityRequest& request)
      : request_(request), graph_(request.model->subgraphs[0]), given_(graph_.tensors.size()) {
    last_reader_.assign(graph_.tensors.size(), -1);
    for (size_t i = 0; i < graph_.operators.size(); ++i) {
      for (const int32_t t : graph_.operators[i].inputs) {
        if (t != graph::kNoTensor) last_reader_[static_cast<size_t>(t)] = static_cast<int32_t>(i);
      }
    }
    scores_ = graph_.outputs.at(request.judge->scores_output());
  }

  std::vector<LayerCost> Run() {
    std::vector<int32_t> ranked;
    int32_t last_unknown = -1;
    count_ = std::min(request_.count, request_.samples->size());
    const uint64_t bytes = std::max<uint64_t>(1, BytesOfWidestCut());
    count_ = std::clamp<size_t>(request_.memory_bytes / bytes, 1, count_);
    std::map<int32_t, LayerCost> known;
    for (size_t i = 0; i < graph_.operators.size(); ++i) {
      const auto op = static_cast<int32_t>(i);
      if (RuleOf(graph_, graph_.operators[i]) == nullptr) continue;
      ranked.push_back(op);
      auto found = request_.known ? request_.known(op, static_cast<int64_t>(count_)) : std::nullopt;
      if (found.has_value()) {
        known.emplace(op, std::move(*found));
      } else {
        last_unknown = op;
      }
    }
    if (last_unknown >= 0) TakeInputs();
    std::vector<LayerCost> costs;
    costs.reserve(ranked.size());
    size_t done = 0;
    for (int32_t op = 0; op <= last_unknown; ++op) {
      const bool is_ranked = std::binary_search(ranked.begin(), ranked.end(), op);
      if (is_ranked && known.count(op) == 0 && !IsGiven(scores_)) {
        std::optional<LayerCost> cost = CostOf(op);
        if (cost.has_value()) {
          if (request_.found) request_.found(*cost);
          known.emplace(op, std::move(*cost));
        }
      }
      if (op < last_unknown) Advance(op);
      if (is_ranked && request_.progress) request_.progress(++done, ranked.size());
    }
    for (auto& [op, cost] : known) costs.push_back(std::move(cost));
    return costs;
  }

 private:
  bool IsGiven(int32_t tensor) const { return given_[static_cast<size_t>(tensor)]; }

  // Of one sample.
  uint64_t BytesOfWidestCut() const {
    // Positions between ops: alive from behind the op that computes it (0: an input) to behind its last reader.
    constexpr size_t kNever = SIZE_MAX;
    std::vector<size_t> from(graph_.tensors.size(), kNever);
    for (const int32_t t : graph_.inputs) from[static_cast<size_t>(t)] = 0;
    for (size_t i = 0; i < graph_.operators.size(); ++i) {
      for (const int32_t t : graph_.operators[i].outputs) {
        if (t != graph::kNoTensor) from[static_cast<size_t>(t)] = i + 1;
      }
    }
    std::vector<int64_t> change(graph_.operators.size() + 1);
    for (size_t t = 0; t < graph_.tensors.size(); ++t) {
      if (from[t] == kNever || last_reader_[t] < 0) continue;
      const size_t to = static_cast<size_t>(last_reader_[t]) + 1;
      const int64_t bytes =
          graph_.tensors[t].shape.NumElements() * std::max<int64_t>(1, DTypeBits(graph_.tensors[t].dtype) / 8);
      change[from[t]] += bytes;
      change[to] -= bytes;
    }
    int64_t now = 0, most = 0;
    for (const int64_t c : change) most = std::max(most, now += c);
    return static_cast<uint64_t>(most);
  }

  void TakeInputs() {
    values_.resize(count_);
    std::vector<std::unique_ptr<runtime::Interpreter>> interpreters(static_cast<size_t>(request_.threads));
    eval::ForSamples(count_, request_.threads, request_.options.cancelled, {}, [&](size_t s, int worker) {
      auto& interpreter = interpreters[static_cast<size_t>(worker)];
      if (interpreter == nullptr) {
        interpreter = std::make_unique<runtime::Interpreter>(request_.model, request_.options);
      }
      eval::FillInputs(request_.samples->Load(s), request_.pipeline, *interpreter);
      interpreter->AllocateTensors();
      for (size_t k = 0; k < interpreter->input_count(); ++k) {
        const runtime::TensorDetails input = interpreter->InputDetails(k);
        Array value(input.dtype, input.shape);
        const std::span<const uint8_t> bytes = interpreter->MutableInput(k);
        ASSAY_CHECK(bytes.size() == value.bytes().size());
        std::memcpy(value.bytes().data(), bytes.data(), bytes.size());
        values_[s][input.index] = std::move(value);
      }
    });
    for (const int32_t t : graph_.inputs) given_[static_cast<size_t>(t)] = true;
  }

  // Runs `segment` on every sample's kept values.
  void RunSegment(const passes::Segment& segment,
                  const std::function<void(size_t sample, runtime::Interpreter& interpreter)>& take) {
    const auto model = std::make_shared<const graph::Model>(segment.model);
    std::vector<std::unique_ptr<runtime::Interpreter>> interpreters(static_cast<size_t>(request_.threads));
    eval::ForSamples(count_, request_.threads, request_.options.cancelled, {}, [&](size_t s, int worker) {
      auto& interpreter = interpreters[static_cast<size_t>(worker)];
      if (interpreter == nullptr) interpreter = std::make_unique<runtime::Interpreter>(model, request_.options);
      for (size_t k = 0; k < segment.inputs.size(); ++k) {
        interpreter->ResizeInput(k, values_[s].at(segment.inputs[k]).shape());
      }
      interpreter->AllocateTensors();
      interpreter->ResetVariables();
      for (size_t k = 0; k < segment.inputs.size(); ++k) interpreter->SetInput(k, values_[s].at(segment.inputs[k]));
      interpreter->Invoke();
      take(s, *interpreter);
    });
  }

  void Advance(int32_t index) {
    const Operator& op = graph_.operators[static_cast<size_t>(index)];
    std::vector<int32_t> wanted;
    for (const int32_t t : op.outputs) {
      if (t != graph::kNoTensor && last_reader_[static_cast<size_t>(t)] > index) wanted.push_back(t);
    }
    if (!wanted.empty()) {
      RunSegment(passes::ExtractSegment(*request_.model, wanted, given_),
                 [&](size_t s, runtime::Interpreter& interpreter) {
                   for (size_t k = 0; k < wanted.size(); ++k) values_[s][wanted[k]] = interpreter.Output(k);
                 });
    }
    for (const int32_t t : op.outputs) {
      if (t != graph::kNoTensor) given_[static_cast<size_t>(t)] = true;
    }
    for (auto& of_sample : values_) {
      std::erase_if(of_sample,
                    [&](const auto& entry) { return last_reader_[static_cast<size_t>(entry.first)] <= index; });
    }
  }

  std::optional<AloneCost> Alone(int32_t index, bool narrow) {
    graph::Model model = *request_.model;
    quantize::SeparateConstants(model.subgraphs[0]);
    quantize::AssignmentOptions options;
    options.keep_float.assign(graph_.operators.size(), true);
    options.keep_float[static_cast<size_t>(index)] = false;
    options.int4_ops.assign(graph_.operators.size(), narrow);
    const quantize::Assignment assignment = quantize::Assign(model.subgraphs[0], request_.calibration->ranges, options);
    if (!assignment.is_integer[static_cast<size_t>(index)]) return std::nullopt;
    if (request_.bias_correction) quantize::CorrectBiases(model.subgraphs[0], assignment, *request_.calibration);
    quantize::MakeIntegerModel(model, assignment, {});
    std::vector<bool> given = given_;
    given.resize(model.subgraphs[0].tensors.size());
    const int32_t wanted[] = {model.subgraphs[0].outputs.at(request_.judge->scores_output())};
    std::vector<Judge::Distance> distances(count_);
    RunSegment(passes::ExtractSegment(model, wanted, given), [&](size_t s, runtime::Interpreter& interpreter) {
      distances[s] = request_.judge->Compare(s, interpreter.Output(0));
    });
    AloneCost cost;
    for (size_t s = 0; s < count_; ++s) {
      cost.noise += distances[s].noise;
      cost.signal += distances[s].signal;
      cost.changed += distances[s].predicted != request_.judge->source().predicted[s];
    }
    return cost;
  }

  std::optional<LayerCost> CostOf(int32_t index) {
    const Operator& op = graph_.operators[static_cast<size_t>(index)];
    const quantize::OpRule& rule = *RuleOf(graph_, op);
    const std::optional<AloneCost> int8 = Alone(index, false);
    if (!int8.has_value()) return std::nullopt;
    LayerCost cost;
    cost.op = index;
    cost.name = op.Name();
    cost.tensor = passes::TensorAt(graph_, op.outputs.at(0)).name;
    cost.samples = static_cast<int64_t>(count_);
    cost.int8 = *int8;
    if (const int32_t weights = WeightsOf(graph_, op, rule); weights != graph::kNoTensor) {
      cost.weights = static_cast<uint64_t>(passes::TensorAt(graph_, weights).shape.NumElements());
      if (rule.int4_version > 0) cost.int4 = Alone(index, true);
    }
    return cost;
  }

  const SensitivityRequest& request_;
  const Subgraph& graph_;
  std::vector<bool> given_;  // computed, or an input
  std::vector<int32_t> last_reader_;
  int32_t scores_ = 0;
  size_t count_ = 0;
  std::vector<std::map<int32_t, Array>> values_;  // by sample: what is given and still needed
};

}  // namespace

double AloneCost::sqnr_db() const { return numerics::SignalToNoiseDb(signal, noise); }

std::vector<LayerCost> RankLayers(const SensitivityRequest& request) { return Walk(request).Run(); }

}  // namespace assay::tune
