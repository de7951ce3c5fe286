#include "runtime/bench_model.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "kernels/simd/peak.h"
#include "runtime/op_cost.h"
#include "runtime/run_model.h"

namespace assay::runtime {
namespace {

using Clock = std::chrono::steady_clock;
using kernels::simd::Product;

double MicrosecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

// The best of a few short runs, so that one interruption does not make the machine look slow.
double PeakGmacs(Product product) {
  constexpr int64_t kProducts = 100'000'000;
  constexpr int kTries = 6;
  double best = 0;
  float sink = 0;
  for (int i = 0; i < kTries; ++i) {
    const auto start = Clock::now();
    const auto done = static_cast<double>(kernels::simd::MultiplyRegisters(product, kProducts, &sink));
    best = std::max(best, done / (MicrosecondsSince(start) * 1e3));
  }
  return best;
}

// Which products an op is made of: those of its weights' type.
std::optional<Product> ProductOf(const OpEvent& event) {
  for (const ops::TensorRef* input : event.inputs) {
    if (input != nullptr && (input->dtype == DType::kInt8 || input->dtype == DType::kUInt8)) return Product::kBytes;
  }
  for (const ops::TensorRef* input : event.inputs) {
    if (input != nullptr && input->dtype != DType::kInt32 && input->dtype != DType::kFloat32) return std::nullopt;
  }
  return Product::kFloats;
}

int64_t MacsOf(const OpEvent& event) {
  std::vector<Shape> inputs, outputs;
  inputs.reserve(event.inputs.size()), outputs.reserve(event.outputs.size());
  for (const ops::TensorRef* input : event.inputs) inputs.push_back(input == nullptr ? Shape{0} : input->shape);
  for (const ops::TensorRef* output : event.outputs) outputs.push_back(output->shape);
  return CountMacs(*event.op, inputs, outputs);
}

double MedianOf(std::vector<double>& values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// Adds up the time between the events before and after each op. Ops that run other ops include them.
class Profiler {
 public:
  explicit Profiler(bool trace) : traces_(trace) {}
  void BeginInvoke() { invoke_start_ = Clock::now(); }
  void Take(const OpEvent& event) {
    const auto now = Clock::now();
    const auto [found, is_new] = places_.try_emplace({event.subgraph, event.op_index}, ops_.size());
    if (is_new) {
      OpTime op;
      op.subgraph = event.subgraph, op.op_index = event.op_index;
      op.name = event.op->Name();
      if (!event.outputs.empty()) op.output = event.outputs[0]->name();
      ops_.push_back(op);
      starts_.emplace_back();
      samples_.emplace_back();
      products_.push_back(ProductOf(event));
    }
    const size_t at = found->second;
    if (event.before) {
      starts_[at] = Clock::now();
      return;
    }
    OpTime& op = ops_[at];
    if (Traces()) AddSpan(at, starts_[at], now);
    op.us += std::chrono::duration<double, std::micro>(now - starts_[at]).count();
    op.engine = event.engine;
    if (invokes_ == 0) op.macs = AddCounts(op.macs, MacsOf(event));
  }
  void EndInvoke() {
    if (Traces()) AddSpan(std::nullopt, invoke_start_, Clock::now());
    for (size_t i = 0; i < ops_.size(); ++i) {
      samples_[i].push_back(ops_[i].us);
      ops_[i].us = 0;
    }
    ++invokes_;
  }

  std::vector<TraceSpan> TakeTrace() { return std::move(trace_); }
  std::vector<OpTime> Finish(double peak_bytes, double peak_floats) {
    double all = 0;
    for (size_t i = 0; i < ops_.size(); ++i) all += ops_[i].us = MedianOf(samples_[i]);
    for (size_t i = 0; i < ops_.size(); ++i) {
      OpTime& op = ops_[i];
      op.share = all > 0 ? op.us / all : 0;
      op.gmacs_per_second = op.us > 0 ? static_cast<double>(op.macs) / (op.us * 1e3) : 0;
      if (!products_[i].has_value()) continue;
      const double peak = products_[i] == Product::kBytes ? peak_bytes : peak_floats;
      op.peak_share = peak > 0 ? op.gmacs_per_second / peak : 0;
    }
    return std::move(ops_);
  }

 private:
  // A few invokes show what there is to see.
  bool Traces() const {
    constexpr size_t kTracedInvokes = 20;
    return traces_ && invokes_ < kTracedInvokes;
  }
  void AddSpan(std::optional<size_t> op, Clock::time_point start, Clock::time_point end) {
    const auto us = [](Clock::duration d) { return std::chrono::duration<double, std::micro>(d).count(); };
    trace_.push_back({op, us(start - clock_start_), us(end - start)});
  }

  bool traces_;
  const Clock::time_point clock_start_ = Clock::now();
  Clock::time_point invoke_start_;
  std::vector<TraceSpan> trace_;
  std::map<std::pair<int32_t, int32_t>, size_t> places_;
  std::vector<OpTime> ops_;
  std::vector<std::vector<double>> samples_;  // per op, one of each invoke
  std::vector<Clock::time_point> starts_;
  std::vector<std::optional<Product>> products_;
  size_t invokes_ = 0;
};

double Quantile(const std::vector<double>& sorted, double q) {
  return sorted[std::min(sorted.size() - 1, static_cast<size_t>(q * static_cast<double>(sorted.size())))];
}

void SetRandomInputs(Interpreter& interpreter) {
  for (size_t i = 0; i < interpreter.input_count(); ++i) {
    const TensorDetails input = interpreter.InputDetails(i);
    interpreter.SetInput(i, RandomArray(input.dtype, input.shape, 0, i));
  }
}

double TimedInvoke(Interpreter& interpreter) {
  const auto start = Clock::now();
  interpreter.Invoke();
  return MicrosecondsSince(start);
}

// The largest over the smallest median of five parts.
double DriftOf(const std::vector<double>& us) {
  constexpr size_t kParts = 5, kLeastRuns = 3;  // of a part
  if (us.size() < kParts * kLeastRuns) return 1;
  std::vector<double> medians;
  for (size_t p = 0; p < kParts; ++p) {
    const auto at = [&](size_t part) { return us.begin() + static_cast<int64_t>(us.size() * part / kParts); };
    std::vector<double> part(at(p), at(p + 1));
    medians.push_back(MedianOf(part));
  }
  const auto [least, most] = std::minmax_element(medians.begin(), medians.end());
  return *least > 0 ? *most / *least : 1;
}

uint64_t PeakResidentBytes() {
  rusage usage = {};
  constexpr uint64_t kUnit = 1024;
  return getrusage(RUSAGE_SELF, &usage) == 0 ? static_cast<uint64_t>(usage.ru_maxrss) * kUnit : 0;
}

void Summarize(std::vector<double>& us, BenchResult& result) {
  constexpr double kNoisy = 1.2;
  result.drift = DriftOf(us);
  result.is_noisy = result.drift > kNoisy;
  result.peak_bytes = PeakResidentBytes();
  result.median_us = MedianOf(us);
  result.p90_us = Quantile(us, 0.9), result.p99_us = Quantile(us, 0.99);
  result.min_us = us.front(), result.max_us = us.back();
  result.runs = us.size();
}

// Rounds of turns, each of the same length, who begins changing from round to round; the first round only warms up.
BenchResult RunRace(std::shared_ptr<const graph::Model> model, const BenchRequest& request, Interpreter& ours,
                    BenchResult result) {
  constexpr size_t kRounds = 7;
  InterpreterOptions options = request.options;
  options.delegate = request.against;
  Interpreter theirs(std::move(model), options);
  theirs.AllocateTensors();
  SetRandomInputs(theirs);
  const double turn_us = request.seconds * 1e6 / (2 * kRounds);
  const size_t least_runs = request.runs.has_value() ? (*request.runs + kRounds - 1) / kRounds : 3;
  const auto take_turn = [&](Interpreter& interpreter, std::vector<double>& all) {
    std::vector<double> us;
    const auto start = Clock::now();
    while (us.size() < least_runs || (!request.runs.has_value() && MicrosecondsSince(start) < turn_us)) {
      us.push_back(TimedInvoke(interpreter));
    }
    all.insert(all.end(), us.begin(), us.end());
    return MedianOf(us);
  };
  std::vector<double> our_us, their_us, ratios;
  for (size_t round = 0; round <= kRounds; ++round) {
    double mine = 0, other = 0;
    if (round % 2 == 0) mine = take_turn(ours, our_us);
    other = take_turn(theirs, their_us);
    if (round % 2 == 1) mine = take_turn(ours, our_us);
    if (round == 0) {
      our_us.clear(), their_us.clear();
    } else {
      ratios.push_back(other / mine);
    }
  }
  Summarize(our_us, result);
  const double ratio = MedianOf(ratios);
  result.race = Race{MedianOf(their_us), ratio, ratios.front(), ratios.back(), kRounds};
  return result;
}

}  // namespace

BenchResult BenchModel(std::shared_ptr<const graph::Model> model, const BenchRequest& request) {
  BenchResult result;
  const auto load = Clock::now();
  Interpreter interpreter(model, request.options);
  interpreter.AllocateTensors();
  result.load_ms = MicrosecondsSince(load) / 1e3;
  SetRandomInputs(interpreter);
  result.memory = interpreter.memory();
  result.first_us = TimedInvoke(interpreter);
  if (request.against != nullptr) return RunRace(std::move(model), request, interpreter, std::move(result));
  const auto repeat = [&](double seconds, size_t least, const auto& body) {
    const auto start = Clock::now();
    for (size_t i = 0; i < least || MicrosecondsSince(start) < seconds * 1e6; ++i) body();
  };
  repeat(request.warm_up_seconds, 0, [&] { TimedInvoke(interpreter); });
  std::vector<double> us;
  const auto one = [&] { us.push_back(TimedInvoke(interpreter)); };
  request.runs.has_value() ? repeat(0, std::max<size_t>(*request.runs, 1), one)
                           : repeat(request.seconds, std::max<size_t>(request.least_runs, 1), one);
  Summarize(us, result);
  if (!request.profile) return result;
  result.peak_bytes_gmacs = PeakGmacs(Product::kBytes);
  result.peak_floats_gmacs = PeakGmacs(Product::kFloats);
  Profiler profiler(request.trace);
  interpreter.SetHook([&](const OpEvent& event) { profiler.Take(event); });
  constexpr int kMostInvokes = 5000;
  const auto start = Clock::now();
  for (int i = 0; i == 0 || (i < kMostInvokes && MicrosecondsSince(start) < request.seconds * 1e6); ++i) {
    profiler.BeginInvoke();
    interpreter.Invoke();
    profiler.EndInvoke();
  }
  result.trace = profiler.TakeTrace();
  result.ops = profiler.Finish(result.peak_bytes_gmacs, result.peak_floats_gmacs);
  return result;
}

}  // namespace assay::runtime
