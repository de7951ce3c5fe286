#include "quantize/calibration.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <numeric>

#include "base/parallel.h"
#include "eval/input.h"
#include "graph/verifier.h"
#include "passes/rewrite.h"
#include "quantize/integer_lstm.h"
#include "quantize/observer.h"
#include "quantize/range_search.h"

namespace assay::quantize {
namespace {

// How TFLite's interpreter lets an op use its operand's memory for the result.
enum class InPlace : uint8_t { kNo, kMoved, kChanged };

InPlace InPlaceOf(graph::BuiltinOp code) {
  switch (code) {
    case graph::BuiltinOp::kAdd:
    case graph::BuiltinOp::kSub:
    case graph::BuiltinOp::kMul:
      return InPlace::kChanged;
    case graph::BuiltinOp::kReshape:
    case graph::BuiltinOp::kSqueeze:
    case graph::BuiltinOp::kExpandDims:
    case graph::BuiltinOp::kBitcast:
      return InPlace::kMoved;
    default:
      return InPlace::kNo;
  }
}

}  // namespace

void WidenLikeTensorFlow(const graph::Subgraph& graph, std::vector<std::optional<Range>>& ranges) {
  const passes::Uses uses(graph);
  const std::vector<std::optional<Range>> own = ranges;
  std::vector<int32_t> memory(graph.tensors.size());  // the tensor whose memory each lies in
  std::iota(memory.begin(), memory.end(), 0);
  for (const graph::Operator& op : graph.operators) {
    const InPlace kind = InPlaceOf(op.code);
    if (kind == InPlace::kNo) continue;
    const int32_t result = op.outputs[0];
    if (uses.IsOutput(result)) continue;
    // The first operand that may be written over.
    const size_t candidates = std::min<size_t>(op.inputs.size(), kind == InPlace::kMoved ? 1 : 2);
    for (size_t k = 0; k < candidates; ++k) {
      const int32_t operand = op.inputs[k];
      if (operand == graph::kNoTensor || uses.producer(operand) < 0) continue;
      const Shape& shape = passes::TensorAt(graph, operand).shape;
      if (kind == InPlace::kChanged &&
          (shape != passes::TensorAt(graph, result).shape || shape.NumElements() <= 2 || uses.readers(operand) > 1)) {
        continue;
      }
      const int32_t lies_in = memory[static_cast<size_t>(operand)];
      if (kind == InPlace::kChanged && uses.readers(lies_in) > 1) break;
      memory[static_cast<size_t>(result)] = lies_in;
      std::optional<Range>& range = ranges[static_cast<size_t>(operand)];
      const std::optional<Range>& over = own[static_cast<size_t>(result)];
      if (kind == InPlace::kChanged && range.has_value() && over.has_value()) {
        range = {std::min(range->low, over->low), std::max(range->high, over->high)};
      }
      break;
    }
  }
}

namespace {

// What is called for every float tensor of the main subgraph, inputs included: by which worker, for which sample.
using See = std::function<void(size_t worker, size_t position, int32_t tensor, const Shape& shape,
                               std::span<const float> values, const std::function<std::string()>& place)>;

class Runner {
 public:
  explicit Runner(const CalibrationRequest& request) : request_(request) {
    const size_t count = request.samples.size();
    threads_ = WorkersFor(count, request.threads);
    positions_.resize(static_cast<size_t>(threads_));
    for (size_t t = 0; t < positions_.size(); ++t) {
      interpreters_.push_back(std::make_unique<runtime::Interpreter>(request.model, request.options));
      interpreters_.back()->SetHook([this, t](const runtime::OpEvent& event) {
        if (event.before || event.subgraph != 0) return;
        if (IsLstm(*event.op)) SeeCells(t, event);
        for (size_t i = 0; i < event.outputs.size(); ++i) {
          const ops::TensorRef* out = event.outputs[i];
          if (out == nullptr || out->dtype != DType::kFloat32) continue;
          see_(t, positions_[t], event.op->outputs[i], out->shape, out->values<float>(), [&] {
            return fmt::format("op {} {}: tensor '{}'", event.op_index, event.op->Name(),
                               graph::Printable(out->name()));
          });
        }
      });
    }
  }

