// Schema-aware mutation: takes models, breaks them in ways that a file could be broken (shapes, types, ranks, indices,
// dropped operands, options, quantization, constants, op codes, bytes of the file), then reads, verifies, prepares and
// invokes each mutant. Every mutant must end in a result or an assay::Error; run it under sanitizers.
//
//   mutate_models [--count N] [--seed S] [--only K] [--simplify] MODEL.tflite...
//
// --simplify: the passes of `convert` instead of an invocation. A crash is reproduced with --only K, K being the last
// number printed to stderr with --verbose.
#include <fmt/core.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/random.h"
#include "format/tflite/reader.h"
#include "graph/verifier.h"
#include "passes/passes.h"
#include "runtime/interpreter.h"
#include "runtime/run_model.h"

namespace assay {
namespace {

constexpr uint64_t kMaxTensorBytes = uint64_t{64} << 20;
constexpr int32_t kOddSizes[] = {0, 1, 2, 3, 5, 7, 16, 100, 1 << 15, 1 << 30, 2147483647, -1, -2, -2147483647 - 1};

class Mutator {
 public:
  Mutator(Random& random, graph::Model& model) : random_(random), model_(model) {}

  // Returns what it did.
  std::string MutateOnce() {
    graph::Subgraph& graph = model_.subgraphs[Pick(model_.subgraphs.size())];
    if (graph.tensors.empty() || graph.operators.empty()) return "nothing";
    graph::Tensor& tensor = graph.tensors[Pick(graph.tensors.size())];
    graph::Operator& op = graph.operators[Pick(graph.operators.size())];
    switch (random_.Below(14)) {
      case 0:
        return Dimension(tensor);
      case 1:
        tensor.dtype = static_cast<DType>(random_.Below(kDTypeCount));
        return "type";
      case 2:
        return Rank(tensor);
      case 3:
        if (op.inputs.empty()) return "nothing";
        op.inputs[Pick(op.inputs.size())] = static_cast<int32_t>(random_.Below(graph.tensors.size() + 1)) - 1;
        return "input index";
      case 4:
        if (op.outputs.empty()) return "nothing";
        op.outputs[Pick(op.outputs.size())] = static_cast<int32_t>(random_.Below(graph.tensors.size()));
        return "output index";
      case 5:
        if (op.inputs.empty()) return "nothing";
        if (random_.Chance(0.5)) {
          op.inputs.pop_back();
        } else {
          op.inputs.push_back(static_cast<int32_t>(random_.Below(graph.tensors.size())));
        }
        return "arity";
      case 6:
        return Option(op);
      case 7:
        return Quantize(tensor);
      case 8:
        return ConstantBytes(graph);
      case 9:
        op.code = graph::AllBuiltinOps()[Pick(graph::AllBuiltinOps().size())].op;
        op.options_table = "";
        return "op code";
      case 10:
        op.version = static_cast<int32_t>(random_.Below(12));
        return "version";
      case 11:
        if (!tensor.data.has_value()) return "nothing";
        tensor.data.reset();
        return "constant made computed";
      case 12:
        tensor.is_variable = !tensor.is_variable;
        return "variable";
      default:
        return MatchedShapes(graph, op);
    }
  }

 private:
  size_t Pick(size_t count) { return static_cast<size_t>(random_.Below(count)); }
  int32_t Size() {
    return random_.Chance(0.7) ? static_cast<int32_t>(random_.Below(20)) : kOddSizes[Pick(std::size(kOddSizes))];
  }

  // Constants keep their bytes in step with the new size, so that the mutant gets past the reader.
  static void Refit(graph::Tensor& tensor) {
    if (!tensor.data.has_value() || !tensor.shape.IsValid(1 << 22)) return;
    std::vector<uint8_t> bytes(DTypeBytes(tensor.dtype, static_cast<uint64_t>(tensor.shape.NumElements())));
    const auto old = tensor.data->bytes();
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = old.empty() ? 0 : old[i % old.size()];
    tensor.data = graph::Constant::Own(std::move(bytes));
  }

  std::string Dimension(graph::Tensor& tensor) {
    if (tensor.shape.rank() == 0) return "nothing";
    tensor.shape[static_cast<int>(Pick(static_cast<size_t>(tensor.shape.rank())))] = Size();
    Refit(tensor);
    return "dimension";
  }

