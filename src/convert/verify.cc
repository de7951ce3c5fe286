#include "convert/verify.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "base/error.h"
#include "base/random.h"
#include "convert/double_run.h"
#include "runtime/interpreter.h"
#include "runtime/run_model.h"

namespace assay::convert {
namespace {

constexpr size_t kListed = 5;

Deviation Compare(const std::string& name, std::span<const double> reference, std::span<const float> values) {
  Deviation deviation;
  deviation.tensor = name;
  double low = INFINITY, high = -INFINITY;
  for (size_t i = 0; i < reference.size(); ++i) {
    const double a = reference[i], b = static_cast<double>(values[i]);
    if (a == b || (std::isnan(a) && std::isnan(b))) {
      if (std::isfinite(a)) low = std::min(low, a), high = std::max(high, a);
      continue;
    }
    low = std::min(low, a), high = std::max(high, a);
    const double difference = std::abs(a - b);
    deviation.max_abs = std::isnan(difference) ? INFINITY : std::max(deviation.max_abs, difference);
  }
  // A tensor of one value has no range of its own; its size stands for it.
  deviation.range = high > low ? high - low : std::max(std::abs(high), 0.0);
  if (!std::isfinite(deviation.range) || deviation.range == 0) deviation.range = 1;
  deviation.relative = deviation.max_abs / deviation.range;
  return deviation;
}

// What a fused name begins with: the op whose value the tensor has.
std::string FirstPart(const std::string& name) { return name.substr(0, name.find(';')); }

Array RandomInput(DType dtype, const Shape& shape, uint64_t seed, uint64_t stream) {
  if (dtype == DType::kFloat32) return runtime::RandomArray(dtype, shape, seed, stream);
  // Indices: 0 and 1 exist in every table.
  Array array(dtype, shape);
  Random random(seed, stream);
  const size_t size = static_cast<size_t>(DTypeBits(dtype)) / 8;
  for (size_t i = 0; size > 0 && i < array.bytes().size(); i += size) {
    array.bytes()[i] = static_cast<uint8_t>(random.Below(2));
  }
  return array;
}

}  // namespace

Verification VerifyPasses(const graph::Model& unsimplified, std::shared_ptr<const graph::Model> written, int inputs,
                          const numerics::Profile& profile, const std::atomic<bool>* cancelled) {
  Verification result;
  runtime::InterpreterOptions options;
  options.profile = &profile;
  options.preserve_all_tensors = true;
  options.cancelled = cancelled;
  runtime::Interpreter interpreter(written, options);
  const graph::Subgraph &before = unsimplified.subgraphs[0], &after = written->subgraphs[0];
  if (before.inputs.size() != after.inputs.size() || before.outputs.size() != after.outputs.size()) {
    throw InputError("the written file has other inputs or outputs than the source");
  }
  std::unordered_map<std::string, int32_t> by_name;
  for (const graph::Operator& op : after.operators) {
    for (const int32_t t : op.outputs) by_name.emplace(FirstPart(after.tensors[static_cast<size_t>(t)].name), t);
  }
  std::unordered_map<std::string, Deviation> worst;
  for (int n = 0; n < inputs; ++n) {
    std::vector<Array> arrays;
    interpreter.AllocateTensors();
    for (size_t i = 0; i < interpreter.input_count(); ++i) {
      const runtime::TensorDetails details = interpreter.InputDetails(i);
      arrays.push_back(RandomInput(details.dtype, details.shape, static_cast<uint64_t>(n), i));
      interpreter.SetInput(i, arrays.back());
    }
    interpreter.ResetVariables();
    interpreter.Invoke();
    RunInDouble(unsimplified, arrays, [&](int32_t tensor, const DoubleValue& value) {
      if (cancelled != nullptr && cancelled->load()) throw Error(ErrorCode::kInterrupted, "interrupted");
      if (value.real.empty()) return;
      const std::string& name = before.tensors[static_cast<size_t>(tensor)].name;
      int32_t match = -1;
      bool is_output = false;
      for (size_t k = 0; k < before.outputs.size(); ++k) {
        if (before.outputs[k] == tensor) match = after.outputs[k], is_output = true;
      }
      if (match < 0) {
        const auto found = by_name.find(name);
        if (found == by_name.end()) return;
        match = found->second;
      }
      if (after.tensors[static_cast<size_t>(match)].dtype != DType::kFloat32 || !interpreter.IsReadable(match)) return;
      const Array array = interpreter.Tensor(match);
      if (static_cast<size_t>(array.size()) != value.real.size()) return;
      const Deviation deviation = Compare(name, value.real, array.values<float>());
      Deviation& kept = worst.try_emplace(name, deviation).first->second;
      if (deviation.relative > kept.relative) kept = deviation;
      if (is_output && deviation.relative >= result.worst_output.relative) result.worst_output = deviation;
    });
    ++result.inputs;
  }
  for (const auto& [name, deviation] : worst) result.worst_tensors.push_back(deviation);
  std::sort(result.worst_tensors.begin(), result.worst_tensors.end(), [](const Deviation& a, const Deviation& b) {
    return a.relative != b.relative ? a.relative > b.relative : a.tensor < b.tensor;
  });
  result.tensors = static_cast<int>(result.worst_tensors.size());
  if (result.worst_tensors.size() > kListed) result.worst_tensors.resize(kListed);
  if (!result.worst_tensors.empty()) result.worst = result.worst_tensors[0];
  return result;
}

namespace {

const Array* Find(const NamedArrays& arrays, const std::string& name, const char* letter, size_t index, size_t count) {
  for (const std::string& candidate :
       {name, fmt::format("{}{}", letter, index), count == 1 ? std::string(letter) : std::string()}) {
    if (candidate.empty()) continue;
    if (const Array* found = FindArray(arrays, candidate)) return found;
  }
  return nullptr;
}

// One sample along the first dimension, which stays, with size 1.
Array Sample(const Array& all, int64_t i) {
  std::vector<int32_t> dims(all.shape().dims().begin(), all.shape().dims().end());
  dims[0] = 1;
  Array one(all.dtype(), Shape(dims));
  const size_t bytes = one.bytes().size();
  std::memcpy(one.bytes().data(), all.bytes().data() + static_cast<size_t>(i) * bytes, bytes);
  return one;
}

Array AsType(const Array& array, DType dtype) {
  if (array.dtype() == dtype) return array;
  Array out(dtype, array.shape());
  for (int64_t i = 0; i < array.size(); ++i) {
    const double value = ElementAsDouble(array, i);
    if (dtype == DType::kFloat32) {
      out.values<float>()[static_cast<size_t>(i)] = static_cast<float>(value);
    } else if (dtype == DType::kInt32) {
      out.values<int32_t>()[static_cast<size_t>(i)] = static_cast<int32_t>(value);
    } else {
      throw InputError("inputs of type {} are not supported here", DTypeName(dtype));
    }
  }
  return out;
}

}  // namespace

Expectation CheckExpectation(std::shared_ptr<const graph::Model> written, const NamedArrays& arrays,
                             const numerics::Profile& profile, const std::atomic<bool>* cancelled) {
  Expectation result;
  runtime::InterpreterOptions options;
  options.profile = &profile;
  options.cancelled = cancelled;
  runtime::Interpreter interpreter(written, options);
  if (!written->signatures.empty()) interpreter.SelectSignature(written->signatures[0].key);
  std::vector<const Array*> inputs, outputs;
  const auto name_of = [&](const std::vector<graph::SignatureTensor>& list, size_t i, const std::string& otherwise) {
    return i < list.size() ? list[i].name : otherwise;
  };
  static const std::vector<graph::SignatureTensor> kNone;
  const auto& in_names = written->signatures.empty() ? kNone : written->signatures[0].inputs;
  const auto& out_names = written->signatures.empty() ? kNone : written->signatures[0].outputs;
  for (size_t i = 0; i < interpreter.input_count(); ++i) {
    const std::string name = name_of(in_names, i, interpreter.InputDetails(i).name);
    const Array* found = Find(arrays, name, "x", i, interpreter.input_count());
    if (found == nullptr) throw InputError("it has no array for the input '{}' (named so, or x{})", name, i);
    inputs.push_back(found);
  }
  for (size_t i = 0; i < interpreter.output_count(); ++i) {
    const std::string name = name_of(out_names, i, interpreter.OutputDetails(i).name);
    const Array* found = Find(arrays, name, "y", i, interpreter.output_count());
    if (found == nullptr) throw InputError("it has no array for the output '{}' (named so, or y{})", name, i);
    outputs.push_back(found);
    result.outputs.push_back({name, 0, 0, 0});
  }
  result.samples = inputs[0]->shape().rank() > 0 ? inputs[0]->shape()[0] : 0;
  for (const Array* array : inputs) {
    if (array->shape().rank() < 1 || array->shape()[0] != result.samples)
      throw InputError("its inputs have different numbers of samples");
  }
  for (const Array* array : outputs) {
    if (array->shape().rank() < 1 || array->shape()[0] != result.samples)
      throw InputError("its outputs have other numbers of samples than the inputs");
  }
  if (result.samples == 0) throw InputError("it has no samples");
  std::vector<double> low(outputs.size(), INFINITY), high(outputs.size(), -INFINITY);
  for (int64_t n = 0; n < result.samples; ++n) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Array one = Sample(*inputs[i], n);
      if (interpreter.InputDetails(i).shape != one.shape()) interpreter.ResizeInput(i, one.shape());
    }
    interpreter.AllocateTensors();
    for (size_t i = 0; i < inputs.size(); ++i) {
      interpreter.SetInput(i, AsType(Sample(*inputs[i], n), interpreter.InputDetails(i).dtype));
    }
    interpreter.ResetVariables();
    interpreter.Invoke();
    for (size_t k = 0; k < outputs.size(); ++k) {
      const Array got = interpreter.Output(k), want = Sample(*outputs[k], n);
      if (got.size() != want.size()) {
        throw InputError("output '{}' has the shape {} in the file and {} here", result.outputs[k].tensor,
                         want.shape().ToString(), got.shape().ToString());
      }
      int64_t best_got = 0, best_want = 0;
      for (int64_t i = 0; i < want.size(); ++i) {
        const double a = ElementAsDouble(want, i), b = ElementAsDouble(got, i);
        low[k] = std::min(low[k], a), high[k] = std::max(high[k], a);
        const double difference = std::abs(a - b);
        result.outputs[k].max_abs = std::isnan(difference) ? INFINITY : std::max(result.outputs[k].max_abs, difference);
        if (b > ElementAsDouble(got, best_got)) best_got = i;
        if (a > ElementAsDouble(want, best_want)) best_want = i;
      }
      if (k == 0) {
        result.has_answers = want.size() > 1;
        result.same_answers += best_got == best_want ? 1 : 0;
      }
    }
  }
  for (size_t k = 0; k < outputs.size(); ++k) {
    Deviation& deviation = result.outputs[k];
    deviation.range = high[k] > low[k] ? high[k] - low[k] : std::max(std::abs(high[k]), 1e-30);
    deviation.relative = deviation.max_abs / deviation.range;
    result.relative = std::max(result.relative, deviation.relative);
  }
  return result;
}

}  // namespace assay::convert