  size_t workers() const { return positions_.size(); }
  // Of the first `samples`, for the progress.
  void Expect(size_t samples, size_t runs) { samples_ = samples, runs_ = runs; }

  // Runs the samples [first, last) of the request.
  void Run(size_t first, size_t last, See see) {
    see_ = std::move(see);
    ParallelFor(last - first, threads_, [&](size_t i, int worker) {
      if (request_.options.cancelled != nullptr && *request_.options.cancelled) {
        throw Error(ErrorCode::kInterrupted, "interrupted");
      }
      RunOne(first + i, static_cast<size_t>(worker));
      if (request_.progress) {
        const std::scoped_lock lock(mutex_);
        request_.progress(++done_, samples_ * runs_);
      }
    });
  }

 private:
  void RunOne(size_t position, size_t worker) {
    runtime::Interpreter& interpreter = *interpreters_[worker];
    positions_[worker] = position;
    const data::Sample sample = request_.dataset->Load(request_.samples[position]);
    eval::FillInputs(sample, request_.pipeline, interpreter);
    interpreter.ResetVariables();  // samples do not see each other, whatever the order
    interpreter.AllocateTensors();
    for (size_t k = 0; k < interpreter.input_count(); ++k) {
      const runtime::TensorDetails input = interpreter.InputDetails(k);
      if (input.dtype != DType::kFloat32) continue;
      const std::span<const uint8_t> bytes = interpreter.MutableInput(k);
      see_(worker, position, input.index, input.shape,
           {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)},
           [&] { return fmt::format("{}: input '{}'", sample.name, graph::Printable(input.name)); });
    }
    InContext([&] { return sample.name; }, [&] { interpreter.Invoke(); });
  }

  // An LSTM's cells leave no trace but the last.
  void SeeCells(size_t worker, const runtime::OpEvent& event) {
    const std::vector<float> cells = LstmCells(*event.op, event.inputs);
    if (cells.empty()) return;
    const ops::TensorRef& state = *event.inputs[LstmOperands::kCellState];
    see_(worker, positions_[worker], event.op->inputs[LstmOperands::kCellState], state.shape, cells, [&] {
      return fmt::format("op {} {}: its cells '{}'", event.op_index, event.op->Name(), graph::Printable(state.name()));
    });
  }