  std::string Rank(graph::Tensor& tensor) {
    const auto dims = tensor.shape.dims();
    std::vector<int32_t> changed(dims.begin(), dims.end());
    if (random_.Chance(0.5) && !changed.empty()) {
      changed.erase(changed.begin() + static_cast<int64_t>(Pick(changed.size())));
    } else {
      changed.insert(changed.begin() + static_cast<int64_t>(Pick(changed.size() + 1)),
                     random_.Chance(0.7) ? 1 : Size());
    }
    tensor.shape = Shape(std::move(changed));
    tensor.shape_signature.reset();
    Refit(tensor);
    return "rank";
  }

  std::string Option(graph::Operator& op) {
    const auto fields = op.attributes.fields();
    if (fields.empty()) {
      static constexpr const char* kNames[] = {"padding",    "stride_w", "stride_h",  "axis",
                                               "block_size", "beta",     "num_splits"};
      op.attributes.Set(kNames[Pick(std::size(kNames))], static_cast<int64_t>(Size()));
      return "new option";
    }
    const auto& field = fields[Pick(fields.size())];
    graph::AttributeValue value = field.value;
    if (auto* integer = std::get_if<int64_t>(&value)) {
      *integer = random_.Chance(0.5) ? static_cast<int64_t>(random_.Below(6)) : Size();
    } else if (auto* real = std::get_if<double>(&value)) {
      const double odd[] = {0, -1, 1e30, -1e30, 1e-30, HUGE_VAL, std::nan("")};
      *real = odd[Pick(std::size(odd))];
    } else if (auto* list = std::get_if<std::vector<int64_t>>(&value)) {
      if (list->empty() || random_.Chance(0.3)) {
        list->push_back(Size());
      } else {
        (*list)[Pick(list->size())] = Size();
      }
    }
    op.attributes.Set(field.name, value);
    return "option";
  }

  std::string Quantize(graph::Tensor& tensor) {
    Quantization& q = tensor.quantization;
    const float scales[] = {1e-30F, 1e30F, 0.5F, 1.0F, 1e-6F};
    switch (random_.Below(5)) {
      case 0:
        q.scale.clear(), q.zero_point.clear();
        return "quantization dropped";
      case 1:
        q.scale.assign(1, scales[Pick(std::size(scales))]);
        q.zero_point.assign(1, static_cast<int64_t>(random_.Below(256)) - 128);
        return "scale";
      case 2:
        q.scale.assign(1 + Pick(20), 0.1F), q.zero_point.assign(q.scale.size(), 0);
        return "scales";
      case 3:
        q.quantized_dimension = static_cast<int32_t>(random_.Below(6));
        return "quantized dimension";
      default:
        q.zero_point.assign(std::max<size_t>(q.scale.size(), 1), static_cast<int64_t>(random_.Below(70000)) - 35000);
        return "zero point";
    }
  }

  std::string ConstantBytes(graph::Subgraph& graph) {
    std::vector<graph::Tensor*> constants;
    for (graph::Tensor& tensor : graph.tensors) {
      if (tensor.data.has_value() && !tensor.data->bytes().empty()) constants.push_back(&tensor);
    }
    if (constants.empty()) return "nothing";
    graph::Tensor& tensor = *constants[Pick(constants.size())];
    const auto old = tensor.data->bytes();
    std::vector<uint8_t> bytes(old.begin(), old.end());
    if (tensor.dtype == DType::kInt32 && bytes.size() >= 4) {
      const int32_t value = Size();
      std::memcpy(bytes.data() + Pick(bytes.size() / 4) * 4, &value, 4);
    } else {
      for (int k = 0; k < 4; ++k) bytes[Pick(bytes.size())] = static_cast<uint8_t>(random_.Below(256));
    }
    tensor.data = graph::Constant::Own(std::move(bytes));
    return "constant";
  }

  // Gives all operands of an op one shape or type: past the simple checks, into the odd corners of Prepare.
  std::string MatchedShapes(graph::Subgraph& graph, const graph::Operator& op) {
    std::vector<int32_t> dims;
    for (size_t d = Pick(6); d > 0; --d) dims.push_back(static_cast<int32_t>(random_.Below(6)));
    for (const int32_t i : op.inputs) {
      if (i < 0 || random_.Chance(0.2)) continue;
      graph.tensors[static_cast<size_t>(i)].shape = Shape(dims);
      Refit(graph.tensors[static_cast<size_t>(i)]);
    }
    return "operand shapes";
  }

