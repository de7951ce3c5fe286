#include "runtime/run_model.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "base/random.h"
#include "graph/verifier.h"
#include "tensor/float16.h"

namespace assay::runtime {
namespace {

// The shape to give the interpreter for `value`, where the model leaves dimensions open.
bool MayResize(const TensorDetails& details, const Shape& shape) {
  if (static_cast<int>(details.shape_signature.size()) != shape.rank()) return false;
  bool any_open = false;
  for (int i = 0; i < shape.rank(); ++i) {
    const int32_t dim = details.shape_signature[static_cast<size_t>(i)];
    any_open |= dim == -1;
    if (dim != -1 && dim != shape[i]) return false;
  }
  return any_open;
}

}  // namespace

Array RandomArray(DType dtype, const Shape& shape, uint64_t seed, uint64_t stream) {
  Array array(dtype, shape);
  Random random(seed, stream);
  switch (dtype) {
    case DType::kFloat32:
      for (float& x : array.values<float>()) x = static_cast<float>(random.Normal());
      break;
    case DType::kFloat64:
      for (double& x : array.values<double>()) x = random.Normal();
      break;
    case DType::kFloat16: {
      for (size_t i = 0; i + 1 < array.bytes().size(); i += 2) {
        const uint16_t half = FloatToHalf(static_cast<float>(random.Normal()));
        std::memcpy(array.bytes().data() + i, &half, 2);
      }
      break;
    }
    case DType::kBool:
      for (uint8_t& x : array.bytes()) x = static_cast<uint8_t>(random.Below(2));
      break;
    case DType::kString:
    case DType::kResource:
    case DType::kVariant:
      throw InputError("inputs of type {} cannot be made at random", DTypeName(dtype));
    default:
      for (uint8_t& x : array.bytes()) x = static_cast<uint8_t>(random.Next() >> 56);
  }
  return array;
}

RunResult RunModel(std::shared_ptr<const graph::Model> model, const RunRequest& request) {
  InterpreterOptions options = request.options;
  options.preserve_all_tensors = request.all_tensors;
  Interpreter interpreter(std::move(model), options);
  std::vector<Array> inputs(interpreter.input_count());
  std::vector<bool> given(interpreter.input_count(), false);
  for (const auto& [key, array] : request.inputs) {
    const bool prefixed = key.rfind("in/", 0) == 0;
    bool found = false;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const std::string name = interpreter.InputDetails(i).name;
      if (name != key && !(prefixed && name == key.substr(3))) continue;
      inputs[i] = array;
      given[i] = found = true;
    }
    if (!found && !request.ignore_other_arrays) interpreter.FindInput(key);
  }
  if (request.ignore_other_arrays && !inputs.empty() && std::find(given.begin(), given.end(), true) == given.end()) {
    std::vector<std::string> names;
    for (size_t i = 0; i < inputs.size(); ++i) names.push_back(graph::Printable(interpreter.InputDetails(i).name));
    throw InputError("--inputs: the file has no array for an input of the model: '{}'", fmt::join(names, "', '"));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorDetails details = interpreter.InputDetails(i);
    if (!given[i]) {
      inputs[i] = RandomArray(details.dtype, details.shape, request.seed, i);
    } else if (inputs[i].shape() != details.shape && MayResize(details, inputs[i].shape())) {
      interpreter.ResizeInput(i, inputs[i].shape());
    }
  }
  interpreter.AllocateTensors();
  for (size_t i = 0; i < inputs.size(); ++i) interpreter.SetInput(i, inputs[i]);
  interpreter.Invoke();
  RunResult result;
  for (size_t i = 0; i < inputs.size(); ++i) {
    result.arrays.emplace_back("in/" + interpreter.InputDetails(i).name, std::move(inputs[i]));
  }
  for (size_t k = 0; k < interpreter.output_count(); ++k) {
    result.arrays.emplace_back(fmt::format("out/{}", k), interpreter.Output(k));
  }
  if (request.all_tensors) {
    const auto count = static_cast<int32_t>(interpreter.model().subgraphs[0].tensors.size());
    for (int32_t t = 0; t < count; ++t) {
      const DType dtype = interpreter.Details(t).dtype;
      if (!interpreter.IsReadable(t) || DTypeBits(dtype) % 8 != 0 || DTypeBits(dtype) == 0) continue;
      if (dtype == DType::kBFloat16 || dtype == DType::kFloat8E4M3FN || dtype == DType::kFloat8E5M2) continue;
      result.arrays.emplace_back(fmt::format("tensor/{}", t), interpreter.Tensor(t));
    }
  }
  result.memory = interpreter.memory();
  return result;
}

}  // namespace assay::runtime