  const CalibrationRequest& request_;
  int threads_ = 1;
  std::vector<std::unique_ptr<runtime::Interpreter>> interpreters_;
  std::vector<size_t> positions_;  // by worker: the sample at hand
  See see_;
  std::mutex mutex_;
  size_t done_ = 0, samples_ = 0, runs_ = 1;
};

using Methods = std::vector<CalibrationMethod>;  // by tensor

Methods MethodsOf(const CalibrationRequest& request) {
  const graph::Subgraph& graph = request.model->subgraphs[0];
  Methods methods(graph.tensors.size(), request.method);
  for (const auto& [name, method] : request.method_for) {
    bool found = false;
    for (size_t t = 0; t < methods.size(); ++t) {
      if (graph.tensors[t].name != name || graph.tensors[t].data.has_value()) continue;
      methods[t] = method;
      found = true;
    }
    if (!found) throw UsageError("--calibration-for {}: the model computes no tensor of this name", name);
  }
  return methods;
}

// Whether a range is wider than before by more than a hundredth.
bool HaveGrown(const std::vector<std::optional<Range>>& before, const std::vector<std::optional<Range>>& after) {
  constexpr float kNoteworthy = 1.01F;
  for (size_t t = 0; t < after.size(); ++t) {
    if (!after[t].has_value()) continue;
    if (!before[t].has_value() || after[t]->high - after[t]->low > kNoteworthy * (before[t]->high - before[t]->low)) {
      return true;
    }
  }
  return false;
}

// The least and greatest values of all samples, or of as many as it takes.
void Observe(Runner& runner, const CalibrationRequest& request, std::vector<Observer>& observers, Calibration& result) {
  constexpr size_t kBlock = 32;
  constexpr int kQuietBlocks = 2;
  const size_t count = request.samples.size();
  std::vector<std::optional<Range>> anchor;  // before the blocks that widened nothing
  int quiet = 0;
  while (result.samples < count && !result.settled) {
    const size_t last = request.until_settled ? std::min(result.samples + kBlock, count) : count;
    runner.Run(result.samples, last,
               [&](size_t worker, size_t, int32_t tensor, const Shape& shape, std::span<const float> values,
                   const auto& place) { observers[worker].See(tensor, shape, values, place); });
    result.samples = last;
    for (const Observer& observer : observers) observer.MergeInto(result.ranges);
    ++quiet;
    if (anchor.empty() || HaveGrown(anchor, result.ranges)) {
      anchor = result.ranges;
      quiet = 0;
    }
    result.settled = request.until_settled && quiet == kQuietBlocks;
  }
}

void CheckInputs(const graph::Subgraph& graph, const std::vector<std::optional<Range>>& ranges, size_t count) {
  for (const int32_t input : graph.inputs) {
    const std::optional<Range>& range = ranges[static_cast<size_t>(input)];
    if (!range.has_value() || range->low != range->high) continue;
    throw InputError("input '{}' holds {} everywhere in all {} samples: constant samples calibrate nothing",
                     graph::Printable(graph.tensors[static_cast<size_t>(input)].name), range->low, count);
  }
}

// Ranges that follow the samples in their order: the first one's, then `weight` of the old and the rest of the new.
// Runs in blocks, so that what is kept does not grow with the samples.
void AverageRanges(Runner& runner, size_t count, const Methods& methods, std::vector<std::optional<Range>>& ranges) {
  constexpr size_t kBlock = 64;
  const size_t tensors = ranges.size();
  std::vector<std::optional<Range>> average(tensors);
  for (size_t first = 0; first < count; first += kBlock) {
    const size_t last = std::min(first + kBlock, count);
    std::vector<Observer> block(last - first, Observer(tensors, false));
    runner.Run(first, last,
               [&](size_t, size_t position, int32_t tensor, const Shape& shape, std::span<const float> values,
                   const auto& place) { block[position - first].See(tensor, shape, values, place); });
    for (const Observer& sample : block) {
      std::vector<std::optional<Range>> own(tensors);
      sample.MergeInto(own);
      for (size_t t = 0; t < tensors; ++t) {
        if (!own[t].has_value()) continue;
        if (!average[t].has_value()) {
          average[t] = own[t];
          continue;
        }
        const auto weight = static_cast<float>(methods[t].parameter);
        average[t]->low = weight * average[t]->low + (1 - weight) * own[t]->low;
        average[t]->high = weight * average[t]->high + (1 - weight) * own[t]->high;
      }
    }
  }
  for (size_t t = 0; t < tensors; ++t) {
    if (methods[t].kind == CalibrationMethod::Kind::kMovingAverage) ranges[t] = average[t];
  }
}

// Ranges from histograms over the least to the greatest value, which a second run fills.
void SearchRanges(Runner& runner, size_t count, int levels, const Methods& methods,
                  std::vector<std::optional<Range>>& ranges) {
  std::vector<std::vector<std::optional<Histogram>>> histograms(runner.workers());
  for (auto& of_worker : histograms) {
    of_worker.resize(ranges.size());
    for (size_t t = 0; t < ranges.size(); ++t) {
      if (ranges[t].has_value() && methods[t].needs_histogram()) of_worker[t].emplace(*ranges[t]);
    }
  }
  runner.Run(0, count,
             [&](size_t worker, size_t, int32_t tensor, const Shape&, std::span<const float> values, const auto&) {
               std::optional<Histogram>& histogram = histograms[worker][static_cast<size_t>(tensor)];
               if (histogram.has_value()) histogram->Add(values);
             });
  for (size_t t = 0; t < ranges.size(); ++t) {
    if (!histograms[0][t].has_value()) continue;
    Histogram& all = *histograms[0][t];
    for (size_t w = 1; w < histograms.size(); ++w) all.Merge(*histograms[w][t]);
    switch (methods[t].kind) {
      case CalibrationMethod::Kind::kPercentile:
        ranges[t] = PercentileRange(all, methods[t].parameter);
        break;
      case CalibrationMethod::Kind::kMse:
        ranges[t] = LeastErrorRange(all, levels);
        break;
      default:
        ranges[t] = LeastDivergenceRange(all, levels);
        break;
    }
  }
}

struct MethodRow {
  CalibrationMethod::Kind kind;
  std::string_view name;
  double parameter, low, high;  // the default, and what may be given; low > high: nothing
};
constexpr MethodRow kMethods[] = {
    {CalibrationMethod::Kind::kMinMax, "minmax", 0, 1, 0},
    {CalibrationMethod::Kind::kMovingAverage, "moving-average", 0.9, 0, 0.9999},
    {CalibrationMethod::Kind::kPercentile, "percentile", 99.99, 50, 100},
    {CalibrationMethod::Kind::kMse, "mse", 0, 1, 0},
    {CalibrationMethod::Kind::kEntropy, "entropy", 0, 1, 0},
};

}  // namespace

