#include "quantize/calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <numeric>

#include "base/parallel.h"
#include "eval/input.h"
#include "graph/verifier.h"
#include "passes/rewrite.h"

namespace assay::quantize {
namespace {

// Least and greatest of the values; `all_finite` is false where any is NaN or infinite.
struct Extent {
  float low = std::numeric_limits<float>::infinity();
  float high = -std::numeric_limits<float>::infinity();
  bool all_finite = true;
};

Extent ExtentOf(std::span<const float> values) {
  // Eight lanes, each by itself: what the compiler makes vectors of.
  constexpr size_t kLanes = 8;
  Extent extent;
  float low[kLanes], high[kLanes], poison[kLanes] = {};
  std::fill_n(low, kLanes, extent.low);
  std::fill_n(high, kLanes, extent.high);
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t k = 0; k < kLanes; ++k) {
      const float v = values[i + k];
      low[k] = v < low[k] ? v : low[k];
      high[k] = v > high[k] ? v : high[k];
      poison[k] += v - v;  // 0, or NaN for NaN and infinities
    }
  }
  for (; i < values.size(); ++i) {
    low[0] = std::min(low[0], values[i]);
    high[0] = std::max(high[0], values[i]);
    poison[0] += values[i] - values[i];
  }
  for (size_t k = 0; k < kLanes; ++k) {
    extent.low = std::min(extent.low, low[k]);
    extent.high = std::max(extent.high, high[k]);
    extent.all_finite = extent.all_finite && poison[k] == 0;
  }
  return extent;
}

// What one worker saw.
class Observer {
 public:
  explicit Observer(size_t tensors) : ranges_(tensors) {}

  void See(int32_t tensor, std::span<const float> values, const std::function<std::string()>& place) {
    if (values.empty()) return;
    const Extent extent = ExtentOf(values);
    if (!extent.all_finite) {
      const auto bad = std::find_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
      throw InputError("{}: value {} is {}", place(), bad - values.begin(), std::isnan(*bad) ? "NaN" : "infinite");
    }
    std::optional<Range>& range = ranges_[static_cast<size_t>(tensor)];
    if (!range.has_value()) range = Range{extent.low, extent.high};
    range->low = std::min(range->low, extent.low);
    range->high = std::max(range->high, extent.high);
  }

  void MergeInto(std::vector<std::optional<Range>>& ranges) const {
    for (size_t t = 0; t < ranges.size(); ++t) {
      if (!ranges_[t].has_value()) continue;
      if (!ranges[t].has_value()) ranges[t] = ranges_[t];
      ranges[t]->low = std::min(ranges[t]->low, ranges_[t]->low);
      ranges[t]->high = std::max(ranges[t]->high, ranges_[t]->high);
    }
  }

 private:
  std::vector<std::optional<Range>> ranges_;
};

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

Calibration Calibrate(const CalibrationRequest& request) {
  if (request.samples.empty()) throw InputError("there are no samples to calibrate with");
  const graph::Subgraph& graph = request.model->subgraphs[0];
  const size_t count = request.samples.size();
  const int threads = std::max(1, std::min(request.threads, static_cast<int>(std::min<size_t>(count, 4096))));
  std::vector<std::unique_ptr<runtime::Interpreter>> interpreters;
  std::vector<Observer> observers(static_cast<size_t>(threads), Observer(graph.tensors.size()));
  for (int t = 0; t < threads; ++t) {
    interpreters.push_back(std::make_unique<runtime::Interpreter>(request.model, request.options));
    Observer& observer = observers[static_cast<size_t>(t)];
    interpreters.back()->SetHook([&graph, &observer](const runtime::OpEvent& event) {
      if (event.before || event.subgraph != 0) return;
      for (size_t i = 0; i < event.outputs.size(); ++i) {
        const ops::TensorRef* out = event.outputs[i];
        if (out == nullptr || out->dtype != DType::kFloat32) continue;
        observer.See(event.op->outputs[i], out->values<float>(), [&] {
          return fmt::format("op {} {}: tensor '{}'", event.op_index, event.op->Name(), graph::Printable(out->name()));
        });
      }
    });
  }
  std::mutex mutex;
  size_t done = 0;
  ParallelFor(count, threads, [&](size_t i, int worker) {
    if (request.options.cancelled != nullptr && *request.options.cancelled) {
      throw Error(ErrorCode::kInterrupted, "interrupted");
    }
    runtime::Interpreter& interpreter = *interpreters[static_cast<size_t>(worker)];
    Observer& observer = observers[static_cast<size_t>(worker)];
    const data::Sample sample = request.dataset->Load(request.samples[i]);
    eval::FillInputs(sample, request.pipeline, interpreter);
    interpreter.ResetVariables();  // samples do not see each other, whatever the order
    interpreter.AllocateTensors();
    for (size_t k = 0; k < interpreter.input_count(); ++k) {
      const runtime::TensorDetails input = interpreter.InputDetails(k);
      if (input.dtype != DType::kFloat32) continue;
      const std::span<const uint8_t> bytes = interpreter.MutableInput(k);
      observer.See(input.index, {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)},
                   [&] { return fmt::format("{}: input '{}'", sample.name, graph::Printable(input.name)); });
    }
    InContext([&] { return sample.name; }, [&] { interpreter.Invoke(); });
    if (request.progress) {
      const std::scoped_lock lock(mutex);
      request.progress(++done, count);
    }
  });
  Calibration result;
  result.samples = count;
  result.ranges.resize(graph.tensors.size());
  for (const Observer& observer : observers) observer.MergeInto(result.ranges);
  for (const int32_t input : graph.inputs) {
    const std::optional<Range>& range = result.ranges[static_cast<size_t>(input)];
    if (range.has_value() && range->low == range->high) {
      throw InputError("input '{}' holds {} everywhere in all {} samples: constant samples calibrate nothing",
                       graph::Printable(graph.tensors[static_cast<size_t>(input)].name), range->low, count);
    }
  }
  if (count == 1) result.warnings.emplace_back("one sample calibrates the ranges of one input only: use a hundred");
  return result;
}

}  // namespace assay::quantize