  Random& random_;
  graph::Model& model_;
};

// The passes see models without control flow that ran once; what they make of one must be a model.
void SimplifyMutant(const std::shared_ptr<const graph::Model>& model, const runtime::InterpreterOptions& options) {
  if (model->subgraphs.size() != 1) return;
  runtime::Interpreter interpreter(model, options);
  interpreter.AllocateTensors();
  interpreter.Invoke();
  graph::Model simplified = *model;
  passes::Simplify(simplified, {});
  graph::Verify(simplified);
}

void RunMutant(std::shared_ptr<const graph::Model> model, uint64_t seed, bool simplify) {
  runtime::RunRequest request;
  const numerics::Profile* profiles[] = {&numerics::FindProfile("reference"), &numerics::FindProfile("builtin"),
                                         &numerics::FindProfile("xnnpack")};
  request.options.profile = profiles[seed % 3];
  request.options.limits = {
      .max_tensor_bytes = kMaxTensorBytes, .max_total_bytes = 4 * kMaxTensorBytes, .max_loop_trips = 20};
  request.seed = seed;
  if (simplify) {
    SimplifyMutant(model, request.options);
    return;
  }
  runtime::RunModel(std::move(model), request);
}

}  // namespace

int Main(int argc, char** argv) {
  uint64_t count = 1000, seed = 1;
  int64_t only = -1;
  bool verbose = false, simplify = false;
  std::vector<std::string> paths;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const bool has_value = i + 1 < argc;
    if (flag == "--count" && has_value) {
      count = std::strtoull(argv[++i], nullptr, 10);
    } else if (flag == "--seed" && has_value) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (flag == "--only" && has_value) {
      only = std::strtoll(argv[++i], nullptr, 10);
    } else if (flag == "--verbose") {
      verbose = true;
    } else if (flag == "--simplify") {
      simplify = true;
    } else {
      paths.push_back(flag);
    }
  }
  std::vector<std::shared_ptr<const graph::Model>> models;
  std::vector<std::vector<uint8_t>> files;
  for (const std::string& path : paths) {
    models.push_back(tflite::ReadModel(path));
    const auto file = MappedFile::Open(path);
    files.emplace_back(file->bytes().begin(), file->bytes().end());
  }
  if (models.empty()) {
    fmt::print(stderr, "usage: mutate_models [--count N] [--seed S] [--only K] [--verbose] MODEL.tflite...\n");
    return 2;
  }
  std::map<std::string, std::map<std::string, int64_t>> tally;
  for (uint64_t k = 0; k < count; ++k) {
    if (only >= 0 && k != static_cast<uint64_t>(only)) continue;
    if (verbose) fmt::print(stderr, "mutant {}\n", k);
    Random random(seed, k);
    const size_t which = static_cast<size_t>(random.Below(models.size()));
    std::string kind, outcome = "ran";
    try {
      if (random.Chance(0.2)) {
        kind = "bytes";
        std::vector<uint8_t> bytes = files[which];
        for (uint64_t flips = 1 + random.Below(8); flips > 0; --flips) {
          bytes[random.Below(bytes.size())] = static_cast<uint8_t>(random.Below(256));
        }
        RunMutant(tflite::ReadModel(std::move(bytes), "mutant"), k, simplify);
      } else {
        auto mutant = std::make_shared<graph::Model>(*models[which]);
        Mutator mutator(random, *mutant);
        kind = mutator.MutateOnce();
        for (uint64_t more = random.Below(3); more > 0; --more) mutator.MutateOnce();
        graph::Verify(*mutant);
        outcome = "refused while preparing or running";
        RunMutant(mutant, k, simplify);
        outcome = "ran";
      }
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInternal) {
        fmt::print("mutant {} of {}: {}\n", k, paths[which], error.what());
        return 1;
      }
      if (outcome == "ran") outcome = "refused by the reader";
      if (only >= 0) fmt::print("{}\n", error.what());
    }
    ++tally[kind][outcome];
  }
  int64_t total = 0;
  for (const auto& [kind, outcomes] : tally) {
    for (const auto& [outcome, number] : outcomes) {
      fmt::print("{:<24} {:<36} {:>8}\n", kind, outcome, number);
      total += number;
    }
  }
  fmt::print("{} mutants, each ended in a result or an error\n", total);
  return 0;
}

}  // namespace assay

int main(int argc, char** argv) {
  try {
    return assay::Main(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "mutate_models: {}\n", error.what());
    return 1;
  }
}