std::string CalibrationMethod::ToString() const {
  for (const MethodRow& row : kMethods) {
    if (row.kind == kind) {
      return row.low > row.high ? std::string(row.name) : fmt::format("{}:{}", row.name, parameter);
    }
  }
  ASSAY_CHECK(false);
}

CalibrationMethod ParseCalibrationMethod(const std::string& text) {
  const size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  std::vector<std::string_view> known;
  for (const MethodRow& row : kMethods) {
    known.push_back(row.name);
    if (row.name != name) continue;
    CalibrationMethod method = {row.kind, row.parameter};
    if (colon == std::string::npos) return method;
    const std::string number = text.substr(colon + 1);
    char* end = nullptr;
    method.parameter = std::strtod(number.c_str(), &end);
    if (number.empty() || *end != 0 || !(method.parameter >= row.low && method.parameter <= row.high)) {
      throw UsageError("calibration method '{}': {}", text,
                       row.low > row.high ? fmt::format("{} takes no number", row.name)
                                          : fmt::format("expected a number from {} to {}", row.low, row.high));
    }
    return method;
  }
  throw UsageError("unknown calibration method '{}'{}: one of {}", name, NearestHint(name, known.data(), known.size()),
                   fmt::join(known, ", "));
}

Calibration Calibrate(const CalibrationRequest& request) {
  if (request.samples.empty()) throw InputError("there are no samples to calibrate with");
  const graph::Subgraph& graph = request.model->subgraphs[0];
  const Methods methods = MethodsOf(request);
  const bool searches = std::any_of(methods.begin(), methods.end(), [](const auto& m) { return m.needs_histogram(); });
  const bool averages = std::any_of(methods.begin(), methods.end(),
                                    [](const auto& m) { return m.kind == CalibrationMethod::Kind::kMovingAverage; });
  Runner runner(request);
  const size_t runs = 1 + (searches ? 1 : 0) + (averages ? 1 : 0);
  runner.Expect(request.samples.size(), runs);
  Calibration result;
  result.ranges.resize(graph.tensors.size());
  std::vector<Observer> observers(runner.workers(), Observer(graph.tensors.size(), request.channels));
  Observe(runner, request, observers, result);
  const size_t count = result.samples;
  runner.Expect(count, runs);
  if (request.channels) {
    std::vector<ChannelSums> sums(graph.tensors.size());
    for (const Observer& observer : observers) observer.MergeInto(sums);
    for (const ChannelSums& one : sums) result.channels.push_back(one.Statistics());
  }
  CheckInputs(graph, result.ranges, count);
  if (count == 1) result.warnings.emplace_back("one sample calibrates the ranges of one input only: use a hundred");
  if (searches) SearchRanges(runner, count, request.levels, methods, result.ranges);
  if (averages) AverageRanges(runner, count, methods, result.ranges);
  return result;
}

}  // namespace assay::quantize
