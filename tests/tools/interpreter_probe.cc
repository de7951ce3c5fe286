// Drives one interpreter by commands, for the comparison with LiteRT's. Reads tab-separated lines from stdin and
// answers each with one line of JSON, {"error": MESSAGE} where it is refused:
//   open MODEL PROFILE | signature KEY | resize POSITION D,D,... plain|strict | allocate | details | run IN.npz OUT.npz
// `details` has inputs, outputs, tensors and signatures; `run` reads in/<k> and writes out/<k>, by position.
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "format/tflite/reader.h"
#include "runtime/interpreter.h"
#include "tensor/npy.h"

namespace {

using nlohmann::json;

json Describe(const assay::runtime::TensorDetails& tensor) {
  const auto dims = tensor.shape.dims();
  return {{"name", tensor.name},
          {"index", tensor.index},
          {"shape", std::vector<int32_t>(dims.begin(), dims.end())},
          {"shape_signature", tensor.shape_signature},
          {"dtype", assay::DTypeName(tensor.dtype)},
          {"scales", tensor.quantization.scale},
          {"zero_points", tensor.quantization.zero_point},
          {"quantized_dimension", tensor.quantization.quantized_dimension}};
}

class Probe {
 public:
  json Answer(const std::vector<std::string>& words) {
    const std::string& verb = words.at(0);
    if (verb == "open") {
      interpreter_.emplace(assay::tflite::ReadModel(words.at(1)),
                           assay::runtime::InterpreterOptions{.profile = &assay::numerics::FindProfile(words.at(2))});
    } else if (verb == "signature") {
      interpreter_->SelectSignature(words.at(1));
    } else if (verb == "resize") {
      std::vector<int32_t> dims;
      std::istringstream list(words.at(2));
      for (std::string one; std::getline(list, one, ',');) dims.push_back(std::stoi(one));
      interpreter_->ResizeInput(std::stoul(words.at(1)), assay::Shape(dims), words.at(3) == "strict");
    } else if (verb == "allocate") {
      interpreter_->AllocateTensors();
    } else if (verb == "details") {
      return Details();
    } else if (verb == "run") {
      Run(words.at(1), words.at(2));
    } else {
      throw assay::UsageError("unknown command '{}'", verb);
    }
    return json::object();
  }

 private:
  json Details() const {
    json answer = {{"inputs", json::array()}, {"outputs", json::array()}, {"tensors", json::array()}};
    for (size_t k = 0; k < interpreter_->input_count(); ++k)
      answer["inputs"].push_back(Describe(interpreter_->InputDetails(k)));
    for (size_t k = 0; k < interpreter_->output_count(); ++k)
      answer["outputs"].push_back(Describe(interpreter_->OutputDetails(k)));
    const auto& graph = interpreter_->model().subgraphs.at(0);
    for (size_t t = 0; t < graph.tensors.size(); ++t)
      answer["tensors"].push_back(Describe(interpreter_->Details(static_cast<int32_t>(t))));
    answer["signatures"] = json::object();
    for (const auto& signature : interpreter_->model().signatures) {
      json inputs = json::array(), outputs = json::array();
      for (const auto& one : signature.inputs) inputs.push_back(one.name);
      for (const auto& one : signature.outputs) outputs.push_back(one.name);
      answer["signatures"][signature.key] = {{"inputs", inputs}, {"outputs", outputs}};
    }
    return answer;
  }

  void Run(const std::string& in, const std::string& out) {
    for (const auto& [key, array] : assay::ReadNpz(in)) interpreter_->SetInput(std::stoul(key.substr(3)), array);
    interpreter_->ResetVariables();
    interpreter_->Invoke();
    std::vector<std::pair<std::string, assay::Array>> arrays;
    for (size_t k = 0; k < interpreter_->output_count(); ++k)
      arrays.emplace_back("out/" + std::to_string(k), interpreter_->Output(k));
    assay::WriteNpz(out, arrays);
  }

  std::optional<assay::runtime::Interpreter> interpreter_;
};

}  // namespace

int main() {
  Probe probe;
  for (std::string line; std::getline(std::cin, line);) {
    std::vector<std::string> words;
    std::istringstream stream(line);
    for (std::string word; std::getline(stream, word, '\t');) words.push_back(word);
    json answer;
    try {
      answer = probe.Answer(words);
    } catch (const assay::Error& error) {
      answer = {{"error", error.what()}};
    }
    std::cout << answer.dump() << std::endl;
  }
}
