// Puts small models together in code, mostly for tests:
//
//   ModelBuilder m;
//   const int x = m.Input("x", DType::kFloat32, {1, 4});
//   const int w = m.Constant("w", Shape{3, 4}, std::vector<float>{...});
//   const int y = m.Tensor("y", DType::kFloat32, {1, 3});
//   m.Op(BuiltinOp::kFullyConnected, {x, w, kNoTensor}, {y}, {{"fused_activation_function", 1}});
//   m.Output(y);
//   auto model = m.Build();
//
// Nothing is checked here; `graph::Verify` or the interpreter does that.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "graph/model.h"

namespace assay::graph {

class ModelBuilder {
 public:
  // An option as tests want to write it: {"axis", 1}, {"beta", 1.0}, {"new_shape", std::vector<int64_t>{1, 2}}.
  struct Option {
    Option(std::string name_, AttributeValue value_) : name(std::move(name_)), value(std::move(value_)) {}
    Option(std::string name_, int value_) : name(std::move(name_)), value(int64_t{value_}) {}
    Option(std::string name_, bool value_) : name(std::move(name_)), value(int64_t{value_}) {}
    Option(std::string name_, double value_) : name(std::move(name_)), value(value_) {}
    Option(std::string name_, const char* value_) : name(std::move(name_)), value(std::string(value_)) {}
    std::string name;
    AttributeValue value;
  };

  ModelBuilder() {
    model_.source = "built model";
    model_.subgraphs.emplace_back();
  }

  // Everything below goes into the current subgraph: the main one, or the last that this began. Returns its index.
  int NewSubgraph(std::string name = {}) {
    model_.subgraphs.emplace_back().name = std::move(name);
    return static_cast<int>(model_.subgraphs.size()) - 1;
  }
  void SelectSubgraph(int index) { current_ = index; }

  int Tensor(std::string name, DType dtype, Shape shape, Quantization quantization = {}) {
    graph::Tensor& tensor = subgraph().tensors.emplace_back();
    tensor.name = std::move(name);
    tensor.dtype = dtype;
    tensor.shape = std::move(shape);
    tensor.quantization = std::move(quantization);
    return static_cast<int>(subgraph().tensors.size()) - 1;
  }
  int Input(std::string name, DType dtype, Shape shape, Quantization quantization = {}) {
    const int index = Tensor(std::move(name), dtype, std::move(shape), std::move(quantization));
    subgraph().inputs.push_back(index);
    return index;
  }
  int Variable(std::string name, DType dtype, Shape shape, Quantization quantization = {}) {
    const int index = Tensor(std::move(name), dtype, std::move(shape), std::move(quantization));
    tensor(index).is_variable = true;
    return index;
  }
  // The bytes as they are: packed for types of less than 8 bits, the format's layout for strings.
  int ConstantBytes(std::string name, DType dtype, Shape shape, std::vector<uint8_t> bytes,
                    Quantization quantization = {}) {
    const int index = Tensor(std::move(name), dtype, std::move(shape), std::move(quantization));
    tensor(index).data = graph::Constant::Own(std::move(bytes));
    return index;
  }
  template <typename T>
  int Constant(std::string name, Shape shape, const std::vector<T>& values, Quantization quantization = {}) {
    std::vector<uint8_t> bytes(values.size() * sizeof(T));
    if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    return ConstantBytes(std::move(name), DTypeOf<T>(), std::move(shape), std::move(bytes), std::move(quantization));
  }

  // The options go into the operator's own table.
  Operator& Op(BuiltinOp code, std::vector<int32_t> inputs, std::vector<int32_t> outputs,
               const std::vector<Option>& options = {}) {
    Operator& op = subgraph().operators.emplace_back();
    op.code = code;
    op.inputs = std::move(inputs);
    op.outputs = std::move(outputs);
    op.options_table = BuiltinOpOptionsTable(code);
    for (const Option& option : options) op.attributes.Set(option.name, option.value);
    return op;
  }
  Operator& CustomOp(std::string name, std::vector<int32_t> inputs, std::vector<int32_t> outputs,
                     std::vector<uint8_t> custom_options = {}) {
    Operator& op = Op(BuiltinOp::kCustom, std::move(inputs), std::move(outputs));
    op.custom_code = std::move(name);
    op.custom_options = std::move(custom_options);
    return op;
  }
  void Output(int index) { subgraph().outputs.push_back(index); }

  Model& model() { return model_; }
  Subgraph& subgraph() {
    return current_ < 0 ? model_.subgraphs.back() : model_.subgraphs[static_cast<size_t>(current_)];
  }
  graph::Tensor& tensor(int index) { return subgraph().tensors[static_cast<size_t>(index)]; }
  std::shared_ptr<const Model> Build() const { return std::make_shared<const Model>(model_); }

  // Quantization of a whole tensor, and along one dimension.
  static Quantization PerTensor(float scale, int64_t zero_point = 0) { return {{scale}, {zero_point}, 0, {}, {}}; }
  static Quantization PerChannel(std::vector<float> scales, int32_t dimension) {
    const size_t count = scales.size();
    return {std::move(scales), std::vector<int64_t>(count, 0), dimension, {}, {}};
  }

 private:
  Model model_;
  int current_ = -1;
};

}  // namespace assay::graph
